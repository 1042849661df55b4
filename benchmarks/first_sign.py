"""Keys and seconds from the start of the program to the first own sign that it reads, in a real window.

python -m benchmarks.first_sign                  measure
python -m benchmarks.first_sign --pictures docs  also write window.gif, teach.png and mend.png of the window into that folder

A program presses the keys on a virtual screen (Xvfb, xdotool) and shows the signs with the studio, without a pause to
think: the seconds are those that the recognizer takes. It teaches two signs with ten samples each, in a temporary folder.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageGrab, ImageStat

from recognizer.errors import SettingsError
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models
from recognizer.system import machine
from recognizer.system.terminal import exit_on_error
from recognizer.teaching.recording import ENOUGH
from tests.helpers.real_window import MISSING, WHY_SKIPPED, virtual_screen
from tests.helpers.simulated_user import SimulatedUser

SIZE = "1280x720"
TASK, LABELS, SIGNS = "greetings", ("stop", "call me"), ("B", "Y")  # the studio's letters that look like these
RENAMED = "phone"  # the second label, in the end
GIF_WH, STILL_WH = (560, 315), (960, 540)
COLORS = 128
SHOT_EVERY_S = 0.3  # between two pictures of the moving one
SHOT_MS, SHOT_MOST_MS = 250, 1200  # how long each is shown; like ones are shown as one
SAME_LEVELS = 2.5  # of 255, mean difference of small pictures that are alike
SMALL_WH = (112, 63)
READ_S = 2.5  # how long each sheet is shown in the moving picture


@dataclass(frozen=True)
class Measured:
    """One run: key presses, and seconds since the program started."""

    keys: int
    window_s: float  # its first frame
    asked_s: float  # the form is filled in
    recorded_s: float
    read_s: float  # the new model reads the sign

    def as_text(self) -> str:
        return (
            f"{self.keys} keys, {self.read_s:.1f} s from the start to the first own sign read: "
            f"{self.window_s:.1f} s to the first frame, {self.asked_s - self.window_s:.1f} s to make the task, "
            f"{self.recorded_s - self.asked_s:.1f} s to record {len(LABELS)} times {ENOUGH} samples, "
            f"{self.read_s - self.recorded_s:.1f} s to train and to read"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_sign", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write pictures of the window into this folder")
    options = parser.parse_args()
    with exit_on_error():
        print(machine.description())
        print(measure(default_models(), options.pictures).as_text())


def measure(models: ModelStore, pictures: Path | None = None) -> Measured:
    """Teach two signs in a real window. Raises SettingsError if there is no virtual screen."""
    if MISSING:
        raise SettingsError(f"This {WHY_SKIPPED}.")
    with tempfile.TemporaryDirectory() as folder, virtual_screen() as display:
        began_s = time.perf_counter()
        user = SimulatedUser(display, Path(folder), models, task="digits", size=SIZE, pace="real")
        try:
            window_s = time.perf_counter() - began_s
            camera = Camera(display, pictures) if pictures is not None else None
            with camera.recording() if camera is not None else nullcontext():
                if camera is not None:
                    _read_some_sheets(user)
                user.type(TASK, "h", ",".join(LABELS))
                user.until(lambda state: state["task"] == TASK)
                asked_s = time.perf_counter() - began_s
                user.show_sign(SIGNS[0])
                user.record("1", LABELS[0], ENOUGH)
                user.show_sign(SIGNS[1])
                user.record("2", LABELS[1], ENOUGH)
                if camera is not None:
                    camera.still("teach.png")
                recorded_s = time.perf_counter() - began_s
                user.press("Return")
                user.until(lambda state: state["result"])
                user.until(lambda state: state["text"] == LABELS[1])
                measured = Measured(user.keys, window_s, asked_s, recorded_s, time.perf_counter() - began_s)
                if camera is not None:
                    _mend(user, camera)
            user.press("q")
            user.program.end()
        finally:
            user.program.close()
    return measured


def _read_some_sheets(user: SimulatedUser) -> None:
    for card in range(3):
        user.show(card)
        user.until(lambda state: state["text"])
        time.sleep(READ_S)
    user.show(0)


def _mend(user: SimulatedUser, camera: "Camera") -> None:
    """Record a sign under the wrong label, give one of the samples its own label, and rename a label."""
    time.sleep(READ_S)
    user.press("Escape", "c")
    user.until(lambda state: state["counts"] is not None)
    right = user.state["counts"][LABELS[0]]
    user.record("1", LABELS[0], right + 2)
    user.press("Escape", "k")
    user.until(lambda state: state["review"])
    user.press(*["Right"] * right)
    user.until(lambda state: state["review"]["index"] == right)
    time.sleep(1)
    camera.still("mend.png")
    user.press("2")
    time.sleep(READ_S)
    user.press("Escape", "e", "Down", "Return", *["BackSpace"] * len(LABELS[1]), *RENAMED, "Return")
    user.until(lambda state: state["text"] == RENAMED)
    time.sleep(READ_S)


class Camera:
    """Takes pictures of the window on the virtual screen."""

    def __init__(self, display: str, folder: Path) -> None:
        self._display, self._folder = display, folder
        self._shots: list[Image.Image] = []
        self._over = threading.Event()

    def still(self, name: str) -> None:
        """Write one picture of the window."""
        self._folder.mkdir(parents=True, exist_ok=True)
        picture = self._grab().resize(STILL_WH, Image.Resampling.LANCZOS)
        picture.quantize(256, dither=Image.Dither.NONE).save(self._folder / name, optimize=True)
        print(f"Wrote {self._folder / name}")

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Take pictures in the block, and write them as window.gif after it."""
        thread = threading.Thread(target=self._take, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        self.write()

    def _take(self) -> None:
        while not self._over.wait(SHOT_EVERY_S):
            self.shoot()

    def shoot(self) -> None:
        """Take one picture of the moving one."""
        self._shots.append(self._grab().resize(GIF_WH, Image.Resampling.LANCZOS))

    def _grab(self) -> Image.Image:
        """The window, which the virtual screen shows at its top left corner."""
        width, height = map(int, SIZE.split("x"))
        picture = ImageGrab.grab(xdisplay=self._display).crop((0, 0, width, height)).convert("RGB")
        if picture.getbbox() is None:
            raise SettingsError(
                f"The virtual screen {self._display} shows nothing. Run it again without other virtual screens."
            )
        return picture

    def write(self) -> None:
        """Write the moving picture."""
        shown, times_ms = self._without_repeats()
        frames = [shot.quantize(COLORS, dither=Image.Dither.NONE) for shot in shown]
        path = self._folder / "window.gif"
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=times_ms, loop=0, optimize=True)
        print(f"Wrote {path}: {len(frames)} pictures, {path.stat().st_size >> 10} KB")

    def _without_repeats(self) -> tuple[list[Image.Image], list[int]]:
        """The pictures that differ from the one before, and for how many milliseconds each is shown."""
        shown, times_ms = self._shots[:1], [SHOT_MS]
        for shot in self._shots[1:]:
            difference = ImageChops.difference(shot.resize(SMALL_WH), shown[-1].resize(SMALL_WH))
            if sum(ImageStat.Stat(difference).mean) / 3 < SAME_LEVELS:
                times_ms[-1] = min(times_ms[-1] + SHOT_MS, SHOT_MOST_MS)
            else:
                shown.append(shot)
                times_ms.append(SHOT_MS)
        return shown, times_ms


if __name__ == "__main__":
    main()
