"""WS /v1/stream: recognizes a stream of pictures."""

import asyncio
import contextlib
import json
import time
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool

from recognizer.errors import RecognizerError
from recognizer.serve.http.guard import BODY_LIMIT
from recognizer.serve.http.metrics import Metrics
from recognizer.serve.http.problems import Problem, problem_of
from recognizer.serve.routes.app_state import AppState

router = APIRouter()

POLICY_VIOLATION, TOO_BIG, TRY_LATER = 1008, 1009, 1013


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

    async def receive(self) -> None:
        """Receive frames and changes of the task until the client disconnects."""
        while (message := await self.socket.receive())["type"] == "websocket.receive":
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                if len(data) > BODY_LIMIT:
                    await self.socket.close(TOO_BIG, "a frame of more than 10 MB")
                    return
                self.latest.put(data)
            elif text is not None:
                try:
                    self.task = await run_in_threadpool(self.state.require_task, _requested_task(text))
                except Problem as problem:
                    await self._send_json({"problem": problem.body})

    async def answer(self) -> None:
        """Answer the latest frame in a loop. A slow client delays the loop (back pressure)."""
        began_s = time.perf_counter()
        async with self.state.pool.stream() as worker:
            while True:
                number, data, received_s = await self.latest.take()
                try:
                    answer = await worker.step(self.task, data, received_s - began_s)
                except (Problem, RecognizerError) as error:
                    problem = error if isinstance(error, Problem) else problem_of(error)
                    self.state.metrics.frames.labels("refused").inc()
                    await self._send_json({"frame": number, "problem": problem.body})
                    continue
                self.state.metrics.observe_stages(answer["stages_ms"])
                self.state.metrics.frames.labels("answered").inc()
                await self._send_json({"frame": number, **answer})

    async def _send_json(self, content: dict[str, Any]) -> None:
        await self.socket.send_text(json.dumps(content, ensure_ascii=False))


@router.websocket("/v1/stream")
async def stream(socket: WebSocket, task: str = "digits") -> None:
    """Receive JPEG, PNG or WebP frames and send a JSON object for each answered one. {"task": "rps"} changes the task.

    An answer contains the number of its frame, from 0. A frame that a newer one replaced gets no answer.
    """
    state: AppState = socket.app.state.app_state
    await socket.accept()
    try:
        client = StreamClient(socket, state, await run_in_threadpool(state.require_task, task))
        work = [asyncio.create_task(client.receive()), asyncio.create_task(client.answer())]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in work:
                one.cancel()
            ended = await asyncio.gather(*work, return_exceptions=True)
        for error in ended:
            if isinstance(error, Problem):
                raise error
        for one in done:
            if not one.cancelled() and (error := one.exception()) is not None and not _is_disconnect(error):
                raise error
    except Problem as problem:
        with contextlib.suppress(RuntimeError):
            await socket.send_text(json.dumps({"problem": problem.body}, ensure_ascii=False))
            await socket.close(TRY_LATER if problem.status_code == 429 else POLICY_VIOLATION, problem.body["what"])


def _is_disconnect(error: BaseException) -> bool:
    """Whether the error only means that the client disconnected during an answer."""
    from starlette.websockets import WebSocketDisconnect

    return isinstance(error, WebSocketDisconnect | RuntimeError)


def _requested_task(text: str) -> str:
    """The task in {"task": …}. Raises Problem (422)."""
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    task = message.get("task") if isinstance(message, dict) else None
    if not isinstance(task, str):
        raise Problem(
            422, "The text message is not valid", text[:80], 'Send frames as binary messages, or {"task": "digits"}.'
        )
    return task
