"""The window without a display: its layout, keys, questions and clicks."""

import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from recognizer.loop import _is_mirrored
from recognizer.overlay.drawing import Scale, text_width, wrapped
from recognizer.overlay.overlay import Overlay
from recognizer.settings import Settings
from recognizer.subjects.box import BOX
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.subjects.subject import Subject
from recognizer.values import Box, Frame, Observation
from recognizer.window.answering import while_answering
from recognizer.window.caption import Caption
from recognizer.window.layout import layout_of
from recognizer.window.strip import Page, key_lines
from recognizer.window.window import KEYS, Window
from tests.helpers.words import words_drawn

SIZES = [(320, 240), (640, 360), (480, 800), (1280, 720), (3840, 2160)]
ESC = chr(27)


class Gui:
    """Replaces the window functions of cv2."""

    def __init__(self, size_wh: tuple[int, int] = (640, 480)) -> None:
        self.size_wh = size_wh
        self.keys: list[str] = []
        self.picture = np.zeros((1, 1, 3), np.uint8)

    def namedWindow(self, title: str, flags: int) -> None: ...

    def resizeWindow(self, title: str, width: int, height: int) -> None: ...

    def destroyWindow(self, title: str) -> None: ...

    def setMouseCallback(self, title: str, callback) -> None:
        self.callback = callback

    def getWindowImageRect(self, title: str) -> tuple[int, int, int, int]:
        return 0, 0, *self.size_wh

    def getWindowProperty(self, title: str, prop: int) -> float:
        return 1.0

    def imshow(self, title: str, picture: np.ndarray) -> None:
        self.picture = picture

    def waitKeyEx(self, wait_ms: int) -> int:
        time.sleep(0.001)
        return ord(self.keys.pop(0)) if self.keys else -1

    def click(self, x: int, y: int) -> None:
        self.callback(cv2.EVENT_LBUTTONDOWN, x, y, 0, None)


class Sheet:
    """A strip of one colour. A click in its upper half counts."""

    is_open = True
    keys = (("Enter", "train"), ("Esc", "close"))

    def __init__(self) -> None:
        self.clicks = 0

    def draw(self, page: Page) -> None:
        page.picture[:] = (10, 20, 240)
        height, width = page.picture.shape[:2]
        page.on_click(Box(0, 0, width, height // 2), self.count)

    def count(self) -> None:
        self.clicks += 1


def observation(task: str = "digits", shade: int = 90) -> Observation:
    return Observation(Frame(np.full((480, 640, 3), shade, np.uint8), 0, 0.0, "drawn"), task)


def opened(gui: Gui, **more) -> tuple[Window, list[str]]:
    stopped: list[str] = []
    overlay = Overlay(clock=lambda: 0.0)  # no frame rate
    window = Window(overlay, lambda: stopped.append("stop"), gui=gui, screen=lambda: True, **more)
    window.write(observation())
    return window, stopped


def press(window: Window, gui: Gui, *keys: str) -> None:
    for key in keys:
        gui.keys.append(key)
        window.write(observation())
    window.write(observation())


@pytest.mark.parametrize("size_wh", SIZES)
@pytest.mark.parametrize("frame_wh", [(640, 480), (1280, 720), (480, 848)])
def test_the_strip_never_covers_the_picture(size_wh: tuple[int, int], frame_wh: tuple[int, int]) -> None:
    width, height = size_wh
    for has_strip in (False, True):
        layout = layout_of(size_wh, frame_wh, has_strip)
        places = [place for place in (layout.picture, layout.strip) if place is not None]
        assert all(0 <= p.x1 < p.x2 <= width and 0 <= p.y1 < p.y2 <= height for p in places)
        shape = layout.picture.width / layout.picture.height
        assert shape == pytest.approx(frame_wh[0] / frame_wh[1], rel=0.02)
        if layout.strip is not None:
            assert layout.picture.overlap(layout.strip) == 0
            assert layout.strip.area <= 0.72 * width * height


@pytest.mark.parametrize("size_wh", SIZES)
def test_the_window_is_drawn_at_its_own_size(size_wh: tuple[int, int]) -> None:
    gui = Gui(size_wh)
    window, _ = opened(gui, strips=[Sheet()])
    window.write(observation())
    assert gui.picture.shape == (size_wh[1], size_wh[0], 3)
    assert (gui.picture == (10, 20, 240)).all(axis=2).mean() > 0.2
    place = layout_of(size_wh, (640, 480), has_strip=True).picture
    assert (gui.picture[place.y1 : place.y2, place.x1 : place.x2] == 90).all(), "the whole picture is free"


def test_a_click_reaches_what_was_drawn_there() -> None:
    gui, sheet = Gui((800, 400)), Sheet()
    window, _ = opened(gui, strips=[sheet])
    window.write(observation())
    strip = layout_of((800, 400), (640, 480), has_strip=True).strip
    assert strip is not None
    for x, y, clicks in ((strip.x1 + 5, 100, 1), (strip.x1 + 5, 300, 1), (strip.x1 - 5, 100, 1), (799, 0, 2)):
        gui.click(x, y)
        window.write(observation())
        assert sheet.clicks == clicks


@pytest.mark.parametrize("width", [320, 640, 1280, 3840])
def test_the_line_of_keys_fits_and_always_says_how_to_see_all(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gui = Gui((width, round(0.75 * width)))
    keys = (("c", "record"), ("n", "new task"), ("Esc", "cancel training"), ("Tab", "next task"), ("g", "play"))
    window, _ = opened(gui, key_line=lambda: keys)
    words = words_drawn(monkeypatch, lambda: window.write(observation()))
    assert words[-2:] == ["?", "all keys"]
    scale = Scale.of(width, round(0.75 * width))
    assert sum(text_width(word, scale.small) for word in words) < width
    assert scale.small >= 10
    if width >= 640:
        assert {"c", "n", "Esc", "Tab", "g"} <= set(words)


@pytest.mark.parametrize("size_wh", [(640, 360), (1280, 720)])
def test_a_long_message_is_shown_whole(size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    message = "Not yet: all samples show thumbs up: record another label to tell it from"
    window, _ = opened(Gui(size_wh), strips=[Sheet()])
    window.notify(message)
    assert message in " ".join(words_drawn(monkeypatch, lambda: window.write(observation())))


def test_the_question_mark_shows_all_keys_beside_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    gui = Gui((640, 360))
    window, _ = opened(gui)
    press(window, gui, "?")
    words = words_drawn(monkeypatch, lambda: window.write(observation()))
    assert {"a", "c", "k", "n", "t", "u", "g", "f", "p", "x", "m", "s", "Tab", "Space", "Esc", "q"} <= set(words)
    press(window, gui, ESC)
    assert "k" not in words_drawn(monkeypatch, lambda: window.write(observation()))


def test_escape_closes_what_is_open_and_never_quits(monkeypatch: pytest.MonkeyPatch) -> None:
    gui = Gui()
    window, stopped = opened(gui)
    for key in ("?", " "):
        gui.keys = [key, ESC, ESC, ESC]
        for _ in range(4):
            window.write(observation())
        assert words_drawn(monkeypatch, lambda: window.write(observation()))[-1] == "all keys"
    assert stopped == []
    assert not window.closed


def test_q_asks_while_something_is_unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    gui, unsaved = Gui(), "The training would be lost."
    window, stopped = opened(gui, unsaved=lambda: unsaved)
    press(window, gui, "q")
    assert "The training would be lost. Quit?" in " ".join(
        words_drawn(monkeypatch, lambda: window.write(observation()))
    )
    for key in ("m", ESC):
        press(window, gui, key)
        assert "Quit?" not in " ".join(words_drawn(monkeypatch, lambda: window.write(observation())))
        press(window, gui, "q")
    assert stopped == []
    press(window, gui, "y")
    assert stopped == ["stop"]
    window, stopped = opened(gui)
    press(window, gui, "q")
    assert stopped == ["stop"]


def test_no_key_is_lost_however_slow_the_frames_are() -> None:
    """A key is only reported if it is asked for before the next one is pressed, as with OpenCV."""
    typed = "fist, palm, nothing"
    pressed: list[str] = []
    gui = Gui()
    done = threading.Event()

    class LastKey(Gui):
        key = ""

        def waitKeyEx(self, wait_ms: int) -> int:
            time.sleep(0.0005)
            key, self.key = self.key, ""
            return ord(key) if key else -1

    gui = LastKey()

    def frames() -> Iterator[Observation]:
        yield observation()
        for letter in typed:
            gui.key = letter
            while gui.key:  # until it has been asked for: there is no other frame meanwhile
                if done.wait(0.0005):
                    return
        yield observation()

    window = Window(Overlay(), lambda: None, gui=gui, screen=lambda: True, keys=lambda key: pressed.append(key) is None)
    watchdog = threading.Timer(60, done.set)
    watchdog.start()
    for seen in while_answering(frames(), window.collect, lambda: None):
        window.write(seen)
    watchdog.cancel()
    assert "".join(pressed) == typed


def test_an_error_of_a_frame_is_raised_and_one_of_a_key_stops_the_source() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise RuntimeError("no camera")

    seen = []
    with pytest.raises(RuntimeError, match="no camera"):
        for number in while_answering(failing(), lambda: time.sleep(0.001), lambda: None):
            seen.append(number)  # noqa: PERF402
    assert seen == [1]

    stop = threading.Event()

    def waiting() -> Iterator[int]:
        stop.wait(60)
        yield 1

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(while_answering(waiting(), interrupt, stop.set))
    assert stop.is_set()


@pytest.mark.parametrize(("subject", "mirrored"), [(PAPER, False), (HAND, True), (BOX, True)])
def test_writing_is_not_mirrored_and_hands_are(subject: Subject, mirrored: bool) -> None:
    assert _is_mirrored(Settings(), subject, sees_user=True) == mirrored
    assert not _is_mirrored(Settings(), subject, sees_user=False)
    for wish in (False, True):
        assert _is_mirrored(Settings(mirror=wish), subject, sees_user=True) == wish


def test_the_caption_names_the_task_and_keeps_the_mirror_until_the_next_task() -> None:
    class Running:
        subject: Subject = HAND
        folder = None

    running, overlay = Running(), Overlay()
    caption = Caption(overlay, running, lambda subject: subject.is_mirrored)
    caption.write(observation("greetings"))
    assert (overlay.title, overlay.prompt, overlay.mirror) == ("Greetings", "nothing learned yet: c records", True)
    overlay.mirror = False  # the user pressed m
    caption.write(observation("greetings"))
    assert not overlay.mirror
    running.subject, running.folder = PAPER, "a folder"  # type: ignore[assignment]
    overlay.mirror = True
    caption.write(observation("digits"))
    assert (overlay.title, overlay.prompt, overlay.mirror) == ("Digits", "hold up a sheet", False)
    assert len({subject.prompt for subject in SUBJECTS.values()}) == len(SUBJECTS)


def test_words_and_keys_are_wrapped_to_the_width_of_the_strip() -> None:
    scale = Scale.of(640, 360)
    words = "Look at them (k) · record again (c) averyveryverylongwordthatfitsinnoline"
    lines = wrapped(words, 150, scale.small)
    assert len(lines) > 2
    assert all(text_width(line, scale.small) <= 150 for line in lines)
    assert " ".join(lines).startswith("Look at them (k) · record again (c)")
    keys = [*KEYS, ("Backspace", "take back")]
    rows = key_lines(keys, 150, scale)
    assert [key for row in rows for key in row] == keys
    assert len(rows) > 1
