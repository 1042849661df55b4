"""The window: a sink that shows each frame and handles keys."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from recognizer.errors import SinkError
from recognizer.overlay.overlay import Overlay
from recognizer.sinks.png import write_png
from recognizer.sinks.sink import _ClosingSink
from recognizer.system import x11
from recognizer.system.keyboard import ESC, Keyboard, latin_key
from recognizer.system.terminal import print_messages
from recognizer.values import Observation

HELP_LINE = (
    "q quit · Tab task · c record · t train · u undo · n new · "
    "f maps · p timings · m mirror · s screenshot · Space freeze"
)
NOTICE_S = 2.5  # duration of a notice: long enough to read a path
MAX_WINDOW_WH = (1280, 800)  # larger frames are shown smaller, so that the window fits a laptop's screen
FREEZE_POLL_MS = 30  # keys are polled at this interval while the picture stands still
NO_KEY = -1  # what waitKeyEx returns if no key was pressed


def has_screen() -> bool:
    """Whether a window can be opened. On Linux that needs an X server (XWayland too) that answers.

    Without a server, OpenCV's windows would end the whole process. Therefore a connection is tried first with libxcb.
    """
    return x11.answers() if sys.platform.startswith("linux") else True


class Window(_ClosingSink):
    """Shows each observation and handles keys. q, Esc and closing the window call `stop`, which ends the run.

    `actions` maps further keys ("c", "\\t", "Left", ... as in Keyboard) to functions without arguments. On layouts without
    Latin letters, a letter's key is the one at its place. `keys` is called first with every key and returns whether it has
    handled it. While `typing` returns True the picture stands still: of the keys that are pressed while a frame is
    processed, OpenCV keeps only the last one.
    """

    def __init__(
        self,
        overlay: Overlay,
        stop: Callable[[], None],
        *,
        title: str = "recognizer",
        screenshot_dir: Path = Path("output"),
        actions: Mapping[str, Callable[[], None]] | None = None,
        keys: Callable[[str], bool] = lambda key: False,
        typing: Callable[[], bool] = lambda: False,
        help_line: str = HELP_LINE,
        gui: Any = cv2,
        screen: Callable[[], bool] = has_screen,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gui` has cv2's window functions; `screen` returns whether a window can be opened; `clock` counts seconds."""
        self.closed = False
        self._overlay = overlay
        self._stop = stop
        self._title = title
        self._screenshot_dir = screenshot_dir
        self._gui = gui
        self._screen = screen
        self._clock = clock
        self._frozen = False
        self._notice, self._notice_until_s = "", 0.0
        self._picture: np.ndarray | None = None
        self._was_visible = False
        overlay.help_line = help_line
        self._keys = keys
        self._typing = typing
        self._keyboard = Keyboard()
        self._actions: dict[str, Callable[[], None]] = {
            "q": self._quit,
            ESC: self._quit,
            "p": self._toggle_stages,
            "m": self._toggle_mirror,
            "s": self._save_screenshot,
            " ": self._toggle_freeze,
            **(actions or {}),
        }

    def __enter__(self) -> Self:
        """Raises SinkError if there is no screen."""
        if not self._screen():
            raise SinkError("No screen to open a window on. Add --headless to write a video and a table instead.")
        return self

    def write(self, observation: Observation) -> None:
        """Shows the observation and handles keys. Blocks while the picture is frozen, and while the user types."""
        if self.closed:
            return
        self._show(observation)
        self._answer_key(wait_ms=1)
        while (self._frozen or self._typing()) and not self.closed:
            self._show(observation)
            self._answer_key(FREEZE_POLL_MS)

    def notify(self, notice: str) -> None:
        """Shows a message of one line for NOTICE_S seconds."""
        self._notice, self._notice_until_s = notice, self._clock() + NOTICE_S

    def close(self) -> None:
        if self._picture is not None and not self.closed:
            self._gui.destroyWindow(self._title)
        self.closed = True

    def _show(self, observation: Observation) -> None:
        if self._picture is None:
            self._open(observation.frame.image_bgr.shape)
        frozen_notice = "frozen: press Space to continue" if self._frozen else ""
        self._overlay.notice = self._notice if self._clock() < self._notice_until_s else frozen_notice
        self._picture = self._overlay.draw(observation)
        self._gui.imshow(self._title, self._picture)

    def _open(self, shape: tuple[int, ...]) -> None:
        if sys.platform.startswith("linux"):
            # Qt would print warnings about fonts that the OpenCV wheel lacks and this window does not use.
            os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
            os.environ["QT_QPA_PLATFORM"] = "xcb"  # the wheel's only platform: any other one ends the process
        height, width = shape[:2]
        shrink = min(1.0, MAX_WINDOW_WH[0] / width, MAX_WINDOW_WH[1] / height)
        try:
            self._gui.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            self._gui.resizeWindow(self._title, max(1, round(width * shrink)), max(1, round(height * shrink)))
        except cv2.error as error:
            raise SinkError(
                f"The window did not open ({error.err or error}). Add --headless, or install opencv-python in place of "
                "opencv-python-headless."
            ) from error

    def _answer_key(self, wait_ms: int) -> None:
        code = self._gui.waitKeyEx(wait_ms)
        key = self._keyboard.key(code) if code != NO_KEY else ""
        if key and not self._keys(key):
            self._act(key)
        if not self.closed and not self._is_visible():
            self.closed = True
            self._stop()

    def _act(self, key: str) -> None:
        action = self._actions.get(key) or self._actions.get(key.lower()) or self._actions.get(latin_key(key))
        if action is not None:
            action()

    def _is_visible(self) -> bool:
        """False once the user has closed the window. Always True on systems that do not report visibility."""
        try:
            visible = self._gui.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            visible = False
        self._was_visible = self._was_visible or visible
        return visible or not self._was_visible

    def _quit(self) -> None:
        self.close()
        self._stop()

    def _toggle_stages(self) -> None:
        self._overlay.show_stages = not self._overlay.show_stages

    def _toggle_mirror(self) -> None:
        self._overlay.mirror = not self._overlay.mirror

    def _toggle_freeze(self) -> None:
        self._frozen = not self._frozen

    def _save_screenshot(self) -> None:
        """Reports a failure and continues the run."""
        assert self._picture is not None, "there is a picture before a key is read"
        stem = time.strftime("screenshot-%Y%m%d-%H%M%S")
        path = self._screenshot_dir / f"{stem}.png"
        number = 2
        while path.exists():
            path = self._screenshot_dir / f"{stem}-{number}.png"
            number += 1
        try:
            write_png(path, self._picture)
        except SinkError as error:
            self.notify(str(error))
            print_messages([str(error)])
        else:
            self.notify(f"saved {path}")
            print(f"saved {path}", flush=True)
