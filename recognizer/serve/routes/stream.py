"""WS /v1/stream: pictures in, what they show out."""

import asyncio
import contextlib
import json
import time
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool

from recognizer.errors import RecognizerError
from recognizer.serve.guard import BODY_LIMIT
from recognizer.serve.metrics import Metrics
from recognizer.serve.problems import Problem, problem_of
from recognizer.serve.service import Service

router = APIRouter()

POLICY_VIOLATION, TOO_BIG, TRY_LATER = 1008, 1009, 1013


class Newest:
    """The one frame that waits: another one takes its place. Frames are counted from 0 as they come."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._came = asyncio.Event()
        self._frame: tuple[int, bytes, float] | None = None
        self._count = 0

    def put(self, data: bytes) -> None:
        if self._frame is not None:
            self._metrics.frames.labels("replaced").inc()
        self._frame = self._count, data, time.perf_counter()
        self._count += 1
        self._came.set()

    async def take(self) -> tuple[int, bytes, float]:
        """Number, bytes and time of arrival of the newest frame, as soon as there is one."""
        await self._came.wait()
        self._came.clear()
        assert self._frame is not None
        frame, self._frame = self._frame, None
        return frame


class Client:
    """One open stream: what it shows, and the frame that waits."""

    def __init__(self, socket: WebSocket, here: Service, task: str) -> None:
        self.socket = socket
        self.here = here
        self.task = task
        self.newest = Newest(here.metrics)

    async def receive(self) -> None:
        """Take in frames, and wishes for another task, until the client leaves."""
        while (message := await self.socket.receive())["type"] == "websocket.receive":
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                if len(data) > BODY_LIMIT:
                    await self.socket.close(TOO_BIG, "a frame of more than 10 MB")
                    return
                self.newest.put(data)
            elif text is not None:
                try:
                    self.task = await run_in_threadpool(self.here.require_task, _task_in(text))
                except Problem as problem:
                    await self._tell({"problem": problem.body})

    async def answer(self) -> None:
        """Answer the newest frame, again and again. Where a client reads slowly, sending waits for it."""
        began_s = time.perf_counter()
        async with self.here.readers.stream() as reader:
            while True:
                number, data, came_s = await self.newest.take()
                try:
                    answer = await reader.step(self.task, data, came_s - began_s)
                except (Problem, RecognizerError) as error:
                    problem = error if isinstance(error, Problem) else problem_of(error)
                    self.here.metrics.frames.labels("refused").inc()
                    await self._tell({"frame": number, "problem": problem.body})
                    continue
                self.here.metrics.read(answer["stages_ms"])
                self.here.metrics.frames.labels("answered").inc()
                await self._tell({"frame": number, **answer})

    async def _tell(self, what: dict[str, Any]) -> None:
        await self.socket.send_text(json.dumps(what, ensure_ascii=False))


@router.websocket("/v1/stream")
async def stream(socket: WebSocket, task: str = "digits") -> None:
    """JPEG, PNG or WebP frames in, one JSON object for each answered frame out; {"task": "rps"} goes to another task.

    An answer names its frame by number, counted from 0 as they were sent; frames that a newer one overtook get none.
    """
    here: Service = socket.app.state.service
    await socket.accept()
    try:
        client = Client(socket, here, await run_in_threadpool(here.require_task, task))
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
            if not one.cancelled() and (error := one.exception()) is not None and not _is_gone(error):
                raise error
    except Problem as problem:
        with contextlib.suppress(RuntimeError):
            await socket.send_text(json.dumps({"problem": problem.body}, ensure_ascii=False))
            await socket.close(TRY_LATER if problem.status_code == 429 else POLICY_VIOLATION, problem.body["what"])


def _is_gone(error: BaseException) -> bool:
    """Whether it says no more than that the client has left while it was being answered."""
    from starlette.websockets import WebSocketDisconnect

    return isinstance(error, WebSocketDisconnect | RuntimeError)


def _task_in(text: str) -> str:
    """The task in {"task": …}. Raises Problem."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    task = said.get("task") if isinstance(said, dict) else None
    if not isinstance(task, str):
        raise Problem(422, "This is no wish", text[:80], 'Send frames as binary messages, or {"task": "digits"}.')
    return task
