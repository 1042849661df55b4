"""Decimal points and commas between characters of a line, which are too small for the network and split a number."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from recognizer.finders.text_lines import text_lines
from recognizer.finders.verifier import OTHER
from recognizer.values import WRITING_SCORE, Box, Frame, Region

# lengths are shares of the height of the adjacent characters
MIN_GAP, MAX_GAP = 0.12, 1.0
ABOVE, BELOW = 0.3, 0.35  # search range above and below the base line
MIN_SIDE, MAX_SIDE = 0.04, 0.3
MIN_HEIGHT_RATIO = 0.6  # of the neighbours, lower to higher
STRONG = 0.5  # of the characters' contrast: least contrast of a point, which is written with the same pen
ASIDE = 0.1  # how far the point may reach under a neighbour's box
FILLED = 0.5  # least share of the point's box that is ink


def points(frame: Frame, found: Sequence[Region]) -> list[Region]:
    """The points and commas between neighbouring characters, as regions of the class OTHER."""
    characters = [region for region in found if region.score is not None and region.score >= WRITING_SCORE]
    found_points = [_between(frame.image_bgr, *pair) for line in text_lines(characters) for pair in pairwise(line)]
    return [region for region in found_points if region is not None]


def _between(image_bgr: np.ndarray, left: Region, right: Region) -> Region | None:
    """The point between two neighbours of a line; None if there is none, or more than one mark."""
    low, high = sorted((left.box.height, right.box.height))
    gap = right.box.x1 - left.box.x2
    if not MIN_GAP * high <= gap <= MAX_GAP * high or low < MIN_HEIGHT_RATIO * high or left.light != right.light:
        return None
    base, aside = (left.box.y2 + right.box.y2) // 2, round(ASIDE * high)
    x1, y1, x2 = max(0, left.box.x2 + 1 - aside), max(0, round(base - ABOVE * high)), right.box.x1 - 1 + aside
    part = image_bgr[y1 : round(base + BELOW * high), x1:x2]
    if min(part.shape[:2]) < 3:
        return None
    ground = np.median(part.reshape(-1, 3), axis=0)
    difference = np.abs(part - ground).max(axis=2)
    ink = np.where(difference > STRONG * min(left.contrast, right.contrast), 255, 0).astype(np.uint8)
    _, labels, stats, centers = cv2.connectedComponentsWithStats(ink)
    isolated = [i for i in range(1, len(stats)) if not _reaches_border(stats[i], ink.shape)]
    candidates = [i for i in isolated if aside <= centers[i][0] < ink.shape[1] - aside]
    if len(candidates) != 1:
        return None
    x, y, width, height, area = stats[candidates[0]].tolist()
    sides_fit = MIN_SIDE * high <= min(width, height) and max(width, height) <= MAX_SIDE * high
    if not sides_fit or area < FILLED * width * height:
        return None
    box = Box(x1 + x, y1 + y, x1 + x + width, y1 + y + height)
    point = labels == candidates[0]
    crop = np.where(point[y : y + height, x : x + width], 255, 0).astype(np.uint8)
    return Region(
        box,
        crop,
        float(difference[point].mean()),
        left.light,
        score=WRITING_SCORE,
        digit_probabilities=np.eye(OTHER + 1)[OTHER],
    )


def _reaches_border(stats: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a component touches the border of the search area, as strokes of the neighbouring characters do."""
    x, y, width, height = stats[:4]
    return x == 0 or y == 0 or x + width == shape[1] or y + height == shape[0]
