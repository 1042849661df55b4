"""The events of a running server's streams."""

import asyncio
import json
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, ClassVar

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from recognizer.serve.http.problems import Problem
from recognizer.serve.routes import events
from recognizer.serve.routes.events import LISTENERS_LIMIT, WAITING_LIMIT, EventHub, StreamEvents
from tests.helpers.http import jpeg, sheet
from tests.helpers.running_server import Served
from tests.helpers.waiting import HANG_S


def listening(served: Served, query: str = "", headers: dict[str, str] | None = None) -> ClientConnection:
    address = f"ws://127.0.0.1:{served.port}/v1/events{query}"
    return connect(address, additional_headers=served.headers if headers is None else headers)


def received(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(socket.recv(HANG_S))


def test_listeners_get_the_events_of_all_streams_of_their_task(served: Served) -> None:
    address = f"ws://127.0.0.1:{served.port}/v1/stream?task=digits"
    with (
        listening(served) as all_tasks,
        listening(served, "?task=digits") as digits,
        listening(served, "?task=rps") as rps,
    ):
        with connect(address, additional_headers=served.headers) as stream:
            answers = []
            while not any(answer["events"] for answer in answers):
                stream.send(jpeg(sheet(3, 7, 4)))
                answers.append(received(stream))
            assert answers[-1]["events"][0]["label"] == "374"
        for socket in (all_tasks, digits):
            appeared, gone = received(socket), received(socket)
            while gone["event"] == "held":
                gone = received(socket)
            assert appeared == answers[-1]["events"][0]
            assert (appeared["event"], gone["event"], gone["label"], gone["task"]) == (
                "appeared",
                "gone",
                "374",
                "digits",
            )
        with pytest.raises(TimeoutError):
            rps.recv(0)


def test_an_unknown_task_is_refused(served: Served) -> None:
    with listening(served, "?task=none") as socket:
        assert received(socket)["problem"]["what"] == "There is no such task"
        with pytest.raises(ConnectionClosed, match="no such task"):
            socket.recv(HANG_S)


def test_logging_out_ends_listening(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=HANG_S, follow_redirects=True) as browser:
        assert browser.get(served.address).status_code == 200
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        with listening(served, headers=cookie) as socket:
            browser.post("/leave")
            assert received(socket)["problem"]["what"] == "The session has ended"


def an_event(number: int, phase: str = "appeared", task: str = "rps") -> dict[str, Any]:
    return {"event": phase, "number": number, "task": task, "label": "rock"}


def test_a_slow_listener_loses_the_oldest_events_and_too_many_are_refused() -> None:
    async def listen() -> None:
        hub = EventHub()
        with hub.listening("rps") as slow:
            for number in range(WAITING_LIMIT + 3):
                hub.publish(an_event(number))
                hub.publish(an_event(number, task="letters"))
            waiting = await slow.take(0)
            assert [event["number"] for event in waiting] == list(range(3, WAITING_LIMIT + 3))
            assert await slow.take(0) == []
            with ExitStack() as others:
                for _ in range(LISTENERS_LIMIT - 1):
                    others.enter_context(hub.listening(""))
                with pytest.raises(Problem, match="busy"), hub.listening(""):
                    pass

    asyncio.run(listen())


def test_when_a_stream_ends_what_was_in_view_has_gone() -> None:
    async def listen() -> list[dict[str, Any]]:
        hub = EventHub()
        with hub.listening("") as listener:
            stream = StreamEvents(hub)
            stream.publish([an_event(1), an_event(2), an_event(1, "gone")])
            await listener.take(0)
            stream.close()
            stream.close()
            return await listener.take(0)

    assert asyncio.run(listen()) == [an_event(2, "gone")]


def test_a_replica_of_a_cluster_says_that_it_has_no_events_of_all_streams() -> None:
    class Socket:
        app = SimpleNamespace(state=SimpleNamespace(app_state=SimpleNamespace(is_replica=True)))
        sent: ClassVar[list[Any]] = []

        async def accept(self) -> None:
            pass

        async def send_text(self, text: str) -> None:
            self.sent.append(json.loads(text)["problem"]["remedy"])

        async def close(self, code: int, reason: str) -> None:
            self.sent.append((code, reason))

    asyncio.run(events.events(Socket()))  # type: ignore[arg-type]
    assert Socket.sent == [
        "Read `events` in the answers of each stream.",
        (events.POLICY_VIOLATION, "A cluster has no events of all streams"),
    ]
