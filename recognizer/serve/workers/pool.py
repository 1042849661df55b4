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
from recognizer.serve.workers.worker import Answer, Desk, Words, at_desk, open_desk

WAITING_LIMIT = 128  # pictures in line: with 20 ms each, the last one waits for two and a half seconds
STREAMS_LIMIT = 40  # those of hands hold 80 MB each
WARM_TASK = "digits"


@dataclass
class Reader:
    """A process with its line: first come, first served."""

    executor: Executor
    waiting: int = 0  # calls, the one in work among them
    streams: int = 0


class Readers:
    """Hands each picture to the process with the shortest line, and the frames of a stream to always the same one.

    A client has one picture in line at a time: a connection waits for its answer, and of a stream only the newest frame
    waits. So that first come, first served, is to take turns.
    """

    def __init__(self, models: ModelStore, samples: Samples, workers: int) -> None:
        self._folders = models.folder, samples.folder  # each process opens the stores itself
        self._readers = [Reader(self._start(workers)) for _ in range(workers)]
        self._names = itertools.count(1)

    @property
    def waiting(self) -> int:
        return sum(reader.waiting for reader in self._readers)

    @property
    def streams(self) -> int:
        return sum(reader.streams for reader in self._readers)

    def warm(self) -> None:
        """Begin to open what is asked for first, without waiting for it."""
        for reader in self._readers:
            reader.executor.submit(at_desk, Desk.warm, WARM_TASK)

    async def call(self, call: Callable[[Desk, *Words], Answer], *words: *Words) -> Answer:
        """The answer of a method of Desk from the process with the shortest line. Raises Problem where all are long."""
        return await self._call(min(self._readers, key=lambda reader: reader.waiting), call, *words)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator["StreamReader"]:
        """A stream of one client, on the process with the fewest. Raises Problem where there are too many."""
        if self.streams >= STREAMS_LIMIT:
            raise Problem(
                429, "The server is busy", f"{self.streams} streams", "Close another page, or try again later."
            )
        reader = min(self._readers, key=lambda reader: reader.streams)
        reader.streams += 1
        name = f"stream {next(self._names)}"
        try:
            yield StreamReader(self, reader, name)
        finally:
            reader.streams -= 1
            with contextlib.suppress(Problem, RuntimeError):  # gone with its process, or with the server
                await asyncio.shield(self._call(reader, Desk.close_stream, name))

    async def _call(self, reader: Reader, call: Callable[[Desk, *Words], Answer], *words: *Words) -> Answer:
        if self.waiting >= WAITING_LIMIT:
            raise Problem(429, "The server is busy", f"{self.waiting} pictures in line", "Send it again in a second.")
        reader.waiting += 1
        executor = reader.executor
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, at_desk, call, *words)
        except BrokenProcessPool as error:
            if reader.executor is executor:
                reader.executor = self._start(len(self._readers))
            raise Problem(
                503,
                "The picture was not read",
                "the process that read it has ended",
                "Send it again; another one reads it.",
            ) from error
        finally:
            reader.waiting -= 1

    def _start(self, workers: int) -> Executor:
        threads = max(1, (os.cpu_count() or 1) // workers)
        return ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=open_desk, initargs=(*self._folders, threads)
        )

    def close(self) -> None:
        """Wait for what is being read or written, and end the processes."""
        for reader in self._readers:
            with contextlib.suppress(BrokenProcessPool):
                reader.executor.submit(at_desk, Desk.close)
            reader.executor.shutdown(wait=True)


@dataclass(frozen=True)
class StreamReader:
    """One client's stream."""

    readers: Readers
    reader: Reader
    name: str

    async def step(self, task: str, data: bytes, time_s: float) -> dict[str, Any]:
        """What the frame shows."""
        return await self.readers._call(self.reader, Desk.step, self.name, task, data, time_s)
