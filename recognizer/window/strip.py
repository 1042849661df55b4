"""The strip beside the picture: what is drawn there, line by line, and what a click in it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recognizer.overlay.drawing import (
    BOLD,
    INK,
    MUTED,
    PAPER,
    REGULAR,
    Color,
    Scale,
    draw_text,
    shortened,
    text_width,
    wrapped,
)
from recognizer.values import Box

Key = tuple[str, str]  # as the user reads it: the key, and what it does


class Strip(Protocol):
    """Something that stands beside the picture while it is open."""

    @property
    def is_open(self) -> bool: ...

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that work while it is open."""
        ...

    def draw(self, page: "Page") -> None: ...


@dataclass
class Page:
    """A column of text and pictures, from top to bottom. `picture` is the (h, w, 3) uint8 BGR strip, drawn in place."""

    picture: np.ndarray
    scale: Scale
    y: int  # the next free row
    bottom: int  # rows from here on belong to the keys
    clicks: list[tuple[Box, Callable[[], object]]]

    @property
    def width(self) -> int:
        """Pixels between the margins."""
        return self.picture.shape[1] - 2 * self.scale.pad

    @property
    def left(self) -> int:
        return self.scale.pad

    def has_room(self, height: int) -> bool:
        return self.y + height <= self.bottom

    def text(self, words: str, size: int, color: Color = PAPER, weight: int = REGULAR) -> None:
        """Draws words in as many lines as they need, while there is room."""
        for line in wrapped(words, self.width, size, weight):
            row = round(1.4 * size)
            if not self.has_room(row):
                return
            draw_text(self.picture, line, self.left, self.y + row // 2, size, color, weight)
            self.y += row

    def gap(self) -> None:
        self.y += self.scale.pad

    def on_click(self, place: Box, action: Callable[[], object]) -> None:
        self.clicks.append((place, action))


def draw_strip(
    picture: np.ndarray, strip: Strip, scale: Scale, more_keys: Sequence[Key] = ()
) -> list[tuple[Box, Callable[[], object]]]:
    """Draws an open strip with its keys below, in place. Returns the places that can be clicked, with what they do."""
    picture[:] = INK
    lines = key_lines([*strip.keys, *more_keys], picture.shape[1] - 2 * scale.pad, scale)
    row = round(1.5 * scale.small)
    bottom = picture.shape[0] - scale.pad - row * len(lines)
    page = Page(picture, scale, scale.pad, bottom - scale.pad, [])
    strip.draw(page)
    for number, line in enumerate(lines):
        x, y = scale.pad, bottom + row * number + row // 2
        for key, action in line:
            draw_text(picture, key, x, y, scale.small, PAPER, BOLD)
            x += text_width(key + " ", scale.small, BOLD)
            draw_text(picture, action, x, y, scale.small, MUTED)
            x += text_width(action, scale.small) + 2 * scale.pad
    return page.clicks


def key_lines(keys: Sequence[Key], limit: int, scale: Scale) -> list[list[Key]]:
    """The keys in lines of at most `limit` pixels. A key whose action is longer alone is shortened."""
    lines: list[list[Key]] = []
    used = 0
    for key, action in keys:
        head = text_width(key + " ", scale.small, BOLD)
        action = shortened(action, limit - head, scale.small)
        width = head + text_width(action, scale.small)
        if lines and used + 2 * scale.pad + width <= limit:
            lines[-1].append((key, action))
            used += 2 * scale.pad + width
        else:
            lines.append([(key, action)])
            used = width
    return lines
