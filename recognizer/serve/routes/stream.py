"""WS /v1/stream: recognizes a stream of pictures."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import MutableMapping
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from recognizer.errors import RecognizerError
from recognizer.serve.http.connections import network_of
from recognizer.serve.http.guard import BODY_LIMIT, cookie_name
from recognizer.serve.http.metrics import Metrics
from recognizer.serve.http.problems import Problem, failure, problem_of
from recognizer.serve.routes.app_state import AppState
from recognizer.serve.routes.events import StreamEvents
from recognizer.spelling.remote import ACTIONS

router = APIRouter()

GOING_AWAY, POLICY_VIOLATION, TOO_BIG, INTERNAL_ERROR, TRY_LATER = 1001, 1008, 1009, 1011, 1013
IDLE_S = 60.0  # a stream without a picture for so long is closed; the page opens a new one
TEXT_LIMIT = 1000  # characters of a text message
ACTIONS_LIMIT = 100  # of spelling between two frames

log = logging.getLogger("recognizer.serve")


class LatestFrame:
    """A queue of length one: a new frame replaces the waiting one. Frames are numbered from 0 in the order of arrival."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._arrived = asyncio.Event()
        self._frame: tuple[int, bytes, float] | None = None
        self._count = 0

    def put(self, data: bytes) -> None:
        if self._frame is not None:
            self._metrics.frames.labels("replaced").inc()
        self._frame = self._count, data, time.perf_counter()
        self._count += 1
        self._arrived.set()

    async def take(self) -> tuple[int, bytes, float]:
        """Wait for a frame. Return its number, bytes and time of arrival."""
        await self._arrived.wait()
        self._arrived.clear()
        assert self._frame is not None
        frame, self._frame = self._frame, None
        return frame


class StreamClient:
    """One open stream: its task, and the frame that waits."""

    def __init__(self, socket: WebSocket, state: AppState, task: str) -> None:
        self.socket = socket
        self.state = state
        self.task = task
        self.latest = LatestFrame(state.metrics)
        self.events = StreamEvents(state.events)
        self.spelling: list[str] = []  # actions for the next frame
        self._session = socket.cookies.get(cookie_name(socket, state.settings.port), "")

    async def receive(self) -> None:
        """Receive frames and changes of the task until the client disconnects, or sends no frame for too long."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + IDLE_S
        while (received := await self._message(end_s))["type"] == "websocket.receive":
            data, text = received.get("bytes"), received.get("text")
            if data is not None:
                if len(data) > BODY_LIMIT:
                    await self.socket.close(TOO_BIG, "a frame of more than 10 MB")
                    return
                end_s = loop.time() + IDLE_S
                self.latest.put(data)
            elif text is not None:
                try:
                    message = _text_message(text)
                    if isinstance(message.get("spell"), str):
                        self._spell(message["spell"])
                    else:
                        self.task = await run_in_threadpool(self.state.require_task, _requested_task(message, text))
                except Problem as problem:
                    await self._send_json({"problem": problem.body})

    def _spell(self, action: str) -> None:
        """Do it with the next frame. Raises Problem (422) if there is no such action, and (429) if there are too many."""
        if action not in ACTIONS:
            raise Problem(422, "Spelling does not know this", action[:80], f"Send one of {', '.join(ACTIONS)}.")
        if len(self.spelling) >= ACTIONS_LIMIT:
            raise Problem(429, "Too much at once", f"{ACTIONS_LIMIT} actions without a frame", "Send a frame.")
        self.spelling.append(action)

    async def _message(self, end_s: float) -> MutableMapping[str, Any]:
        """The next message. Closes the stream at the time `end_s` of the event loop."""
        try:
            async with asyncio.timeout_at(end_s):
                return await self.socket.receive()
        except TimeoutError:
            await self.socket.close(GOING_AWAY, f"no picture for {IDLE_S:.0f} s")
            return {"type": "websocket.disconnect"}

    async def answer(self) -> None:
        """Answer the latest frame in a loop. A slow client delays the loop (back pressure)."""
        began_s = time.perf_counter()
        frame = await self.latest.take()  # a stream without frames takes no place
        client = self.socket.client
        async with self.state.pool.stream(network_of(client.host) if client else "") as worker:
            while True:
                number, data, received_s = frame
                if self.state.sessions.has_ended(self._session):
                    raise Problem(401, "The session has ended", "a log-out", "Open /enter in a browser.")
                try:
                    actions, self.spelling = self.spelling, []
                    answer = await worker.step(self.task, data, received_s - began_s, actions)
                except (Problem, RecognizerError) as error:
                    problem = error if isinstance(error, Problem) else problem_of(error, self.state.folders)
                    self.state.metrics.frames.labels("refused").inc()
                    await self._send_json({"frame": number, "problem": problem.body})
                else:
                    self.state.metrics.observe_stages(answer["stages_ms"])
                    self.state.metrics.frames.labels("answered").inc()
                    self.events.publish(answer["events"])
                    await self._send_json({"frame": number, **answer})
                frame = await self.latest.take()

    async def _send_json(self, content: dict[str, Any]) -> None:
        try:
            await self.socket.send_text(json.dumps(content, ensure_ascii=False))
        except RuntimeError as error:  # Starlette's word for a connection that has closed
            raise WebSocketDisconnect from error


@router.websocket("/v1/stream")
async def stream(socket: WebSocket, task: str = "digits") -> None:
    """Receive JPEG, PNG or WebP frames and send a JSON object for each answered one. {"task": "rps"} changes the task.
    {"spell": "start"} makes words of the signs that are held: answers then have the line in "spelled".

    An answer contains the number of its frame, from 0. A frame that a newer one replaced gets no answer.
    """
    state: AppState = socket.app.state.app_state
    await socket.accept()
    try:
        client = StreamClient(socket, state, await run_in_threadpool(state.require_task, task))
        work = [asyncio.create_task(client.receive()), asyncio.create_task(client.answer())]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in work:
                one.cancel()
            ended = await asyncio.gather(*work, return_exceptions=True)
            client.events.close()
        _raise_first([error for error in ended if isinstance(error, Exception)])
    except WebSocketDisconnect:
        return
    except RecognizerError as error:
        await _close(socket, problem_of(error, state.folders), POLICY_VIOLATION)
    except Problem as problem:
        await _close(socket, problem, TRY_LATER if problem.status_code == 429 else POLICY_VIOLATION)
    except Exception as error:
        log.exception("A stream failed.")
        await _close(socket, failure("WS /v1/stream", error), INTERNAL_ERROR)


def _raise_first(errors: list[Exception]) -> None:
    """Raise the first error that is not only that the client has left."""
    errors.sort(key=lambda error: isinstance(error, WebSocketDisconnect))
    for error in errors:
        raise error


async def _close(socket: WebSocket, problem: Problem, code: int) -> None:
    """Send the problem, and close the stream."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(json.dumps({"problem": problem.body}, ensure_ascii=False))
        await socket.close(code, problem.body["what"])


def _text_message(text: str) -> dict[str, Any]:
    """The JSON object in a text message; {} if it is none."""
    try:
        message = json.loads(text) if len(text) <= TEXT_LIMIT else None
    except (ValueError, RecursionError):
        message = None
    return message if isinstance(message, dict) else {}


def _requested_task(message: dict[str, Any], text: str) -> str:
    """The task in {"task": …}. Raises Problem (422)."""
    task = message.get("task")
    if not isinstance(task, str):
        raise Problem(
            422, "The text message is not valid", text[:80], 'Send frames as binary messages, or {"task": "digits"}.'
        )
    return task
