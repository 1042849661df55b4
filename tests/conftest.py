"""Shared fixtures and pytest hooks."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coverage import Coverage
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from recognizer.errors import ModelError
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models
from tests.helpers.machine import landmarker_path, mounted
from tests.helpers.running_server import Served, running_server
from tests.helpers.waiting import HANG_S
from training.networks.tensorflow import import_tensorflow

PATIENT_RAY = {  # a node is not dead because the machine is slow
    "gcs_server_port_wait_time_s": f"{HANG_S:.0f}",
    "health_check_timeout_ms": "600000",
    "worker_register_timeout_seconds": f"{HANG_S:.0f}",
    "worker_niceness": "0",  # at Ray's own 15 they hardly run beside the other processes of the tests
}
STORE_BYTES = 100_000_000  # of each Ray node

COVERAGE_OF_CHILDREN = "COVERAGE_PROCESS_CONFIG"  # where coverage tells other processes to count their lines, too
SHARED = {  # fixtures of the whole run, and the files whose tests take them
    "nodes": ("test_sweep", "test_cluster", "test_serve_cluster"),
    "served": ("test_serve_page", "test_serve_fuzz", "test_serve", "test_serve_safe", "test_serve_stream"),
}
MOST_PROCESSES = 3  # more would wait for those that run what is shared
GIB_A_PROCESS = 3  # of memory, for TensorFlow, MediaPipe and what a test starts


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the tests marked slow, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds; run with --all, or where it is named")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than cores, as many tests wait for what they started; fewer where memory is short, and none but this one
    for a few named tests.
    """
    if len(config.args) == 1 and not config.args[0].endswith("tests"):
        return 0
    count = min((os.cpu_count() or 1) + 1, MOST_PROCESSES, int(memory_gib() / GIB_A_PROCESS))
    return count if count > 1 else 0


def memory_gib() -> float:
    """Memory of this machine in GiB; enough for all tests if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError):  # Windows has no sysconf
        return 2.0 * GIB_A_PROCESS


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Tests of one file run in one process, and so do files that share an expensive fixture."""
    return SharingScheduling(config, log)


class SharingScheduling(LoadScopeScheduling):
    """Assigns complete files to processes; files of one SHARED group go together.

    xdist's own loadgroup does not see its marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0]).stem
        return next((fixture for fixture, files in SHARED.items() if file in files), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip slow tests unless requested. Run the longest tests first, so that no process idles at the end."""
    named = any(".py" in word for word in config.args) or config.option.keyword or config.option.markexpr
    if not (config.option.all or named):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    for item in items:
        for fixture, files in SHARED.items():
            found = item._fixtureinfo.name2fixturedefs.get(fixture)
            if found and found[-1].scope == "session" and item.path.stem not in files:
                raise pytest.UsageError(f"{item.path.stem} takes {fixture}: name it in SHARED of tests/conftest.py.")
    files = [file for group in SHARED.values() for file in group]
    files += sorted({item.path.stem for item in items if item.get_closest_marker("no_cover")} - set(files))
    items.sort(key=lambda item: files.index(item.path.stem) if item.path.stem in files else len(files))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """What is marked no_cover trains networks, by itself and in other processes, and runs through little else; to count
    lines there takes half as long again.
    """
    stopped = []
    if item.get_closest_marker("no_cover"):
        while counting := Coverage.current():  # pytest-cov's, above what coverage itself starts in each process
            counting.stop()
            stopped.append(counting)
    of_children = os.environ.pop(COVERAGE_OF_CHILDREN, None) if stopped else None
    try:
        return (yield)
    finally:
        if of_children is not None:
            os.environ[COVERAGE_OF_CHILDREN] = of_children
        for counting in reversed(stopped):
            counting.start()


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell, and so for all that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk of 256 KiB. Only root can create it."""
    with mounted(tmp_path / "disk", "256k") as folder:
        yield folder


@pytest.fixture(autouse=True)
def own_captures(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests use their own folder, never the user's recorded samples."""
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path_factory.mktemp("captures")))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server with its own samples and models. Skips if there is no digits model."""
    try:
        default_models().current("digits")
    except ModelError as error:
        pytest.skip(f"needs the digits model: {error}")
    folder = tmp_path_factory.mktemp("served")
    with running_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """Run networks eagerly: building a graph takes longer than the few steps of a test."""
    tensorflow = import_tensorflow()
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture
def published_models() -> ModelStore:
    """The shipped models. Skips if there is no digits model."""
    models = default_models()
    try:
        models.current("digits")
    except ModelError as error:
        pytest.skip(f"needs the digits model: {error}")
    return models


@pytest.fixture
def hand_models(published_models: ModelStore) -> ModelStore:
    """The shipped models. Skips if the hand model or MediaPipe is missing."""
    landmarker_path()
    try:
        published_models.current("rps")
    except ModelError as error:
        pytest.skip(f"needs the model of rps: {error}")
    return published_models


@pytest.fixture(scope="session")
def nodes() -> Iterator[Any]:
    """A Ray cluster of two nodes of one core each, on this machine."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-cluster.txt")
    if not Path("/proc/self/stat").is_file():
        pytest.skip("workers are found in /proc, which is Linux's")
    from ray.cluster_utils import Cluster

    class PatientCluster(Cluster):
        def _wait_for_node(self, node: Any, timeout: float = HANG_S) -> None:
            super()._wait_for_node(node, timeout)

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE_BYTES}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in PATIENT_RAY.items():
            environment.setenv(f"RAY_{name}", value)
        with pytest.MonkeyPatch.context() as clock:  # by which Ray waits half a minute for a node, and no longer
            clock.setattr("ray._private.node.time", SimpleNamespace(**{**vars(time), "monotonic": lambda: 0.0}))
            both = PatientCluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
            both.add_node(**node)
        try:
            yield both
        finally:
            both.shutdown()
