"""Synthetic sheets with handwriting and ground truth: random colours, pens, ruling, frames and print."""

import itertools
import string
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from recognizer.studio.handwriting import digit_strokes, letter_strokes
from training.datasets import paper_scenes

LEGIBLE_CONTRAST = 18.0  # grey levels between ink and background; lower is illegible
GRAY_OF_BGR = (0.114, 0.587, 0.299)
PRINT_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif",
    "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10",
)  # fmt: skip
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Digits:
    """MNIST digits to draw with, in addition to generated pen strokes."""

    images: np.ndarray  # (N, 28, 28) uint8; (0, 28, 28) to use pen strokes only
    labels: np.ndarray  # (N,)


@dataclass(frozen=True, eq=False)
class WrittenCharacter:
    """A character on a sheet, in pixels of the sheet."""

    ink: np.ndarray  # (h, w) uint8, 255 where there is ink
    left_top: tuple[int, int]
    outline: np.ndarray  # (N, 2) float64, x and y of the ink's convex hull
    label: str | None  # a digit, or None for another character
    light: bool  # the ink is lighter than the paper
    line: int  # number of the text line
    faint: bool  # illegible
    character: str  # a digit, a letter, or the name of a mark


@dataclass
class Sheet:
    """A sheet that is being drawn, in its own pixels."""

    image_bgr: np.ndarray  # (h, w, 3) float32
    characters: list[WrittenCharacter] = field(default_factory=list)


def choose(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """A random name; its probability is proportional to its share."""
    names = list(shares)
    return names[rng.choice(len(names), p=np.array(list(shares.values())) / sum(shares.values()))]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def tint(rng: np.random.Generator, most: float) -> np.ndarray:
    """Random factors (3,), one a colour channel, from 1 - most to 1 + most."""
    return 1 + rng.uniform(-most, most, 3)


def colour_bgr(rng: np.random.Generator, low: float = 15, high: float = 235) -> list[float]:
    return [float(value) for value in np.clip(rng.uniform(low, high) + rng.normal(0, 30, 3), 0, 255)]


def word(rng: np.random.Generator) -> str:
    """A word of 2 to 8 random letters, capitalised."""
    return "".join(chr(rng.integers(97, 123)) for _ in range(rng.integers(2, 9))).capitalize()


@cache
def print_faces() -> list[cv2.FontFace]:
    """Fonts of printed text, from OpenCV and matplotlib: serif and sans serif, upright and italic."""
    import matplotlib  # imported here because it creates a folder in the user's home

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    built_in = [cv2.FontFace(name) for name in ("sans", "italic")]
    return built_in + [cv2.FontFace(str(folder / f"{name}.ttf")) for name in PRINT_FONTS]


def print_words(
    image: np.ndarray, words: str, where: tuple[int, int], size: float, colour: list[float], rng: np.random.Generator
) -> None:
    """Print words into an image (uint8 or float32), `size` pixels high, the baseline starting at `where`."""
    faces = print_faces()
    face, weight = faces[rng.integers(len(faces))], int(rng.integers(300, 800))
    top, bottom = max(0, int(where[1] - 1.5 * size)), min(image.shape[0], int(where[1] + 0.6 * size) + 1)
    if bottom <= top:
        return
    mask = np.zeros((bottom - top, image.shape[1]), np.uint8)
    cv2.putText(mask, words, (where[0], where[1] - top), (255,), face, max(4, round(1.35 * size)), weight)
    alpha = (mask.astype(np.float32) / 255)[..., None]
    view = image[top:bottom]
    view[:] = view * (1 - alpha) + np.array(colour, np.float32) * alpha


def print_lines(part: np.ndarray, rng: np.random.Generator, size: float, colour: list[float]) -> None:
    """Print at least three lines of words, `size` pixels high."""
    size = min(size, part.shape[0] / 4, part.shape[1] / 6)
    if size < 3:
        return
    for y in np.arange(1.5 * size, part.shape[0] - 0.3 * size, 1.8 * size):
        words = " ".join(word(rng) if rng.random() < 0.65 else str(rng.integers(10, 2000)) for _ in range(8))
        print_words(part, words, (int(size), int(y)), size, colour, rng)


PEN_WIDTHS = 0.012, 0.17  # smallest and largest, relative to a character's height
PAPERS = {"white": 0.4, "tinted": 0.15, "grey": 0.1, "ruled": 0.13, "squared": 0.12, "dark": 0.1}


def blank(size_wh: tuple[int, int], rng: np.random.Generator) -> Sheet:
    """An empty sheet of a random kind of paper: one of PAPERS, sometimes with ruling, folds or a border."""
    width, height = size_wh
    kind = choose(rng, PAPERS)
    if kind == "dark":
        colour = np.array(colour_bgr(rng, 15, 80)).clip(8, 110)
    elif kind == "tinted":
        colour = rng.uniform(140, 250) * (1 - rng.uniform(0, 0.45, 3))
    elif kind == "grey":
        colour = rng.uniform(110, 200) * tint(rng, 0.03)
    else:
        colour = rng.uniform(205, 252) * tint(rng, 0.04)
    paper = np.empty((height, width, 3), np.float32)
    paper[:] = colour
    if kind in ("ruled", "squared") or rng.random() < 0.05:
        step = max(4.0, min(width, height) * log_uniform(rng, 0.03, 0.25))
        line = np.array(colour_bgr(rng, 60, 190))
        strength, thick = rng.uniform(0.1, 0.7), max(1, round(step * rng.uniform(0.01, 0.06)))
        mask = np.zeros((height, width), np.float32)
        for y in np.arange(rng.uniform(0, step), height, step):
            cv2.line(mask, (0, round(y)), (width, round(y)), 1.0, thick)
        if kind == "squared":
            for x in np.arange(rng.uniform(0, step), width, step * rng.choice([1.0, 1.0, 0.5])):
                cv2.line(mask, (round(x), 0), (round(x), height), 1.0, thick)
        elif rng.random() < 0.5:
            x = round(width * rng.uniform(0.05, 0.2))
            cv2.line(mask, (x, 0), (x, height), 1.0, thick)
        paper += (mask * strength)[..., None] * (line - paper)
    cells = max(2, height // 40), max(2, width // 40)
    crumple = rng.uniform(0, 0.1) if rng.random() < 0.3 else rng.uniform(0, 0.02)
    paper *= (
        1 + crumple * cv2.resize(rng.normal(0, 1, cells).astype(np.float32), size_wh, interpolation=cv2.INTER_CUBIC)
    )[..., None]
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):  # folds
        at, across = rng.uniform(0, 1), rng.random() < 0.5
        ends = ((0, at * height), (width, at * height)) if across else ((at * width, 0), (at * width, height))
        fold = np.zeros((height, width), np.float32)
        cv2.line(fold, *np.rint(ends).astype(int).tolist(), 1.0, max(1, width // 150))
        paper *= (1 - rng.uniform(-0.1, 0.2) * cv2.GaussianBlur(fold, (0, 0), max(0.6, width / 300)))[..., None]
    if rng.random() < 0.15:  # border of a board, tablet or framed card
        cv2.rectangle(
            paper,
            (0, 0),
            (width - 1, height - 1),
            colour_bgr(rng),
            max(1, int(min(width, height) * rng.uniform(0.01, 0.06))),
        )
    return Sheet(paper)


@dataclass(frozen=True, eq=False)
class _Pen:
    colour_bgr: np.ndarray
    width: float  # relative to a character's height
    opacity: float

    @classmethod
    def drawn(cls, sheet: Sheet, rng: np.random.Generator) -> "_Pen":
        """A random pen whose colour is visible on the sheet."""
        ground = sheet.image_bgr[::8, ::8].reshape(-1, 3).mean(axis=0)
        for _ in range(30):
            if ground.mean() < 100:
                colour = np.array(colour_bgr(rng, 150, 255))
            elif rng.random() < 0.5:
                colour = rng.uniform(8, 70) * tint(rng, 0.1)  # black, or pencil
            else:
                colour = rng.uniform(0.05, 1, 3) ** 2 * 230
            if abs(float((colour - ground) @ GRAY_OF_BGR)) > 45 or np.abs(colour - ground).max() > 110:
                break
        opacity = rng.uniform(0.85, 1.0) if rng.random() < 0.7 else rng.uniform(0.35, 0.85)
        return cls(colour, log_uniform(rng, *PEN_WIDTHS), opacity)


LINES = {"underline": 0.1, "frame": 0.04, "cells": 0.04, "bar": 0.04, "circle": 0.05, "highlight": 0.04}
"""Probability of each kind of lines around the writing; a bar is on its left."""


class Writer:
    """Draws characters, lines and print onto one sheet."""

    def __init__(self, sheet: Sheet, digits: Digits, rng: np.random.Generator):
        self.sheet = sheet
        self.digits = digits
        self.rng = rng
        self.pen = _Pen.drawn(sheet, rng)

    def fill(self, area_xyxy: np.ndarray, layout: str, *, printed: bool) -> None:
        """Fill an area of the sheet, in its pixels, with writing. With `printed`, sometimes add printed text."""
        rng = self.rng
        x1, y1, x2, y2 = area_xyxy
        width, height = x2 - x1, y2 - y1
        if layout in ("number", "single"):
            count = 1 if layout == "single" else int(rng.integers(1, 5))
            size = min(height * rng.uniform(0.35, 0.92), width * rng.uniform(0.6, 1.3) / count)
            x = x1 + rng.uniform(0, 1) * max(0, width - count * size * 0.75)
            y = y1 + rng.uniform(0, 1) * max(0, height - size)
            self.number("".join(str(rng.integers(10)) for _ in range(count)), (x, y), size, x2)
            self._maybe_add_lines(size)
        elif layout == "pens":
            size = min(width, height) * rng.uniform(0.09, 0.2)
            self._rows(area_xyxy, size, digits=1.0, spread=1.9, pens=0.7)
        elif layout == "lines":
            size = max(7.0, height * log_uniform(rng, 0.05, 0.3))
            digits = float(rng.choice([1.0, 0.8, 0.1]))
            self._rows(area_xyxy, size, digits=digits, spread=rng.uniform(0.75, 1.2))
        elif layout == "marks":
            size = max(8.0, min(width, height) * log_uniform(rng, 0.12, 0.7))
            self._rows(area_xyxy, size, digits=0.25, spread=1.3, marks=0.6)
        if printed and rng.random() < (0.5 if layout == "empty" else 0.12):
            self._print(area_xyxy)

    def number(self, text: str, start_xy: tuple[float, float], size: float, x_end: float) -> None:
        """Write digits left to right from a top left corner, as many as fit before `x_end`."""
        rng = self.rng
        x, y = start_xy
        gap = size * (rng.uniform(0.08, 0.4) if rng.random() < 0.9 else rng.uniform(-0.06, 0.05))
        for digit in text:
            own = size * rng.uniform(0.88, 1.0)
            x += gap + self._write(digit, x, y + rng.uniform(0, 1) * (size - own), own, 0)
            if x > x_end - 0.2 * size:
                break

    def _rows(
        self, area_xyxy: np.ndarray, size: float, *, digits: float, spread: float, marks: float = 0.0, pens: float = 0.0
    ) -> None:
        """Write rows of characters. `digits`, `marks` and `pens` are the shares of digits, of marks and of changes of pen.

        `spread` is the distance between characters, relative to their height.
        """
        rng = self.rng
        x1, y1, x2, y2 = area_xyxy
        y, line = y1 + rng.uniform(0, 0.3) * size, 0
        while y + size < y2 and line < 12:
            x = x1 + rng.uniform(0, 1.0) * size
            while x + 0.8 * size < x2:
                if rng.random() < pens:
                    self.pen = _Pen.drawn(self.sheet, rng)
                character = self._drawn_character(digits, marks)
                wide = self._write(
                    character, x, y + rng.uniform(-0.04, 0.12) * size, size * rng.uniform(0.85, 1.05), line
                )
                x += max(wide, 0.35 * size) + size * max(0.1, (spread - 0.65) * rng.uniform(0.6, 1.3))
                if spread < 1.3 and rng.random() < 0.15:
                    x += 0.7 * size
            y += size * rng.uniform(1.2, 1.9)
            line += 1
        self._maybe_add_lines(size)

    def _drawn_character(self, digits: float, marks: float) -> str:
        kind = self.rng.random()
        if kind < marks:
            return MARKS[self.rng.integers(len(MARKS))]
        if kind < marks + digits * (1 - marks):
            return str(self.rng.integers(10))
        return string.ascii_letters[self.rng.integers(len(string.ascii_letters))]

    def _write(self, character: str, x_px: float, y_px: float, size: float, line: int) -> float:
        """Write one character with its top left corner at x, y. Returns its width in pixels."""
        rng, pen, image = self.rng, self.pen, self.sheet.image_bgr
        stamp = self._stamp(character, size, max(1.0, pen.width * size))
        height, width = stamp.shape
        x, y = int(x_px), int(y_px)
        fits = x >= 0 and y >= 0 and x + width <= image.shape[1] and y + height <= image.shape[0]
        if not fits or not stamp.size or stamp.max() < 40:
            return float(width)
        view = image[y : y + height, x : x + width]
        ground = view.mean(axis=(0, 1))
        view += (stamp.astype(np.float32) * (pen.opacity / 255))[..., None] * (pen.colour_bgr - view)
        mask = np.where(stamp > 90, 255, 0).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        struck = rng.random() < 0.015
        if contours:
            outline = cv2.convexHull(np.concatenate(contours))[:, 0] + np.array([x, y], np.float64)
            lighter = float(pen.colour_bgr @ GRAY_OF_BGR) > float(ground @ GRAY_OF_BGR)
            faint = bool(pen.opacity * np.abs(pen.colour_bgr - ground).max() < 1.6 * LEGIBLE_CONTRAST)
            label = character if character.isdigit() and not struck else None
            self.sheet.characters.append(
                WrittenCharacter(stamp, (x, y), outline, label, lighter, line, faint, character)
            )
        if struck:
            self._stroke((x - 0.1 * size, y + 0.6 * size), (x + width + 0.1 * size, y + 0.4 * size), size)
        return float(width)

    def _stamp(self, character: str, size: float, pen_px: float) -> np.ndarray:
        rng = self.rng
        if character.isdigit() and len(self.digits.images) and rng.random() < 0.5:
            rows = np.flatnonzero(self.digits.labels == int(character))
            return paper_scenes.mnist_stamp(self.digits.images[rows[rng.integers(len(rows))]], size, pen_px, rng)
        if character in MARKS:
            strokes = _mark_strokes(character, rng)
        elif character.isdigit():
            strokes = digit_strokes(int(character), rng)
        else:
            strokes = letter_strokes(character, rng)
        return paper_scenes.stroke_stamp(strokes, size, pen_px, rng)

    def _stroke(self, start_xy: Point, end_xy: Point, size: float) -> None:
        """Draw one straight or slightly curved stroke; `size` is the height of the characters, in pixels."""
        mask = np.zeros(self.sheet.image_bgr.shape[:2], np.uint8)
        t = np.linspace(0, 1, 12)[:, None]
        bend = np.array([0, 1]) * (self.rng.normal(0, 0.03) * size * np.sin(np.pi * t))
        points = np.asarray(start_xy) * (1 - t) + np.asarray(end_xy) * t + bend
        thick = max(1, round(self.pen.width * size * self.rng.uniform(0.7, 1.2)))
        cv2.polylines(mask, [np.rint(points * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
        self._ink(mask)

    def _ink(self, mask: np.ndarray) -> None:
        image = self.sheet.image_bgr
        image += (mask.astype(np.float32) * (self.pen.opacity / 255))[..., None] * (self.pen.colour_bgr - image)

    def _maybe_add_lines(self, size: float) -> None:
        """Add random lines under, around or between the characters of the last text line, or none."""
        if self.sheet.characters and self.rng.random() < sum(LINES.values()):
            self.add_lines(choose(self.rng, LINES), size)

    def add_lines(self, kind: str, size: float) -> None:
        """Add lines of a kind of LINES to the last text line, whose characters are about `size` pixels high."""
        outlines = [one.outline for one in self.sheet.characters if one.line == self.sheet.characters[-1].line]
        points = np.concatenate(outlines)
        corners = np.concatenate([points.min(axis=0), points.max(axis=0)])
        if kind == "underline":
            self._underline(corners, size)
        elif kind == "frame":
            self._frame(corners, size, [])
        elif kind == "cells":
            self._frame(corners, size, outlines)
        elif kind == "bar":
            x = corners[0] - size * self.rng.uniform(0.2, 0.6)
            above, below = self.rng.uniform(0.3, 1, 2) * size
            self._stroke((x, corners[1] - above), (x, corners[3] + below), size)
        elif kind == "circle":
            self._circle(corners, size)
        else:
            self._highlight(corners, size)

    def _underline(self, corners: np.ndarray, size: float) -> None:
        rng = self.rng
        y = corners[3] + size * rng.uniform(0.04, 0.4)
        for _ in range(int(rng.integers(1, 3))):
            start = corners[0] - size * rng.uniform(-0.1, 0.4), y
            self._stroke(start, (corners[2] + size * rng.uniform(-0.1, 0.4), y + rng.normal(0, 0.06) * size), size)
            y += size * rng.uniform(0.1, 0.25)

    def _frame(self, corners: np.ndarray, size: float, parted: list[np.ndarray]) -> None:
        """Draw a frame, with lines between the outlines of the characters in `parted`, as in a form."""
        room = size * self.rng.uniform(0.08, 0.4)
        x1, y1, x2, y2 = corners + np.array([-room, -room, room, room])
        box = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
        for start, end in itertools.pairwise(box):
            self._stroke(start, end, size)
        for left, right in itertools.pairwise(sorted(parted, key=lambda outline: float(outline[:, 0].min()))):
            x = (left[:, 0].max() + right[:, 0].min()) / 2
            self._stroke((x, y1), (x, y2), size)

    def _circle(self, corners: np.ndarray, size: float) -> None:
        rng = self.rng
        mask = np.zeros(self.sheet.image_bgr.shape[:2], np.uint8)
        middle = (corners[:2] + corners[2:]) / 2
        axes = (corners[2:] - corners[:2]) / 2 + size * rng.uniform([0.3, 0.2], [0.7, 0.5])
        turn, thick = float(rng.normal(0, 4)), max(1, round(self.pen.width * size))
        cv2.ellipse(mask, middle.astype(int).tolist(), axes.astype(int).tolist(), turn, 0, 360, 255, thick, cv2.LINE_AA)
        self._ink(mask)

    def _highlight(self, corners: np.ndarray, size: float) -> None:
        alpha = np.zeros(self.sheet.image_bgr.shape[:2], np.float32)
        ends = (corners + size * np.array([-0.2, -0.1, 0.2, 0.1])).astype(int).tolist()
        cv2.rectangle(alpha, ends[:2], ends[2:], 1.0, -1)
        marker = self.rng.choice([[0.45, 0.96, 0.98], [0.5, 0.95, 0.6], [0.75, 0.6, 0.98]])
        self.sheet.image_bgr *= 1 - alpha[..., None] * (1 - np.asarray(marker))

    def _print(self, area_xyxy: np.ndarray) -> None:
        """Print a paragraph in a free part of the area."""
        rng = self.rng
        x1, y1, x2, y2 = area_xyxy.astype(int)
        top = y1 + int((y2 - y1) * rng.uniform(0.0, 0.6))
        bottom = top + int((y2 - y1) * rng.uniform(0.2, 0.4))
        if not any(one.outline[:, 1].max() > top and one.outline[:, 1].min() < bottom for one in self.sheet.characters):
            size = max(3.0, rng.uniform(0.02, 0.07) * (y2 - y1))
            print_lines(self.sheet.image_bgr[top:bottom, x1:x2], rng, size, colour_bgr(rng, 10, 120))


MARKS = (
    "plus",
    "minus",
    "times",
    "equals",
    "slash",
    "circle",
    "square",
    "triangle",
    "arrow",
    "star",
    "tick",
    "percent",
    "bracket",
    "question",
)


def _mark_strokes(name: str, rng: np.random.Generator) -> list[np.ndarray]:
    angles = np.linspace(0, 2 * np.pi, 26) + rng.uniform(-2, 2)
    ring = 0.5 + 0.48 * np.stack([np.cos(angles), np.sin(angles)], axis=1) * [rng.uniform(0.7, 1.1), 1]

    def as_points(line: np.ndarray) -> list[Point]:
        return [(float(x), float(y)) for x, y in line]

    shapes: dict[str, list[list[Point]]] = {
        "plus": [[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)]],
        "minus": [[(0, 0.5), (1, 0.5)]],
        "times": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
        "equals": [[(0, 0.3), (1, 0.3)], [(0, 0.7), (1, 0.7)]],
        "slash": [[(0.6, 0), (0, 1)]],
        "square": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
        "triangle": [[(0.5, 0), (1, 1), (0, 1), (0.5, 0)]],
        "arrow": [[(0, 0.5), (1, 0.5)], [(0.7, 0.2), (1, 0.5), (0.7, 0.8)]],
        "star": [[(0.2, 1), (0.5, 0), (0.8, 1), (0, 0.38), (1, 0.38), (0.2, 1)]],
        "tick": [[(0, 0.55), (0.35, 1), (1, 0)]],
        "percent": [[(0.9, 0), (0.1, 1)], as_points(0.2 + 0.3 * ring), as_points(0.55 + 0.3 * ring)],
        "bracket": [[(0.35, 0), (0.05, 0.3), (0.05, 0.7), (0.35, 1)]],
        "question": [[(0, 0.2), (0.25, 0), (0.55, 0.2), (0.3, 0.5), (0.3, 0.75)], [(0.3, 0.95), (0.32, 1)]],
        "circle": [as_points(ring)],
    }
    strokes = [np.array(points, np.float64) + rng.normal(0, 0.025, (len(points), 2)) for points in shapes[name]]
    return [stroke.astype(np.float32) for stroke in strokes]
