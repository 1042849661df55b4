"""The processes that read pictures, and whose turn it is."""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.problems import Problem
from recognizer.serve.workers.worker import Args, Result, Worker, run_in_worker, start_worker

QUEUE_LIMIT = 128  # pictures in line: with 20 ms each, the last one waits for two and a half seconds
STREAMS_LIMIT = 40  # those of hands hold 80 MB each
WARM_TASK = "digits"


@dataclass
class WorkerProcess:
    """A process with its line: first come, first served."""

    executor: Executor
    waiting: int = 0  # calls, the one in work among them
    streams: int = 0


class WorkerPool:
    """Hands each picture to the process with the shortest line, and the frames of a stream to always the same one.

    A client has one picture in line at a time: a connection waits for its answer, and of a stream only the newest frame
    waits. So that first come, first served, is to take turns.
    """

    def __init__(self, models: ModelStore, samples: Samples, workers: int) -> None:
        self._folders = models.folder, samples.folder  # each process opens the stores itself
        self._processes = [WorkerProcess(self._start(workers)) for _ in range(workers)]
        self._names = itertools.count(1)

    @property
    def waiting(self) -> int:
        return sum(process.waiting for process in self._processes)

    @property
    def streams(self) -> int:
        return sum(process.streams for process in self._processes)

    def warm(self) -> None:
        """Begin to open what is asked for first, without waiting for it."""
        for process in self._processes:
            process.executor.submit(run_in_worker, Worker.warm, WARM_TASK)

    async def call(self, call: Callable[[Worker, *Args], Result], *args: *Args) -> Result:
        """The answer of a method of Desk from the process with the shortest line. Raises Problem where all are long."""
        return await self._call(min(self._processes, key=lambda process: process.waiting), call, *args)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator["WorkerStream"]:
        """A stream of one client, on the process with the fewest. Raises Problem where there are too many."""
        if self.streams >= STREAMS_LIMIT:
            raise Problem(
                429, "The server is busy", f"{self.streams} streams", "Close another page, or try again later."
            )
        process = min(self._processes, key=lambda process: process.streams)
        process.streams += 1
        name = f"stream {next(self._names)}"
        try:
            yield WorkerStream(self, process, name)
        finally:
            process.streams -= 1
            with contextlib.suppress(Problem, RuntimeError):  # gone with its process, or with the server
                await asyncio.shield(self._call(process, Worker.close_stream, name))

    async def _call(self, process: WorkerProcess, call: Callable[[Worker, *Args], Result], *args: *Args) -> Result:
        if self.waiting >= QUEUE_LIMIT:
            raise Problem(429, "The server is busy", f"{self.waiting} pictures in line", "Send it again in a second.")
        process.waiting += 1
        executor = process.executor
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, run_in_worker, call, *args)
        except BrokenProcessPool as error:
            if process.executor is executor:
                process.executor = self._start(len(self._processes))
            raise Problem(
                503,
                "The picture was not read",
                "the process that read it has ended",
                "Send it again; another one reads it.",
            ) from error
        finally:
            process.waiting -= 1

    def _start(self, workers: int) -> Executor:
        threads = max(1, (os.cpu_count() or 1) // workers)
        return ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=start_worker, initargs=(*self._folders, threads)
        )

    def close(self) -> None:
        """Wait for what is being read or written, and end the processes."""
        for process in self._processes:
            with contextlib.suppress(BrokenProcessPool):
                process.executor.submit(run_in_worker, Worker.close)
            process.executor.shutdown(wait=True)


@dataclass(frozen=True)
class WorkerStream:
    """One client's stream."""

    pool: WorkerPool
    process: WorkerProcess
    name: str

    async def step(self, task: str, data: bytes, time_s: float) -> dict[str, Any]:
        """What the frame shows."""
        return await self.pool._call(self.process, Worker.step, self.name, task, data, time_s)
