"""Proposes boxes of characters with a small fully convolutional network on an image pyramid."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.classifier import DynamicNetwork

NETWORKS = Path(__file__).resolve().parent / "networks"  # trained by `training.finders.fitting`
CELL = 4  # stride of the network's output in pixels
SIZES = (10.0, 22.0)  # pixels: smallest and largest longer side of a character that one pyramid level detects
LEVELS = 6  # of the image pyramid; each is half as large as the one before
BOX_UNIT = 8.0  # pixels per unit of the network's box offsets
WORK_SIDES = (640, 448)  # pixels: a frame's longer side at level 0, for two pyramids whose character sizes interleave
EDGE = 16  # pixels of replicated border around each pyramid level
GRID = 8  # pixels: the network's coarsest stride, to which each level is aligned
DARK = 8.0  # grey levels added before the logarithm, which would otherwise amplify noise in dark pictures
TONE_MEAN, TONE_SPREAD = 4.2, 1.3  # mean and standard deviation of log(grey level + DARK), for normalisation
TONE = ((np.log(np.arange(256) + DARK) - TONE_MEAN) / TONE_SPREAD).astype(np.float32)
"""(256,) float32, the network input for each grey level. A logarithm makes the contrast of ink independent of brightness."""
MAX_OVERLAP = 0.45  # intersection over the smaller area; boxes that overlap more are one character


@dataclass(frozen=True)
class Character:
    """One detected character."""

    box_xyxy: tuple[float, float, float, float]  # in pixels of the frame
    score: float  # 0 to 1
    light: bool  # ink lighter than its background
    digit_probabilities: np.ndarray | None = None  # (11,): digits 0 to 9, then any other character


def level_size(size_wh: tuple[int, int], level: int) -> tuple[int, int]:
    """Width and height in pixels of a picture at one level of the pyramid."""
    return max(1, round(size_wh[0] / 2**level)), max(1, round(size_wh[1] / 2**level))


class CharacterNetwork:
    """Detects characters with the network that `training.finders.fitting` trains. Raises ModelError for a damaged file."""

    def __init__(self, path: Path, work_side: int = WORK_SIDES[0]):
        self._work_side = work_side
        self._network = DynamicNetwork(path)
        self._canvas = np.zeros((0, 0, 3), np.float32)

    def find(self, picture_bgr: np.ndarray, min_score: float) -> list[Character]:
        """Characters in a picture (H, W, 3) uint8 BGR whose score is at least `min_score`, 0 to 1; best first."""
        height, width = picture_bgr.shape[:2]
        scale = self._work_side / max(height, width)
        work_wh = max(1, round(width * scale)), max(1, round(height * scale))
        shape, places = _pack_pyramid(work_wh)
        if self._canvas.shape != shape:
            self._canvas = np.full(shape, TONE[0])
        part = cv2.resize(picture_bgr, work_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for level, (x, y) in enumerate(places):
            if level:
                part = cv2.resize(part, level_size(work_wh, level), interpolation=cv2.INTER_AREA)
            framed = cv2.copyMakeBorder(part, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_REPLICATE)
            self._canvas[y : y + framed.shape[0], x : x + framed.shape[1]] = cv2.LUT(framed, TONE)
        outputs = self._network.run(self._canvas[None])[0]
        boxes, scores, light = _decoded(outputs, work_wh, places, min_score)
        return list(merge_overlapping(boxes / scale, scores, light))


def canvas_shape(work_wh: tuple[int, int]) -> tuple[int, int, int]:
    """The shape (H, W, 3) of the network's input for a picture of this size at level 0."""
    return _pack_pyramid(work_wh)[0]


@lru_cache(maxsize=16)
def _pack_pyramid(work_wh: tuple[int, int]) -> tuple[tuple[int, int, int], tuple[tuple[int, int], ...]]:
    """The shape (H, W, 3) of the canvas that holds all pyramid levels, and the (x, y) of each level with its border.

    Level 0 is at the top, level 1 below it on the left, and the smaller levels to the right of level 1.
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
    outputs: np.ndarray, work_wh: tuple[int, int], places: tuple[tuple[int, int], ...], min_score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode the network outputs (h, w, 6) to boxes (N, 4) in working pixels, scores (N,) and light ink (N,) bool."""
    min_logit = float(np.log(min_score / (1 - min_score)))
    rows, columns = np.nonzero(outputs[..., 0] > min_logit)
    found = outputs[rows, columns]
    middles = (np.stack([columns, rows], axis=1) + 0.5) * CELL
    boxes = np.concatenate([middles - BOX_UNIT * found[:, 1:3], middles + BOX_UNIT * found[:, 3:5]], axis=1)
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
    """Non-maximum suppression. Each result averages the boxes (N, 4) that have an IoU above 0.6 with the best one.

    `readings` are digit probabilities (N, 11). With them, the best box is the one with the highest product of score and
    class probability, since a box around two characters, or around a part of one, has no clear class.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    remaining = np.ones(len(boxes), bool)
    for index in np.argsort(-scores if readings is None else -scores * readings.max(axis=1)):
        if not remaining[index]:
            continue
        low, high = np.maximum(boxes[:, :2], boxes[index, :2]), np.minimum(boxes[:, 2:], boxes[index, 2:])
        overlap = np.prod(np.maximum(0, high - low), axis=1)
        iou = overlap / (areas + areas[index] - overlap)
        agree = remaining & (iou > 0.6)
        box = np.average(boxes[agree], axis=0, weights=scores[agree])
        remaining &= overlap <= MAX_OVERLAP * np.minimum(areas, areas[index])
        x1, y1, x2, y2 = (float(value) for value in box)
        reading = None if readings is None else np.average(readings[agree], axis=0, weights=scores[agree])
        yield Character((x1, y1, x2, y2), float(scores[index]), bool(light[index]), reading)
