"""Opens the server's listening socket, and gives users and their programs its address and token."""

import contextlib
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recognizer.errors import SettingsError
from recognizer.serve.http.settings import ServeSettings
from recognizer.system import paths

KEEP_ALIVE_S = 60  # an open page sends the next request within this time
BACKLOG = 128
REDIRECT = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={}"><title>Recognizer</title>'
)


def address(settings: ServeSettings) -> str:
    """The URL to open in a browser."""
    scheme = "https" if settings.certificate else "http"
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    path = f"/enter?token={settings.token}" if settings.token else "/"
    return f"{scheme}://{host}:{settings.port}{path}"


def open_listener(settings: ServeSettings) -> socket.socket:
    """Open the listening socket. Called before models load, so that a taken port raises SettingsError at once."""
    try:
        # explicit TCP protocol: asyncio sets TCP_NODELAY only on such sockets
        family, socket_type, protocol, _, socket_address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listener = socket.socket(family, socket_type, protocol)
        listener.setsockopt(socket.SOL_SOCKET, address_option(), 1)
        listener.bind(socket_address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"{settings.host}:{settings.port} cannot be opened: {error.strerror or error}. "
            "Close the program that uses it, or try --port 0."
        ) from error
    return listener


def address_option() -> int:
    """The socket option of a listener. With SO_REUSEADDR, Windows lets another program take over the port."""
    if sys.platform == "win32":
        return socket.SO_EXCLUSIVEADDRUSE
    return socket.SO_REUSEADDR


def token_file(port: int) -> Path:
    """The file from which programs of this user read the token of the server at this port."""
    return paths.runs() / f"server-{port}.token"


@contextmanager
def announced(settings: ServeSettings) -> Iterator[None]:
    """Print the address, and write the token to a file that only this user can read. The file is removed at the end."""
    url = address(settings)
    own_files = [token_file(settings.port), token_file(settings.port).with_suffix(".html")]
    try:
        if settings.token:
            with contextlib.suppress(OSError):  # a read-only installation: the printed address remains
                write_private(own_files[0], settings.token)
        print(f"Serving on {url} until Ctrl-C; the documentation is at /docs", flush=True)
        if not settings.is_loopback and settings.certificate is None:
            print(
                "Warning: without https, others in the network can read the token and the pictures. "
                "Add --certificate and --key.",
                file=sys.stderr,
                flush=True,
            )
        if settings.opens_browser:
            open_browser(url, own_files[1])
        yield
    finally:
        for path in own_files:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def open_browser(url: str, page: Path) -> None:
    """Open the URL in the user's browser by way of a private file: all users can see the arguments of a program."""
    try:
        write_private(page, REDIRECT.format(url))
    except OSError:
        return
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), name="browser", daemon=True).start()


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
