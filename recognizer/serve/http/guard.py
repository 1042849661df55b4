"""Security middleware: checks host, origin and token of a request, and limits the size and time of its body.

A page of another site can send requests to a server on this machine (cross-site request forgery), and can point its own
host name at this machine (DNS rebinding). So the Host header must be a name of this server, and Origin must be this server.
"""

import asyncio
import ipaddress
import logging
import re
import secrets
import socket
import time
from dataclasses import dataclass, field

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from recognizer.serve.http.connections import Connections
from recognizer.serve.http.metrics import Metrics
from recognizer.serve.http.problems import Problem, response_of
from recognizer.serve.http.sessions import Sessions
from recognizer.serve.http.settings import ServeSettings, is_loopback

BODY_LIMIT = 10 * 2**20  # bytes; a phone's photograph has 3 to 8 MB
BODIES_LIMIT = 32 * BODY_LIMIT  # of all bodies that are received at the same time
PROJECTS = "/v1/projects"
PROJECT_LIMIT = 256 * 2**20  # bytes of a project, which is written to disk as it arrives: about ten thousand samples
PROJECTS_LIMIT = 2  # projects that arrive at the same time
BODY_S = 10.0  # time for a whole body, plus that for its size
BODY_RATE = 50_000  # bytes per second: slower clients are cut off
ENTER = "/enter"
ENTER_LIMIT = 4096  # bytes of the form with the token
ENTERING_LIMIT = 16  # such forms that arrive at the same time: strangers send them
BOUNDARY = re.compile(rb"[\w'()+,./:=? -]{1,70}")  # between the parts of a form (RFC 2046)
OPEN_PATHS = ("/healthz", ENTER, "/static/style.css")  # need no token
STRICT_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
# Swagger's page contains an inline script
DOCS_POLICY = f"{STRICT_POLICY}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send the forms with Origin: null
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


log = logging.getLogger("recognizer.serve")


@dataclass
class Received:
    """Bytes of request bodies that are in memory, and forms and projects that are on their way in."""

    bodies: int = 0
    projects: int = 0
    forms: "list[Body]" = field(default_factory=list)  # the oldest first


class Guard:
    """ASGI middleware. Answers forbidden requests and too large or too slow bodies with an error."""

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, sessions: Sessions, connections: Connections, metrics: Metrics
    ) -> None:
        self.app = app
        self._settings = settings
        self._sessions = sessions
        self._connections = connections
        self._metrics = metrics
        self._names = {name.lower() for name in (settings.host, *settings.names)}
        if not settings.is_loopback:
            name = socket.gethostname().lower()
            self._names |= {name, f"{name}.local"}
        self._received = Received()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._check_host(connection.headers)
            self._check_page(connection)
            self._check_token(connection)
            _drop_charset(scope)
            body = None if scope["type"] == "websocket" else self._body(connection, receive)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        if body is None:
            await self.app(scope, receive, send)
            return
        with body:
            await self.app(scope, body.receive, _with_headers(send, scope["path"]))

    def _body(self, connection: HTTPConnection, receive: Receive) -> "Body":
        """The limited body of a request. Raises Problem (413, 429).

        If too many forms with a token arrive, the slowest one is refused: a whole one needs a moment.
        """
        scope = connection.scope
        if scope["path"] in OPEN_PATHS:
            limit = ENTER_LIMIT if (scope["method"], scope["path"]) == ("POST", ENTER) else 0
            if limit and len(self._received.forms) >= ENTERING_LIMIT:
                self._received.forms[0].crowd_out()
        else:
            limit = PROJECT_LIMIT if (scope["method"], scope["path"]) == ("POST", PROJECTS) else BODY_LIMIT
        announced = connection.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() else None
        if size is not None and size > limit:
            raise _too_large(f"{size} bytes", limit)
        if limit == BODY_LIMIT and self._received.bodies + (size or 0) > BODIES_LIMIT:
            raise _too_many_bodies()
        if limit == PROJECT_LIMIT and self._received.projects >= PROJECTS_LIMIT:
            raise Problem(429, "The server is busy", f"{PROJECTS_LIMIT} other projects", "Send it again later.")
        return Body(receive, self._received, limit, size)

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
        if token is not None:
            scheme, _, sent_token = connection.headers.get("authorization", "").partition(" ")
            session = connection.cookies.get(cookie_name(connection, self._settings.port), "")
            if scheme.lower() == "bearer":
                is_known = is_same_token(sent_token.strip(), token)
            else:
                is_known = self._sessions.is_open(session)
            if not is_known:
                if connection.scope["path"] in OPEN_PATHS:
                    return
                found = "a wrong token" if sent_token else "a session that has ended" if session else "no token"
                note_refused(found, connection, self._metrics)
                raise Problem(
                    401,
                    "This server requires a token",
                    found,
                    "Send Authorization: Bearer TOKEN, or open /enter in a browser.",
                )
        self._connections.trust(connection.scope.get("client"))


class Body:
    """The body of a request while it arrives. Its bytes count until the request has been answered."""

    def __init__(self, receive: Receive, received: Received, limit: int, size: int | None) -> None:
        self._receive = receive
        self._received = received
        self._limit = limit
        self._time_s = BODY_S + min(limit, limit if size is None else size) / BODY_RATE
        self._is_form = limit == ENTER_LIMIT
        self._is_project = limit == PROJECT_LIMIT  # not in memory: its route writes each part to disk
        self._end_s: float | None = None
        self._timeout: asyncio.Timeout | None = None  # while it waits for the next part
        self._crowded_out = False
        self._size = 0
        self._ended = False

    def __enter__(self) -> None:
        if self._is_form:
            self._received.forms.append(self)
        self._received.projects += self._is_project

    def __exit__(self, *_: object) -> None:
        self._forget_form()
        self._received.projects -= self._is_project
        if not self._is_project:
            self._received.bodies -= self._size

    def crowd_out(self) -> None:
        """Refuse the rest of a form that is still arriving."""
        self._forget_form()
        self._crowded_out, self._end_s = True, time.monotonic()
        if self._timeout is not None:
            self._timeout.reschedule(0)

    async def receive(self) -> Message:
        """The next part. Raises Problem if the body is too large (413), too slow (408), or one too many (429)."""
        if self._end_s is None:
            self._end_s = time.monotonic() + self._time_s
        try:
            left_s = None if self._ended else self._end_s - time.monotonic()
            async with asyncio.timeout(left_s) as self._timeout:
                message = await self._receive()
        except TimeoutError as error:
            found = "many other forms" if self._crowded_out else f"{self._size} bytes in {self._time_s:.0f} s"
            raise Problem(408, "The body did not arrive in time", found, "Send it again.") from error
        finally:
            self._timeout = None
        if message["type"] == "http.request":
            length = len(message.get("body", b""))
            self._size += length
            if not self._is_project:
                self._received.bodies += length
            if not message.get("more_body", False):
                self._ended = True
                self._forget_form()
            if self._size > self._limit:
                raise _too_large(f"more than {self._limit} bytes", self._limit)
            if self._received.bodies > BODIES_LIMIT:
                raise _too_many_bodies()
        return message

    def _forget_form(self) -> None:
        if self in self._received.forms:
            self._received.forms.remove(self)


def note_refused(found: str, connection: HTTPConnection, metrics: Metrics) -> None:
    """Count a request without the right token; a wrong token is logged too."""
    metrics.refused.labels(found).inc()
    if found != "no token":
        client = connection.client
        log.warning("Refused a request from %s with %s.", client.host if client else "an unknown address", found)


def _cross_site(found: str) -> Problem:
    return Problem(403, "Requests from other sites' pages are not allowed", found, "Open this server's own page.")


def is_same_token(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def _drop_charset(scope: Scope) -> None:
    """Remove the charset of a form from its header. Some of Python's codecs take hours for a megabyte; forms are UTF-8."""
    headers = MutableHeaders(scope=scope)
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind == b"multipart/form-data" and options.keys() != {b"boundary"}:
        boundary = BOUNDARY.fullmatch(options.get(b"boundary", b""))
        headers["content-type"] = f'multipart/form-data; boundary="{boundary[0].decode() if boundary else ""}"'


def cookie_name(connection: HTTPConnection, port: int) -> str:
    """The cookie name contains the port: browsers send a cookie to all ports of a host.

    Over https, __Host- keeps other hosts of the domain from setting it.
    """
    prefix = "__Host-" if connection.url.scheme in ("https", "wss") else ""
    return f"{prefix}recognizer-{port}"


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


def _too_large(found: str, limit: int) -> Problem:
    remedies = {
        BODY_LIMIT: f"Send at most {limit >> 20} MB: a smaller picture, or JPEG.",
        PROJECT_LIMIT: f"Send at most {limit >> 20} MB, or run on the server: python -m recognizer tasks import",
    }
    return Problem(413, "The body is too large", found, remedies.get(limit, "The paths are at /docs."))


def _too_many_bodies() -> Problem:
    return Problem(429, "The server is busy", "it is receiving too many pictures", "Send it again later.")


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
