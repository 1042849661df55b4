"""The server on a real Ray cluster of two nodes on this machine."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from recognizer.cli import main
from recognizer.errors import SettingsError
from recognizer.registry import store
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.synced import open_samples
from recognizer.serve import cluster, cluster_proxy
from recognizer.serve.http.connections import Connections
from recognizer.system.synced_folder import url_of
from tests.helpers.http import jpeg, sheet
from tests.helpers.ray_nodes import workers
from tests.helpers.running_server import running_server
from tests.helpers.sockets import ended
from tests.helpers.waiting import HANG_S, until

REPLICA = f"ray::ServeReplica:{cluster.STREAMS}"
# without this, the test would wait a minute after the streams are closed until the server scales down
PROGRAM = """
import sys
from recognizer.cli import main
from recognizer.serve import cluster, cluster_proxy
from recognizer.serve.http.connections import Connections
cluster.SCALING["downscale_delay_s"] = 1.0
sys.exit(main())
"""


@pytest.fixture(scope="module")
def served(nodes, tmp_path_factory):
    models = default_models().folder
    if not (models / "digits" / store.CURRENT).is_file():
        pytest.skip("needs the digits model")
    folder = tmp_path_factory.mktemp("served")
    with running_server(folder, "--cluster", nodes.address, program=("-c", PROGRAM)) as server:
        yield server
        assert server.stop() == 130
    until(lambda: not workers(nodes, "ray::ServeReplica"))


def streaming(served):
    return connect(
        f"ws://127.0.0.1:{served.port}/v1/stream?task=digits", open_timeout=HANG_S, additional_headers=served.headers
    )


def send_frame(stream, frame):
    stream.send(frame)
    return json.loads(stream.recv(HANG_S))


@pytest.mark.slow
def test_the_cluster_serves_the_same_page_and_documentation(served):
    from recognizer.serve.app import create_app
    from recognizer.serve.http.settings import ServeSettings

    local_app = create_app(ServeSettings(), open_models(served.models), open_samples(served.captures))
    try:
        assert served.client.get("/openapi.json").json() == json.loads(json.dumps(local_app.openapi()))
    finally:
        local_app.state.app_state.pool.close()
    page = served.client.get("/")
    assert page.text.startswith("<!doctype html>")
    assert page.headers["x-frame-options"] == "DENY"
    assert served.client.get("/static/main.js").status_code == 200
    assert served.client.get("/v1/tasks/nothing/here").json()["what"]
    assert served.client.get("/v1/tasks", headers={"Host": "evil.example"}).status_code == 421
    assert served.client.post("/v1/predict?task=digits", content=jpeg(sheet(3, 7))).json()["text"] == "37"


@pytest.mark.slow
def test_the_proxy_limits_the_connections_and_hides_ray_serve(served):
    assert httpx.get(f"{served.url}/-/routes").status_code == 404
    handshake = (
        b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\nContent-Length: 3\r\n\r\nabc"
    )
    with socket.create_connection(("127.0.0.1", served.port), HANG_S) as connection:
        connection.sendall(handshake)
        assert ended(connection)  # uvicorn's own protocols would keep it open


@pytest.mark.slow
def test_logging_out_ends_the_session_in_the_replicas_of_streams_too(served):
    with httpx.Client(base_url=served.url, timeout=HANG_S, follow_redirects=True) as browser:
        assert browser.get(served.address).status_code == 200
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        address = f"ws://127.0.0.1:{served.port}/v1/stream?task=digits"
        with connect(address, open_timeout=HANG_S, additional_headers=cookie) as stream:
            assert send_frame(stream, jpeg(sheet(3)))["text"] == "3"
        assert browser.post("/leave").status_code == 401  # the form to log in again

        def is_refused():
            try:
                connect(address, open_timeout=HANG_S, additional_headers=cookie).close()
            except InvalidStatus as refused:
                return refused.response.status_code == 401
            return False

        until(is_refused)


def test_only_accepted_requests_make_a_connection_of_the_cluster_trusted():
    connections = Connections()
    answers = {"/v1/tasks": 200, "/v1/jobs": 401, "/healthz": 200, "/-/healthz": 200, "/v1/models/x": 503}

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": answers[scope["path"]], "headers": []})

    async def ignore(message=None): ...

    async def main():
        for port, path in enumerate(answers):
            connections.admit(("10.0.0.1", port), SimpleNamespace(abort=lambda: None))
            scope = {"type": "http", "path": path, "client": ("10.0.0.1", port)}
            await cluster_proxy.Proxy(app, connections)(scope, ignore, ignore)

    asyncio.run(main())
    trusted = [peer[1] for peer, connection in connections._open.items() if connection.trusted]
    assert trusted == [0]


@pytest.mark.slow
def test_jobs_run_in_a_single_replica(served):
    served.client.post("/v1/tasks", json={"name": "untrained", "region": "paper", "labels": ["a"]})
    served.client.post("/v1/samples?task=untrained&label=a", content=jpeg(sheet(3)))
    job = served.client.post("/v1/learn", json={"task": "untrained"}).json()
    assert [listed["id"] for listed in served.client.get("/v1/jobs").json()] == [job["id"]]
    ended = until(
        lambda: (now := served.client.get(f"/v1/jobs/{job['id']}").json())["state"] not in ("queued", "running") and now
    )
    assert ended["state"] == "failed"
    assert ended["error"]


@pytest.mark.slow
def test_stream_replicas_scale_up_survive_a_failure_and_scale_down(served, nodes):
    """Opens more streams, kills a replica while samples are recorded, publishes a model, then closes all streams."""
    frame = jpeg(sheet(3, 7, 4))
    first = until(lambda: workers(nodes, REPLICA))
    assert len(first) == 1
    with ExitStack() as open_streams:
        early = [open_streams.enter_context(streaming(served)) for _ in range(cluster.STREAMS_PER_REPLICA + 1)]
        assert [send_frame(stream, frame)["text"] for stream in early] == ["374"] * len(early)
        both = until(lambda: len(found := workers(nodes, REPLICA)) == 2 and found)
        late = []

        def open_stream():
            late.append(open_streams.enter_context(streaming(served)))
            send_frame(late[-1], frame)
            return len(late) >= 3

        until(open_stream)

        recorded, stop = [], threading.Event()

        def record():
            with httpx.Client(base_url=served.url, timeout=HANG_S, headers=served.headers) as client:
                while not stop.is_set():
                    response = client.post("/v1/samples?task=digits&label=4", content=jpeg(sheet(4)))
                    assert response.status_code == 201, response.text
                    recorded.append(response.json()["id"])

        recorder = threading.Thread(target=record)
        recorder.start()
        os.kill(next(iter(set(both) & set(first))), signal.SIGKILL)
        broken, alive = [], []
        for stream in [*early, *late]:
            try:
                assert send_frame(stream, frame)["frame"] in (1, 2)  # an unbroken stream continues its count
                alive.append(stream)
            except ConnectionClosed:
                broken.append(stream)
        assert len(broken) >= len(early)
        again = [open_streams.enter_context(streaming(served)) for _ in broken]
        assert [send_frame(stream, frame)["text"] for stream in again] == ["374"] * len(broken)
        stop.set()
        recorder.join()
        assert recorded
        listed = served.client.get("/v1/samples?task=digits&limit=500").json()["samples"]
        assert {sample["id"] for sample in listed} == set(recorded)

        home, before = served.models / "digits", open_models(served.models).current("digits")
        shutil.copytree(before, home / "20990101-000000")
        open_models(served.models).set_current("digits", "20990101-000000")
        for stream in [*alive, *again]:
            until(lambda stream=stream: send_frame(stream, frame)["model"] == "20990101-000000")
        assert served.client.post("/v1/models/digits/rollback").json()["version"] == before.name
    until(lambda: len(workers(nodes, REPLICA)) == 1)


def test_a_replica_on_another_machine_opens_the_same_urls(tmp_path, monkeypatch):
    from recognizer.serve.http.settings import ServeSettings
    from recognizer.system import paths

    monkeypatch.setenv("RECOGNIZER_ASSETS", os.environ.get("RECOGNIZER_ASSETS", ""))  # so that monkeypatch restores it
    monkeypatch.setattr(cluster, "find_asset", lambda name: Path(__file__))
    models, captures = ((tmp_path / name).as_uri() for name in ("models", "captures"))
    monkeypatch.setenv("RECOGNIZER_SYNC", str(tmp_path / "here"))
    monkeypatch.setattr(cluster, "SharedEndedSessions", lambda actor: None)
    build = cluster.app_builder(ServeSettings(), open_models(models), open_samples(captures), None)
    opened = []
    monkeypatch.setattr(cluster, "create_app", lambda settings, *stores, **options: opened.extend(stores))
    monkeypatch.setenv("RECOGNIZER_SYNC", str(tmp_path / "there"))
    build()
    assert [url_of(store.folder) for store in opened] == [models, captures]
    assert (paths.assets() / "hand_landmarker.task").read_bytes() == Path(__file__).read_bytes()
    assert {store.folder.parent for store in opened} == {tmp_path / "there"}


def test_a_folder_that_is_not_shared_raises_a_one_line_error(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-cluster.txt")
    nodes = [{"Alive": True, "NodeID": 28 * "0a", "NodeManagerHostname": name} for name in ("near", "far")]
    task = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda path: path))
    fake = SimpleNamespace(
        nodes=lambda: nodes,
        remote=lambda **_: lambda function: task,
        get=lambda paths: [path.is_file() for path in paths],
    )
    cluster.check_folders_shared(fake, {"--models": tmp_path / "models"})
    fake.get = lambda paths: [True, False]
    with pytest.raises(SettingsError, match=f"far cannot see {re.escape(str(tmp_path / 'models'))}. Give --models"):
        cluster.check_folders_shared(fake, {"--models": tmp_path / "models"})
    assert not list((tmp_path / "models").iterdir())


def test_a_missing_ray_raises_a_one_line_error(monkeypatch, capsys):
    monkeypatch.setattr("recognizer.system.ray_cluster.find_spec", lambda name: None)
    assert main(["serve", "--port", "0", "--cluster"]) == 2
    err = capsys.readouterr().err
    assert "requirements-cluster.txt" in err
    assert err.count("\n") == 1
