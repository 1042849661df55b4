"""Latency of one client while others hold the server's connections, bodies and streams without using them.

python -m benchmarks.crowd_cost
python -m benchmarks.crowd_cost --pictures 20

Another process holds 1,000 silent connections, slow bodies and idle streams on loopback, the address of the client too. It
opens a connection again as soon as the server has closed it.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import numpy as np
import websockets

from benchmarks.report import table
from benchmarks.server_cost import CARD_S, WAIT_S, WARM_UP, _jpeg, bearer, server, timed
from recognizer.studio.scenes import STUDIO_SCENES, Studio
from recognizer.system import machine
from recognizer.system.terminal import exit_on_error

SILENT, SLOW_FORMS, SLOW_PICTURES, IDLE_STREAMS = 1000, 40, 40, 40
SILENT_A_SECOND = 200  # silent connections are opened at this rate, and again when they have been closed
BYTE_S = 1.0  # a slow body sends one byte in this time
SETTLE_S = 12.0  # longer than the server waits for a head
TIMES_LIMIT = 2.0  # the goal for the p95


@dataclass(frozen=True)
class Crowd:
    """Latencies of one client, and how many of its pictures got no answer."""

    alone_ms: list[float]
    beside_ms: list[float]
    lost: int

    def times(self, percent: float) -> float:
        """The latency percentile beside the crowd, as a multiple of that alone."""
        return float(np.percentile(self.beside_ms, percent) / np.percentile(self.alone_ms, percent))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--pictures", type=int, default=100, help="pictures of the client, alone and beside the crowd")
    options = parser.parse_args()
    with exit_on_error():
        print(machine.description())
        print(report(options.pictures))


def report(pictures: int = 100) -> str:
    """The section in Markdown."""
    crowd = measure(pictures)
    lines = [
        (name, *(float(np.percentile(costs_ms, percent)) for percent in (50, 95)))
        for name, costs_ms in (("alone", crowd.alone_ms), ("beside the crowd", crowd.beside_ms))
    ]
    return (
        f"## Serving beside a crowd\n\n`python -m benchmarks.crowd_cost --pictures {pictures}`: one client's pictures, each "
        f"over a new connection, while another process of the same address holds {SILENT} silent connections, {SLOW_FORMS} "
        f"slow forms without a token, {SLOW_PICTURES} slow pictures with it, and {IDLE_STREAMS} idle streams. The client's "
        f"p95 is **{crowd.times(95):.2f} times** that alone (the goal: at most {TIMES_LIMIT:g}). Pictures without an "
        f"answer: {crowd.lost}.\n\n{table(['', 'p50 ms', 'p95 ms'], lines)}"
    )


def measure(pictures: int) -> Crowd:
    """Measure the client alone, beside the crowd, and alone again."""
    studio = Studio(STUDIO_SCENES["digits"], (1280, 720))
    encoded = [_jpeg(studio.frame(round((CARD_S * card + CARD_S / 2) * 30)).image_bgr) for card in range(10)]
    half = max(1, pictures // 2)
    with server(workers=1) as (url, token):
        latencies(url, token, encoded, WARM_UP)
        alone_ms, lost_alone = latencies(url, token, encoded, half)
        with crowd(url, token):
            beside_ms, lost_beside = latencies(url, token, encoded, pictures)
        again_ms, lost_again = latencies(url, token, encoded, half)
    return Crowd(alone_ms + again_ms, beside_ms, lost_alone + lost_beside + lost_again)


def latencies(url: str, token: str, pictures: Sequence[bytes], count: int) -> tuple[list[float], int]:
    """Milliseconds of each answered picture, and how many got none."""
    costs_ms: list[float] = []

    def ask(picture: bytes) -> None:
        with httpx.Client(base_url=url, timeout=WAIT_S, headers=bearer(token)) as client:
            client.post("/v1/predict?task=digits", content=picture).raise_for_status()

    for number in range(count):
        with contextlib.suppress(httpx.HTTPError):
            costs_ms.append(timed(ask, pictures[number % len(pictures)]))
    return costs_ms, count - len(costs_ms)


@contextmanager
def crowd(url: str, token: str) -> Iterator[None]:
    """A process that holds connections, bodies and streams."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_crowd, args=(url, token, theirs), daemon=True)
    process.start()
    ours.recv()
    time.sleep(SETTLE_S)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _crowd(url: str, token: str, pipe: Connection) -> None:
    address = urlsplit(url)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_hold_all(str(address.hostname), int(address.port or 80), token, pipe))


async def _hold_all(host: str, port: int, token: str, pipe: Connection) -> None:
    authorization = f"Authorization: Bearer {token}\r\n"
    forms = [_slow_body(host, port, "/enter", "") for _ in range(SLOW_FORMS)]
    pictures = [_slow_body(host, port, "/v1/predict?task=digits", authorization) for _ in range(SLOW_PICTURES)]
    streams = [_idle_stream(host, port, token) for _ in range(IDLE_STREAMS)]
    work: list[asyncio.Task[None]] = [asyncio.create_task(one) for one in (*forms, *pictures, *streams)]
    turn = asyncio.Lock()
    work += [asyncio.create_task(_silent(host, port, turn)) for _ in range(SILENT)]
    pipe.send("started")
    await asyncio.gather(*work)


async def _silent(host: str, port: int, turn: asyncio.Lock) -> None:
    """A connection that says nothing, and is opened again when it has been closed."""
    while True:
        async with turn:
            await asyncio.sleep(1 / SILENT_A_SECOND)
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            await _until_closed(reader.read(), writer)


async def _slow_body(host: str, port: int, path: str, authorization: str) -> None:
    """A body of which one byte arrives at a time, and then the next body."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}Transfer-Encoding: chunked\r\n\r\n"
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(head.encode())
            await _until_closed(_send_bytes(reader, writer), writer)
        await asyncio.sleep(BYTE_S)


async def _send_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not reader.at_eof() and not writer.is_closing():
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(BYTE_S)


async def _until_closed(work: Coroutine[Any, Any, object], writer: asyncio.StreamWriter) -> None:
    try:
        await work
    finally:
        writer.close()


async def _idle_stream(host: str, port: int, token: str) -> None:
    """A stream without a picture."""
    while True:
        with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException):
            url = f"ws://{host}:{port}/v1/stream?task=digits"
            async with websockets.connect(url, additional_headers=bearer(token)) as stream:
                await stream.wait_closed()
        await asyncio.sleep(BYTE_S)


if __name__ == "__main__":
    main()
