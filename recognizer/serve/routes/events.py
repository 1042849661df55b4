"""WS /v1/events: sends the events of all streams of this server."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from recognizer.event_detection.event import Phase
from recognizer.serve.http.guard import cookie_name
from recognizer.serve.http.problems import Problem

if TYPE_CHECKING:
    from recognizer.serve.routes.app_state import AppState

router = APIRouter()

LISTENERS_LIMIT = 40
WAITING_LIMIT = 256  # events of one listener that reads slowly; then the oldest are left out
LOOK_EVERY_S = 1.0  # at a session that may have ended
POLICY_VIOLATION, TRY_LATER = 1008, 1013

Event = dict[str, Any]  # the JSON object of an event


class Listener:
    """One open WebSocket, and the events that it has not been sent yet."""

    def __init__(self, task: str) -> None:
        """`task` is the task whose events it gets; "" for all."""
        self.task = task
        self._waiting: deque[Event] = deque(maxlen=WAITING_LIMIT)
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        if self.task in ("", event["task"]):
            self._waiting.append(event)
            self._arrived.set()

    async def take(self, timeout_s: float) -> list[Event]:
        """The events that wait; [] if there are none after that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()
        self._arrived.clear()
        events = list(self._waiting)
        self._waiting.clear()
        return events


class EventHub:
    """Sends the events of all streams to all listeners. Used by one event loop."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def publish(self, event: Event) -> None:
        for listener in self._listeners:
            listener.put(event)

    @contextmanager
    def listening(self, task: str) -> Iterator[Listener]:
        """A listener inside the block. Raises Problem (429) if there are too many."""
        count = len(self._listeners)
        if count >= LISTENERS_LIMIT:
            raise Problem(429, "The server is busy", f"{count} listeners", "Close another one, or try again later.")
        listener = Listener(task)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)


class StreamEvents:
    """Publishes the events of one stream. At its end, the labels in view have gone."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._in_view: dict[int, Event] = {}

    def publish(self, events: list[Event]) -> None:
        for event in events:
            if event["event"] == Phase.GONE:
                self._in_view.pop(event["number"], None)
            else:
                self._in_view[event["number"]] = event
            self._hub.publish(event)

    def close(self) -> None:
        for event in self._in_view.values():
            self._hub.publish({**event, "event": str(Phase.GONE)})
        self._in_view.clear()


@router.websocket("/v1/events")
async def events(socket: WebSocket, task: str = "") -> None:
    """Send a JSON object for each event of the streams of WS /v1/stream: a label has appeared, is held, or has gone.

    `task` chooses those of one task.
    """
    state: AppState = socket.app.state.app_state
    await socket.accept()
    try:
        if state.is_replica:
            remedy = "Read `events` in the answers of each stream."
            raise Problem(501, "A cluster has no events of all streams", "several replicas", remedy)
        if task:
            await run_in_threadpool(state.require_task, task)
        with state.events.listening(task) as listener:
            await _send_events(socket, state, listener)
    except WebSocketDisconnect:
        return
    except Problem as problem:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.send_text(json.dumps({"problem": problem.body}, ensure_ascii=False))
            await socket.close(TRY_LATER if problem.status_code == 429 else POLICY_VIOLATION, problem.body["what"])


async def _send_events(socket: WebSocket, state: "AppState", listener: Listener) -> None:
    """Send events until the client disconnects. Raises Problem (401) once its session has ended."""
    session = socket.cookies.get(cookie_name(socket, state.settings.port), "")
    left = asyncio.create_task(_until_disconnected(socket))
    try:
        while not left.done():
            waiting = await listener.take(LOOK_EVERY_S)
            if state.sessions.has_ended(session):
                raise Problem(401, "The session has ended", "a log-out", "Open /enter in a browser.")
            for event in waiting:
                try:
                    await socket.send_text(json.dumps(event, ensure_ascii=False))
                except RuntimeError as error:  # Starlette's word for a connection that has closed
                    raise WebSocketDisconnect from error
    finally:
        left.cancel()


async def _until_disconnected(socket: WebSocket) -> None:
    """Receive messages, which are ignored, until the client disconnects."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
