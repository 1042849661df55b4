import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.errors import DownloadError
from recognizer.system import remote_file
from recognizer.system.remote_file import RemoteFile
from tests.helpers.local_server import closed_address
from tests.helpers.package_index import Index, running_index

CONTENT = random.Random(0).randbytes(5000)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr(remote_file, "TAIL_BYTES", 700)
    monkeypatch.setattr(remote_file, "BLOCK_BYTES", 300)
    (tmp_path / "file.whl").write_bytes(CONTENT)
    with running_index(tmp_path) as index:
        yield index


def test_reading_anywhere_gives_the_bytes_of_the_file(index: Index) -> None:
    rng = random.Random(1)
    file = RemoteFile(f"{index.url}/files/file.whl")
    assert file.name == "file.whl"
    assert file.seek(0, os.SEEK_END) == len(CONTENT)
    for _ in range(50):
        start, count = rng.randrange(len(CONTENT) + 9), rng.choice((0, 1, 40, 301, 3000))
        assert file.seek(start) == start
        assert file.read(count) == CONTENT[start : start + count]
        assert file.tell() == max(start, min(start + count, len(CONTENT)))
    file.seek(-10, os.SEEK_END)
    file.seek(2, os.SEEK_CUR)
    assert file.read() == CONTENT[-8:]


def test_only_what_is_read_is_downloaded(index: Index) -> None:
    file = RemoteFile(f"{index.url}/files/file.whl")
    assert index.sent == {"/files/file.whl": 700}
    file.seek(-700, os.SEEK_END)
    assert file.read(700) == CONTENT[-700:]
    assert index.sent == {"/files/file.whl": 700}
    file.load(1000, 500)
    file.seek(1000)
    assert file.read(200) + file.read(300) == CONTENT[1000:1500]
    assert index.sent == {"/files/file.whl": 1200}


def test_a_server_without_ranges_raises_an_error(index: Index) -> None:
    index.ranges = False
    with pytest.raises(DownloadError, match="/files/file.whl cannot be downloaded in parts"):
        RemoteFile(f"{index.url}/files/file.whl")


def test_a_connection_that_breaks_off_raises_an_error(index: Index) -> None:
    index.stalled.add("file.whl")
    index.broken.set()
    with pytest.raises(DownloadError, match="/files/file.whl could not be downloaded"):
        RemoteFile(f"{index.url}/files/file.whl")


@pytest.mark.parametrize("has_server", [True, False])
def test_a_missing_file_and_server_raise_an_error(index: Index, has_server: bool) -> None:
    with pytest.raises(DownloadError, match="could not be downloaded"):
        RemoteFile(f"{index.url}/files/none" if has_server else closed_address())
