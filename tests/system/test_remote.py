"""Files at a URL that others may write to."""

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
