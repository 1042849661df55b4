"""Plain sockets, for what no HTTP client sends."""

import socket

from tests.helpers.waiting import HANG_S


def ended(connection: socket.socket) -> bool:
    """Wait until the server has closed the connection."""
    connection.settimeout(HANG_S)
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True
