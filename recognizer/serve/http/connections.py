"""All open connections. When there are too many, those that have not sent the token make room for new ones."""

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

CONNECTIONS_LIMIT = 512
ADDRESS_LIMIT = 256  # of one address: all browsers behind a reverse proxy share one
UNPARSED_LIMIT = 1 << 17  # bytes of requests that a client sends before the answer to its last one: browsers send none
UNREAD_LIMIT = 1 << 24  # bytes of answers on a WebSocket that wait for a client to read them
UNREAD_S = 30.0  # time in which a client reads some of an answer
HEAD_S = 10.0  # time for the head of a request, from the first byte or the opening of the connection

Peer = tuple[str, int]  # address and port of a client, as in ASGI's scope
NO_PEER: Peer = ("", 0)  # of a connection that was closed before its address was read


class Transport(Protocol):
    """The part of an asyncio transport that is used here."""

    def abort(self) -> None: ...


@dataclass
class Connection:
    """One open connection."""

    transport: Transport
    network: str
    trusted: bool = False  # a request over it had the token


class Connections:
    """The open connections of a server, the oldest first. Used in the event loop only."""

    def __init__(self, limit: int = CONNECTIONS_LIMIT, address_limit: int = ADDRESS_LIMIT) -> None:
        self._limit = limit
        self._address_limit = address_limit
        self._open: dict[Peer, Connection] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, peer: Peer | None, transport: Transport) -> bool:
        """Add a new connection. If there are too many, the oldest one without the token is closed for it.

        Return whether there was room; if not, the new connection is closed.
        """
        peer = peer or NO_PEER
        network = network_of(peer[0])
        if self._counts[network] >= self._address_limit:
            has_room = self._close_oldest(network)
        else:
            has_room = len(self._open) < self._limit or self._close_oldest(None)
        if not has_room:
            transport.abort()
            return False
        self._open[peer] = Connection(transport, network)
        self._counts[network] += 1
        return True

    def trust(self, peer: Peer | None) -> None:
        """Note that a request over the connection had the token. `peer` is `scope["client"]`."""
        connection = self._open.get(peer or NO_PEER)
        if connection is not None:
            connection.trusted = True

    def remove(self, peer: Peer | None, transport: Transport) -> None:
        """Forget a connection that has ended."""
        peer = peer or NO_PEER
        connection = self._open.get(peer)
        if connection is not None and connection.transport is transport:
            self._forget(peer, connection)

    def _close_oldest(self, network: str | None) -> bool:
        """Close the oldest connection without the token, of one network or of all. Return whether there was one."""
        for peer, connection in self._open.items():
            if not connection.trusted and network in (None, connection.network):
                self._forget(peer, connection)
                connection.transport.abort()
                return True
        return False

    def _forget(self, peer: Peer, connection: Connection) -> None:
        del self._open[peer]
        self._counts[connection.network] -= 1
        if not self._counts[connection.network]:
            del self._counts[connection.network]


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, because one machine has them all."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped:  # a client of a socket that serves IPv4 and IPv6
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
