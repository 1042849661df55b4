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
from recognizer.samples import store as samples_store
from tests.helpers.machine import landmarker_path, mounted
from tests.helpers.running_server import Served, running_server
from tests.helpers.waiting import HANG_S
from training.networks.tensorflow import import_tensorflow

PATIENT_RAY = {  # long timeouts: on a slow machine, a node that responds late is not dead
    "gcs_server_port_wait_time_s": f"{HANG_S:.0f}",
    "health_check_timeout_ms": "600000",
    "worker_register_timeout_seconds": f"{HANG_S:.0f}",
    "worker_niceness": "0",  # at 15, the default of Ray, the workers hardly run beside the other processes of the tests
}
STORE_BYTES = 100_000_000  # object store of each Ray node

COVERAGE_OF_CHILDREN = "COVERAGE_PROCESS_CONFIG"  # set by coverage so that child processes measure coverage, too
SHARED = {  # session fixtures, and the test files that use them
    "nodes": ("test_sweep", "test_cluster", "test_serve_cluster"),
    "served": (
        "test_serve_page",
        "test_serve_page_story",
        "test_serve_fuzz",
        "test_serve",
        "test_serve_safe",
        "test_serve_stream",
        "test_serve_events",
        "test_serve_workers",
    ),
}
MOST_PROCESSES = 3  # more would idle while the files of a SHARED fixture run in one process
GIB_A_PROCESS = 3  # memory for TensorFlow, MediaPipe and the child processes of a test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds; run with --all, or where it is named")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The number of test processes. 0 runs all tests in this process, as for a single named file.

    One more than cores, because many tests wait for child processes; fewer if memory is short.
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
    """Run the tests of one file in one process, and also all files that share an expensive fixture."""
    return SharingScheduling(config, log)


class SharingScheduling(LoadScopeScheduling):
    """Assigns complete files to processes, and all files of a SHARED fixture to the same process.

    The loadgroup scheduler of xdist does not see its marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0]).stem
        return next((fixture for fixture, files in SHARED.items() if file in files), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip slow tests unless requested. Run the longest tests first, so that no process idles at the end."""
    selected = any(".py" in word for word in config.args) or config.option.keyword or config.option.markexpr
    if not (config.option.all or selected):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    for item in items:
        for fixture, files in SHARED.items():
            found = item._fixtureinfo.name2fixturedefs.get(fixture)
            if found and found[-1].scope == "session" and item.path.stem not in files:
                raise pytest.UsageError(f"{item.path.stem} uses {fixture}: add it to SHARED of tests/conftest.py.")
    files = [file for group in SHARED.values() for file in group]
    files += sorted({item.path.stem for item in items if item.get_closest_marker("no_cover")} - set(files))
    items.sort(key=lambda item: files.index(item.path.stem) if item.path.stem in files else len(files))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Do not measure coverage of tests marked no_cover, in this process and its children.

    They mainly train networks, which takes 1.5 times as long with coverage.
    """
    stopped = []
    if item.get_closest_marker("no_cover"):
        while coverage := Coverage.current():  # of pytest-cov, and that which coverage starts in each process
            coverage.stop()
            stopped.append(coverage)
    child_config = os.environ.pop(COVERAGE_OF_CHILDREN, None) if stopped else None
    try:
        return (yield)
    finally:
        if child_config is not None:
            os.environ[COVERAGE_OF_CHILDREN] = child_config
        for coverage in reversed(stopped):
            coverage.start()


if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a background job of a shell ignores Ctrl-C, and so would its children
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A separate disk of 256 KiB, which may be filled. Only root can create it."""
    monkeypatch.setattr(samples_store, "DISK_RESERVE", 0)
    with mounted(tmp_path / "disk", "256k") as folder:
        yield folder


@pytest.fixture(autouse=True)
def own_captures(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test uses its own samples folder, never that of the user."""
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
    """The shipped models. Skips if the hand model is missing."""
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
        pytest.skip("needs /proc of Linux to find the workers")
    from ray.cluster_utils import Cluster

    class PatientCluster(Cluster):
        def _wait_for_node(self, node: Any, timeout: float = HANG_S) -> None:
            super()._wait_for_node(node, timeout)

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE_BYTES}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in PATIENT_RAY.items():
            environment.setenv(f"RAY_{name}", value)
        with pytest.MonkeyPatch.context() as clock:  # stopped, because Ray waits at most 30 s for a node
            clock.setattr("ray._private.node.time", SimpleNamespace(**{**vars(time), "monotonic": lambda: 0.0}))
            cluster = PatientCluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
            cluster.add_node(**node)
        try:
            yield cluster
        finally:
            cluster.shutdown()
