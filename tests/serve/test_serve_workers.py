"""What one bad picture, sample, stream, lock or training does to the other clients of the server: nothing."""

import asyncio
import base64
import errno
import json
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

from recognizer.errors import DiskFullError, ModelError, ModelStorageError, SamplesError, SamplesStorageError, SyncError
from recognizer.registry.synced import open_models
from recognizer.samples import store as samples_store
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.serve.app import create_app
from recognizer.serve.cluster import stored_asset
from recognizer.serve.http.problems import Problem, problem_of
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.http.uploads import from_text
from recognizer.serve.routes import stream as stream_route
from recognizer.serve.workers import jobs as jobs_module
from recognizer.serve.workers import sample_index
from recognizer.serve.workers import worker as worker_module
from recognizer.serve.workers.jobs import Jobs
from recognizer.serve.workers.pool import ADDRESS_STREAMS_LIMIT, QUEUE_LIMIT, WorkerPool
from recognizer.serve.workers.sample_index import SampleIndex
from recognizer.serve.workers.worker import Worker
from recognizer.system import files, paths
from recognizer.values import Box, Frame, Region
from tests.helpers.http import jpeg, png, problem, sheet
from tests.helpers.running_server import Served
from tests.helpers.waiting import HANG_S, until
from tests.serve.test_serve_safe import NoPool

STREAM, HOST = "/v1/stream?task=digits", {"host": "127.0.0.1:8000"}


def app_client(
    tmp_path: Path, pool: Any = None, jobs: Jobs | None = None, samples: Samples | None = None
) -> TestClient:
    app = create_app(
        ServeSettings(), open_models(tmp_path), samples or default_samples(), pool=pool or NoPool(), jobs=jobs
    )
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


# Workers


def test_closing_a_stream_is_never_refused(tmp_path: Path) -> None:
    class Executor:
        closed: list[str] = []  # noqa: RUF012

        def submit(self, *call: Any) -> None:
            self.closed.append(call[-1])

    async def main() -> None:
        pool = WorkerPool(open_models(tmp_path), default_samples(), 1)
        pool._processes[0].executor = Executor()  # type: ignore[assignment]
        async with pool.stream() as stream:
            pool._processes[0].waiting = QUEUE_LIMIT
            with pytest.raises(Problem):
                await stream.step("digits", b"", 0.0)
        assert Executor.closed == [stream.name]

    asyncio.run(main())


def test_one_address_cannot_take_all_streams(tmp_path: Path) -> None:
    async def main() -> None:
        pool = WorkerPool(open_models(tmp_path), default_samples(), 1)
        streams = [pool.stream("10.0.0.1") for _ in range(ADDRESS_STREAMS_LIMIT)]
        for stream in streams:
            await stream.__aenter__()
        with pytest.raises(Problem, match="busy"):
            await pool.stream("10.0.0.1").__aenter__()
        async with pool.stream("10.0.0.2"):
            pass
        for stream in streams:
            await stream.__aexit__(None, None, None)
        async with pool.stream("10.0.0.1"):
            assert pool.streams == 1
        assert not pool._addresses

    asyncio.run(main())


def hang(worker: Worker) -> None:
    """A picture that never ends."""
    worker._picture_s = 0.1
    with worker.time_limit():
        threading.Event().wait()


def answer(worker: Worker, number: int) -> tuple[int, int]:
    return number, os.getpid()


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced_and_no_other_call_is_lost(tmp_path: Path) -> None:
    async def main() -> None:
        pool = WorkerPool(open_models(tmp_path), default_samples(), 1)
        try:
            _, before = await pool.call(answer, 0)
            hanging = asyncio.create_task(pool.call(hang))
            others = [asyncio.create_task(pool.call(answer, number)) for number in range(5)]
            with pytest.raises(Problem) as refused:
                await hanging
            assert refused.value.status_code == 503
            answers = await asyncio.gather(*others)
            assert [number for number, _ in answers] == [*range(5)]
            assert len({process for _, process in answers} - {before}) == 1
            assert pool.waiting == 0
        finally:
            pool.close()

    asyncio.run(main())


def test_recording_stops_when_the_disk_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = Samples(tmp_path / "captures")
    samples.create_task("marks", "paper", ["a"])
    monkeypatch.setattr(samples_store, "DISK_RESERVE", 1 << 60)
    with pytest.raises(DiskFullError) as refused:
        Worker(open_models(tmp_path), samples).add_sample(png(sheet(3)), "marks", "a", "s", "test")
    shown = problem_of(refused.value, [samples.folder]).body
    assert (shown["status"], shown["what"]) == (507, "The disk is nearly full")
    assert str(tmp_path) not in str(shown)
    assert samples.read() == []


# Streams


class StreamPool(NoPool):
    """A pool whose streams do what `step` does, and that counts the places taken."""

    def __init__(self, step: Callable[[], Any]) -> None:
        self._step = step
        self.opened = 0

    def stream(self, address: str = "") -> Any:
        self.opened += 1
        pool = self

        class Opened:
            async def __aenter__(self) -> Any:
                return pool

            async def __aexit__(self, *_: object) -> None: ...

        return Opened()

    async def step(self, *_: object) -> Any:
        return self._step()


def fail() -> Any:
    raise RuntimeError("a network of LiteRT failed")


def test_a_failure_inside_a_stream_is_told_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with app_client(tmp_path, StreamPool(fail)).websocket_connect(STREAM, headers=HOST) as stream:
        stream.send_bytes(b"x")
        body = stream.receive_json()["problem"]
        assert (body["status"], body["found"]) == (500, "WS /v1/stream: RuntimeError")
        with pytest.raises(WebSocketDisconnect) as closed:
            stream.receive_json()
    assert closed.value.code == stream_route.INTERNAL_ERROR
    assert "a network of LiteRT failed" in caplog.text


@pytest.mark.parametrize("text", ["[" * 200_000, '{"task": "' + "x" * 2000 + '"}', "[" * 900])
def test_a_text_message_that_is_too_long_or_deep_is_refused(served: Served, text: str) -> None:
    with connect(f"ws://127.0.0.1:{served.port}{STREAM}", additional_headers=served.headers) as stream:
        stream.send(text)
        assert json.loads(stream.recv(HANG_S))["problem"]["status"] == 422


def test_a_stream_without_pictures_takes_no_place_and_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_route, "IDLE_S", 0.1)
    pool = StreamPool(lambda: {"stages_ms": {}, "events": []})
    for sent in (0, 1):
        with app_client(tmp_path, pool).websocket_connect(STREAM, headers=HOST) as stream:
            for _ in range(sent):
                stream.send_bytes(b"x")
                stream.receive_json()
            stream.send_text("words are no pictures")
            stream.receive_json()
            with pytest.raises(WebSocketDisconnect) as closed:
                stream.receive_json()
        assert closed.value.code == stream_route.GOING_AWAY
        assert pool.opened == sent


def test_streams_without_pictures_shut_nobody_out(served: Served) -> None:
    url = f"ws://127.0.0.1:{served.port}{STREAM}"
    with ExitStack() as streams:
        *_, last = [streams.enter_context(connect(url, additional_headers=served.headers)) for _ in range(42)]
        last.send(jpeg(sheet(4)))
        assert json.loads(last.recv(HANG_S))["text"] == "4"


# Samples


def recorded(folder: Path, count: int) -> tuple[Samples, list[Any]]:
    """A store with samples of a task without a model."""
    samples = Samples(folder)
    samples.create_task("marks", "paper", ["a", "b"])
    picture = np.dstack([sheet(3)] * 3)
    region = Region(Box(0, 0, 480, 360), picture)
    made = [
        samples.add("marks", "a", region, Frame(picture, 0, 0.0, "test"), "s", "/home/anna/x.png") for _ in range(count)
    ]
    return samples, made


class LocalPool(NoPool):
    """Calls a worker of this process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.sizes: list[int] = []

    async def call(self, call: Callable[..., Any], *words: Any) -> Any:
        return call(self._worker, *words)


def test_one_missing_picture_is_shown_and_can_be_deleted(tmp_path: Path) -> None:
    samples, made = recorded(tmp_path / "captures", 3)
    (samples.folder / made[1].path).unlink()
    worker = Worker(open_models(tmp_path), samples)
    client = app_client(tmp_path, LocalPool(worker), samples=samples)
    for _ in range(2):  # from the worker, then from the cache
        read = client.get("/v1/confusion?task=marks").json()
        assert {one["id"]: one["readable"] for one in read["samples"]} == {
            made[0].id: True, made[1].id: False, made[2].id: True,
        }  # fmt: skip
        assert read["counts"] == [[0, 0, 3], [0, 0, 0]]
    body = problem(client.get(f"/v1/samples/{made[1].id}/picture"), 404)
    assert str(tmp_path) not in json.dumps(body)
    assert client.delete(f"/v1/samples/{made[1].id}").status_code == 204
    assert len(client.get("/v1/confusion?task=marks").json()["samples"]) == 2


def test_a_full_cache_of_predictions_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_index, "CACHE_LIMIT", 2)
    samples, made = recorded(tmp_path / "captures", 5)
    client = app_client(tmp_path, LocalPool(Worker(open_models(tmp_path), samples)), samples=samples)
    for _ in range(2):
        assert len(client.get("/v1/confusion?task=marks").json()["samples"]) == 5
    index = SampleIndex(samples)
    index.cache("m", made[:2], [("a", 0.5), ("b", 0.5)])
    index.cached("m", made[:1])  # now the least used is the second
    index.cache("m", made[2:3], [("a", 0.1)])
    assert set(index.cached("m", made)) == {made[0].id, made[2].id}


def test_a_held_lock_blocks_neither_health_nor_writers_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, _ = recorded(tmp_path / "captures", 1)
    client = app_client(tmp_path, samples=samples)
    assert samples.lock_wait_s == worker_module.LOCK_WAIT_S <= 1
    samples.lock_wait_s = 0.0
    with files.locked(samples.folder / ".lock", 0):
        response = client.post("/v1/tasks", json={"name": "new", "region": "paper", "labels": ["a"]})
    problem(response, 503)
    assert response.headers["retry-after"] == "1"


def test_what_the_disk_refuses_has_the_same_status_from_a_worker_process() -> None:
    for kind, status in ((SamplesStorageError, 503), (ModelStorageError, 503), (SyncError, 503), (DiskFullError, 507)):
        error = pickle.loads(pickle.dumps(kind("Cannot write captures: Read-only file system. Make it writable.")))
        assert problem_of(error).body["status"] == status


def test_a_rollback_that_cannot_be_written_does_not_say_that_there_is_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app_client(tmp_path)
    for _ in range(2):
        with open_models(tmp_path).publishing("digits") as draft:
            (draft / "card.json").write_text('{"labels": ["0"]}')

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files, "atomic_file", refuse)
    body = problem(client.post("/v1/models/digits/rollback"), 503)
    assert body["what"] == "The server's files cannot be read or written"
    monkeypatch.undo()
    assert client.post("/v1/models/digits/rollback").status_code == 200
    assert problem(client.post("/v1/models/digits/rollback"), 409)["what"] == "There is no earlier version"


def test_health_needs_no_thread() -> None:
    from recognizer.serve.routes.pages import healthz

    assert asyncio.iscoroutinefunction(healthz)


def test_no_answer_names_a_folder_of_the_server(tmp_path: Path) -> None:
    samples, made = recorded(tmp_path / "captures", 1)
    client = app_client(tmp_path, samples=samples)
    assert client.get(f"/v1/samples/{made[0].id}").json()["source"] == "x.png"
    body = problem(client.get("/v1/models/digits"), 409)
    assert str(tmp_path) not in json.dumps(body)
    folders = (paths.ROOT, Path("/data/My Models"))
    error = ModelError("/data/My Models/digits/v1/card.json is damaged. Look into /data/My Models.")
    shown = problem_of(error, folders).body
    assert (shown["found"], shown["remedy"]) == ("digits/v1/card.json is damaged.", "Look into My Models.")
    assert problem_of(SamplesError("A label is empty."), folders).body["found"] == "A label is empty."


# Trainings


class FakeTraining:
    """A training that ends when it is told to."""

    started: list[str] = []  # noqa: RUF012

    def __init__(self, task: str, *_: object) -> None:
        self.started.append(task)
        self.ends = threading.Event()
        self.cancelling = threading.Event()
        self.may_cancel = threading.Event()
        self.may_cancel.set()

    def poll(self) -> dict[str, Any]:
        return {"published": None, "ended": True} if self.ends.is_set() else {"stage": "learning"}

    def cancel(self) -> None:
        self.cancelling.set()
        assert self.may_cancel.wait(HANG_S)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(FakeTraining, "started", [])
    monkeypatch.setattr(jobs_module, "POLL_S", 0.01)
    made = Jobs(open_models(tmp_path), default_samples(), train=FakeTraining)
    yield made
    made.close()


def test_two_trainings_run_at_a_time_and_the_others_follow_by_themselves(jobs: Jobs) -> None:
    made = [jobs.start(task) for task in "abcd"]
    assert [job.state for job in made] == ["running", "running", "queued", "queued"]
    with pytest.raises(Problem, match="already being trained"):
        jobs.start("d")
    assert jobs.cancel(made[2].id).state == "cancelled"
    made[0].training.ends.set()  # type: ignore[union-attr]
    until(lambda: made[3].state == "running")  # nobody asks for it
    assert FakeTraining.started == ["a", "b", "d"]
    assert made[0].state == "done"


def test_a_training_that_cannot_start_fails_alone(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "_train", no_memory)
        failed = jobs.start("a")
    assert failed.state == "failed"
    assert "Cannot allocate memory" in str(failed.report["error"])
    assert jobs.start("b").state == "running"


def test_the_line_of_trainings_has_an_end(jobs: Jobs) -> None:
    for number in range(jobs_module.RUNNING_LIMIT + jobs_module.QUEUED_LIMIT):
        jobs.start(str(number))
    with pytest.raises(Problem) as refused:
        jobs.start("one more")
    assert refused.value.status_code == 429


def test_other_jobs_can_be_seen_while_one_is_cancelled(jobs: Jobs) -> None:
    job = jobs.start("a")
    training = job.training
    assert isinstance(training, FakeTraining)
    training.may_cancel.clear()
    thread = threading.Thread(target=jobs.cancel, args=(job.id,))
    thread.start()
    assert training.cancelling.wait(HANG_S)
    training.ends.set()
    assert [one.state for one in jobs.all()] == ["running"]
    training.may_cancel.set()
    thread.join()
    assert job.state == "cancelled"


def test_a_training_without_samples_is_refused(tmp_path: Path, jobs: Jobs) -> None:
    default_samples().create_task("empty", "paper", ["a"])
    body = problem(app_client(tmp_path, jobs=jobs).post("/v1/learn", json={"task": "empty"}), 409)
    assert "no samples" in body["found"]
    assert FakeTraining.started == []


# Pictures as text


def test_pictures_in_base64_data_urls_json_and_forms_are_read(served: Served) -> None:
    data = png(sheet(3, 7, 4))
    text = base64.b64encode(data).decode()
    url = f"data:image/png;base64,{text}"
    lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    path = "/v1/predict?task=digits"
    for response in (
        served.client.post(path, content=text),
        served.client.post(path, content=lines),
        served.client.post(path, content=text.replace("+", "-").replace("/", "_")),
        served.client.post(path, content=url, headers={"content-type": "text/plain"}),
        served.client.post(path, json={"image": text}),
        served.client.post(path, json={"image": url}),
        served.client.post(path, json=url),
        served.client.post(path, content=json.dumps(url), headers={"content-type": "Application/JSON; charset=utf-8"}),
        served.client.post(path, files={"image": (None, url)}),
    ):
        assert response.status_code == 200, response.text
        assert response.json()["text"] == "374"


def test_media_types_are_read_in_any_case(served: Served) -> None:
    request = served.client.build_request(
        "POST", "/v1/predict?task=digits", files={"image": ("a.png", png(sheet(4)), "image/png")}
    )
    request.headers["content-type"] = request.headers["content-type"].replace(
        "multipart/form-data", "Multipart/Form-Data"
    )
    assert served.client.send(request).json()["text"] == "4"


def test_text_that_is_no_picture_is_left_as_it_is() -> None:
    for data in (
        b"",
        b"hello",
        b"aGVsbG8=",
        b"data:image/png;base64,!!",
        b"\xff\xd8\xff",
        b"RIFF",
        b"iVBORw0KGgo",
        b"d" * 9,
    ):
        if data != b"iVBORw0KGgo":
            assert from_text(data) == data
    assert from_text(b"data:,aGVsbG8=") == b"data:,aGVsbG8="


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"image": 3}', b"{", b"[" * 100_000, b"null"])
def test_json_without_a_picture_is_refused(tmp_path: Path, body: bytes) -> None:
    response = app_client(tmp_path).post(
        "/v1/predict?task=digits", content=body, headers={"content-type": "application/json"}
    )
    assert "base64" in problem(response, 422)["remedy"]


def test_a_client_that_leaves_while_it_sends_is_no_fault_of_the_server(served: Served) -> None:
    for path, kind in (("/v1/predict?task=digits", "image/png"), ("/v1/learn", "application/json")):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: 900\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in served.headers.items())
            connection.sendall(f"{head}\r\nhalf".encode())
    until(lambda: 'path="/v1/learn",status="400"' in served.client.get("/metrics").text)
    assert "Traceback" not in "".join(served.output)


# The cluster


def test_replicas_of_one_machine_share_one_file_of_the_hand_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOGNIZER_SYNC", str(tmp_path))
    first = stored_asset(b"model")
    assert stored_asset(b"model") == first
    (first / "hand_landmarker.task").write_bytes(b"damaged")
    stored_asset(b"model")
    assert (first / "hand_landmarker.task").read_bytes() == b"model"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [first / "hand_landmarker.task"]
