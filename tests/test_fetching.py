import contextlib
import gzip
import hashlib
import http.server
import threading

import pytest
from local_server import closed_address

from recognizer.errors import DataError
from training.fetching import fetch

CONTENT = gzip.compress(bytes(range(256)) * 40)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@contextlib.contextmanager
def serving(*, ranges=True, break_at=None):
    """Serves CONTENT; the first answer ends at byte `break_at`. Yields the address and the list of ranges asked for."""
    asked = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("Range"))
            start = int(asked[-1][6:-1]) if ranges and asked[-1] else 0
            if start >= len(CONTENT):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            self.wfile.write(CONTENT[start : break_at if len(asked) == 1 else None])

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/file", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_broke_off(tmp_path, ranges):
    path = tmp_path / "data" / "file.gz"
    with serving(ranges=ranges, break_at=100) as (url, asked):
        with pytest.raises(DataError, match="goes on where"):
            fetch(url, path, SHA256)
        assert not path.exists()
        assert fetch(url, path, SHA256).read_bytes() == CONTENT
    assert asked == [None, "bytes=100-"]
    assert [one.name for one in path.parent.iterdir()] == ["file.gz"]


def test_a_whole_part_is_not_fetched_again(tmp_path):
    (tmp_path / "file.gz.part").write_bytes(CONTENT)
    with serving() as (url, _):
        assert fetch(url, tmp_path / "file.gz", SHA256).read_bytes() == CONTENT


def test_another_file_is_not_kept(tmp_path):
    with serving() as (url, _), pytest.raises(DataError, match="was expected"):
        fetch(url, tmp_path / "file.gz", "sha256:" + "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_the_content_counts_however_it_is_packed(tmp_path):
    wanted = "gunzipped:" + hashlib.sha256(gzip.decompress(CONTENT)).hexdigest()
    with serving() as (url, _):
        assert fetch(url, tmp_path / "file.gz", wanted).is_file()


def test_nobody_there_is_one_line(tmp_path):
    with pytest.raises(DataError) as error:
        fetch(closed_address(), tmp_path / "file.gz", SHA256)
    assert "\n" not in str(error.value)
    assert "file.gz" in str(error.value)
