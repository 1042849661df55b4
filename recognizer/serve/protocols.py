"""uvicorn's protocols, with a limit of connections and a time limit for the head of a request. Imports uvicorn."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from recognizer.serve.http.connections import HEAD_S, Connections


def limited_protocols(connections: Connections, head_s: float = HEAD_S) -> tuple[type, type]:
    """The classes of an HTTP and of a WebSocket connection, for `uvicorn.Config`."""

    class Http(H11Protocol):
        """An HTTP connection. uvicorn itself waits for a request for ever."""

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
            if self.cycle is not cycle or self.transport.is_closing():
                self._stop_head_timer()
            elif not self._is_upgraded and self._head_timer is None and (cycle is None or cycle.response_complete):
                self._start_head_timer()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._is_upgraded = True
            self._stop_head_timer()
            super().handle_websocket_upgrade(event)

        def _start_head_timer(self) -> None:
            self._head_timer = self.loop.call_later(head_s, self.transport.abort)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    class WebSocket(WebSocketsSansIOProtocol):
        """A WebSocket, which took over the connection of an HTTP request."""

        def connection_lost(self, exc: Exception | None) -> None:
            connections.remove(self.client, self.transport)
            super().connection_lost(exc)

    return Http, WebSocket
