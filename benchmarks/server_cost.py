"""Latency and throughput of the server with 1, 8 and 32 clients, compared with the pipeline alone.

python -m benchmarks.server_cost                 requests with one picture each, and streams of frames
python -m benchmarks.server_cost --workers 2     with two worker processes

The pipeline alone decodes and classifies the same pictures in a separate process, in turns with one client.
"""

import argparse
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

import cv2
import httpx2 as httpx
import numpy as np
from websockets.sync.client import connect

from benchmarks.report import table
from recognizer.pipeline import open_pipeline
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.sources.decoding import decode_image
from recognizer.studio.scenes import STUDIO_SCENES, Studio
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error
from recognizer.tasks import TASKS
from recognizer.values import Frame

CARD_S = 2.4  # time for which the studio shows each sheet
QUALITY = 92  # JPEG quality that the web page uses
CLIENTS = (1, 8, 32)
WARM_UP = 5  # pictures
PRINTED = re.compile(r"(http://[\d.]+:\d+)/enter\?token=(\S+)")  # the server's address and token
WAIT_S = 120  # time limit of a response: long enough for 32 clients on a slow machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--task", default="digits", choices=TASKS)
    parser.add_argument("--frames", type=int, default=100, help="requests of each client")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the server")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    with exit_on_error():
        print(f"{machine.description()}, {options.workers} workers")
        print(f"{'':28} {'p50':>8} {'p95':>8} {'p99':>8} ms {'a second':>10}")
        for row in run(options.task, options.frames, (width, height), options.workers):
            row.show()


def report(task: str = "digits", frames: int = 20) -> str:
    """The section in Markdown: latency and throughput of one and many clients, compared with the pipeline alone."""
    rows = list(run(task, frames, (1280, 720), workers=1))
    alone, one = rows[:2]
    lost = sum(row.lost for row in rows)
    lines = [(row.name, row.at(50), row.at(95), row.at(95) / alone.at(95), row.a_second, row.unequal) for row in rows]
    header = ["", "p50 ms", "p95 ms", "times the pipeline's p95", "requests per second", "slowest client / fastest"]
    return (
        f"## Serving\n\n`python -m benchmarks.server_cost --frames {frames}`: studio pictures of 1280x720 as JPEG, one "
        f"worker. The p95 over HTTP is **{one.at(95) / alone.at(95):.2f} times** the p95 of the pipeline alone. "
        f"Requests without a response: {lost}.\n\n{table(header, lines)}"
    )


@dataclass(frozen=True)
class Row:
    """Latencies of some simultaneous clients."""

    name: str
    costs_ms: list[float]
    a_second: float  # responses
    lost: int = 0  # requests without a response
    unequal: float = 1.0  # the slowest client's time over the fastest's

    def at(self, percent: float) -> float:
        """The latency percentile, in milliseconds."""
        return float(np.percentile(self.costs_ms, percent))

    def show(self) -> None:
        print(
            f"{self.name:28} {self.at(50):8.1f} {self.at(95):8.1f} {self.at(99):8.1f} {self.a_second:13.1f}", flush=True
        )
        if self.unequal != 1.0:
            print(
                f"{'':28} {self.lost} requests without a response; "
                f"the slowest client waited {self.unequal:.2f} times the fastest's time"
            )


def run(task: str, frames: int, size_wh: tuple[int, int], workers: int) -> Iterator[Row]:
    """Measure the pipeline alone, one client, then many; each measurement has `frames` pictures in total."""
    studio = Studio(STUDIO_SCENES[task], size_wh)
    indices = [round((CARD_S * card + CARD_S / 2) * 30) for card in range(min(frames, 20))]
    pictures = [_jpeg(studio.frame(index).image_bgr) for index in indices]
    with server(workers) as (url, token), bare(task) as pipeline:
        alone: list[float] = []
        one: list[float] = []
        with asking(url, token, task) as ask:
            for number in range(WARM_UP + frames):
                alone.append(timed(pipeline, pictures[number % len(pictures)]))
                one.append(timed(ask, pictures[number % len(pictures)]))
        alone, one = alone[WARM_UP:], one[WARM_UP:]
        yield Row("pipeline", alone, 1000 / float(np.mean(alone)))
        yield Row("predict, 1 client", one, 1000 / float(np.mean(one)))
        for name, make, counts in (("predict", asking, CLIENTS[1:]), ("stream", streaming, CLIENTS)):
            for count in counts:
                with ExitStack() as stack:
                    clients = [stack.enter_context(make(url, token, task)) for _ in range(count)]
                    yield many(f"{name}, {count} client{'s' if count > 1 else ''}", clients, pictures, frames)


@contextmanager
def server(workers: int) -> Iterator[tuple[str, str]]:
    """Start a server in a separate process and yield its address and token."""
    command = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--workers", str(workers)]
    process = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = PRINTED.search(process.stdout.readline())
        if found is None:
            sys.exit("The server did not start. See its error message above.")
        yield found[1], found[2]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def bare(task: str) -> Iterator[Callable[[bytes], object]]:
    """A function that decodes and classifies a picture in another process; the pipe adds less than 0.1 ms."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_read_pictures, args=(theirs, task), daemon=True)
    process.start()

    def read(picture: bytes) -> object:
        ours.send_bytes(picture)
        return ours.recv()

    yield read
    ours.send_bytes(b"")
    process.join()


def _read_pictures(pipe: Connection, task: str) -> None:
    with open_pipeline(task, default_models(), default_samples(), smooth=False) as pipeline:
        while picture := pipe.recv_bytes():
            frame = Frame(decode_image(np.frombuffer(picture, np.uint8), "picture"), 0, 0.0, "picture")
            pipe.send(pipeline.step(frame).text)


def bearer(token: str) -> dict[str, str]:
    """The header with the token."""
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def asking(url: str, token: str, task: str) -> Iterator[Callable[[bytes], object]]:
    """A client with its own HTTP connection that sends a picture and waits for the response."""

    def ask(picture: bytes) -> object:
        response = client.post(f"/v1/predict?task={task}", content=picture)
        response.raise_for_status()
        return response.json()

    with httpx.Client(base_url=url, timeout=WAIT_S, headers=bearer(token)) as client:
        yield ask


@contextmanager
def streaming(url: str, token: str, task: str) -> Iterator[Callable[[bytes], object]]:
    """A WebSocket client that sends a frame and waits for its response."""

    def ask(picture: bytes) -> object:
        stream.send(picture)
        response = json.loads(stream.recv(WAIT_S))
        if "problem" in response:
            raise RuntimeError(response["problem"])
        return response

    stream_url = f"{url.replace('http', 'ws', 1)}/v1/stream?task={task}"
    with connect(stream_url, open_timeout=WAIT_S, additional_headers=bearer(token)) as stream:
        yield ask


def many(name: str, clients: Sequence[Callable[[bytes], object]], pictures: Sequence[bytes], frames: int) -> Row:
    """Run all clients at the same time, each with the same number of pictures."""
    count = max(5, frames // len(clients))
    for client in clients:
        client(pictures[0])
    costs: list[list[float]] = [[] for _ in clients]
    end_s: list[float] = [0.0] * len(clients)
    barrier = threading.Barrier(len(clients) + 1)

    def run(number: int) -> None:
        barrier.wait()
        for turn in range(count):
            costs[number].append(timed(clients[number], pictures[(number + turn) % len(pictures)]))
        end_s[number] = time.perf_counter()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    barrier.wait()
    start_s = time.perf_counter()
    for thread in threads:
        thread.join()
    responses = sum(map(len, costs))
    means = [float(np.mean(own)) for own in costs if own]
    return Row(
        name,
        [cost for own in costs for cost in own],
        responses / (max(end_s) - start_s),
        count * len(clients) - responses,
        max(means) / min(means),
    )


def timed(ask: Callable[[bytes], object], picture: bytes) -> float:
    """Milliseconds until the response."""
    start_s = time.perf_counter()
    ask(picture)
    return 1000 * (time.perf_counter() - start_s)


def _jpeg(picture_bgr: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


if __name__ == "__main__":
    main()
