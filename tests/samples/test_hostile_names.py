"""Property test: whatever names a zip or URL gives, nothing is written outside the folder of the samples."""

import contextlib
import http.server
import json
import threading
import urllib.parse
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recognizer.errors import RecognizerError
from recognizer.samples.archive import import_zip
from recognizer.samples.png import encode_png
from recognizer.samples.store import Samples
from recognizer.samples.synced import SyncedSamples
from recognizer.samples.table import HEADER
from recognizer.system.names import RESERVED
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import local_folder, short_digest

pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")

PNG = encode_png(np.zeros((8, 8, 3), np.uint8))
PIECES = ("..", ".", "/", "\\", "C:", "~", "con", "NUL", "aux.txt", "\0", "\n", " ", "-rf", "%2e%2e", "%2f", "é", "e\u0301",
          "a", "signs", "s1", "ok", ".png", ",", '"', "*", "$HOME", "\u202e", "x" * 130)  # fmt: skip
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)
PATHS = st.one_of(NAMES, st.tuples(NAMES, NAMES, NAMES, NAMES).map(lambda parts: "/".join(parts) + ".png"))


def content_of(path: str, task: str) -> tuple[bytes, bytes]:
    """A row and a task card with these names."""
    cells = [path, "ok", task, [*path.split("/"), ""][1], "2026-01-01T00:00:00Z", "x", "", "0 0 8 8", ""]
    row = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells).encode("utf-8", "surrogatepass") + b"\n"
    return row, json.dumps({"name": task, "region": "box", "labels": ["ok"]}).encode()


def files_at_url(path: str, task: str) -> dict[str, bytes]:
    row, card = content_of(path, task)
    table, name = HEADER + b"\n" + row, path.rsplit("/", 1)[-1].removesuffix(".png")
    return {
        f"rows/{name}-0-{short_digest(table)}.csv": table,
        f"pictures/{name}.png": PNG,
        f"tasks/{short_digest(task.encode())}-0-{short_digest(card)}.json": card,
        f"rows/{path}": table,
        f"tasks/{path}": card,
        f"deleted/{path}": card,
    }


def from_zip(folder: Path, path: str, task: str) -> None:
    row, card = content_of(path, task)
    archive = folder.parent / f"{uuid.uuid4().hex}.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("samples.csv", HEADER + b"\n" + row)
        made.writestr(f"{task}/task.json", card)
        made.writestr(path or "x", PNG)
    try:
        import_zip(Samples(folder / "captures"), archive)
    finally:
        archive.unlink()


def from_url(url: str, folder: Path) -> None:
    SyncedSamples(local_folder(url, folder)).pull()


def from_memory(folder: Path, path: str, task: str) -> None:
    import fsspec

    root, store = f"/{uuid.uuid4().hex}", fsspec.filesystem("memory").store
    template = fsspec.implementations.memory.MemoryFile
    for name, data in files_at_url(path, task).items():
        store[f"{root}/{name}"] = template(
            fsspec.filesystem("memory"), f"{root}/{name}", data
        )  # as S3: any text is a key
    try:
        from_url(f"memory:/{root}", folder)
    finally:
        for key in [key for key in store if key.startswith(root)]:
            del store[key]


def from_file(folder: Path, path: str, task: str) -> None:
    far = folder.parent / "far" / uuid.uuid4().hex
    for name, data in files_at_url(path, task).items():
        try:
            if (far / name).resolve().is_relative_to(far):
                Remote(far.as_uri()).put(name, data)
        except (RecognizerError, ValueError):  # names that no file here can have
            continue
    far.mkdir(parents=True, exist_ok=True)
    from_url(far.as_uri(), folder)


@contextmanager
def serving(served: dict[str, bytes]) -> Iterator[str]:
    """An HTTP server that lists any text as a name, and answers every path that it knows."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked = urllib.parse.unquote(self.path).strip("/")
            page = "".join(f'<a href="/{name}">x</a><a href="{name}">x</a>' for name in served).encode(errors="replace")
            body = page if asked in ("", "rows", "tasks", "deleted") else served.get(asked)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def from_http(folder: Path, path: str, task: str) -> None:
    with serving(files_at_url(path, task)) as url:
        from_url(url, folder)


@pytest.mark.parametrize("fetch", [from_zip, from_file, from_memory, from_http])
def test_no_name_from_elsewhere_leaves_the_folder(tmp_path: Path, fetch: Callable[[Path, str, str], None]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    tried = []

    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
    @given(path=PATHS, task=NAMES)
    def write_nothing_outside(path: str, task: str) -> None:
        folder = home / str(len(tried))
        folder.mkdir()
        tried.append(path)
        with contextlib.suppress(RecognizerError):
            fetch(folder, path, task)
        outside = {found.name for found in tmp_path.iterdir()} - {"home", "far"}
        assert outside == set()
        assert {found.name for found in home.iterdir()} - {str(number) for number in range(len(tried))} <= {"far"}
        for found in folder.rglob("*"):
            assert found.name.split(".")[0].casefold() not in RESERVED
            assert not set(found.name) & set('\\:*?"<>|\n')

    write_nothing_outside()
    assert len(tried) >= 25
