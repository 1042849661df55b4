"""The worker pool: processes that recognize pictures, each with a queue."""

import asyncio
import contextlib
import functools
import itertools
import multiprocessing
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.http.problems import Problem
from recognizer.serve.workers.worker import PICTURE_S, Args, Result, Worker, run_in_worker, start_worker

QUEUE_LIMIT = 128  # pictures in all queues: at 20 ms each, the last one waits for 2.5 s
STREAMS_LIMIT = 40  # a stream of a hand task needs 80 MB
ADDRESS_STREAMS_LIMIT = 32  # of one address: all browsers behind a reverse proxy share one
WARM_TASK = "digits"


@dataclass
class WorkerProcess:
    """A worker process with a first-in, first-out queue."""

    executor: Executor
    waiting: int = 0  # calls in the queue, including the running one
    streams: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one call at a time: a hang takes no other call with it


class WorkerPool:
    """Sends each picture to the worker with the shortest queue, and all frames of a stream to the same worker.

    A client has at most one picture in the queue: a connection waits for its response, and only the latest frame of a stream
    is queued. So first in, first out is fair to all clients.
    """

    def __init__(self, models: ModelStore, samples: Samples, workers: int) -> None:
        self._folders = models.folder, samples.folder  # each process opens the stores itself
        self._processes = [WorkerProcess(self._start(workers)) for _ in range(workers)]
        self._names = itertools.count(1)
        self._addresses: Counter[str] = Counter()  # of the streams

    @property
    def waiting(self) -> int:
        return sum(process.waiting for process in self._processes)

    @property
    def streams(self) -> int:
        return sum(process.streams for process in self._processes)

    def warm(self) -> None:
        """Load the default task's model in all workers, without waiting for it."""
        for process in self._processes:
            process.executor.submit(run_in_worker, Worker.warm, WARM_TASK)

    async def call(self, call: Callable[[Worker, *Args], Result], *args: *Args) -> Result:
        """Call a method of Worker in the process with the shortest queue. Raises Problem (429) if the queues are full."""
        return await self._call(min(self._processes, key=lambda process: process.waiting), call, *args)

    @asynccontextmanager
    async def stream(self, address: str = "") -> AsyncIterator["WorkerStream"]:
        """Open a stream in the process with the fewest streams. Raises Problem (429) if there are too many."""
        for count, limit in (
            (self.streams, STREAMS_LIMIT),
            (self._addresses[address], ADDRESS_STREAMS_LIMIT),
        ):
            if count >= limit:
                raise Problem(429, "The server is busy", f"{count} streams", "Close another page, or try again later.")
        process = min(self._processes, key=lambda process: process.streams)
        process.streams += 1
        self._addresses[address] += 1
        name = f"stream {next(self._names)}"
        try:
            yield WorkerStream(self, process, name)
        finally:
            process.streams -= 1
            self._addresses[address] -= 1
            self._addresses += Counter()  # drops zeros
            with contextlib.suppress(BrokenProcessPool, RuntimeError):  # the process or the server has ended
                process.executor.submit(run_in_worker, Worker.close_stream, name)

    async def _call(self, process: WorkerProcess, call: Callable[[Worker, *Args], Result], *args: *Args) -> Result:
        if self.waiting >= QUEUE_LIMIT:
            raise Problem(
                429, "The server is busy", f"{self.waiting} pictures in the queue", "Send it again in a second."
            )
        process.waiting += 1
        try:
            async with process.turn:
                return await self._run(process, call, *args)
        finally:
            process.waiting -= 1

    async def _run(self, process: WorkerProcess, call: Callable[[Worker, *Args], Result], *args: *Args) -> Result:
        work = functools.partial(run_in_worker, call, *args)
        try:
            future = process.executor.submit(work)
        except BrokenProcessPool:  # it ended between two calls
            process.executor = self._start(len(self._processes))
            future = process.executor.submit(work)
        executor = process.executor
        try:
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            if process.executor is executor:
                process.executor = self._start(len(self._processes))
            raise Problem(
                503,
                "The picture was not processed",
                f"its worker process has ended, or needed more than {PICTURE_S:.0f} s",
                "Send it once more; a new worker processes it.",
            ) from error

    def _start(self, workers: int) -> Executor:
        threads = max(1, (os.cpu_count() or 1) // workers)
        return ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=start_worker, initargs=(*self._folders, threads)
        )

    def close(self) -> None:
        """Wait for running calls, and end the processes."""
        for process in self._processes:
            with contextlib.suppress(BrokenProcessPool):
                process.executor.submit(run_in_worker, Worker.close)
            process.executor.shutdown(wait=True)


@dataclass(frozen=True)
class WorkerStream:
    """The stream of one client in its worker process."""

    pool: WorkerPool
    process: WorkerProcess
    name: str

    async def step(self, task: str, data: bytes, time_s: float, spelling: Sequence[str] = ()) -> dict[str, Any]:
        """Recognize a frame. Return the response as JSON. `spelling` as for `Worker.step`."""
        return await self.pool._call(self.process, Worker.step, self.name, task, data, time_s, spelling)
