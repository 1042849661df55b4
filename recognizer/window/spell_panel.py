"""Spelling in the window: the line and its suggestions on the lower part of the picture, and the keys that change it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from recognizer.overlay.drawing import (
    BOLD,
    FAINT,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    Scale,
    draw_panel,
    draw_text,
    fits_frame,
    shortened,
    text_width,
)
from recognizer.sinks.sink import _ClosingSink
from recognizer.spelling.dictionary import SUGGESTIONS
from recognizer.spelling.speller import Line, Speller
from recognizer.spelling.words import Words
from recognizer.system.keyboard import BACKSPACE, ENTER, ESC, latin_key
from recognizer.system.typist import Typewriter
from recognizer.values import Box, Observation
from recognizer.window.strip import Key

KEYS: tuple[Key, ...] = (
    ("Esc", "end spelling"),
    ("1-3", "take a word"),
    ("Space", "take the first"),
    ("Backspace", "delete"),
    ("Enter", "speak"),
    ("c", "copy"),
    ("e", "send"),
    ("p", "practice"),
)
EMPTY = "hold a sign: it becomes a letter"
NOTHING_YET = "Nothing is spelled yet."
CURSOR = "|"


@dataclass(frozen=True)
class Outlets:
    """Where the line goes. `speak` and `copy` return at once."""

    speak: Callable[[str], None]
    copy: Callable[[str], bool]
    send: Callable[[str], None] = lambda text: None  # as an event
    practise: Callable[[], None] = lambda: None  # starts practice
    typewriter: Typewriter | None = None  # into the window in front


class SpellPanel(_ClosingSink):
    """A sink that reads signs as letters while it is on, an extra of the overlay, and a handler of keys."""

    def __init__(
        self,
        outlets: Outlets,
        language: str = "en",
        *,
        notify: Callable[[str], None] = lambda line: None,
        labels: Callable[[], Sequence[str]] = tuple,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`labels` returns what the task can show. While `is_busy`, as while samples are recorded, no letter is taken."""
        self.is_on = False
        self.notify = notify
        self._outlets = outlets
        self._labels = labels
        self._is_busy = is_busy
        self._words = Words(language, lambda line: self.notify(line))
        self._speller = Speller(lambda: self._words.dictionary)
        self._task = ""

    @property
    def line(self) -> Line:
        return self._speller.line

    @property
    def key_line(self) -> tuple[Key, ...]:
        """The keys that work while it is on; () while it is off."""
        if not self.is_on or self._is_busy():
            return ()
        return KEYS

    def toggle(self) -> None:
        """Start or end spelling. The line stays until the program ends."""
        self.is_on = not self.is_on
        if self.is_on:
            self._words.load(self._labels())

    def write(self, observation: Observation) -> None:
        if not self.is_on or self._is_busy():
            return
        if observation.task != self._task:
            self._task = observation.task
            self._words.load(self._labels())
        if self._speller.step(observation) is not None:
            self._type_into_other_window()

    def close(self) -> None:
        """Nothing is open."""

    def key(self, key: str) -> bool:
        """Handle a key while it is on. Return whether it was meant for spelling."""
        typewriter = self._outlets.typewriter
        if typewriter is not None and typewriter.is_echo(key):
            return True
        if not self.is_on or self._is_busy():
            return False
        speller, pressed = self._speller, latin_key(key.lower())
        actions: dict[str, Callable[[], object]] = {
            " ": speller.space,
            BACKSPACE: speller.delete,
            "delete": speller.clear,
            ENTER: self._speak,
            ESC: self.toggle,
            "c": self._copy,
            "e": self._send,
            "p": self._outlets.practise,
            **{str(number + 1): partial(speller.take, number) for number in range(SUGGESTIONS)},
        }
        if pressed not in actions:
            return False
        actions[pressed]()
        self._type_into_other_window()
        return True

    def _speak(self) -> None:
        if text := self._text():
            self._outlets.speak(text)

    def _copy(self) -> None:
        if text := self._text():
            copied = self._outlets.copy(text)
            self.notify(f"copied: {text}" if copied else "No program can copy. Install one: apt install xclip")

    def _send(self) -> None:
        if text := self._text():
            self._outlets.send(text)
            self.notify(f"sent: {text}")

    def _text(self) -> str:
        text = self.line.text
        if not text:
            self.notify(NOTHING_YET)
        return text

    def _type_into_other_window(self) -> None:
        if self._outlets.typewriter is not None:
            self._outlets.typewriter.update(self.line.finished)

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        """Draw the line into the (H, W, 3) uint8 BGR picture, in place; return the place of its panel."""
        if not self.is_on or self._is_busy():
            return []
        place = draw_line(picture, self.line, scale, panels)
        return [] if place is None else [place]


def draw_line(picture: np.ndarray, line: Line, scale: Scale, panels: Sequence[Box | None]) -> Box | None:
    """Draw the line with its suggestions below, at the bottom and above the panels there."""
    bottom = min((one.y1 for one in panels if one and one.y1 > scale.height // 2), default=scale.height) - scale.pad
    size = round(1.6 * scale.text)
    first, second = round(1.5 * size), round(1.5 * scale.text)
    place = Box(scale.pad, bottom - first - second - scale.pad, scale.width - scale.pad, bottom)
    if not fits_frame(place, scale) or place.height <= 0:
        return None
    draw_panel(picture, place, scale, INK, 0.85)
    left, right = place.x1 + 2 * scale.pad, place.x2 - 2 * scale.pad
    y = place.y1 + scale.pad // 2 + first // 2
    right = _draw_held(picture, line, right, y, size, scale)
    _draw_text(picture, line, left, right - scale.pad, y, size)
    _draw_suggestions(
        picture, line, left, place.x2 - 2 * scale.pad, place.y1 + scale.pad // 2 + first + second // 2, scale
    )
    return place


def _draw_held(picture: np.ndarray, line: Line, right: int, y: int, size: int, scale: Scale) -> int:
    """Draw the sign that is being held, in a ring that closes. Return the column where it begins."""
    radius = round(0.62 * size)
    center = (right - radius, y)
    width = max(2, radius // 4)
    cv2.circle(picture, center, radius, FAINT, width, cv2.LINE_AA)
    if line.held:
        cv2.ellipse(picture, center, (radius, radius), -90, 0, round(360 * line.progress), KNOWN, width, cv2.LINE_AA)
        words = shortened(line.held, 2 * radius - width, scale.text, BOLD)
        draw_text(picture, words, right - radius - text_width(words, scale.text, BOLD) // 2, y, scale.text, PAPER, BOLD)
    return right - 2 * radius - width


def _draw_text(picture: np.ndarray, line: Line, left: int, right: int, y: int, size: int) -> None:
    """Draw the end of the line that fits: finished words, then the word that is spelled and a cursor."""
    if not line.finished and not line.word:
        draw_text(picture, shortened(EMPTY, right - left, size), left, y, size, MUTED)
        return
    word = line.word + CURSOR
    finished = line.finished.rstrip()
    gap = text_width("n", size) // 2 if finished else 0
    while finished and left + text_width(finished, size) + gap + text_width(word, size, BOLD) > right:
        finished = "…" + finished.lstrip("…")[1:].lstrip() if len(finished) > 2 else ""
    draw_text(picture, finished, left, y, size, PAPER)
    x = left + (text_width(finished, size) + gap if finished else 0)
    draw_text(picture, shortened(word, right - x, size, BOLD), x, y, size, KNOWN, BOLD)


def _draw_suggestions(picture: np.ndarray, line: Line, left: int, right: int, y: int, scale: Scale) -> None:
    """Draw the suggestions with their keys; the first is the one that a space takes."""
    x = left
    for number, word in enumerate(line.suggestions):
        key, size = f"{number + 1} ", scale.text
        width = text_width(key, size) + text_width(word, size, BOLD)
        if x + width > right:
            return
        draw_text(picture, key, x, y, size, MUTED)
        color = KNOWN if number == 0 else PAPER
        draw_text(picture, word, x + text_width(key, size), y, size, color, BOLD)
        if number == 0:
            under = y + round(0.62 * size)
            start = x + text_width(key, size)
            cv2.line(picture, (start, under), (x + width, under), KNOWN, max(1, scale.line))
        x += width + 4 * scale.pad
