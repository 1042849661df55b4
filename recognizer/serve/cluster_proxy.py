"""Limits the connections of Ray Serve's HTTP proxies, which stand before all replicas. Runs in the proxies' processes."""

import asyncio.constants
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recognizer.serve.http.connections import HEAD_S, Connections
from recognizer.serve.http.guard import OPEN_PATHS
from recognizer.serve.one_machine import new_connections

if TYPE_CHECKING:
    from starlette.middleware import Middleware

CALLBACK_VARIABLE = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
CALLBACK = f"{__name__}.limit_connections"  # Ray Serve calls it in each proxy, before it opens its port
ROUTES = "/-/routes"  # Ray Serve's list of applications, which it shows to strangers


class Proxy:
    """ASGI middleware. Connections over which a replica has accepted a request are trusted: it has checked the token."""

    def __init__(self, app: ASGIApp, connections: Connections) -> None:
        self.app = app
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == ROUTES:
            await PlainTextResponse("", 404)(scope, receive, send)
            return
        needs_token = path not in OPEN_PATHS and not path.startswith("/-/")

        async def sending(message: Message) -> None:
            if needs_token and _is_accepted(message):
                self._connections.trust(scope.get("client"))
            await send(message)

        await self.app(scope, receive, sending)


def _is_accepted(message: Message) -> bool:
    is_success = message["type"] == "http.response.start" and message["status"] < 400
    return is_success or message["type"] == "websocket.accept"


def limit_connections() -> "list[Middleware]":
    """Make uvicorn use the limited protocols in this process. Return the middleware of the proxy."""
    import uvicorn.config
    from starlette.middleware import Middleware

    from recognizer.serve.protocols import limited_protocols

    connections = new_connections()
    http, ws = limited_protocols(connections)
    uvicorn.config.HTTP_PROTOCOLS["auto"], uvicorn.config.WS_PROTOCOLS["auto"] = http, ws  # type: ignore[assignment]
    asyncio.constants.SSL_HANDSHAKE_TIMEOUT = HEAD_S  # type: ignore[misc]  # uvicorn has no setting for it
    return [Middleware(Proxy, connections=connections)]
