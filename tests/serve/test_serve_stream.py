"""The WebSocket stream of a running server."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from recognizer.registry.synced import open_models
from tests.helpers.http import jpeg, sheet
from tests.helpers.running_server import Served
from tests.helpers.waiting import HANG_S, until


@contextmanager
def streaming(served: Served, task: str = "digits") -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{served.port}/v1/stream?task={task}", additional_headers=served.headers) as stream:
        yield stream


def send_frame(stream: ClientConnection, frame: bytes) -> dict[str, Any]:
    """Send a frame. Return the next message."""
    stream.send(frame)
    return json.loads(stream.recv(HANG_S))


def test_a_client_that_waits_for_each_result_gets_one_per_frame(served: Served) -> None:
    with streaming(served) as stream:
        results = [send_frame(stream, jpeg(sheet(3, 7, 4))) for _ in range(5)]
    assert [result["frame"] for result in results] == [0, 1, 2, 3, 4]
    last = results[-1]
    assert (last["task"], last["text"], last["size"]) == ("digits", "374", [480, 360])
    assert [region["label"] for region in last["regions"]] == ["3", "7", "4"]
    assert all(region["image"].startswith("data:image/png") for region in last["regions"])
    assert "smooth" in last["stages_ms"]


def test_what_is_held_becomes_a_line_while_spelling_is_on(served: Served) -> None:
    with streaming(served) as stream:
        assert "spelled" not in send_frame(stream, jpeg(sheet(3, 7)))
        stream.send('{"spell": "start"}')
        spelled = {"word": ""}
        until(lambda: spelled.update(send_frame(stream, jpeg(sheet(3, 7)))["spelled"]) or spelled["word"])
        assert (spelled["word"], spelled["suggestions"], spelled["text"]) == ("37", ["37"], "37")
        stream.send('{"spell": "1"}')
        assert send_frame(stream, jpeg(sheet(3, 7)))["spelled"]["finished"] == "37 "
        stream.send('{"spell": "stop"}')
        assert "spelled" not in send_frame(stream, jpeg(sheet(3, 7)))
        stream.send('{"spell": "dance"}')
        problem = json.loads(stream.recv(HANG_S))["problem"]
        assert (problem["status"], problem["found"]) == (422, "dance")
        for _ in range(101):
            stream.send('{"spell": "space"}')
        assert json.loads(stream.recv(HANG_S))["problem"]["status"] == 429


def test_logging_out_closes_the_streams_of_the_session(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=HANG_S, follow_redirects=True) as browser:
        assert browser.get(served.address).status_code == 200
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        address = f"ws://127.0.0.1:{served.port}/v1/stream?task=digits"
        with connect(address, additional_headers=cookie) as copied, streaming(served) as other:
            assert send_frame(copied, jpeg(sheet(3)))["text"] == "3"
            browser.post("/leave")
            assert send_frame(copied, jpeg(sheet(3)))["problem"]["what"] == "The session has ended"
            with pytest.raises(ConnectionClosed):
                copied.recv(HANG_S)
            assert send_frame(other, jpeg(sheet(3)))["text"] == "3"  # a program, which has the token


def test_frames_that_arrive_too_fast_are_replaced_by_the_latest(served: Served) -> None:
    old, new = jpeg(sheet(1, 1, size_wh=(1280, 720))), jpeg(sheet(2, 5, size_wh=(1280, 720)))
    with streaming(served) as stream:
        send_frame(stream, old)
        for _ in range(59):
            stream.send(old)
        stream.send(new)
        numbers = []
        while not numbers or numbers[-1] != 60:
            numbers.append(json.loads(stream.recv(HANG_S))["frame"])
        time.sleep(0.3)
        with pytest.raises(TimeoutError):
            stream.recv(0)
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 60


def test_a_damaged_frame_returns_a_problem_and_the_stream_continues(served: Served) -> None:
    with streaming(served) as stream:
        result = send_frame(stream, jpeg(sheet(4))[:-200])
        assert (result["frame"], result["problem"]["status"]) == (0, 422)
        assert "truncated" in result["problem"]["found"]
        assert send_frame(stream, jpeg(sheet(4)))["text"] == "4"


def test_the_task_of_a_stream_can_be_changed(served: Served) -> None:
    served.client.post("/v1/tasks", json={"name": "untrained", "region": "paper", "labels": ["a"]})
    with streaming(served) as stream:
        assert send_frame(stream, jpeg(sheet(4)))["task"] == "digits"
        stream.send('{"task": "untrained"}')
        result = until(lambda: (now := send_frame(stream, jpeg(sheet(4))))["task"] == "untrained" and now)
        assert result["regions"][0]["label"] is None
        for wrong, status in (('{"task": "chess"}', 404), ("rps", 422), ("[1]", 422)):
            stream.send(wrong)
            assert json.loads(stream.recv(HANG_S))["problem"]["status"] == status


def test_a_stream_switches_to_a_newly_published_model(served: Served) -> None:
    home = served.models / "digits"
    before = open_models(served.models).current("digits")
    shutil.copytree(before, home / "20990101-000000")
    with streaming(served) as stream:
        assert send_frame(stream, jpeg(sheet(4)))["model"] == before.name
        open_models(served.models).set_current("digits", "20990101-000000")
        result = until(lambda: (now := send_frame(stream, jpeg(sheet(4))))["model"] != before.name and now)
        assert result["text"] == "4"
        assert (
            served.client.post("/v1/predict?task=digits", content=jpeg(sheet(4))).json()["model"] == "20990101-000000"
        )
        served.client.post("/v1/models/digits/rollback")
    assert served.client.post("/v1/predict?task=digits", content=jpeg(sheet(4))).json()["model"] == before.name


def test_an_unknown_task_closes_the_stream_with_a_problem(served: Served) -> None:
    with streaming(served, "chess") as stream:
        assert json.loads(stream.recv(HANG_S))["problem"]["status"] == 404
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(HANG_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_disconnected_client_frees_its_stream(served: Served) -> None:
    def streams() -> float:
        lines = served.client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith("recognizer_streams ")).split()[1])

    with streaming(served) as stream:
        send_frame(stream, jpeg(sheet(4)))
        stream.send(jpeg(sheet(4)))
        assert streams() == 1
    until(lambda: streams() == 0)
