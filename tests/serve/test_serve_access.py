"""Who is let in: tokens, sessions of browsers, and what strangers can send before they have shown the token."""

import asyncio
import contextlib
import logging
import os
import re
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from recognizer.cli import main
from recognizer.commands import serve as serve_command
from recognizer.errors import SettingsError
from recognizer.serve import listener
from recognizer.serve.http import guard, sessions
from recognizer.serve.http.connections import Connections, network_of
from recognizer.serve.http.repeats import Repeats
from recognizer.serve.http.sessions import Sessions
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.protocols import limited_protocols
from recognizer.system import paths
from tests.helpers.http import problem
from tests.helpers.running_server import running_server
from tests.helpers.sockets import ended
from tests.helpers.waiting import HANG_S, until
from tests.serve.test_serve_safe import TOKEN, client

CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIHLMH+gAwIBAgIBATAFBgMrZXAwDzENMAsGA1UEAwwEdGVzdDAgFw0yMDAxMDEw
MDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowDzENMAsGA1UEAwwEdGVzdDAqMAUGAytl
cAMhAIecSFR39FaWRQqMsdel+nCNsLBFsXgBqmM4A4yk+mK/MAUGAytlcANBALQk
C1hs9onK01FwvB5igf7QxHsSKpucdl8QW0yn/mVn3OXWdpVTAxSVnP7gh0ConYq/
FA/HLt95JhOeppOMZg8=
-----END CERTIFICATE-----
"""  # of a key that was thrown away
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def local(tmp_path: Path) -> TestClient:
    """A server on loopback with a token."""
    return client(tmp_path, token=TOKEN)


def counted(server: TestClient, found: str) -> float:
    """How many requests were refused for this reason."""
    text = server.get("/metrics", headers=BEARER).text
    line = re.search(rf'^recognizer_refused_tokens_total{{found="{found}"}} (\S+)$', text, re.MULTILINE)
    return float(line[1]) if line else 0.0


def log_in(server: TestClient) -> str:
    """Log in, and return the value of the cookie."""
    response = server.post("/enter", data={"token": TOKEN}, follow_redirects=False)
    assert response.status_code == 303
    return response.cookies["recognizer-8000"]


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `recognizer serve` makes of its options."""
    made: list[ServeSettings] = []
    monkeypatch.setattr(serve_command, "serve", lambda settings, *_: made.append(settings) or 0)

    def settings(*words: str) -> ServeSettings:
        assert main(["serve", *words]) == 0
        return made[-1]

    return settings


def test_loopback_gets_a_token_too(settings_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOGNIZER_TOKEN", raising=False)
    first, second = settings_of().token, settings_of().token
    assert len(first) >= 32
    assert first != second
    assert settings_of("--no-token").token is None
    monkeypatch.setenv("RECOGNIZER_TOKEN", TOKEN)
    assert settings_of().token == TOKEN
    assert settings_of("--no-token").token is None


def test_no_token_is_refused_for_other_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--no-token"]) == 2
    assert "Leave --no-token out" in capsys.readouterr().err


def test_programs_of_the_user_read_the_token_from_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "runs", lambda: tmp_path / "runs")
    with listener.announced(ServeSettings(token=TOKEN, port=81)):
        path = tmp_path / "runs" / "server-81.token"
        assert path.read_text() == TOKEN
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    out, err = capsys.readouterr()
    assert f"http://127.0.0.1:81/enter?token={TOKEN}" in out
    assert err == ""


def test_the_browser_is_opened_without_the_token_in_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(paths, "runs", lambda: tmp_path)
    monkeypatch.setattr(listener.webbrowser, "open", opened.append)
    with listener.announced(ServeSettings(token=TOKEN, port=81, opens_browser=True)):
        assert until(lambda: opened) == [(tmp_path / "server-81.html").as_uri()]
        assert f"/enter?token={TOKEN}" in (tmp_path / "server-81.html").read_text()
    assert not list(tmp_path.iterdir())


def test_a_server_for_other_machines_without_https_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "runs", lambda: tmp_path)
    with listener.announced(ServeSettings(host="0.0.0.0", token=TOKEN)):
        assert "without https" in capsys.readouterr().err


def test_the_cookie_is_a_session_and_not_the_token(local: TestClient) -> None:
    session = log_in(local)
    assert TOKEN not in session
    assert local.get("/v1/tasks").status_code == 200
    assert local.get("/v1/tasks", headers={"authorization": f"Bearer {session}"}).status_code == 401


def test_logging_out_ends_the_session_for_a_copied_cookie_too(local: TestClient) -> None:
    session = log_in(local)
    problem(local.post("/leave", headers={"origin": "http://evil.example"}), 403)
    assert local.get("/v1/tasks").status_code == 200
    response = local.post("/leave", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/enter")
    problem(local.get("/v1/tasks"), 401)
    problem(local.get("/v1/tasks", headers={"cookie": f"recognizer-8000={session}"}), 401)


def test_the_page_has_a_way_out_only_where_a_token_is_asked_for(local: TestClient, tmp_path: Path) -> None:
    assert '<form id="leave" method' in local.get("/", headers=BEARER).text
    assert '<form id="leave" hidden' in client(tmp_path).get("/").text


def test_a_session_of_another_key_or_a_past_week_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, others = Sessions(b"1" * 32), Sessions(b"2" * 32)
    session = ours.start()
    assert ours.is_open(session)
    assert Sessions(b"1" * 32).is_open(session)  # another process of the same server
    name, _, signature = session.rpartition(".")
    for wrong in ("", ".", "..", "ü", session[:-1], session + "0", name, f"{name}0.{signature}", others.start()):
        assert not ours.is_open(wrong)
        ours.end(wrong)
    assert ours.is_open(session)
    now_s = sessions.time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now_s + sessions.SESSION_S + 1)
    assert not ours.is_open(session)


@pytest.mark.parametrize("others", ['prefs={"a":1,"b":"x y"}', "a=b c", "[x]=1", "\u00fc=1", "=", "a=;b", '"'])
def test_cookies_of_others_do_not_lock_the_page_out(local: TestClient, others: str) -> None:
    cookie = f"{others}; recognizer-8000={log_in(local)}; {others}"
    local.cookies.clear()
    assert local.get("/", headers=[(b"cookie", cookie.encode("latin-1"))]).status_code == 200  # type: ignore[arg-type]


def test_over_https_the_cookie_belongs_to_the_host_alone(local: TestClient) -> None:
    response = local.post("https://127.0.0.1:8000/enter", data={"token": TOKEN}, follow_redirects=False)
    assert response.headers["set-cookie"].startswith("__Host-recognizer-8000=")
    assert "Secure" in response.headers["set-cookie"]


def test_refused_tokens_are_counted_and_logged(local: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    local.get("/v1/tasks")
    assert not caplog.records
    for _ in range(2):
        local.get("/v1/tasks", headers={"authorization": "Bearer wrong"})
    local.get("/enter?token=wrong")
    local.post("/enter", data={"token": "wrong"})
    assert (counted(local, "no token"), counted(local, "a wrong token")) == (1, 4)
    assert "Refused a request from testclient with a wrong token." in caplog.text
    assert "Bearer" not in caplog.text


def test_equal_lines_of_the_log_are_left_out_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("recognizer.serve.http.repeats.time.monotonic", lambda: now_s)
    repeats, passed = Repeats(), []

    def write(message: str, *words: object) -> None:
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, message, words, None)
        if repeats.filter(record):
            passed.append(record.getMessage())

    for port in range(3):
        write("from %s", port)
    write("another")
    now_s += 61
    write("from %s", 7)
    assert passed == ["from 0", "another", "from 7 (and 2 like this before)"]


def test_methods_that_do_not_exist_are_counted_together(local: TestClient) -> None:
    for number in range(3):
        local.request(f"MADEUP{number}", "/")
    text = local.get("/metrics", headers=BEARER).text
    assert 'method="other"' in text
    assert "MADEUP" not in text


def test_strangers_send_no_body_but_a_short_form(local: TestClient) -> None:
    problem(local.post("/enter", content=b"x" * (guard.ENTER_LIMIT + 1)), 413)
    problem(local.post("/healthz", content=b"x"), 413)
    problem(local.post("/v1/predict?task=digits", content=b"x"), 401)


async def slow_body(server: guard.Guard, path: str, *, token: bool, parts: int) -> tuple[dict[str, Any], asyncio.Task]:
    """Send the head and some parts of a body. Return the messages of the answer, and the request that goes on."""
    headers = [(b"host", b"127.0.0.1"), *([(b"authorization", f"Bearer {TOKEN}".encode())] if token else [])]
    answer: dict[str, Any] = {}
    messages = iter([{"type": "http.request", "body": b"x", "more_body": True}] * parts)

    async def receive() -> Any:
        message = next(messages, None)
        return message if message is not None else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        answer.update(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "headers": headers, "scheme": "http",
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9), "query_string": b"",
    }  # fmt: skip
    task = asyncio.create_task(server(scope, receive, send))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return answer, task


def read_all(problems: list[Any]) -> Any:
    """An app that reads the body, and answers 200."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except guard.Problem as error:
            problems.append(error)
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})

    return app


def guarded(app: Any) -> guard.Guard:
    from recognizer.serve.http.metrics import Metrics

    settings = ServeSettings(token=TOKEN)
    return guard.Guard(app, settings, Sessions(settings.session_key), Connections(), Metrics())


def test_slow_forms_of_strangers_cost_no_picture_and_no_other_form_its_place() -> None:
    async def main() -> None:
        server = guarded(read_all([]))
        slow = [await slow_body(server, "/enter", token=False, parts=1) for _ in range(guard.ENTERING_LIMIT)]
        whole = [await slow_body(server, "/enter", token=False, parts=0) for _ in range(2)]
        for _, task in slow[:2]:  # the slowest make room
            with pytest.raises(guard.Problem) as refused:
                await task
            assert refused.value.status_code == 408
        half_sent = [await slow_body(server, "/v1/predict", token=True, parts=1) for _ in range(40)]
        assert all(answer == {} for answer, _ in [*slow[2:], *whole, *half_sent])  # none of them is refused
        for _, task in [*slow, *whole, *half_sent]:
            task.cancel()
        await asyncio.gather(*(task for _, task in [*slow, *whole, *half_sent]), return_exceptions=True)
        assert server._received == guard.Received()

    asyncio.run(main())


def test_a_form_that_has_arrived_takes_no_place_while_its_client_reads_the_answer_slowly() -> None:
    async def main() -> None:
        forms = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                pass
            forms.append(len(server._received.forms))

        server = guarded(app)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"token=x", "more_body": False}

        scope = {
            "type": "http", "method": "POST", "path": "/enter", "headers": [(b"host", b"127.0.0.1")], "scheme": "http",
            "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9), "query_string": b"",
        }  # fmt: skip
        await server(scope, receive, lambda message: None)  # type: ignore[arg-type]
        assert forms == [0]

    asyncio.run(main())


FORM = b'--X\r\nContent-Disposition: form-data; name="token"\r\n\r\n%s\r\n--X--\r\n'


@pytest.mark.parametrize("codec", ["unicode_escape", "utf-7", "undefined", "raw_unicode_escape", "idna", "punycode"])
@pytest.mark.parametrize("option", ["; charset={}; boundary=X", '; boundary="X";  Charset="{}"'])
def test_a_form_does_not_choose_how_it_is_decoded(local: TestClient, codec: str, option: str) -> None:
    headers = {"content-type": "Multipart/Form-Data" + option.format(codec)}
    assert local.post("/enter", content=FORM % b"\\ud800 +2AA-", headers=headers).status_code == 401
    entered = local.post("/enter", content=FORM % TOKEN.encode(), headers=headers, follow_redirects=False)
    assert entered.status_code == 303
    letters = FORM % (b"a-" + b"b" * 20_000)  # as punycode: a second here, and an hour for the largest field
    problem(local.post("/v1/predict?task=digits", content=letters, headers=headers | BEARER), 422)


@pytest.mark.parametrize("given", ["\ud800", "ü"])
def test_a_text_that_is_no_unicode_is_not_the_token(given: str) -> None:
    assert not guard.is_same_token(given, TOKEN)
    assert not Sessions(b"key").is_open(f"a.b.{given}")


def test_a_body_has_a_time_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[guard.Problem] = []
    now_s = 0.0

    async def main() -> None:
        nonlocal now_s
        server = guarded(read_all(problems))
        whole_s = guard.BODY_S + guard.BODY_LIMIT / guard.BODY_RATE
        monkeypatch.setattr(guard.time, "monotonic", lambda: now_s)
        body = guard.Body(endless, server._received, guard.BODY_LIMIT, None)
        with body:
            for _ in range(9):
                await body.receive()
                now_s += whole_s / 10  # each part arrives in time, all of them do not
            now_s += whole_s
            with pytest.raises(guard.Problem) as refused:
                await body.receive()
        assert refused.value.status_code == 408

    async def endless() -> Any:
        if now_s > 0 and now_s > guard.BODY_S + guard.BODY_LIMIT / guard.BODY_RATE:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"x", "more_body": True}

    asyncio.run(main())


class FakeTransport:
    closed = False

    def abort(self) -> None:
        self.closed = True


def test_connections_without_the_token_make_room_for_new_ones() -> None:
    connections = Connections(limit=4, address_limit=3)
    trusted, silent = FakeTransport(), [FakeTransport() for _ in range(5)]
    assert connections.admit(("10.0.0.1", 1), trusted)
    connections.trust(("10.0.0.1", 1))
    for port, transport in enumerate(silent):
        assert connections.admit(("10.0.0.1", 100 + port), transport)
    assert [transport.closed for transport in silent] == [True, True, True, False, False]
    assert not trusted.closed
    other = FakeTransport()
    assert connections.admit(("10.0.0.2", 1), other)
    assert connections.admit(("10.0.0.3", 1), FakeTransport())  # 4 are open: the oldest without the token goes
    assert silent[3].closed
    assert not other.closed
    connections.remove(("10.0.0.1", 103), silent[3])  # has gone already
    connections.remove(("10.0.0.2", 1), other)
    assert len(connections) == 3


def test_if_all_connections_have_the_token_a_new_one_is_closed() -> None:
    connections = Connections(limit=2, address_limit=2)
    for port in (1, 2):
        connections.admit(("10.0.0.1", port), FakeTransport())
        connections.trust(("10.0.0.1", port))
    late = FakeTransport()
    assert not connections.admit(("10.0.0.2", 1), late)
    assert late.closed
    assert len(connections) == 2


def test_a_machine_with_many_ipv6_addresses_counts_as_one() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") != network_of("2001:db8:0:1::1")
    assert network_of("10.0.0.1") != network_of("10.0.0.2")
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth0")
    assert network_of("testclient") == "testclient"


def test_clients_of_a_socket_for_both_protocols_count_by_their_ipv4_address() -> None:
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") != network_of("::ffff:10.0.0.2")


HEAD_S = 0.3
UNREAD_S = 0.3
ANSWER = bytes(1 << 20)


@pytest.fixture
def http_port() -> Iterator[tuple[int, Connections]]:
    """A uvicorn with the limited protocols in a thread, and an app that answers 200 to a whole request.

    The answer to GET /large is ANSWER. A WebSocket is accepted.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        while (await receive()).get("more_body"):
            pass
        body = ANSWER if scope["path"] == "/large" else b""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    connections = Connections(limit=20, address_limit=20)
    http, ws = limited_protocols(connections, HEAD_S, UNREAD_S)
    config = uvicorn.Config(app, http=http, ws=ws, loop="asyncio", lifespan="off", log_level="critical")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    with listener.open_listener(ServeSettings(port=0)) as opened:
        thread = threading.Thread(target=server.run, args=([opened],))
        thread.start()
        until(lambda: server.started)
        yield opened.getsockname()[1], connections
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: ", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT"],
    ids=["silent", "half a head", "a head and a half"],
)
def test_a_connection_without_a_whole_head_is_closed(http_port: tuple[int, Connections], sent: bytes) -> None:
    port, connections = http_port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for part in sent.partition(b"\r\n\r\n"):
            connection.sendall(part)
            if part == b"\r\n\r\n":
                assert b"200" in connection.recv(4096)
        assert ended(connection)
    until(lambda: len(connections) == 0)


HANDSHAKE = (
    b"%s / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n%s\r\n"
)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        (b"GET", b"Content-Length: 3\r\n"),
        (b"POST", b"Content-Length: 3\r\n"),
        (b"GET", b"Transfer-Encoding: chunked\r\n"),
        (b"GET", b"X: " + b"y" * 20_000 + b"\r\n"),
        (b"GET", b"".join(b"X%d: y\r\n" % number for number in range(300))),
    ],
    ids=["length", "post", "chunked", "long header", "many headers"],
)
def test_a_handshake_that_starts_no_websocket_is_closed(
    http_port: tuple[int, Connections], method: bytes, headers: bytes
) -> None:
    port, connections = http_port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HANDSHAKE % (method, headers))
        assert ended(connection)
    until(lambda: len(connections) == 0)


def sent_until_closed(connection: socket.socket, data: bytes) -> int:
    """Send the data again and again, and read nothing, until the server closes the connection. Return the bytes."""
    connection.settimeout(HANG_S)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 1 << 28:
            sent += connection.send(data)
    return sent


def test_requests_in_advance_do_not_fill_the_memory(http_port: tuple[int, Connections]) -> None:
    port, connections = http_port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
        assert sent_until_closed(connection, request * 1000) < 1 << 26
    until(lambda: len(connections) == 0)


def test_pings_of_a_client_that_reads_nothing_do_not_fill_the_memory(http_port: tuple[int, Connections]) -> None:
    port, connections = http_port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HANDSHAKE % (b"GET", b""))
        assert b"101" in connection.recv(100)
        ping = b"\x89\xfd" + bytes(4) + b"x" * 125
        assert sent_until_closed(connection, ping * 1000) < 1 << 28
    until(lambda: len(connections) == 0)


def test_a_client_that_does_not_read_its_answer_is_closed(http_port: tuple[int, Connections]) -> None:
    port, connections = http_port
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        until(lambda: len(connections) == 1)
        until(lambda: len(connections) == 0)
    with httpx.Client() as reading:
        assert reading.get(f"http://127.0.0.1:{port}/large").content == ANSWER


def test_a_client_is_served_beside_many_silent_connections(http_port: tuple[int, Connections]) -> None:
    port, connections = http_port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    with httpx.Client() as asking:
        assert asking.get(f"http://127.0.0.1:{port}/").status_code == 200
    assert len(connections) <= 20
    for connection in silent:
        assert ended(connection)
        connection.close()


@pytest.mark.parametrize("words", [b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_certificate_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: bytes) -> None:
    pem = tmp_path / "bad.pem"
    pem.write_bytes(words)
    assert main(["serve", "--port", "0", "--certificate", str(pem), "--key", str(pem)]) == 2
    err = capsys.readouterr().err
    assert "are no certificate with its key" in err
    assert err.count("\n") == 1


def test_a_key_with_a_password_does_not_ask_on_the_terminal(tmp_path: Path) -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import ed25519

    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(CERTIFICATE)
    key.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(SettingsError, match="needs a password"):
        ServeSettings(certificate=certificate, key=key)


def test_on_windows_no_other_program_can_take_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listener.address_option() == (-5 if os.name == "nt" else socket.SO_REUSEADDR)
    monkeypatch.setattr(listener.sys, "platform", "win32")
    monkeypatch.setattr(listener.socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    assert listener.address_option() == -5


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_a_server_that_is_terminated_leaves_no_token_file(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert listener.token_file(server.port).is_file()
        server.process.terminate()
        server.process.wait(HANG_S)
        assert not listener.token_file(server.port).exists()
        assert "Traceback" not in "".join(server.output)
