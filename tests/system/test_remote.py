"""Files at a URL that others may write to."""

import os
import uuid
from pathlib import Path

import pytest

from recognizer.system import remote
from recognizer.system.remote import Remote

fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(("name", "limit"), [("digits/v1/card.json", "TEXT_LIMIT"), ("pictures/a.png", "FILE_LIMIT")])
def test_a_file_that_is_too_large_is_not_read(
    name: str, limit: str, listed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote, limit, 100)
    there = Remote(f"memory://{uuid.uuid4().hex}")
    there.put(name, bytes(101))
    there.put("small.json", bytes(100))
    if listed:
        assert there.names("") == {name, "small.json"}
    assert there.get(name) is None
    assert f"{name} is larger than" in caplog.text
    assert there.get("small.json") == bytes(100)
    assert there.get("missing.json") is None


def test_the_size_of_a_file_at_a_path_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TEXT_LIMIT", 100)
    there = Remote(tmp_path.as_uri())
    there.put("a.json", b"")
    there.put("b.json", bytes(1 << 20))
    assert there.names("") == {"a.json", "b.json"}
    assert (there.get("a.json"), there.get("b.json")) == (b"", None)


@pytest.mark.parametrize("listed", [True, False])
def test_links_and_named_pipes_in_a_shared_folder_are_not_read(
    tmp_path: Path, listed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "far" / "link.csv").symlink_to(tmp_path / "secret")
    (tmp_path / "far" / "zeros.csv").symlink_to("/dev/zero")
    (tmp_path / "far" / "folder.csv").symlink_to(tmp_path)
    (tmp_path / "far" / "broken.csv").symlink_to("nowhere")
    os.mkfifo(tmp_path / "far" / "pipe.csv")
    there = Remote((tmp_path / "far").as_uri())
    there.put("plain.csv", b"plain")
    if listed:
        assert there.names("") == {"plain.csv"}
    assert there.get("plain.csv") == b"plain"
    for name in ("link.csv", "zeros.csv", "folder.csv", "broken.csv", "pipe.csv"):
        assert there.get(name) is None
    assert "pipe.csv is a link or no plain file" in caplog.text
