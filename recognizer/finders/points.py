"""Points and commas between characters of a line: too small for the network, and they part a number."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from recognizer.finders.text_lines import text_lines
from recognizer.finders.verifier import OTHER
from recognizer.values import WRITTEN, Box, Frame, Region

# in heights of the characters to both sides
LEAST_GAP, MOST_GAP = 0.12, 1.0
ABOVE, BELOW = 0.3, 0.35  # of the base line: between them it lies
LEAST_SIDE, MOST_SIDE = 0.04, 0.3
LIKE_HEIGHT = 0.6  # of the higher one
STRONG = 0.5  # of the contrast of the characters: a point is written with the same pen
FILLED = 0.5  # of its box


def points(frame: Frame, found: Sequence[Region]) -> list[Region]:
    """Points between neighbours of a line of verified characters."""
    written = [region for region in found if region.score is not None and region.score >= WRITTEN]
    between = [_between(frame.image_bgr, *pair) for line in text_lines(written) for pair in pairwise(line)]
    return [region for region in between if region is not None]


def _between(image_bgr: np.ndarray, left: Region, right: Region) -> Region | None:
    low, high = sorted((left.box.height, right.box.height))
    gap = right.box.x1 - left.box.x2
    if not LEAST_GAP * high <= gap <= MOST_GAP * high or low < LIKE_HEIGHT * high or left.light != right.light:
        return None
    base = (left.box.y2 + right.box.y2) // 2
    x1, y1, x2 = left.box.x2 + 1, max(0, round(base - ABOVE * high)), right.box.x1 - 1
    part = image_bgr[y1 : round(base + BELOW * high), x1:x2]
    if min(part.shape[:2]) < 3:
        return None
    ground = np.median(part.reshape(-1, 3), axis=0)
    far = np.abs(part - ground).max(axis=2)
    ink = np.where(far > STRONG * min(left.contrast, right.contrast), 255, 0).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    if count != 2:
        return None
    x, y, width, height, area = stats[1].tolist()
    inside = x > 0 and y > 0 and x + width < ink.shape[1] and y + height < ink.shape[0]
    sides_fit = LEAST_SIDE * high <= min(width, height) and max(width, height) <= MOST_SIDE * high
    if not inside or not sides_fit or area < FILLED * width * height:
        return None
    box = Box(x1 + x, y1 + y, x1 + x + width, y1 + y + height)
    crop = ink[y : y + height, x : x + width]
    return Region(box, crop, float(far[ink > 0].mean()), left.light, score=WRITTEN, reading=np.eye(OTHER + 1)[OTHER])
