"""Renders paper and pens."""

from dataclasses import dataclass

import cv2
import numpy as np

from recognizer.studio.handwriting import draw_strokes


@dataclass(frozen=True)
class Paper:
    """A writing surface. Colours are BGR, 0 to 255."""

    name: str
    size_mm: tuple[float, float]
    color: tuple[int, int, int]
    pens: tuple[str, ...]
    lines: str = ""  # "", "ruled" or "squared"
    frame: tuple[int, int, int] | None = None  # colour of the rim, if any
    rim_mm: float = 0.0


@dataclass(frozen=True)
class Pen:
    """A pen. Ranges are (low, high). Widths are in heights of a digit."""

    width: tuple[float, float]
    colors: tuple[tuple[int, int, int], ...]
    opacity: tuple[float, float]
    grain: float = 0.0  # strength of the paper's texture in the ink
    gaps: float = 0.0  # of draw_strokes


PENS = {
    "pencil": Pen((0.022, 0.042), ((70, 66, 66), (88, 84, 82)), (0.7, 0.92), grain=0.5, gaps=0.05),
    "ballpoint": Pen((0.022, 0.045), ((120, 50, 28), (38, 32, 32), (150, 60, 20)), (0.82, 0.97), grain=0.12, gaps=0.08),
    "felt": Pen((0.045, 0.085), ((30, 26, 26), (130, 40, 20), (30, 30, 150), (50, 90, 20)), (0.9, 1.0)),
    "marker": Pen((0.085, 0.15), ((26, 22, 22), (120, 30, 16), (24, 22, 160)), (0.92, 1.0)),
    "board marker": Pen((0.05, 0.1), ((36, 30, 30), (150, 50, 20), (40, 36, 190), (60, 120, 20)), (0.85, 0.97), 0.15),
    "chalk": Pen((0.05, 0.1), ((225, 230, 232), (190, 225, 235)), (0.75, 0.95), grain=0.55, gaps=0.03),
    "stylus": Pen((0.03, 0.08), ((240, 240, 240), (110, 225, 250), (240, 200, 120)), (0.95, 1.0)),
    "dark stylus": Pen((0.03, 0.08), ((30, 28, 28), (150, 60, 20)), (0.95, 1.0)),
}
_PAPER_PENS = ("pencil", "ballpoint", "felt", "marker", "marker")
PAPERS = (
    Paper("plain", (297, 210), (232, 236, 238), _PAPER_PENS),
    Paper("plain", (210, 200), (224, 234, 240), _PAPER_PENS),
    Paper("plain", (148, 105), (206, 226, 236), _PAPER_PENS),  # an index card, a little yellow
    Paper("ruled", (210, 160), (232, 237, 238), _PAPER_PENS, "ruled"),
    Paper("squared", (210, 148), (232, 236, 237), _PAPER_PENS, "squared"),
    Paper("whiteboard", (300, 210), (236, 236, 234), ("board marker",), "", (150, 146, 142), 7),
    Paper("blackboard", (280, 200), (52, 56, 50), ("chalk",), "", (62, 104, 146), 12),
    Paper("tablet", (250, 175), (34, 31, 30), ("stylus",), "", (24, 22, 22), 9),
    Paper("tablet", (250, 175), (244, 244, 242), ("dark stylus",), "", (24, 22, 22), 9),
)


def placed_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (N, 2), transformed by a matrix (2, 3): (N, 2) float32."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def draw_ink(
    sheet: np.ndarray,
    strokes: list[np.ndarray],
    matrix: np.ndarray,
    pen_px: float,
    color: tuple[int, int, int],
    opacity: float,
    pen: Pen,
    rng: np.random.Generator,
) -> None:
    """Writes one character on the sheet, in place."""
    points = placed_points(np.concatenate(strokes), matrix)
    edge = int(pen_px) + 3
    x1, y1 = np.maximum(np.floor(points.min(axis=0)).astype(int) - edge, 0)
    x2, y2 = np.minimum(np.ceil(points.max(axis=0)).astype(int) + edge, (sheet.shape[1], sheet.shape[0]))
    moved = matrix - np.array([[0, 0, x1], [0, 0, y1]])
    size = int(x2 - x1), int(y2 - y1)
    ink = draw_strokes(strokes, size, pen_px, matrix=moved, pressure=rng.uniform(0.05, 0.3), gaps=pen.gaps, rng=rng)
    cover = ink.astype(np.float32) * (opacity / 255)
    if pen.grain:
        tooth = cv2.GaussianBlur(rng.standard_normal(ink.shape, np.float32), (0, 0), rng.uniform(0.6, 1.2))
        cover *= np.clip(1 - pen.grain * (0.3 + 0.4 * tooth / tooth.std()), 0, 1)
    part = sheet[y1:y2, x1:x2]
    part[:] = (part + cover[..., None] * (np.array(color, np.float32) - part)).astype(np.uint8)


def blank_sheet(paper: Paper, size_wh: tuple[int, int], mm: float, rng: np.random.Generator) -> np.ndarray:
    """A sheet without ink, (h, w, 3) uint8. `mm` is the number of pixels per millimetre."""
    width, height = size_wh
    # Low-frequency shading: bends of the paper, wiped chalk.
    uneven = {"blackboard": 0.05, "tablet": 0.006, "whiteboard": 0.012}.get(paper.name, 0.018)
    coarse = rng.normal(0, uneven, (7, 10)).astype(np.float32)
    if paper.name == "blackboard":
        coarse = cv2.resize(coarse, (40, 28)) + rng.normal(0, 0.05, (28, 40)).astype(np.float32)
    shade = cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC)
    bend = rng.normal(0, 0.05)
    shade += 1 + bend * np.sin(np.linspace(0, np.pi, width, dtype=np.float32) * rng.uniform(0.6, 1.6))
    if paper.name != "tablet":
        shade += rng.standard_normal((height, width), np.float32) * np.float32(0.008)
    sheet = np.empty((height, width, 3), np.uint8)
    for channel, value in enumerate(paper.color):
        np.copyto(sheet[..., channel], np.minimum(shade * value, 255), casting="unsafe")
    if paper.lines:
        _rule(sheet, paper, mm, rng)
    if paper.name == "plain" and rng.random() < 0.35:  # folded once
        x = round(width / 2 + rng.normal(0, 3))
        cv2.line(
            sheet, (x, 0), (x + round(rng.normal(0, 2)), height), (200, 203, 205), max(1, round(0.5 * mm)), cv2.LINE_AA
        )
        cv2.line(sheet, (x + 2, 0), (x + 2, height), (243, 245, 246), 1, cv2.LINE_AA)
    if paper.frame is not None:
        rim = round(paper.rim_mm * mm)
        cv2.rectangle(sheet, (0, 0), (width - 1, height - 1), paper.frame, 2 * rim)
        lit = tuple(min(255, int(1.35 * value) + 8) for value in paper.frame)
        cv2.rectangle(sheet, (rim, rim), (width - rim, height - rim), lit, max(1, round(0.5 * mm)), cv2.LINE_AA)
        cv2.rectangle(sheet, (1, 1), (width - 2, height - 2), lit, max(1, round(0.5 * mm)), cv2.LINE_AA)
    return sheet


def _rule(sheet: np.ndarray, paper: Paper, mm: float, rng: np.random.Generator) -> None:
    """Prints the paper's lines, in place."""
    height, width = sheet.shape[:2]
    ink = np.zeros((height, width), np.uint8)
    step = (rng.uniform(7, 9) if paper.lines == "ruled" else 5) * mm
    thick = 0.3 * mm  # pixels; below 1 in most pictures, so lines are drawn pale instead of thin
    strength = min(255.0, 255 * thick)

    def line(x1: float, y1: float, x2: float, y2: float) -> None:
        start, end = (round(x1 * 16), round(y1 * 16)), (round(x2 * 16), round(y2 * 16))
        cv2.line(ink, start, end, strength, max(1, round(thick)), cv2.LINE_AA, 4)

    for y in np.arange(step * (2.5 if paper.lines == "ruled" else 0.6), height, step):
        line(0, y, width, y)
    if paper.lines == "squared":
        for x in np.arange(step * 0.6, width, step):
            line(x, 0, x, height)
    colors = [(196, 168, 140), (190, 186, 184), (200, 180, 150)]
    color = np.array(colors[rng.integers(len(colors))], np.float32)
    cover = ink.astype(np.float32)[..., None] * np.float32(rng.uniform(0.6, 1.0) / 255)
    np.copyto(sheet, sheet + cover * (color - sheet), casting="unsafe")
    if paper.lines == "ruled" and rng.random() < 0.6:
        x = round(28 * mm)
        cv2.line(sheet, (x, 0), (x, height), (150, 150, 222), max(1, round(0.4 * mm)), cv2.LINE_AA)
