"""Security middleware: checks host, origin and token of a request, and limits the size of its body.

A page of another site can send requests to a server on this machine (cross-site request forgery), and can point its own
host name at this machine (DNS rebinding). So the Host header must be a name of this server, and Origin must be this server.
"""

import asyncio
import ipaddress
import secrets
import socket
from http.cookies import SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from recognizer.serve.http.problems import Problem, response_of
from recognizer.serve.http.settings import ServeSettings, is_loopback

BODY_LIMIT = 10 * 2**20  # bytes; a phone's photograph has 3 to 8 MB
BODIES_LIMIT = 32 * BODY_LIMIT  # of all bodies that are received at the same time
BODY_S = 20.0  # timeout for the next part of a body
OPEN_PATHS = ("/healthz", "/enter", "/static/style.css")  # need no token
STRICT_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Swagger's page contains an inline script
DOCS_POLICY = f"{STRICT_POLICY}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. Answers forbidden requests and too large bodies with an error."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app = app
        self._settings = settings
        self._names = {name.lower() for name in (settings.host, *settings.names)}
        if not settings.is_loopback:
            name = socket.gethostname().lower()
            self._names |= {name, f"{name}.local"}
        self._bodies = 0  # bytes of all bodies that are being received

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._check_host(connection.headers)
            self._check_page(connection)
            self._check_token(connection)
            expected = _body_size(connection) if scope["type"] == "http" else 0
            if self._bodies + expected > BODIES_LIMIT:
                raise Problem(429, "The server is busy", "it is receiving too many pictures", "Send it again later.")
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        self._bodies += expected
        try:
            if scope["type"] == "http":
                await self.app(scope, _limited(receive), _with_headers(send, scope["path"]))
            else:
                await self.app(scope, receive, send)
        finally:
            self._bodies -= expected

    def _check_host(self, headers: Headers) -> None:
        host = _name_of(headers.get("host", ""))
        known = host in self._names or is_loopback(host)
        if not known and not self._settings.is_loopback:
            known = _is_address(host)  # DNS rebinding needs a host name
        if not known:
            raise Problem(
                421,
                "This server does not answer under that name",
                f"Host: {headers.get('host', 'none')}",
                f"Use its address, such as {self._settings.host}, or start it with --name {host or 'NAME'}.",
            )

    def _check_page(self, connection: HTTPConnection) -> None:
        """Check the origin of the page that sent the request. Only browsers send these headers."""
        headers = connection.headers
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
            raise _cross_site(f"Origin: {origin}")
        site = headers.get("sec-fetch-site", "none")
        is_navigation = headers.get("sec-fetch-dest") == "document" and connection.scope.get("method") == "GET"
        if site not in ("none", "same-origin") and not is_navigation:
            raise _cross_site(f"Sec-Fetch-Site: {site}")

    def _check_token(self, connection: HTTPConnection) -> None:
        token = self._settings.token
        if token is None or connection.scope["path"] in OPEN_PATHS:
            return
        scheme, _, sent_token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            sent_token = token_in_cookie(connection.headers, self._settings.port)
        if not is_same_token(sent_token, token):
            found = "a wrong token" if sent_token else "no token"
            raise Problem(
                401,
                "This server requires a token",
                found,
                "Send Authorization: Bearer TOKEN, or open /enter in a browser.",
            )


def _cross_site(found: str) -> Problem:
    return Problem(403, "Requests from other sites' pages are not allowed", found, "Open this server's own page.")


def is_same_token(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def cookie_name(port: int) -> str:
    """The cookie name contains the port: browsers send a cookie to all ports of a host."""
    return f"recognizer-{port}"


def token_in_cookie(headers: Headers, port: int) -> str:
    cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_name(port))
    return cookie.value if cookie else ""


def _name_of(host: str) -> str:
    """The host name without port, in lower case."""
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    return name.strip("[]").lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _body_size(connection: HTTPConnection) -> int:
    """Content-Length of the body, or BODY_LIMIT if it is not given. Raises Problem (413) if it is too large."""
    if connection.scope["method"] in ("GET", "HEAD", "OPTIONS", "DELETE"):
        return 0
    announced = connection.headers.get("content-length")
    if announced is None or not announced.isdecimal():
        return BODY_LIMIT
    if int(announced) > BODY_LIMIT:
        raise _too_large(f"{int(announced)} bytes")
    return int(announced)


def _too_large(found: str) -> Problem:
    return Problem(
        413, "The body is too large", found, f"Send at most {BODY_LIMIT >> 20} MB: a smaller picture, or JPEG."
    )


def _limited(receive: Receive) -> Receive:
    """Wrap `receive`: it raises Problem if the body becomes too large (413) or stops arriving (408)."""
    size, ended = 0, False

    async def limited() -> Message:
        nonlocal size, ended
        try:
            message = await (receive() if ended else asyncio.wait_for(receive(), BODY_S))
        except TimeoutError as error:
            raise Problem(
                408, "The body did not arrive", f"{size} bytes, then nothing for {BODY_S:.0f} s", "Send it again."
            ) from error
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if size > BODY_LIMIT:
                raise _too_large(f"more than {BODY_LIMIT} bytes")
        return message

    return limited


def _with_headers(send: Send, path: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update({**HEADERS, "Content-Security-Policy": DOCS_POLICY if path == "/docs" else STRICT_POLICY})
            headers.setdefault("Cache-Control", "no-cache")
            if message["status"] in (408, 413):
                headers["Connection"] = "close"  # the rest of the body is not read
        await send(message)

    return sending


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    response = response_of(problem)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, _with_headers(send, scope["path"]))
