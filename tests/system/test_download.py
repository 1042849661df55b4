import contextlib
import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.errors import AssetError, DownloadError
from recognizer.system import download as module
from recognizer.system.download import download, partial_path
from tests.helpers.local_server import closed_address

CONTENT = gzip.compress(bytes(range(256)) * 40, mtime=0)
CHANGED = CONTENT[::-1]  # of the same length
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Server:
    """The content and settings of a test server. It records the requested ranges."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.content = CONTENT
        self.break_at: int | None = None  # byte at which a response breaks off
        self.supports_ranges = True
        self.range_offset = 0  # offset of the sent range to the requested one, in bytes
        self.ranges: list[str | None] = []  # Range header of each request


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested = self.headers.get("Range")
            here.ranges.append(requested)
            start = 0
            if requested and here.supports_ranges:
                start = int(requested.removeprefix("bytes=").removesuffix("-")) + here.range_offset
                if start >= len(here.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(here.content) - 1}/{len(here.content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(here.content) - start))
            self.end_headers()
            self.wfile.write(here.content[start : here.break_at])

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Server(f"http://127.0.0.1:{server.server_port}/file")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The target path, in a folder that does not exist yet."""
    return tmp_path / "data" / "file.gz"


@pytest.fixture
def begun(server: Server, path: Path) -> Path:
    """The target path after a download that broke off after 100 bytes."""
    server.break_at = 100
    with pytest.raises(
        DownloadError, match=f"broke off after 100 of {len(CONTENT)} bytes. Try again: the download resumes"
    ):
        download(server.url, path, SHA256)
    server.break_at = None
    assert files_beside(path) == ["file.gz.part"]
    return path


def files_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_an_interrupted_download_resumes(server: Server, begun: Path) -> None:
    assert download(server.url, begun, SHA256) == begun
    assert begun.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100-"]
    assert files_beside(begun) == ["file.gz"]


def test_a_server_without_ranges_sends_the_whole_file(server: Server, begun: Path) -> None:
    server.supports_ranges = False
    assert download(server.url, begun, SHA256).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100-"]


@pytest.mark.parametrize("range_offset", [-50, 50])
def test_a_wrong_range_is_not_used(server: Server, begun: Path, range_offset: int) -> None:
    server.range_offset = range_offset
    assert download(server.url, begun, SHA256).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100-", None]


def test_a_complete_partial_file_is_not_downloaded_again(server: Server, path: Path) -> None:
    path.parent.mkdir()
    partial_path(path).write_bytes(CONTENT)
    assert download(server.url, path, SHA256).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("length", [100, len(CONTENT), 2 * len(CONTENT)])
def test_a_partial_file_with_other_content_is_downloaded_from_the_start(
    server: Server, path: Path, length: int
) -> None:
    path.parent.mkdir()
    partial_path(path).write_bytes(bytes(length))
    assert download(server.url, path, SHA256).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={length}-", None]


def test_a_changed_file_is_downloaded_once_more_and_then_raises_an_error(server: Server, begun: Path) -> None:
    server.content = CHANGED
    with pytest.raises(DownloadError, match="has SHA-256 .{12}…, and .{12}… was expected"):
        download(server.url, begun, SHA256)
    assert server.ranges == [None, "bytes=100-", None]
    assert files_beside(begun) == []


def test_a_complete_download_with_a_wrong_checksum_is_not_repeated(server: Server, path: Path) -> None:
    server.content = CHANGED
    with pytest.raises(DownloadError, match="was expected"):
        download(server.url, path, SHA256)
    assert server.ranges == [None]
    assert files_beside(path) == []


def test_a_failed_download_keeps_the_existing_file(server: Server, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"older")
    server.content = CHANGED
    with pytest.raises(DownloadError):
        download(server.url, path, SHA256)
    assert path.read_bytes() == b"older"
    server.content = CONTENT
    assert download(server.url, path, SHA256).read_bytes() == CONTENT


def test_ctrl_c_keeps_the_existing_file_and_the_next_download_resumes(
    server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"older")

    def stopped(url: str, start: int) -> Iterator[tuple[int, int, bytes]]:
        yield 0, len(CONTENT), CONTENT[:70]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "_chunks", stopped)
        download(server.url, path, SHA256)
    assert path.read_bytes() == b"older"
    assert download(server.url, path, SHA256).read_bytes() == CONTENT
    assert server.ranges == ["bytes=70-"]


@pytest.mark.parametrize(
    "checksum",
    ["md5:" + hashlib.md5(CONTENT).hexdigest(), "gunzipped:" + hashlib.sha256(gzip.decompress(CONTENT)).hexdigest()],
)
def test_md5_and_the_checksum_of_the_unpacked_file_are_checked(server: Server, path: Path, checksum: str) -> None:
    assert download(server.url, path, checksum).is_file()
    server.content = CHANGED
    with pytest.raises(DownloadError, match="has MD5 .* was expected|is not a complete gzip file"):
        download(server.url, path.with_name("other.gz"), checksum)
    assert files_beside(path) == ["file.gz"]


def test_an_unreachable_server_raises_a_one_line_error_and_leaves_no_file(path: Path) -> None:
    with pytest.raises(DownloadError, match="could not be downloaded") as error:
        download(closed_address(), path, SHA256)
    assert "\n" not in str(error.value)
    assert files_beside(path) == []


def test_a_full_disk_raises_an_asset_error(server: Server, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(AssetError, match="file.gz cannot be written .*No space left") as error:
        download(server.url, path, SHA256)
    assert not isinstance(error.value, DownloadError)
    assert not path.exists()
