"""Leak test: runs the live loop on studio scenes, with a new model each minute and regular changes of task.

python -m benchmarks.soak --minutes 30

Memory at the end is compared with memory after every task has been opened once. The exit code is 1 if it grew by 20 MB or
more, or if a thread, an open file or a window was left.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.report import SECTIONS, table
from recognizer.errors import SettingsError
from recognizer.hot_swap import LivePipeline
from recognizer.overlay.overlay import Overlay
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.store import Samples
from recognizer.sources.studio import StudioSource
from recognizer.studio.scenes import STUDIO_SCENES
from recognizer.system import machine, paths
from recognizer.system.terminal import SOME_FAILED, exit_on_error
from recognizer.window.window import Window

MAX_GROWTH_MB = 20.0  # limit of memory growth in a run
TASKS = ("digits", "rps")
SNAPSHOT_EVERY_S = 5.0
PATIENCE = 4  # time limit as a multiple of the requested duration, for slow machines
SWAPS_A_TASK = 2  # model changes before the next task starts
PROC = Path("/proc/self")  # Linux only


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--swap-every", type=float, default=60.0, metavar="S", help="seconds between two model changes (default: 60)"
    )
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--models", type=open_models, default=default_models())
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    wanted_s = 60 * options.minutes

    def is_over(result: SoakResult) -> bool:
        return result.lasted_s >= wanted_s and (bool(result.snapshots) or result.lasted_s >= PATIENCE * wanted_s)

    with exit_on_error():
        result = run(is_over, options.swap_every, (width, height), options.models)
    section = as_markdown(result)
    print(section)
    SECTIONS.mkdir(parents=True, exist_ok=True)
    (SECTIONS / "hours.md").write_text(section, encoding="utf-8")
    print(f"Wrote {(SECTIONS / 'hours.md').relative_to(paths.ROOT)}")
    sys.exit(0 if result.passed else SOME_FAILED)


@dataclass(frozen=True)
class Snapshot:
    """Resources of the process at one moment."""

    time_s: float
    memory_mb: float
    threads: int  # of Python and of native libraries
    files: int  # open file descriptors, including sockets and pipes
    windows: int


@dataclass
class SoakResult:
    """A run. Its snapshots are taken while the first task runs, as soon as all tasks have been opened once."""

    lasted_s: float = 0.0
    frames: int = 0
    swaps: int = 0
    opened: list[str] = field(default_factory=list)  # task of each opened model, in order
    snapshots: list[Snapshot] = field(default_factory=list)
    before: Snapshot | None = None
    after: Snapshot | None = None  # when everything is closed

    @property
    def growth_mb(self) -> float:
        """Growth in MB between medians of the first and the last third; a median ignores late garbage collection."""
        third = max(1, len(self.snapshots) // 3)
        memory = [snapshot.memory_mb for snapshot in self.snapshots]
        return float(np.median(memory[-third:]) - np.median(memory[:third]))

    @property
    def leaked(self) -> dict[str, int]:
        """Increase from the first snapshot to the last one."""
        first, last = self.snapshots[0], self.snapshots[-1]
        return {name: getattr(last, name) - getattr(first, name) for name in ("threads", "files", "windows")}

    @property
    def passed(self) -> bool:
        windows = self.after.windows if self.after else 0
        return self.growth_mb < MAX_GROWTH_MB and max(self.leaked.values()) <= 0 and windows == 0


class CountedWindows:
    """Replaces cv2's window functions on a machine without a screen: counts open windows and never returns a key."""

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self.size_wh = size_wh
        self.open: set[str] = set()

    def namedWindow(self, title: str, flags: int) -> None:  # noqa: N802 - OpenCV's name
        self.open.add(title)

    def destroyWindow(self, title: str) -> None:  # noqa: N802
        self.open.remove(title)

    def resizeWindow(self, title: str, width: int, height: int) -> None: ...  # noqa: N802

    def setMouseCallback(self, title: str, callback: Callable[..., None]) -> None: ...  # noqa: N802

    def imshow(self, title: str, picture: np.ndarray) -> None: ...

    def waitKeyEx(self, wait_ms: int) -> int:  # noqa: N802
        return -1

    def getWindowProperty(self, title: str, which: int) -> float:  # noqa: N802
        return 1.0

    def getWindowImageRect(self, title: str) -> tuple[int, int, int, int]:  # noqa: N802
        return 0, 0, *self.size_wh


def run(
    is_over: Callable[[SoakResult], bool],
    swap_every_s: float,
    size_wh: tuple[int, int],
    models: ModelStore,
    tasks: tuple[str, ...] = TASKS,
    clock: Callable[[], float] = time.perf_counter,
) -> SoakResult:
    """Run the live loop with its window on copies of the models.

    The next model is published a fixed time after the live loop has switched to the last one.
    """
    result, windows = SoakResult(), CountedWindows(size_wh)
    with tempfile.TemporaryDirectory() as name:
        copies, samples = ModelStore(Path(name) / "models"), Samples(Path(name) / "captures")
        shipped = {task: models.current(task) for task in tasks}
        for task in tasks:
            publish(copies, task, shipped[task])
        with LivePipeline(tasks[0], copies, samples) as live:
            source = StudioSource(STUDIO_SCENES[tasks[0]], size_wh, 30.0, paced=True)
            live.on_task = lambda task: source.show(STUDIO_SCENES[task])
            window = Window(Overlay(), source.stop, gui=windows, screen=lambda: True)
            live.notify = window.notify
            began_s = clock()
            swapped_s, snapshot_s, folder_before, is_awaited = began_s, began_s, live.folder, False
            with source, window:
                for frame in source:
                    window.write(live.step(frame))
                    result.frames += 1
                    now_s = clock()
                    result.lasted_s = now_s - began_s
                    if live.folder != folder_before:
                        result.swaps += 1
                        result.opened.append(live.task)
                        folder_before, swapped_s, is_awaited = live.folder, now_s, False
                    all_opened = len(result.opened) >= SWAPS_A_TASK * len(tasks)
                    settled = (
                        live.task == tasks[0]
                        and not is_awaited
                        and now_s - swapped_s > min(SNAPSHOT_EVERY_S, swap_every_s / 2)
                    )
                    if all_opened and settled and now_s - snapshot_s >= min(SNAPSHOT_EVERY_S, swap_every_s / 4):
                        result.snapshots.append(take_snapshot(result.lasted_s, windows))
                        snapshot_s = now_s
                    if is_over(result):
                        break
                    if now_s - swapped_s >= swap_every_s and not is_awaited:
                        is_awaited = True
                        if len(tasks) > 1 and (result.swaps + 1) % SWAPS_A_TASK == 0:
                            live.open_task(tasks[(tasks.index(live.task) + 1) % len(tasks)])
                        else:
                            publish(copies, live.task, shipped[live.task])
        if not result.snapshots:
            raise SettingsError(
                f"{result.lasted_s / 60:.3g} minutes are too short: {result.swaps} models were loaded. Increase --minutes."
            )
        result.after = take_snapshot(clock() - began_s, windows)
    return result


def publish(models: ModelStore, task: str, version: Path) -> None:
    """Publish a copy of the model under a new version name."""
    with models.publishing(task) as draft:
        for part in version.iterdir():
            shutil.copy(part, draft)
    for name in models.versions(task)[:-3]:  # limits disk use
        if models.folder / task / name != models.current(task):
            models.delete(task, name)


def take_snapshot(time_s: float, windows: CountedWindows) -> Snapshot:
    """Resources of this process now; memory and files are 0 on systems without /proc."""
    if not PROC.is_dir():
        return Snapshot(time_s, 0.0, threading.active_count(), 0, len(windows.open))
    pages = int((PROC / "statm").read_text().split()[1])
    threads = len(list((PROC / "task").iterdir()))
    files = len(os.listdir(PROC / "fd"))
    return Snapshot(time_s, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, threads, files, len(windows.open))


def as_markdown(result: SoakResult) -> str:
    rows = [
        (name, f"{one.time_s / 60:.1f}", one.memory_mb, one.threads, one.files, one.windows)
        for name, one in (
            ("all tasks opened", result.snapshots[0]),
            ("last", result.snapshots[-1]),
            ("closed", result.after),
        )
        if one is not None
    ]
    leaked = ", ".join(f"{count:+d} {name}" for name, count in result.leaked.items())
    return (
        f"## Memory over hours\n\n`python -m benchmarks.soak --minutes {result.lasted_s / 60:.3g}`: the live loop with its "
        f"window on studio scenes, {result.frames} frames, {result.swaps} model changes. Memory grew by "
        f"**{result.growth_mb:.1f} MB** "
        f"(allowed: {MAX_GROWTH_MB:g}); {leaked}.\n\n"
        + table(["", "minute", "memory, MB", "threads", "open files", "windows"], rows)
        + f"\n{machine.description()}\n"
    )


if __name__ == "__main__":
    main()
