"""Security of the server: hosts, origins, tokens, body sizes and malicious pictures."""

import contextlib
import functools
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.testclient import WebSocketDenialResponse

from recognizer.cli import main
from recognizer.errors import SettingsError
from recognizer.registry.synced import open_models
from recognizer.samples.synced import default_samples
from recognizer.serve.app import create_app
from recognizer.serve.http import guard
from recognizer.serve.http.problems import Problem
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.listener import address, open_listener
from recognizer.serve.workers.pictures import decode_picture
from recognizer.sources import kinds
from tests.helpers.http import jpeg, png, problem, sheet
from tests.helpers.running_server import Served

TOKEN = "a-token-of-some-length"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


class NoPool:
    """A worker pool that is never called: a request that reaches it has passed the guard."""

    streams = waiting = 0

    def warm(self) -> None: ...

    def close(self) -> None: ...

    async def call(self, call: Callable[..., Any], *words: Any) -> Any:
        raise Problem(418, "read", call.__name__, "nothing")


def client(tmp_path: Path, host: str = "127.0.0.1", token: str | None = None, **more: Any) -> TestClient:
    settings = ServeSettings(host=host, token=token, **more)
    app = create_app(settings, open_models(tmp_path), default_samples(), pool=NoPool())  # type: ignore[arg-type]
    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.fixture
def local(tmp_path: Path) -> TestClient:
    return client(tmp_path)


@pytest.fixture
def shared(tmp_path: Path) -> TestClient:
    """A server that other machines can reach."""
    return client(tmp_path, "0.0.0.0", TOKEN, names=("class.example",))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1"])
def test_loopback_host_names_are_allowed(local: TestClient, host: str) -> None:
    assert local.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7:8000", "localhost.evil", ""])
def test_dns_rebinding_is_refused(local: TestClient, host: str) -> None:
    problem(local.get("/healthz", headers={"host": host}), 421)


def test_a_public_server_allows_addresses_and_configured_names(shared: TestClient) -> None:
    for host in ("192.168.1.7:8000", "class.example", "[fe80::1]:8000"):
        assert shared.get("/healthz", headers={"host": host}).status_code == 200
    problem(shared.get("/healthz", headers={"host": "evil.example"}), 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"},
    ],
)
def test_requests_from_other_sites_are_refused(local: TestClient, headers: dict[str, str]) -> None:
    problem(local.get("/v1/tasks", headers=headers), 403)
    problem(local.post("/v1/learn", headers=headers, json={"task": "digits"}), 403)


def test_the_page_of_the_server_and_links_to_it_are_allowed(local: TestClient) -> None:
    own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert local.get("/v1/jobs", headers=own).status_code == 200
    link = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
    assert local.get("/", headers=link).status_code == 200
    problem(local.post("/v1/learn", headers=link, json={"task": "digits"}), 403)


def test_the_stream_checks_host_origin_and_token_too(local: TestClient, shared: TestClient) -> None:
    for server, headers in (
        (local, {"origin": "http://evil.example"}),
        (local, {"host": "evil.example"}),
        (shared, {}),
    ):
        with pytest.raises(WebSocketDenialResponse) as refused:
            with server.websocket_connect("/v1/stream", headers=headers):
                pass
        assert refused.value.status_code in (401, 403, 421)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/metrics", "/v1/tasks", "/static/main.js"])
def test_every_path_requires_the_token(shared: TestClient, path: str) -> None:
    problem(shared.get(path), 401)
    problem(shared.get(path, headers={"authorization": "Bearer wrong"}), 401)
    problem(shared.get(f"{path}?token={TOKEN}"), 401)  # URLs end up in logs
    assert shared.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_health_needs_no_token(shared: TestClient) -> None:
    assert shared.get("/healthz").status_code == 200


def test_the_printed_url_logs_a_browser_in(shared: TestClient) -> None:
    assert shared.get("/enter").status_code == 401
    assert shared.get("/enter?token=wrong").status_code == 401
    assert shared.post("/enter", data={"token": "wrong"}).status_code == 401
    response = shared.get(f"/enter?token={TOKEN}", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert shared.get("/").status_code == 200  # with the cookie of the response
    assert shared.post("/enter", data={"token": TOKEN}, follow_redirects=False).status_code == 303


def test_responses_have_security_headers(local: TestClient) -> None:
    headers = local.get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]


def test_a_body_larger_than_the_limit_is_refused(local: TestClient, served: Served) -> None:
    problem(local.post("/v1/predict?task=digits", content=b"x" * (guard.BODY_LIMIT + 1)), 413)
    problem(local.post("/v1/predict?task=digits", headers={"content-length": str(10**15)}, content=b"x"), 413)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    with contextlib.suppress(httpx.TransportError):  # the server has closed the connection before the end
        problem(served.client.post("/v1/predict?task=digits", content=endless()), 413)
    with contextlib.suppress(httpx.TransportError):
        problem(served.client.post("/v1/learn", content=endless(), headers={"content-type": "application/json"}), 413)


def test_concurrent_bodies_share_a_size_limit(local: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODIES_LIMIT", 100)
    response = local.post("/v1/predict?task=digits", content=b"x" * 101)
    problem(response, 429)
    assert response.headers["retry-after"] == "1"
    problem(local.post("/v1/predict?task=digits", content=b"x" * 99), 418)


def test_a_form_with_no_file_or_two_files_is_refused(local: TestClient) -> None:
    path = "/v1/predict?task=digits"
    problem(local.post(path, files={"image": (None, "text")}), 422)
    problem(local.post(path, files=[("image", ("a", b"1")), ("image", ("b", b"2"))]), 400)
    problem(local.post(path, content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data"}), 400)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A one-bit PNG of one colour: a small file with an enormous picture."""
    rows = zlib.compress(bytes((-(-width // 8) + 1) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG with a comment that unpacks to 200 MB."""
    data = png(sheet(3))
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(200 * 2**20), 9))
    return data[:33] + text + data[33:]


def webp(width: int, height: int) -> bytes:
    """A WebP header that claims these dimensions, without a picture."""
    flags = struct.pack("<BBBB", 0, 0, 0, 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + flags + b"VP8 " + struct.pack("<I", 4) + b"xxxx"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def large_jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose header claims these dimensions."""
    data = bytearray(jpeg(sheet(3)))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def many_scans() -> bytes:
    """A progressive JPEG with very many scans."""
    data = jpeg(sheet(3))
    start = data.index(b"\xff\xda")
    return data[:start] + data[start:-2] * 120 + data[-2:]


REFUSED: dict[str, tuple[bytes | Callable[[], bytes], int]] = {  # a callable if building the body is slow
    "nothing": (b"", 422),
    "text": (b"hello", 415),
    "svg": (SVG, 415),
    "svg with a preamble": (b'<?xml version="1.0"?>' + SVG, 415),
    "gif": (b"GIF89a" + bytes(40), 415),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), 422 if kinds.reads_heic() else 415),
    "pdf": (b"%PDF-1.7", 415),
    "50 megapixels": (lambda: bomb(8000, 6250), 413),
    "a decompression bomb": (lambda: bomb(30000, 30000), 413),
    "a jpeg of 4 gigapixels": (large_jpeg(65000, 65000), 413),
    "a webp of 268 megapixels": (webp(16384, 16384), 413),
    "a png whose comment is a bomb": (text_bomb, 422),
    "truncated jpeg": (jpeg(sheet(3))[:-1000], 422),
    "jpeg without its end": (jpeg(sheet(3))[:-2], 422),
    "a jpeg's header alone": (jpeg(sheet(3))[:300], 422),
    "truncated png": (png(sheet(3))[:-30], 422),
    "png with a wrong checksum": (png(sheet(3))[:-20] + b"\0" + png(sheet(3))[-19:], 422),
    "jpeg of many scans": (many_scans(), 422),
}


@functools.cache
def refused(name: str) -> bytes:
    """The body of REFUSED with this name."""
    data = REFUSED[name][0]
    return data() if callable(data) else data


@pytest.mark.parametrize("name", REFUSED)
def test_a_body_that_is_not_a_picture_is_refused_and_not_stored(served: Served, name: str) -> None:
    data, status = refused(name), REFUSED[name][1]
    if status == 415:
        with pytest.raises(Problem) as described:
            decode_picture(data)
        kind = {"text": "5 bytes of something else", "svg with a preamble": "SVG"}.get(name, name.upper())
        assert described.value.body["found"] == kind
    before = sorted(served.captures.rglob("*"))
    problem(served.client.post("/v1/predict?task=digits", content=data), status)
    problem(served.client.post("/v1/samples?task=digits&label=3", content=data), status)
    after = [path for path in sorted(served.captures.rglob("*")) if path.name not in ("task.json", ".lock")]
    assert [path for path in after if path.is_file()] == [path for path in before if path in after and path.is_file()]


def test_unusual_but_complete_pictures_are_decoded() -> None:
    image = np.dstack([sheet(3, 7)] * 3)
    assert decode_picture(jpeg(image)).shape == (360, 480, 3)
    assert decode_picture(jpeg(image) + b"a phone's trailer").shape == (360, 480, 3)
    for image_format, options in (("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {"lossless": True})):
        for mode in ("RGB", "L"):
            buffer = io.BytesIO()
            Image.fromarray(image).convert(mode).save(buffer, image_format, **options)
            assert decode_picture(buffer.getvalue()).shape == (360, 480, 3)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: the camera was held upright
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", exif=turned)
    assert decode_picture(buffer.getvalue()).shape == (480, 360, 3)


@pytest.mark.slow
def test_decompression_bombs_do_not_increase_memory(served: Served) -> None:
    """The peak memory of the processes does not grow by the decompressed size."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
    if not children.exists():
        pytest.skip("needs /proc of Linux")

    def peak_memory_mb() -> float:
        pids = [str(served.process.pid), *children.read_text().split()]
        lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    served.client.post("/v1/predict?task=digits", content=png(sheet(3)))
    before = peak_memory_mb()
    for _ in range(5):
        for name in (
            "50 megapixels",
            "a decompression bomb",
            "a jpeg of 4 gigapixels",
            "a png whose comment is a bomb",
        ):
            served.client.post("/v1/predict?task=digits", content=refused(name))
    assert peak_memory_mb() - before < 150


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"host": "0.0.0.0"}, "need a token. Leave --no-token out"),
        ({"token": "short"}, "RECOGNIZER_TOKEN is not 16 to 200"),
        ({"port": 70000}, "--port 70000"),
        ({"workers": 0}, "--workers 0"),
        ({"certificate": Path("a.pem")}, "belong together"),
        ({"certificate": Path("a.pem"), "key": Path("b.pem")}, "a.pem does not exist"),
    ],
)
def test_unsafe_settings_raise_an_error(words: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        ServeSettings(**words)


def test_the_printed_url_has_host_port_and_token() -> None:
    assert address(ServeSettings(port=81)) == "http://127.0.0.1:81/"
    assert address(ServeSettings(host="::1", port=81)) == "http://[::1]:81/"
    assert address(ServeSettings(host="10.0.0.1", token=TOKEN)) == f"http://10.0.0.1:8000/enter?token={TOKEN}"


def test_a_used_port_raises_a_one_line_error(capsys: pytest.CaptureFixture[str]) -> None:
    with open_listener(ServeSettings(port=0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    line = capsys.readouterr().err
    assert "cannot be opened" in line
    assert line.count("\n") == 1


def test_an_unexpected_error_is_returned_as_a_problem(tmp_path: Path) -> None:
    class Broken(NoPool):
        async def call(self, name: str, *words: Any) -> Any:
            raise ZeroDivisionError

    app = create_app(ServeSettings(), open_models(tmp_path), default_samples(), pool=Broken())  # type: ignore[arg-type]
    test_client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    body = problem(test_client.post("/v1/predict?task=digits", content=b"x"), 500)
    assert "ZeroDivisionError" in body["found"]


def test_a_task_without_a_model_returns_a_problem_with_a_remedy(tmp_path: Path) -> None:
    problem(client(tmp_path).get("/v1/models/digits"), 409)
    problem(client(tmp_path).post("/v1/models/digits/rollback"), 409)
