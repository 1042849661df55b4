"""Overhead of Ray: a training run with and without a cluster, and video streams through Ray Serve with one and two replicas.
From these measurements it estimates the machines for a thousand streams.

python -m benchmarks.cluster_cost      takes two to five minutes on two cores
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.server_cost import CARD_S, PRINTED, WAIT_S, _jpeg, streaming
from recognizer.errors import SettingsError
from recognizer.studio.scenes import Studio
from recognizer.subjects.paper import PAPER
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error
from training.datasets import catalogue, dataset
from training.workshop.run import child_environment

LIMIT = 4000  # training pictures of each run
EPOCHS = 3
SEEDS = 2  # runs of one command
ROUNDS = 2  # the fastest is reported
SIZE_WH = (1280, 720)
STREAMS = 8
FRAMES = 40  # requests of each stream
SETTLE_S = 90  # time limit for starting the replicas
STORE_BYTES = 200_000_000  # size of Ray's object store
CLASSROOM = 1000  # streams in the estimate
FPS = 10  # frames per second of each stream
CORES, LINE_GBIT = 64, 10  # machine and network of the estimate
HERTZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
REPLICA, PROXY = "ray::ServeReplica:recognizer-streams", "ray::ProxyActor"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.parse_args()
    with exit_on_error():
        print(report())


def report() -> str:
    """The section of RESULTS.md. Raises SettingsError if Ray or /proc is missing."""
    if not Path("/proc/self/stat").is_file():
        raise SettingsError("This benchmark reads /proc, which this system does not have. Run it on Linux.")
    direct_s, ray_s = runs()
    one, two = serving(1), serving(2)
    return "\n".join(
        [
            "## On a Ray cluster",
            "",
            f"Written by `python -m benchmarks.cluster_cost` on {os.cpu_count()} cores of {machine.processor()}; the cluster "
            "runs on the same machine.",
            "",
            "| | without Ray | on Ray | difference |",
            "|---|---|---|---|",
            f"| one training run (`dense-256` on {LIMIT:,} pictures, {EPOCHS} epochs), including start-up "
            f"| {direct_s:.1f} s | {ray_s:.1f} s | {ray_s - direct_s:+.1f} s a run |",
            "",
            f"| {STREAMS} streams of {SIZE_WH[0]}×{SIZE_WH[1]}, each waits for its response | frames a second | p50 | p95 |",
            "|---|---|---|---|",
            *(f"| {load.replicas} replica{'s' if load.replicas > 1 else ''} | {load.a_second:.1f} | {load.p50_ms:.0f} ms "
              f"| {load.p95_ms:.0f} ms |" for load in (one, two)),
            "",
            *arithmetic(two if two.replicas > 1 else one),
        ]
    )  # fmt: skip


def runs() -> tuple[float, float]:
    """Seconds of a run without Ray, and of one on a running cluster: the fastest of ROUNDS rounds each, in turns."""
    alone_s, ray_s = [], []
    with tempfile.TemporaryDirectory() as name, nodes(os.cpu_count() or 1) as address:
        home = Path(name)
        (home / "data").mkdir()
        catalogue.store(drawn(), home / "data")
        for turn in range(ROUNDS):
            alone_s.append(run_workshop(home, f"alone-{turn}") / SEEDS)
            ray_s.append(run_workshop(home, f"ray-{turn}", "--cluster", address) / SEEDS)
    return min(alone_s), min(ray_s)


def drawn() -> dataset.DataSet:
    """A data set of bars and noise with MNIST's shape. The accuracy on it does not matter here."""
    rng = np.random.default_rng(0)

    def images_and_labels(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 10
        images = rng.integers(0, 90, (count, 28, 28, 1)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4:24, 2 * label + 3 : 2 * label + 6] += 120
        return images, labels

    return dataset.DataSet(
        "mnist", [*"0123456789"], PAPER.name, *images_and_labels(60000), *images_and_labels(10000), "drawn", "0" * 64
    )


def run_workshop(home: Path, name: str, *more: str) -> float:
    """Wall time in seconds of a command with SEEDS training runs. Raises SettingsError if it fails."""
    options = ["--data", "mnist", "--networks", "dense-256", "--seeds", *map(str, range(SEEDS)), "--limit", str(LIMIT),
             "--epochs", str(EPOCHS), "--runs", str(home / name), "--models", str(home / name / "models"), "--results",
             str(home / name / "R.md"), *more]  # fmt: skip
    start_s = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-m", "training", "table", *options], capture_output=True, text=True,
        env=child_environment(**{paths.DATA_VARIABLE: str(home / "data")}, TF_CPP_MIN_LOG_LEVEL="3"), check=False,
    )  # fmt: skip
    if process.returncode:
        raise SettingsError(f"The training run failed: {(process.stderr or process.stdout).strip().splitlines()[-1]}")
    return time.perf_counter() - start_s


@contextmanager
def nodes(cores: int) -> Iterator[str]:
    """Start a cluster of one node on this machine, and yield its address. Raises SettingsError if Ray is missing."""
    try:
        from ray.cluster_utils import Cluster
    except ImportError as error:
        raise SettingsError(
            "Ray is not installed: .venv/bin/python -m pip install -r requirements-cluster.txt"
        ) from error
    node = {"num_cpus": cores, "num_gpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


@dataclass(frozen=True)
class Load:
    """Throughput and latency of the streams, and the resources for one frame."""

    replicas: int
    a_second: float  # frames, of all streams together
    p50_ms: float
    p95_ms: float
    replica_ms: float  # CPU time a frame: WebSocket, queue and response
    reader_ms: float  # CPU time a frame of the worker process
    proxy_ms: float  # CPU time a frame of Ray Serve's proxy
    sent_bytes: float  # a frame
    answer_bytes: float  # a response
    replica_mb: float  # with its worker, before the first stream
    stream_mb: float  # added by each stream


def serving(replicas: int) -> Load:
    """Measure STREAMS streams on a cluster with cores for `replicas` replicas. Raises SettingsError if it does not start."""
    studio = Studio("digits", SIZE_WH)
    pictures = [_jpeg(studio.frame(round((CARD_S * card + CARD_S / 2) * 30)).image_bgr) for card in range(12)]
    with nodes(replicas) as address, served(address) as (url, token):
        idle_mb = memory_mb(REPLICA)
        with ExitStack() as stack:  # this load makes Ray Serve start the replicas
            asks = [stack.enter_context(streaming(url, token, "digits")) for _ in range(STREAMS)]
            for ask in asks:
                ask(pictures[0])
            end_s = time.monotonic() + SETTLE_S
            while len(processes(REPLICA)) < replicas and time.monotonic() < end_s:
                time.sleep(0.2)
            time.sleep(5)  # the new replica loads its model
        with ExitStack() as stack:
            asks = [stack.enter_context(streaming(url, token, "digits")) for _ in range(STREAMS)]
            answers = [len(json.dumps(ask(picture))) for ask in asks for picture in pictures[:2]]
            replica_count = len(processes(REPLICA))
            cpu_used_s = [cpu_s(name) for name in (REPLICA, PROXY)]
            costs_ms, wall_s = ask_all(asks, pictures)
            cpu_used_s = [[after - before for after, before in zip(cpu_s(name), were, strict=True)]
                    for name, were in zip((REPLICA, PROXY), cpu_used_s, strict=True)]  # fmt: skip
            busy_mb = memory_mb(REPLICA)
    frames = len(costs_ms)
    return Load(
        replicas=replica_count,
        a_second=frames / wall_s,
        p50_ms=float(np.percentile(costs_ms, 50)),
        p95_ms=float(np.percentile(costs_ms, 95)),
        replica_ms=1000 * cpu_used_s[0][0] / frames,
        reader_ms=1000 * cpu_used_s[0][1] / frames,
        proxy_ms=1000 * sum(cpu_used_s[1]) / frames,
        sent_bytes=float(np.mean([len(picture) for picture in pictures])),
        answer_bytes=float(np.mean(answers)),
        replica_mb=idle_mb,
        stream_mb=max(0.0, (busy_mb - idle_mb * replica_count) / STREAMS),
    )


@contextmanager
def served(address: str) -> Iterator[tuple[str, str]]:
    """Start a server on the cluster at that address, and yield its URL and token. Raises SettingsError."""
    command = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--cluster", address]
    process = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = PRINTED.search(process.stdout.readline())
        if found is None:
            raise SettingsError("The server did not start. See its error message above.")
        yield found[1], found[2]
    finally:
        process.terminate()
        process.wait()


def ask_all(asks: list[Any], pictures: list[bytes]) -> tuple[list[float], float]:
    """Milliseconds of each response, and the total wall time in seconds."""
    costs: list[list[float]] = [[] for _ in asks]
    together = threading.Barrier(len(asks) + 1)

    def run(number: int) -> None:
        together.wait(WAIT_S)
        for turn in range(FRAMES):
            began_s = time.perf_counter()
            asks[number](pictures[(number + turn) % len(pictures)])
            costs[number].append(1000 * (time.perf_counter() - began_s))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(asks))]
    for thread in threads:
        thread.start()
    together.wait(WAIT_S)
    began_s = time.perf_counter()
    for thread in threads:
        thread.join()
    return [cost for own in costs for cost in own], time.perf_counter() - began_s


def processes(name: str) -> list[int]:
    """Ids of the processes whose command line starts with `name`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_text().startswith(name):
                found.append(int(folder.name))
        except OSError:  # the process has ended
            continue
    return found


def children(parents: list[int]) -> list[int]:
    """Ids of all descendants of the given processes."""
    children_of: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            children_of.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
        except OSError:
            continue
    found, pending = [], list(parents)
    while pending:
        own = children_of.get(pending.pop(), [])
        found += own
        pending += own
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_s(name: str) -> list[float]:
    """CPU seconds of the processes named `name`, and of their descendants."""
    own = processes(name)
    return [sum(sum(map(int, _stat(pid)[11:13])) / HERTZ for pid in pids) for pids in (own, children(own))]


def memory_mb(name: str) -> float:
    """Proportional set size (PSS), in MB, of the processes named `name` and their descendants."""
    own = processes(name)
    total_kb = 0
    for pid in [*own, *children(own)]:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total_kb += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]
    return total_kb / 1024


def arithmetic(load: Load) -> list[str]:
    """Estimate for CLASSROOM streams in Markdown, one line an item, from the measured load."""
    frames = CLASSROOM * FPS
    frame_ms = load.replica_ms + load.reader_ms
    cores = frames * frame_ms / 1000
    proxies = frames * load.proxy_ms / 1000
    replicas = int(np.ceil(cores))
    memory_gb = (replicas * load.replica_mb + CLASSROOM * load.stream_mb) / 1024
    in_gbit, out_gbit = (8 * frames * size / 1e9 for size in (load.sent_bytes, load.answer_bytes))
    carried = {
        "one proxy": 1000 / load.proxy_ms / FPS,
        f"a network of {LINE_GBIT} Gbit/s": LINE_GBIT * 1e9 / 8 / load.sent_bytes / FPS,
        f"a machine of {CORES} cores": CORES * 1000 / (frame_ms + load.proxy_ms) / FPS,
    }
    first = min(carried, key=lambda name: carried[name])
    return [
        f"### {CLASSROOM:,} streams, estimated",
        "",
        f"Digits at {SIZE_WH[0]}×{SIZE_WH[1]}, {FPS} frames a second each: {frames:,} frames a second. A frame costs, "
        "measured above,",
        f"{load.reader_ms:.1f} ms of a core for reading, {load.replica_ms:.1f} ms in its replica (WebSocket, queue, JSON) and "
        f"{load.proxy_ms:.1f} ms in Ray Serve's proxy; it is {load.sent_bytes / 1000:.0f} kB",
        f"on its way in and {load.answer_bytes / 1000:.1f} kB on its way out. A replica with its worker uses "
        f"{load.replica_mb:.0f} MB and {load.stream_mb:.0f} MB more for each stream.",
        "",
        "| | for one stream | for all |",
        "|---|---|---|",
        f"| cores of replicas and workers | {FPS * frame_ms / 1000:.2f} | {cores:,.0f}, in {replicas:,} replicas |",
        f"| cores of proxies, each a process of one core | {FPS * load.proxy_ms / 1000:.3f} | {proxies:,.0f} |",
        f"| memory | {load.stream_mb:.0f} MB | {memory_gb:,.0f} GB |",
        f"| network in | {8 * FPS * load.sent_bytes / 1e6:.1f} Mbit/s | {in_gbit:.1f} Gbit/s |",
        f"| network out | {8 * FPS * load.answer_bytes / 1e6:.2f} Mbit/s | {out_gbit:.2f} Gbit/s |",
        "",
        "Number of streams that each can carry: "
        + "; ".join(f"{name} {count:,.0f}" for name, count in carried.items())
        + ".",
        f"The first bottleneck is {first}. With `--host 0.0.0.0` every machine with replicas has its own proxy, and a load",
        "balancer, or a DNS name with all their addresses, distributes the connections. Then the cores are the bottleneck.",
        "Smaller frames, or fewer frames of a still scene, need fewer cores and proxies and less network.",
    ]


if __name__ == "__main__":
    main()
