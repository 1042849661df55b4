"""Where observations go: a window, a video, a picture of the whole run, a table. All share write() and close()."""

import csv
import ctypes
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TextIO

import cv2
import numpy as np

from recognizer.errors import SinkError
from recognizer.overlay import INK, MUTED, Overlay, draw_text
from recognizer.system import files
from recognizer.values import Observation

HELP_LINE = (
    "q quit · Tab task · c record · t train · u undo · n new · "
    "f maps · p timings · m mirror · s screenshot · Space freeze"
)
NOTICE_S = 2.5  # long enough to read a path
MAX_WINDOW_WH = (1280, 800)  # larger frames are shown smaller, so that the window fits a laptop's screen
FREEZE_POLL_MS = 30  # a key press on a frozen picture is answered within two frames
CODECS = {".mp4": "mp4v", ".avi": "MJPG"}  # the two that OpenCV's own build writes on every system
DISK_RESERVE = 16 << 20  # bytes left free: a video can be finished, which OpenCV fails to do on a full disk
CELL_WIDTH = 640  # pixels of a picture in the contact sheet: three fill a full-HD screen
COLUMNS = 3
ESC = chr(27)


class Sink(Protocol):
    """Takes observations from `with` to its end; opening, writing and closing may raise SinkError."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def write(self, observation: Observation) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_sinks(sinks: Sequence[Sink]) -> Iterator[tuple[Sink, ...]]:
    """Opens all in order and closes all that were opened, even where opening or closing one fails."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(sink) for sink in sinks)


class _Closing:
    """A sink that needs no opening and is closed at the end of its `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError


def has_screen() -> bool:
    """Whether a window can be opened. On Linux that needs an X server (XWayland too) that answers.

    OpenCV's windows end the whole process where there is none, so it is asked first, through the library they use.
    """
    if not sys.platform.startswith("linux"):
        return True
    if not os.environ.get("DISPLAY"):
        return False
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not failed


class Window(_Closing):
    """Shows each observation and answers the keys: q or Esc and the window's own X end the run through `stop`.

    `actions` adds keys for other modes ("c", "\\t", ...); each is called without arguments when its key is pressed.
    `keys` is asked first of every key, and says whether it has taken it.
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
        help_line: str = HELP_LINE,
        gui: Any = cv2,
        screen: Callable[[], bool] = has_screen,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gui` has cv2's window functions; `screen` says whether there is one; `clock` counts seconds."""
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
        """Raises SinkError where there is no screen."""
        if not self._screen():
            raise SinkError("No screen to open a window on. Add --headless to write a video and a table instead.")
        return self

    def write(self, observation: Observation) -> None:
        """Shows the observation and handles the keys pressed; returns only when the picture is not frozen."""
        if self.closed:
            return
        self._show(observation)
        self._answer_key(wait_ms=1)
        while self._frozen and not self.closed:
            self._show(observation)
            self._answer_key(FREEZE_POLL_MS)

    def say(self, notice: str) -> None:
        """Shows one line for a short while."""
        self._notice, self._notice_until_s = notice, self._clock() + NOTICE_S

    def close(self) -> None:
        if self._picture is not None and not self.closed:
            self._gui.destroyWindow(self._title)
        self.closed = True

    def _show(self, observation: Observation) -> None:
        if self._picture is None:
            self._open(observation.frame.image_bgr.shape)
        resting = "frozen: Space goes on" if self._frozen else ""
        self._overlay.notice = self._notice if self._clock() < self._notice_until_s else resting
        self._picture = self._overlay.draw(observation)
        self._gui.imshow(self._title, self._picture)

    def _open(self, shape: tuple[int, ...]) -> None:
        if sys.platform.startswith("linux"):
            # Qt would print five lines about fonts that the OpenCV wheel does not bring and this window does not use.
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
        code = self._gui.waitKey(wait_ms)
        if code >= 0:
            key = chr(code & 0xFF)
            action = self._actions.get(key) or self._actions.get(key.lower())
            if not self._keys(key) and action is not None:
                action()
        if not self.closed and not self._is_visible():
            self.closed = True
            self._stop()

    def _is_visible(self) -> bool:
        """False once the person has closed the window; a system that cannot tell never says so."""
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
        """A failure is told and the run goes on."""
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
            self.say(str(error))
            print(error, file=sys.stderr)
        else:
            self.say(f"saved {path}")
            print(f"saved {path}", flush=True)


class VideoWriter(_Closing):
    """Writes the annotated frames as MP4 or AVI, in the size of the first; others are fitted into it."""

    def __init__(self, path: Path, overlay: Overlay, fps: float = 30) -> None:
        """`fps` is the speed at which the file plays. Raises SinkError for a suffix other than .mp4 and .avi."""
        if path.suffix.lower() not in CODECS:
            raise SinkError(f"Cannot write {path}: a video's name ends in {' or '.join(CODECS)}.")
        self._path = path
        self._unfinished = _unfinished(path)
        self._overlay = overlay
        self._fps = fps if 0 < fps <= 1000 else 30  # cameras that do not know theirs say 0 or nonsense
        self._video: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self._written = 0  # frames

    def __enter__(self) -> Self:
        """Raises SinkError where the file cannot be written."""
        with _telling(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._unfinished.touch()
        return self

    def write(self, observation: Observation) -> None:
        """Raises SinkError once the disk is all but full: what was written until then is kept."""
        with _telling(self._path):
            if shutil.disk_usage(self._unfinished.parent).free < DISK_RESERVE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        picture = self._overlay.draw(observation)
        if self._video is None:
            self._video = self._open(picture)
        self._video.write(letterboxed(picture, self._size_wh))
        self._written += 1

    def close(self) -> None:
        """The file takes its name only now and only if it is whole: a broken one never replaces a good one."""
        if self._video is None:
            self._unfinished.unlink(missing_ok=True)
            return
        self._video.release()
        self._video = None
        there = cv2.VideoCapture(str(self._unfinished))
        frames = there.get(cv2.CAP_PROP_FRAME_COUNT) if there.isOpened() else 0
        there.release()
        if frames < self._written:
            self._unfinished.unlink(missing_ok=True)
            raise SinkError(f"The video {self._path} could not be finished. Is the disk full? Try another folder.")
        with _telling(self._path):
            files.replace(self._unfinished, self._path)

    def _open(self, picture: np.ndarray) -> cv2.VideoWriter:
        height, width = picture.shape[:2]
        self._size_wh = (max(2, width - width % 2), max(2, height - height % 2))  # both codecs need even sides
        codec = CODECS[self._path.suffix.lower()]
        video = cv2.VideoWriter(str(self._unfinished), cv2.VideoWriter.fourcc(*codec), self._fps, self._size_wh)
        if not video.isOpened():
            self._unfinished.unlink(missing_ok=True)
            raise SinkError(f"The video {self._path} did not open with codec {codec}. Try a name that ends in .avi.")
        return video


class ContactSheet(_Closing):
    """Writes one PNG with annotated frames evenly spread over the run, however long it was."""

    def __init__(self, path: Path, overlay: Overlay, cells: int = 12) -> None:
        if cells < 1:
            raise SinkError(f"A contact sheet of {cells} pictures is empty. Ask for 1 or more.")
        self._path = path
        self._overlay = overlay
        self._cells = cells
        self._stride = 1
        self._seen = 0
        self._kept: list[np.ndarray] = []

    def __enter__(self) -> Self:
        """Raises SinkError where the folder cannot be made."""
        with _telling(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, observation: Observation) -> None:
        """Keeps every stride-th frame; whenever twice the cells are full, every second is dropped."""
        if self._seen % self._stride == 0:
            if len(self._kept) == 2 * self._cells:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._kept.append(self._cell(observation))
        self._seen += 1

    def close(self) -> None:
        """Raises SinkError where the file cannot be written; a run without frames leaves none."""
        if not self._kept:
            return
        count = min(self._cells, len(self._kept))
        chosen = [self._kept[round(i)] for i in np.linspace(0, len(self._kept) - 1, count)]
        self._kept = []
        height, width = chosen[0].shape[:2]
        columns = min(COLUMNS, count)
        sheet = np.full((-(-count // columns) * height, columns * width, 3), INK, np.uint8)
        for index, cell in enumerate(chosen):
            top, left = index // columns * height, index % columns * width
            sheet[top : top + height, left : left + width] = letterboxed(cell, (width, height))
        write_png(self._path, sheet)

    def _cell(self, observation: Observation) -> np.ndarray:
        """The annotated frame, small, over a line that says which one it is."""
        picture = self._overlay.draw(observation)
        height, width = picture.shape[:2]
        cell_height = min(max(1, round(height * CELL_WIDTH / width)), 2 * CELL_WIDTH)  # a strip would fill the memory
        picture = letterboxed(picture, (CELL_WIDTH, cell_height))
        caption = np.full((32, CELL_WIDTH, 3), INK, np.uint8)
        frame = observation.frame
        draw_text(caption, f"{frame.name}   frame {frame.index}   {frame.time_s:.1f} s", 10, 15, 16, MUTED)
        return np.vstack([picture, caption])


class CsvLog(_Closing):
    """Writes a row for each region, and one without region for a frame that has none; pandas.read_csv takes it."""

    COLUMNS = ("frame", "time_s", "name", "region", "label", "confidence", "x1", "y1", "x2", "y2", "text", "turn")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Raises SinkError where the file cannot be written."""
        with _telling(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A file name that is no valid text is written with escapes rather than refused.
            self._file = open(self._path, "w", newline="", encoding="utf-8", errors="backslashreplace")
            csv.writer(self._file).writerow(self.COLUMNS)
            self._file.flush()
        return self

    def write(self, observation: Observation) -> None:
        """Raises SinkError when the disk is full."""
        frame = observation.frame
        first, text = [frame.index, f"{frame.time_s:.3f}", frame.name], observation.text
        rows = [
            [
                *first,
                number,
                prediction.label,
                f"{prediction.confidence:.4f}",
                *region.box.xyxy,
                text,
                prediction.turn and prediction.turn.said,
            ]
            for number, (region, prediction) in enumerate(
                zip(observation.regions, observation.predictions, strict=True)
            )
        ]
        assert self._file is not None, "written to outside of its with"
        with _telling(self._path):
            csv.writer(self._file).writerows(rows or [[*first, *[None] * 7, text, None]])
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            with _telling(self._path):
                self._file.close()
            self._file = None


def letterboxed(picture: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """The (H, W, 3) picture as large as fits into that size, in the middle of dark margins."""
    width, height = size_wh
    if picture.shape[:2] == (height, width):
        return picture
    shrink = min(width / picture.shape[1], height / picture.shape[0])
    inner_wh = (max(1, round(picture.shape[1] * shrink)), max(1, round(picture.shape[0] * shrink)))
    small = cv2.resize(picture, inner_wh, interpolation=cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR)
    canvas = np.full((height, width, 3), INK, np.uint8)
    left, top = (width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2
    canvas[top : top + inner_wh[1], left : left + inner_wh[0]] = small
    return canvas


def write_png(path: Path, picture: np.ndarray) -> None:
    """Writes the picture under its name only when it is whole. Raises SinkError where it cannot."""
    _, data = cv2.imencode(".png", picture)
    with _telling(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(_unfinished(path), data.tobytes(), sync=False)
        files.replace(_unfinished(path), path)


def _unfinished(path: Path) -> Path:
    """The name beside the file under which it is written; the suffix stays, since it chooses the format."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turns the system's refusal into one line with a remedy."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise SinkError(f"Cannot write {path}: {reason}. Choose another folder or free some space.") from error
