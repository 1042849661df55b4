"""What several test files draw and pretend: paper, handwriting, a classifier that needs no model."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from coverage import Coverage
from running_server import Served, running_server
from waiting import HANG_S
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from recognizer.errors import AssetError, ModelError
from recognizer.registry import synced
from recognizer.registry.assets import find_asset
from recognizer.registry.synced import open_models
from recognizer.studio.handwriting import digit_strokes, draw_strokes, placing
from recognizer.values import Box, Frame, Prediction, Region
from training.networks.tensorflow import import_tensorflow

PATIENT_RAY = {  # a node is not dead because the machine is slow
    "gcs_server_port_wait_time_s": f"{HANG_S:.0f}",
    "health_check_timeout_ms": "600000",
    "worker_register_timeout_seconds": f"{HANG_S:.0f}",
    "worker_niceness": "0",  # at Ray's own 15 they hardly run beside the other processes of the tests
}
STORE_BYTES = 100_000_000  # of each Ray node
CARD_S = 2.4  # how long the studio shows each sheet

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
    """What this machine has; as much as is needed where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError):  # Windows has no sysconf
        return 2.0 * GIB_A_PROCESS


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """A file's tests run in one process, and all that share something costly."""
    return SharingScheduling(config, log)


class SharingScheduling(LoadScopeScheduling):
    """Deals whole files to the processes, those of SHARED together.

    xdist's own loadgroup does not see its marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0]).stem
        return next((fixture for fixture, files in SHARED.items() if file in files), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow unless it is asked for. What takes longest comes first, so that no process waits at the end."""
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


def paper(size_wh: tuple[int, int] = (640, 480), shade: int = 225) -> np.ndarray:
    """An empty sheet that fills the picture, (H, W) uint8."""
    return np.full((size_wh[1], size_wh[0]), shade, np.uint8)


def write(
    sheet_gray: np.ndarray,
    digit: int,
    center_xy: tuple[float, float],
    height_px: float,
    *,
    width_px: float | None = None,  # of the pen; an ordinary felt pen unless told otherwise
    angle_deg: float = 0.0,
    shade: int = 40,
    seed: int = 0,
) -> Box:
    """Write a digit onto the sheet, in place, and return the box around its ink."""
    strokes = digit_strokes(digit, np.random.default_rng(seed))
    matrix = placing(strokes, center_xy, height_px, angle_deg)
    size_wh = (sheet_gray.shape[1], sheet_gray.shape[0])
    ink = draw_strokes(strokes, size_wh, width_px or max(2.0, 0.08 * height_px), matrix=matrix)
    share = ink / 255.0
    sheet_gray[:] = np.round(sheet_gray * (1 - share) + shade * share).astype(np.uint8)
    rows, columns = np.nonzero(ink > 127)
    return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def as_frame(gray: np.ndarray, *, index: int = 0, time_s: float = 0.0, name: str = "drawn") -> Frame:
    return Frame(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), index, time_s, name)


def middle_of_card(card: int, fps: float = 30.0) -> int:
    """Index of the studio's frame in which a sheet is shown and at rest."""
    return round((CARD_S * card + CARD_S / 2) * fps)


class FakeClassifier:
    """Says the labels it was given, in turn and over again; keeps the images it was shown."""

    def __init__(self, labels: Sequence[str | None] = ("7",), confidences: Sequence[float] = (0.9,)) -> None:
        self.labels = labels
        self.confidences = confidences
        self.images: list[np.ndarray] = []

    def predict(self, images: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        self.images = list(images)
        return tuple(self._say(number, image) for number, image in enumerate(images))

    def _say(self, number: int, image: np.ndarray) -> Prediction:
        label = self.labels[number % len(self.labels)]
        confidence = self.confidences[number % len(self.confidences)]
        return Prediction(label, confidence, ((label or "8", confidence),), image)


class FakeFinder:
    """Finds the same regions in every frame."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = tuple(regions)

    def find(self, frame: Frame) -> tuple[Region, ...]:
        return self.regions


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A disk of that size in the folder, for as long as the block lasts."""
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("needs root on Linux to mount a small disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB of its own, which only root can make."""
    with mounted(tmp_path / "disk", "256k") as folder:
        yield folder


@pytest.fixture(autouse=True)
def own_captures(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that a user has recorded are neither read nor written by tests."""
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path_factory.mktemp("captures")))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server with samples and models of its own, skipping where no digits model has been published yet."""
    try:
        open_models(synced.models_folder()).current("digits")
    except ModelError as error:
        pytest.skip(f"needs the digits model: {error}")
    folder = tmp_path_factory.mktemp("served")
    with running_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """Networks run as they are written: to build a graph takes longer than the few steps of a test's training."""
    tensorflow = import_tensorflow()
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture
def published_models() -> Path:
    """The folder with the shipped models, skipping where no digits model has been published yet."""
    models = synced.models_folder()
    try:
        open_models(models).current("digits")
    except ModelError as error:
        pytest.skip(f"needs the digits model: {error}")
    return models


def landmarker_path() -> Path:
    """The hand landmarker's file, skipping where it or MediaPipe is missing."""
    if find_spec("mediapipe") is None:  # to import it here would import TensorFlow as well
        pytest.skip("needs MediaPipe")
    try:
        return find_asset("hand_landmarker")
    except AssetError as error:
        pytest.skip(f"needs the hand model: {error}")


@pytest.fixture
def hand_models(published_models: Path) -> Path:
    """The same, skipping where the hand model or MediaPipe is missing."""
    landmarker_path()
    try:
        open_models(published_models).current("rps")
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
