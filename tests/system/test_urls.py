"""No password of a URL is shown."""

from pathlib import Path

import pytest

from recognizer.errors import SyncError
from recognizer.system.remote import Remote
from recognizer.system.terminal import exit_code_of
from recognizer.system.urls import is_url, text_without_secrets, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:secret@host/x?token=abc", "rtsp://host/x"),
        ("rtsp://user:se/cret@host/x", "rtsp://host/x"),
        ("rtsp://user:sec?ret@host/x", "rtsp://host/x"),
        ("rtsp://user:sec#ret@host/x", "rtsp://host/x"),
        ("rtsp://user:sec@ret@host:554/x", "rtsp://host:554/x"),
        ("http://host/snapshot.cgi;pwd=secret", "http://host/snapshot.cgi;pwd=…"),
        ("rtsp://host/user=admin&password=secret&channel=1.sdp", "rtsp://host/user=…&password=…&channel=1.sdp"),
        ("rtsp://h/x#secret", "rtsp://h/x"),
        ("http://secret@host/x", "http://host/x"),
        ("http://host:8080/shot.jpg", "http://host:8080/shot.jpg"),
        ("s3://bucket/models", "s3://bucket/models"),
        ("photos/a@b?c.png", "photos/a@b?c.png"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
    assert "secret" not in text_without_secrets(f"{url} cannot be opened. Or: '{url}'").replace("photos", "")


def test_a_url_is_told_from_a_path() -> None:
    assert is_url("s3://bucket")
    assert not is_url("C:/models")
    assert not is_url("models://"[:6])


def test_the_error_of_a_url_that_cannot_be_used_shows_no_password() -> None:
    pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")
    with pytest.raises(SyncError, match="ftp://127.0.0.1:1/models cannot be used") as caught:
        Remote("ftp://anna:hunter2@127.0.0.1:1/models").names("")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SyncError) as caught:
        Remote("nosuch://anna:hunter2@host/models")
    assert "hunter2" not in str(caught.value)


def test_one_function_shows_urls() -> None:
    root = Path(__file__).parents[2]
    homes = [
        path.name
        for folder in ("recognizer", "training")
        for path in (root / folder).rglob("*.py")
        if "def without_secrets" in path.read_text(encoding="utf-8")
    ]
    assert homes == ["urls.py"]


def test_an_error_is_printed_without_the_password_of_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(SyncError("rtsp://anna:hunter2@host/x is not there.")) == 2
    assert capsys.readouterr().err == "rtsp://host/x is not there.\n"
