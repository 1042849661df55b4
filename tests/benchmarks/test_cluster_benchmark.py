"""The estimate of benchmarks.cluster_cost; its measurements are not tested."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster_cost import Load, arithmetic, children, processes


def load(**changed):
    given = {
        "replicas": 2, "a_second": 50.0, "p50_ms": 20.0, "p95_ms": 40.0, "replica_ms": 4.0, "reader_ms": 16.0,
        "proxy_ms": 2.0, "sent_bytes": 125_000.0, "answer_bytes": 4_000.0, "replica_mb": 200.0, "stream_mb": 10.0,
    }  # fmt: skip
    return Load(**(given | changed))


def test_the_estimate_for_a_thousand_streams():
    text = "\n".join(arithmetic(load()))
    assert "| cores of replicas and workers | 0.20 | 200, in 200 replicas |" in text
    assert "| cores of proxies, each a process of one core | 0.020 | 20 |" in text
    assert "| memory | 10 MB | 49 GB |" in text  # 200 × 200 MB and 1000 × 10 MB
    assert "| network in | 10.0 Mbit/s | 10.0 Gbit/s |" in text
    assert "one proxy 50; a network of 10 Gbit/s 1,000; a machine of 64 cores 291." in text
    assert "The first bottleneck is one proxy" in text


def test_the_first_bottleneck_follows_from_the_measurements():
    assert "bottleneck is a network of 10 Gbit/s" in "\n".join(arithmetic(load(proxy_ms=0.01, sent_bytes=10_000_000)))
    assert "bottleneck is a machine of 64 cores" in "\n".join(arithmetic(load(proxy_ms=0.01, reader_ms=500)))


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes are found in /proc, which is Linux's")
def test_processes_are_found_by_command_line():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1e6)"]) as child:
        try:
            assert child.pid in children([os.getpid()])
            assert child.pid in processes(sys.executable)
        finally:
            child.kill()
