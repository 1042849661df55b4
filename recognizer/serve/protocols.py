"""uvicorn's protocols, with limits of connections, of what they send, and of time. Imports uvicorn."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from recognizer.serve.http.connections import HEAD_S, UNPARSED_LIMIT, UNREAD_LIMIT, UNREAD_S, Connections


class ReadingClient(asyncio.Protocol):
    """Closes a connection whose client does not read the answers. uvicorn itself waits for it for ever."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    unread_s: float
    _unread_timer: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stop_unread_timer()
        self._unread_timer = self.loop.call_later(self.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stop_unread_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_unread_timer()
        super().connection_lost(exc)

    def stop_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None


def limited_protocols(
    connections: Connections, head_s: float = HEAD_S, reads_within_s: float = UNREAD_S
) -> tuple[type, type]:
    """The classes of an HTTP and of a WebSocket connection, for `uvicorn.Config`."""

    class Http(ReadingClient, H11Protocol):
        """An HTTP connection. uvicorn itself waits for a request for ever, and takes any number in advance."""

        unread_s = reads_within_s
        _head_timer: asyncio.TimerHandle | None = None
        _is_upgraded = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if connections.admit(self.client, transport):
                self._start_head_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_head_timer()
            connections.remove(self.client, self.transport)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            cycle = self.cycle
            super().data_received(data)
            if len(self.conn.trailing_data[0]) > UNPARSED_LIMIT:
                self.transport.abort()
            if self.cycle is not cycle or self.transport.is_closing():
                self._stop_head_timer()
            elif not self._is_upgraded and self._head_timer is None and (cycle is None or cycle.response_complete):
                self._start_head_timer()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._is_upgraded = True
            self._stop_head_timer()
            self.stop_unread_timer()
            super().handle_websocket_upgrade(event)

        def _start_head_timer(self) -> None:
            self._head_timer = self.loop.call_later(head_s, self.transport.abort)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    class WebSocket(ReadingClient, WebSocketsSansIOProtocol):
        """A WebSocket, which took over the connection of an HTTP request."""

        unread_s = reads_within_s

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # the first data are a whole head: if it started no handshake, uvicorn would wait for more
            if not self.handshake_initiated or self.transport.get_write_buffer_size() > UNREAD_LIMIT:
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            connections.remove(self.client, self.transport)
            super().connection_lost(exc)

    return Http, WebSocket
