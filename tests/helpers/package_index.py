"""A local package index with tiny wheels, for tests of installations."""

import contextlib
import hashlib
import http.server
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path


def make_wheel(
    folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0", tag: str = "py3-none-any"
) -> Path:
    """Write a wheel with the files, by path, into the folder. Return its path."""
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    meta = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    records = [f"{name},," for name in (*files, *meta)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, content in {**files, **meta}.items():
            entry = zipfile.ZipInfo(inner)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if ".data/scripts/" in inner else 0o100644) << 16
            archive.writestr(entry, content)
        archive.writestr(f"{info}/RECORD", "\n".join([*records, f"{info}/RECORD,,"]))
    return path


@dataclass
class Index:
    """A running index of the wheels in a folder."""

    folder: Path
    url: str = ""
    ranges: bool = True  # whether parts of files can be requested
    stalled: set[str] = field(default_factory=set)  # wheels of which half is sent, until `broken` is set
    broken: threading.Event = field(default_factory=threading.Event)  # ends the connections of stalled downloads
    sent: dict[str, int] = field(default_factory=dict)  # bytes by path

    def downloads(self) -> set[str]:
        """The names of the packages whose wheels were requested."""
        return {path_name(path) for path in self.sent if path.endswith(".whl")}

    def variables(self, caches: Path) -> dict[str, str]:
        """Environment variables that let pip and uv use this index alone, with empty caches in the folder."""
        return {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_FIND_LINKS": "",
            "PIP_INDEX_URL": f"{self.url}/simple",
            "PIP_TRUSTED_HOST": self.url.removeprefix("http://"),
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV_DEFAULT_INDEX": f"{self.url}/simple",
            "UV_CACHE_DIR": str(caches / "uv"),
            "UV_HTTP_RETRIES": "0",
            "NO_PROXY": "127.0.0.1",
        }


def path_name(path: str) -> str:
    """The name of the package whose file is requested."""
    return path.rpartition("/")[2].partition("-")[0]


@contextlib.contextmanager
def running_index(folder: Path) -> Iterator[Index]:
    """Serve the wheels that are in the folder at the time of a request."""
    index = Index(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/simple/"):
                name = self.path.strip("/").rpartition("/")[2].replace("-", "_")
                links = [
                    f'<a href="/files/{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}" '
                    f'data-core-metadata="true">{path.name}</a>'
                    for path in sorted(index.folder.glob(f"{name}-*.whl"))
                ]
                self.reply(HTTPStatus.OK if links else HTTPStatus.NOT_FOUND, "\n".join(links).encode(), "no-cache")
                return
            path = index.folder / self.path.removeprefix("/files/")
            if path.suffix == ".metadata":  # as PyPI has it, so that an installer need not download a wheel to resolve
                with zipfile.ZipFile(path.with_suffix("")) as wheel:
                    (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
                    self.reply(HTTPStatus.OK, wheel.read(name), "max-age=1000000")
                return
            if not path.is_file():
                self.reply(HTTPStatus.NOT_FOUND, b"", "no-cache")
                return
            content = path.read_bytes()
            match = re.match(r"bytes=(\d*)-(\d*)$", self.headers.get("Range", "")) if index.ranges else None
            if match:
                start = int(match[1]) if match[1] else max(0, len(content) - int(match[2]))
                end = min(int(match[2]), len(content) - 1) if match[1] and match[2] else len(content) - 1
                bounds = f"bytes {start}-{end}/{len(content)}"
                self.reply(HTTPStatus.PARTIAL_CONTENT, content[start : end + 1], "max-age=1000000", bounds)
            else:
                self.reply(HTTPStatus.OK, content, "max-age=1000000")

        def reply(self, status: HTTPStatus, content: bytes, cache: str, bounds: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if self.path.startswith("/simple/") else "application/zip")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", cache)
            if bounds:
                self.send_header("Content-Range", bounds)
            self.end_headers()
            index.sent[self.path] = index.sent.get(self.path, 0)
            if self.path.endswith(".whl") and path_name(self.path) in index.stalled:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                index.sent[self.path] += len(content) // 2
                index.broken.wait()
                self.close_connection = True
                return
            index.sent[self.path] += len(content)  # before the client can go on
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        index.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield index
        finally:
            index.broken.set()
            server.shutdown()
            thread.join()
