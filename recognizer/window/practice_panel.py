"""Practice in the window: beside the picture the sign that is asked for, drawn as a hand, and what to change."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from recognizer.overlay.drawing import (
    ALERT,
    BOLD,
    FAINT,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    draw_text,
    text_width,
)
from recognizer.overlay.overlay import BONES
from recognizer.sinks.sink import _ClosingSink
from recognizer.spelling.practice import Practice, mean_times
from recognizer.spelling.shapes import HandShape
from recognizer.studio.drawn_hands import draw_shape
from recognizer.system.keyboard import ESC, latin_key
from recognizer.values import Observation
from recognizer.window.strip import Key, Page

SKIN, SLEEVE = (176, 200, 236), (108, 86, 66)  # BGR
NO_SIGNS = "Practice needs hand signs: go to the task letters, or record and train signs of your own"
DETAIL = 2  # the hand is drawn so much larger, so that it is smooth


class PracticePanel(_ClosingSink):
    """A sink that compares the hand with the asked sign, a strip beside the picture, and a handler of keys."""

    def __init__(
        self,
        start: Callable[[], Practice | None],
        *,
        is_mirrored: Callable[[], bool] = lambda: False,
        notify: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`start` begins a practice of the current task; it returns None if its signs are not known.

        `is_mirrored` says whether the picture is shown as in a mirror; the drawn hand is then, too.
        """
        self.practice: Practice | None = None
        self.notify = notify
        self._start = start
        self._is_mirrored = is_mirrored
        self._side = "right"
        self._task = ""

    @property
    def is_open(self) -> bool:
        return self.practice is not None

    @property
    def keys(self) -> tuple[Key, ...]:
        words = (("w", "words" if self.practice and not self.practice.asks_words else "single signs"),)
        return (
            ("Space", "skip"),
            *(words if self.practice and self.practice.has_words else ()),
            ("Esc", "end practice"),
        )

    def open(self) -> None:
        """Start practice, or say why it cannot be started."""
        self.practice = self._start()
        self._task = ""
        if self.practice is None:
            self.notify(NO_SIGNS)

    def write(self, observation: Observation) -> None:
        if self.practice is None:
            return
        if self._task and observation.task != self._task:
            self.open()
        self._task = observation.task
        hands = [region for region in observation.regions if region.hand is not None]
        largest = max(hands, key=lambda region: region.box.area, default=None)
        if largest is not None and largest.hand is not None:
            self._side = largest.hand.side
        if self.practice is not None:
            self.practice.step(observation)

    def close(self) -> None:
        """Nothing is open."""

    def key(self, key: str) -> bool:
        """Handle a key while it is open. Return whether it was meant for practice."""
        if self.practice is None:
            return False
        pressed = latin_key(key.lower())
        if pressed == " ":
            self.practice.skip()
        elif pressed == "w" and self.practice.has_words:
            self.practice.toggle_words()
        elif pressed == ESC:
            self.practice = None
        else:
            return False
        return True

    def draw(self, page: Page) -> None:
        """Draw the asked sign, the hand that makes it, what to change, and the score."""
        practice = self.practice
        if practice is None:
            return
        scale = page.scale
        page.text("Practice", scale.small, MUTED)
        draw_asked(page, practice)
        score = score_lines(practice)
        below = round(1.4 * scale.text) * 2 + round(1.4 * scale.small) * len(score) + 3 * scale.pad
        side = min(page.width, page.bottom - page.y - below)
        if side >= 4 * scale.text:
            finger = practice.correction.finger
            hand = hand_tile(practice.drawing, self._side, side, self._is_mirrored(), finger, practice.is_cheering)
            x = page.left + (page.width - side) // 2
            page.picture[page.y : page.y + side, x : x + side] = hand
            draw_progress(page, practice, side)
            page.y += side + scale.pad
        words, color = advice(practice)
        top = page.y
        page.text(words, scale.text, color, BOLD)
        page.y = max(page.y, top + round(1.4 * scale.text) * 2) + scale.pad
        for line in score:
            page.text(line, scale.small, MUTED)


def advice(practice: Practice) -> tuple[str, tuple[int, int, int]]:
    """What to do now, and its colour."""
    if practice.is_cheering:
        last = practice.successes[-1]
        return f"Yes! {last.label} in {last.time_s:.1f} s", KNOWN
    if not practice.has_hand:
        return f"show {practice.label}", PAPER
    if practice.progress:
        return "hold it", KNOWN
    if practice.correction.words:
        return practice.correction.words, ALERT
    return "nearly: compare the angle", PAPER


def score_lines(practice: Practice) -> list[str]:
    """How many signs were made, how fast, and which ones are slow."""
    if not practice.successes:
        return ["the drawn hand shows how", "your time is counted"]
    times = mean_times(practice.successes)
    fastest = min(times, key=lambda label: times[label])
    slowest = max(times, key=lambda label: times[label])
    mean_s = sum(success.time_s for success in practice.successes) / len(practice.successes)
    first = f"{len(practice.successes)} made · {mean_s:.1f} s each"
    return [first, f"fast: {fastest} · slow: {slowest}" if fastest != slowest else ""]


def draw_asked(page: Page, practice: Practice) -> None:
    """Draw the sign that is asked for, large; of a word, what is done, what is asked for, and what is still to come."""
    size = page.scale.big
    parts: tuple[tuple[str, tuple[int, int, int]], ...] = ((practice.label, PAPER),)
    if practice.word:
        place = practice.place
        parts = ((practice.word[:place], KNOWN), (practice.word[place], PAPER), (practice.word[place + 1 :], FAINT))
    while size > page.scale.text and text_width("".join(words for words, _ in parts), size, BOLD) > page.width:
        size -= max(1, size // 10)
    row = round(1.3 * size)
    if not page.has_room(row):
        return
    x = page.left
    for words, color in parts:
        if words:
            draw_text(page.picture, words, x, page.y + row // 2, size, color, BOLD)
            x += text_width(words, size, BOLD)
    page.y += row


def draw_progress(page: Page, practice: Practice, side: int) -> None:
    """Draw how long the sign was held, as a bar below the hand."""
    left, y = page.left + (page.width - side) // 2, page.y + side
    high = max(3, page.scale.pad // 2)
    cv2.rectangle(page.picture, (left, y - high), (left + side, y - 1), FAINT, cv2.FILLED)
    share = 1.0 if practice.is_cheering else practice.progress
    if share:
        cv2.rectangle(page.picture, (left, y - high), (left + round(share * side), y - 1), KNOWN, cv2.FILLED)


@dataclass(frozen=True, eq=False)
class _Tile:
    """A drawn hand on a dark square, and its joints there."""

    image_bgr: np.ndarray  # (side, side, 3) uint8
    joints: np.ndarray  # (21, 2) float32


def hand_tile(
    shape: HandShape, hand_side: str, side: int, is_mirrored: bool, finger: int | None, is_right: bool
) -> np.ndarray:
    """The hand on a dark square, (side, side, 3) uint8 BGR. The bones of `finger`, counted from the thumb, are bright.

    The joints are drawn over it, since a thumb below the fingers would not be seen.
    """
    tile = _drawn(shape, hand_side, side, is_mirrored)
    picture = tile.image_bgr.copy()
    points = tile.joints.round().astype(np.int32)
    width = max(1, side // 130)
    faint = picture.copy()
    cv2.polylines(faint, [points[[start, end]] for start, end in BONES], False, PAPER, width, cv2.LINE_AA)
    picture = cv2.addWeighted(faint, 0.55, picture, 0.45, 0)
    if finger is not None or is_right:
        fingers = range(5) if finger is None else (finger,)
        for number in fingers:
            chain = points[1 + 4 * number : 5 + 4 * number]
            cv2.polylines(picture, [chain], False, KNOWN if is_right else ALERT, 3 * width, cv2.LINE_AA)
            for point in chain.tolist():
                cv2.circle(picture, point, 3 * width, KNOWN if is_right else ALERT, cv2.FILLED, cv2.LINE_AA)
    return picture


@lru_cache(maxsize=8)
def _drawn(shape: HandShape, hand_side: str, side: int, is_mirrored: bool) -> _Tile:
    hand = draw_shape(
        shape.bones, shape.turn, side=hand_side, skin_bgr=SKIN, sleeve_bgr=SLEEVE, px_per_mm=DETAIL * side / 260
    )
    image, joints = hand.image_bgra.astype(np.float32), hand.joints[:, :2].copy()
    if is_mirrored:
        image, joints[:, 0] = image[:, ::-1], image.shape[1] - 1 - joints[:, 0]
    low, high = joints.min(axis=0), joints.max(axis=0)
    room = 1.3 * float((high - low).max())  # the fingertips' skin lies around the joints
    zoom = side / room
    shift = side / 2 - zoom * (low + high) / 2
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    placed = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
    alpha = placed[..., 3:] / 255
    canvas = placed[..., :3] + (1 - alpha) * np.array(INK, np.float32)
    return _Tile(np.clip(canvas, 0, 255).astype(np.uint8), joints * zoom + shift)
