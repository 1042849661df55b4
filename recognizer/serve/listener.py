"""Opens the server's listening socket, and gives its address."""

import socket

from recognizer.errors import SettingsError
from recognizer.serve.http.settings import ServeSettings

KEEP_ALIVE_S = 60  # an open page sends the next request within this time
BACKLOG = 128


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
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(socket_address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"{settings.host}:{settings.port} cannot be opened: {error.strerror or error}. "
            "Close the program that uses it, or try --port 0."
        ) from error
    return listener
