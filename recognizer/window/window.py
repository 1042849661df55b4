"""The window: a sink that shows each frame, with a strip beside it where there is more to say, and handles keys."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from recognizer.errors import SinkError
from recognizer.overlay.drawing import INK, Scale
from recognizer.overlay.overlay import Overlay
from recognizer.sinks.png import write_png
from recognizer.sinks.sink import _ClosingSink
from recognizer.system import x11
from recognizer.system.keyboard import ENTER, ESC, Keyboard, latin_key
from recognizer.system.terminal import print_messages
from recognizer.values import Box, Observation
from recognizer.window.answering import computed_while_answering
from recognizer.window.help_strip import HelpStrip
from recognizer.window.layout import SMALLEST_WH, Layout, layout_of
from recognizer.window.strip import Key, Strip, draw_strip

KEYS: tuple[Key, ...] = (("Space", "freeze"), ("s", "screenshot"), ("q", "quit"))
FROZEN_KEYS: tuple[Key, ...] = (("Space", "go on"), ("s", "screenshot"), ("q", "quit"))
ALL_KEYS: Key = ("?", "all keys")
QUIT_KEYS = ("y", "q", ENTER)  # the answers to the question whether to quit; any other key goes on
FROZEN = "frozen: press Space to go on"
NOTICE_S = 2.5  # duration of a notice: long enough to read a path
SECONDS_A_LETTER = 0.06  # reading speed: longer notices stay for longer
MAX_WINDOW_WH = (1280, 800)  # larger frames are shown smaller, so that the window fits a laptop's screen
FREEZE_POLL_MS = 30  # keys are polled at this interval while the picture stands still
ANSWER_MS = 10  # and at this one while the next frame is computed
NO_KEY = -1  # what waitKeyEx returns if no key was pressed


def has_screen() -> bool:
    """Whether a window can be opened. On Linux that needs an X server (XWayland too) that answers.

    Without a server, OpenCV's windows would end the whole process. Therefore a connection is tried first with libxcb.
    """
    return x11.answers() if sys.platform.startswith("linux") else True


class Window(_ClosingSink):
    """Shows each observation and handles keys. q and closing the window call `stop`, which ends the run.

    `actions` maps further keys ("c", "\\t", "Left", ... as in Keyboard) to functions without arguments. On layouts without
    Latin letters, a letter's key is the one at its place. `keys` is called first with every key and returns whether it has
    handled it. `key_line` returns the keys that work now, beside those of the window. The first open one of `strips` stands
    beside the picture. While `unsaved` returns a sentence, q asks before it quits. While `typing` returns True the picture
    stands still, so that each letter appears at once.
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
        key_line: Callable[[], Sequence[Key]] = lambda: (),
        strips: Sequence[Strip] = (),
        unsaved: Callable[[], str] = lambda: "",
        typing: Callable[[], bool] = lambda: False,
        gui: Any = cv2,
        screen: Callable[[], bool] = has_screen,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gui` has cv2's window functions; `screen` returns whether a window can be opened; `clock` counts seconds."""
        self.closed = False
        self.help = HelpStrip()
        self._overlay = overlay
        self._stop = stop
        self._title = title
        self._screenshot_dir = screenshot_dir
        self._gui = gui
        self._screen = screen
        self._clock = clock
        self._frozen = False
        self._question = ""
        self._notice, self._notice_until_s = "", 0.0
        self._picture: np.ndarray | None = None
        self._was_visible = False
        self._keys = keys
        self._key_line = key_line
        self._strips = (self.help, *strips)
        self._unsaved = unsaved
        self._typing = typing
        self._keyboard = Keyboard()
        self._queue: deque[str | tuple[int, int]] = deque()  # keys, and places of clicks, that are not yet handled
        self._drawer = ThreadPoolExecutor(1, thread_name_prefix="window")
        self._clicks: list[tuple[Box, Callable[[], object]]] = []
        self._actions: dict[str, Callable[[], None]] = {
            "q": self._ask_to_quit,
            "?": self.help.toggle,
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
        self._handle(wait_ms=1)
        while (self._frozen or self._typing()) and not self.closed:
            self._show(observation)
            self._handle(FREEZE_POLL_MS)

    def collect(self, wait_ms: int = ANSWER_MS) -> None:
        """Waits for keys and clicks, which the next `write` handles in their order."""
        if self.closed or self._picture is None:
            time.sleep(wait_ms / 1000)
            return
        code = self._gui.waitKeyEx(wait_ms)
        key = self._keyboard.key(code) if code != NO_KEY else ""
        if key:
            self._queue.append(key)

    def notify(self, notice: str) -> None:
        """Shows a message of one line, for as long as it takes to read it."""
        shown_s = max(NOTICE_S, SECONDS_A_LETTER * len(notice))
        self._notice, self._notice_until_s = notice, self._clock() + shown_s

    def close(self) -> None:
        if self._picture is not None and not self.closed:
            self._gui.destroyWindow(self._title)
        self._drawer.shutdown()
        self.closed = True

    def _show(self, observation: Observation) -> None:
        height, width = observation.frame.image_bgr.shape[:2]
        size_wh = self._open((width, height)) if self._picture is None else self._size_wh((width, height))
        strip = next((one for one in self._strips if one.is_open), None)
        frozen = FROZEN if self._frozen else ""
        self._overlay.notice = self._notice if self._clock() < self._notice_until_s else frozen
        if self._question:
            self._overlay.notice = self._question
        self._overlay.help_line = "" if strip else self._help_line()
        if strip is not None:  # it says what to do
            self._overlay.prompt = ""
        layout = layout_of(size_wh, (width, height), strip is not None)
        self._picture = computed_while_answering(
            self._drawer, lambda: self._drawn(observation, layout, strip), self.collect
        )
        if not self._is_closed_by_user():  # imshow would open it again
            self._gui.imshow(self._title, self._picture)

    def _drawn(self, observation: Observation, layout: Layout, strip: Strip | None) -> np.ndarray:
        """The window's content, a new (H, W, 3) uint8 BGR picture."""
        place, (width, height) = layout.picture, layout.size_wh
        picture = self._overlay.draw(observation, (place.width, place.height))
        self._clicks = []
        if (place.width, place.height) == layout.size_wh:
            return picture
        canvas = np.full((height, width, 3), INK, np.uint8)
        canvas[place.y1 : place.y2, place.x1 : place.x2] = picture
        if strip is not None and (beside := layout.strip) is not None:
            part = canvas[beside.y1 : beside.y2, beside.x1 : beside.x2]
            self._clicks = [
                (Box(at.x1 + beside.x1, at.y1 + beside.y1, at.x2 + beside.x1, at.y2 + beside.y1), action)
                for at, action in draw_strip(part, strip, Scale.of(width, height))
            ]
        return canvas

    def _help_line(self) -> str:
        """The keys that work now, as `Overlay` draws them."""
        mode = () if self._frozen else tuple(self._key_line())
        taken = {key for key, _ in mode}  # a mode may use a key of the window for something else
        keys = FROZEN_KEYS if self._frozen else (*mode, *(one for one in KEYS if one[0] not in taken))
        return " · ".join(f"{key} {action}" for key, action in (*keys, ALL_KEYS))

    def _open(self, frame_wh: tuple[int, int]) -> tuple[int, int]:
        """Opens the window and returns its size."""
        if sys.platform.startswith("linux"):
            # Qt would print warnings about fonts that the OpenCV wheel lacks and this window does not use.
            os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
            os.environ["QT_QPA_PLATFORM"] = "xcb"  # the wheel's only platform: any other one ends the process
        width, height = frame_wh
        shrink = min(1.0, MAX_WINDOW_WH[0] / width, MAX_WINDOW_WH[1] / height)
        size_wh = max(1, round(width * shrink)), max(1, round(height * shrink))
        try:
            self._gui.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
            self._gui.resizeWindow(self._title, *size_wh)
            self._gui.setMouseCallback(self._title, self._click)
        except cv2.error as error:
            raise SinkError(
                f"The window did not open ({error.err or error}). Add --headless, or install opencv-python in place of "
                "opencv-python-headless."
            ) from error
        return size_wh

    def _size_wh(self, frame_wh: tuple[int, int]) -> tuple[int, int]:
        """The size of the window's content; the frame's on systems that do not report it."""
        try:
            _, _, width, height = self._gui.getWindowImageRect(self._title)
        except cv2.error:
            return frame_wh
        return (width, height) if width >= SMALLEST_WH[0] and height >= SMALLEST_WH[1] else frame_wh

    def _click(self, event: int, x: int, y: int, flags: int, data: object) -> None:
        """OpenCV calls this while it is asked for keys; x and y are pixels of the shown picture."""
        if event == cv2.EVENT_LBUTTONDOWN:
            self._queue.append((x, y))

    def _handle(self, wait_ms: int) -> None:
        """Handles the collected keys and clicks, and one that is waited for."""
        self.collect(wait_ms)
        while self._queue and not self.closed:
            event = self._queue.popleft()
            if isinstance(event, str):
                self._act(event)
            else:
                x, y = event
                action = next((do for at, do in self._clicks if at.x1 <= x < at.x2 and at.y1 <= y < at.y2), None)
                if action is not None:
                    action()
        self._is_closed_by_user()

    def _is_closed_by_user(self) -> bool:
        """Whether the window is closed. Ends the run if the user has just closed it."""
        if not self.closed and not self._is_visible():
            self.closed = True
            self._stop()
        return self.closed

    def _act(self, key: str) -> None:
        if self._question:
            self._question = ""
            if latin_key(key.lower()) in QUIT_KEYS:
                self._quit()
        elif key == ESC and self.help.is_open:
            self.help.toggle()
        elif key == ESC and self._frozen:
            self._toggle_freeze()
        elif not self._keys(key):
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

    def _ask_to_quit(self) -> None:
        unsaved = self._unsaved()
        if unsaved:
            self._question = f"{unsaved} Quit? y quits · any other key goes on"
        else:
            self._quit()

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
