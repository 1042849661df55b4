"""Size and speed of the exports.

python -m recognizer benchmark export
"""

import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import web_cost
from recognizer.export.export import export_folder
from recognizer.export.golden import COUNT, GOLDEN
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples

TASKS = ("digits", "letters", "rps")
TARGETS = ("litert", "onnx", "keras")
WEB = "web"  # in Chromium, where there is one


@dataclass(frozen=True)
class Cost:
    """What one export costs."""

    task: str
    target: str
    size_mb: float  # of all files but the golden inputs
    frame_ms: float  # median over the golden inputs: found and classified, each as a single picture
    same: int  # of the golden inputs: those with the program's answer

    def row(self) -> str:
        return (
            f"| {self.task} | {self.target} | {self.size_mb:.1f} MB | {self.frame_ms:.1f} ms | {self.same} of {COUNT} |"
        )


@contextmanager
def opened_program(folder: Path) -> Iterator[tuple[Any, Any]]:
    """The modules predict.py and check.py of an export."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("predict"), importlib.import_module("check")
    finally:
        sys.path.remove(str(folder))
        for name in ("predict", "check"):
            sys.modules.pop(name, None)


def measure(task: str, target: str, folder: Path) -> Cost:
    """Write an export of a shipped task into `folder`, and run its program on its golden inputs."""
    export_folder(task, target, folder, default_models(), default_samples())
    files = [path for path in folder.rglob("*") if path.is_file() and GOLDEN not in path.relative_to(folder).parts]
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    if target == WEB:
        times_ms, same = web_cost.golden_answers(folder)
        return Cost(task, target, size_mb, statistics.median(times_ms), same)
    with opened_program(folder) as (predict, check):
        reader = predict.open_reader(folder)
        pictures = [cv2.imread(str(path)) for path in sorted((folder / GOLDEN).glob("??.png"))]
        times_ms = _times_ms(lambda picture: predict.read(reader, picture), pictures)
        same = sum(not one.difference for one in check.comparisons(folder, reader))
    return Cost(task, target, size_mb, statistics.median(times_ms), same)


def _times_ms(read: Callable[[np.ndarray], object], pictures: Sequence[np.ndarray]) -> list[float]:
    read(pictures[0])  # the first run allocates
    times_ms = []
    for picture in pictures:
        start_s = time.perf_counter()
        read(picture)
        times_ms.append(1000 * (time.perf_counter() - start_s))
    return times_ms


def report() -> str:
    """The section of the report: one row for each task and export."""
    has_browser = web_cost.chromium_found()
    targets = (*TARGETS, WEB) if has_browser else TARGETS
    with tempfile.TemporaryDirectory() as folder:
        costs = [measure(task, target, Path(folder) / f"{task}-{target}") for target in targets for task in TASKS]
        loop = _loop(Path(folder) / f"letters-{WEB}") if has_browser else ""
    rows = "\n".join(cost.row() for cost in sorted(costs, key=lambda cost: cost.task))
    return f"""## Exports

`python -m recognizer benchmark export`: each export's program reads its {COUNT} golden inputs, drawn pictures of 320×240
pixels, as single pictures: a hand is searched in the picture and in its mirror image. The size is without the golden inputs.

| task | export | size | a picture | same answer |
|---|---|---|---|---|
{rows}

{loop}
"""


def _loop(folder: Path) -> str:
    found = web_cost.loops("letters", folder)
    share = found.program_ms / found.page_ms
    return f"""The loop with letters at 640×480, a hand of the studio, until the frame is drawn: {found.page_ms:.1f} ms in
Chromium, {found.program_ms:.1f} ms in the program, of whose rate the page reaches {100 * share:.0f} %."""
