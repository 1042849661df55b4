"""A local web server for tests of downloads: complete files, broken ones, and an unreachable address."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[str]:
    """The URL of a running server.

    /good sends the content, /short half of the announced bytes, /chunked breaks off. Other paths are 404.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.close_connection = True
            if self.path not in ("/good", "/short", "/chunked"):
                self.send_error(404)
                return
            self.send_response(200)
            if self.path == "/chunked":
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n" % len(content) + content[: len(content) // 2])
            else:
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if self.path == "/short" else content)

        def log_message(self, *words):
            pass

    with running(Handler) as url:
        yield url


@contextlib.contextmanager
def running(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server that answers with this handler, until the end of the block."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def closed_address() -> str:
    """The URL of a port on which nothing listens."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/file"
