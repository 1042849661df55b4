"""Where characters stand in a picture: a small network that looks at it in several sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.classifier import DynamicNetwork

NETWORKS = Path(__file__).resolve().parent / "networks"  # what `training.finders.fitting` fits
CELL = 4  # pixels of a picture for which the network gives one answer
SIZES = (10.0, 22.0)  # pixels of a character's longer side that it finds
LEVELS = 6  # sizes of the picture that it looks at, each half of the one before
UNIT = 8.0  # pixels in which it gives the sides of a box
WORK_SIDES = (640, 448)  # pixels of a frame's longer side at the largest; one finds what lies between the other's sizes
EDGE = 16  # pixels by which each picture's rim is repeated around it
GRID = 8  # pixels that the network's coarsest cells are wide: pictures are laid at multiples of it
DARK = 8.0  # grey levels that are added before the logarithm: the noise of dark pictures is not made stronger
TONE_MEAN, TONE_SPREAD = 4.2, 1.3  # of such logarithms
TONE = ((np.log(np.arange(256) + DARK) - TONE_MEAN) / TONE_SPREAD).astype(np.float32)
"""What the network takes for each grey level: by the logarithm ink stands out alike in all light."""
SAME = 0.45  # intersection over the smaller box, above which two boxes are of one character


@dataclass(frozen=True)
class Character:
    """A place where something is written."""

    box_xyxy: tuple[float, float, float, float]  # in pixels of the frame
    score: float  # 0 to 1
    light: bool  # ink lighter than its ground
    digit_probabilities: np.ndarray | None = None  # (11,) how likely it is each digit, or another character


def level_size(size_wh: tuple[int, int], level: int) -> tuple[int, int]:
    """Width and height of a picture at that level of the pyramid."""
    return max(1, round(size_wh[0] / 2**level)), max(1, round(size_wh[1] / 2**level))


class CharacterNetwork:
    """Characters in a picture, by the network that `training.finders.fitting` fits. Raises ModelError for a damaged file."""

    def __init__(self, path: Path, work_side: int = WORK_SIDES[0]):
        self._work_side = work_side
        self._network = DynamicNetwork(path)
        self._canvas = np.zeros((0, 0, 3), np.float32)

    def find(self, picture_bgr: np.ndarray, min_score: float) -> list[Character]:
        """Characters in a picture (H, W, 3) uint8 that reach the score, 0 to 1; the best come first."""
        height, width = picture_bgr.shape[:2]
        scale = self._work_side / max(height, width)
        work_wh = max(1, round(width * scale)), max(1, round(height * scale))
        shape, places = _layout(work_wh)
        if self._canvas.shape != shape:
            self._canvas = np.full(shape, TONE[0])
        part = cv2.resize(picture_bgr, work_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for level, (x, y) in enumerate(places):
            if level:
                part = cv2.resize(part, level_size(work_wh, level), interpolation=cv2.INTER_AREA)
            framed = cv2.copyMakeBorder(part, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_REPLICATE)
            self._canvas[y : y + framed.shape[0], x : x + framed.shape[1]] = cv2.LUT(framed, TONE)
        answers = self._network.run(self._canvas[None])[0]
        boxes, scores, light = _decoded(answers, work_wh, places, min_score)
        return list(merge_overlapping(boxes / scale, scores, light))


@lru_cache(maxsize=16)
def _layout(work_wh: tuple[int, int]) -> tuple[tuple[int, int, int], tuple[tuple[int, int], ...]]:
    """The canvas' shape (H, W, 3), and where on it each level of the pyramid lies with its repeated rim.

    The whole picture lies on top, its half beneath it at the left, the smaller ones to the right of that.
    """
    framed = [np.array(level_size(work_wh, level)) + 2 * EDGE for level in range(LEVELS)]
    framed = [-(-size // GRID) * GRID for size in framed]
    top = int(framed[0][1])
    places = [(0, 0), (0, top), (int(framed[1][0]), top)]
    x, y = int(framed[1][0]), top + int(framed[2][1])
    for size in framed[3:]:
        places.append((x, y))
        x += int(size[0])
    ends = np.array(places) + framed
    return (int(ends[:, 1].max()), int(ends[:, 0].max()), 3), tuple(places)


def _decoded(
    answers: np.ndarray, work_wh: tuple[int, int], places: tuple[tuple[int, int], ...], min_score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4) in pixels of the work picture, scores (N,) and lightness (N,) bool of the network's answers."""
    least = float(np.log(min_score / (1 - min_score)))
    rows, columns = np.nonzero(answers[..., 0] > least)
    found = answers[rows, columns]
    middles = (np.stack([columns, rows], axis=1) + 0.5) * CELL
    boxes = np.concatenate([middles - UNIT * found[:, 1:3], middles + UNIT * found[:, 3:5]], axis=1)
    inside = np.zeros(len(found), bool)
    for level, place in enumerate(places):
        start = np.array(place) + EDGE
        here = ((middles >= start) & (middles < start + level_size(work_wh, level))).all(axis=1)
        boxes[here] = (boxes[here] - np.tile(start, 2)) * np.tile(np.array(work_wh) / level_size(work_wh, level), 2)
        inside |= here
    return boxes[inside], 1 / (1 + np.exp(-found[inside, 0])), found[inside, 5] > 0


def merge_overlapping(
    boxes: np.ndarray, scores: np.ndarray, light: np.ndarray, readings: np.ndarray | None = None
) -> Iterator[Character]:
    """One character for all boxes (N, 4) that show it: the mean of those that agree with its best.

    With readings (N, 11) that is the one that shows most clearly which character it is: not two at once, not a part.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left = np.ones(len(boxes), bool)
    for index in np.argsort(-scores if readings is None else -scores * readings.max(axis=1)):
        if not left[index]:
            continue
        low, high = np.maximum(boxes[:, :2], boxes[index, :2]), np.minimum(boxes[:, 2:], boxes[index, 2:])
        overlap = np.prod(np.maximum(0, high - low), axis=1)
        iou = overlap / (areas + areas[index] - overlap)
        agree = left & (iou > 0.6)
        box = np.average(boxes[agree], axis=0, weights=scores[agree])
        left &= overlap <= SAME * np.minimum(areas, areas[index])
        x1, y1, x2, y2 = (float(value) for value in box)
        reading = None if readings is None else np.average(readings[agree], axis=0, weights=scores[agree])
        yield Character((x1, y1, x2, y2), float(scores[index]), bool(light[index]), reading)
