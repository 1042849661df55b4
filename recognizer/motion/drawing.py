"""Draws a movement of hands: as a hand that moves, and as a path over the strip of its pictures."""

import cv2
import numpy as np

from recognizer.motion.movement import Movement, interpolated
from recognizer.overlay.drawing import ALERT, INK, KNOWN, PAPER
from recognizer.overlay.overlay import BONES
from recognizer.values import Box

STRIP_PICTURES = 5  # in the strip of a moving sample, equally spaced in time
PALM = [0, 5, 9, 13, 17]  # joints whose mean is the palm's place
PATH_STEPS = 40
MARGIN = 0.15  # of the drawn hand, as a share of the picture's side
COLORS = (KNOWN, ALERT)  # of the main and of the other hand


def draw_moving_hand(picture: np.ndarray, place: Box, movement: Movement, at_s: float) -> None:
    """Draws the hands as they are `at_s` seconds after the movement's beginning into the place, in place, with their path."""
    points = movement.joints[..., :2]
    first, last = np.nanmin(points, axis=(0, 1, 2)), np.nanmax(points, axis=(0, 1, 2))
    side = max(1.0, float((last - first).max()) * (1 + 2 * MARGIN))
    scale = min(place.width, place.height) / side
    corner = (first + last) / 2 - np.array([place.width, place.height]) / (2 * scale)
    view = picture[place.y1 : place.y2, place.x1 : place.x2]
    now_s = np.array([movement.times_s[0] + at_s])
    for hand, color in enumerate(COLORS):
        joints = interpolated(movement.times_s, movement.joints[:, hand], now_s)[0]
        if not np.isfinite(joints).all():
            continue
        _draw_path(view, movement, hand, at_s, corner, np.full(2, scale))
        xy = ((joints[:, :2] - corner) * scale).round().astype(np.int32)
        cv2.polylines(view, [xy[[start, end]] for start, end in BONES], False, PAPER, 2, cv2.LINE_AA)
        for joint in xy.tolist():
            cv2.circle(view, joint, 2, color, cv2.FILLED, cv2.LINE_AA)


def with_path(strip_bgr: np.ndarray, movement: Movement, box: Box) -> np.ndarray:
    """A copy of the strip (h, w, 3) uint8 BGR of a moving sample, with the palms' path so far over each of its pictures.

    `box` is the part of the frame that each picture shows.
    """
    strip_bgr = strip_bgr.copy()
    width = strip_bgr.shape[1] // STRIP_PICTURES
    scale_xy = np.array([width / max(1, box.width), strip_bgr.shape[0] / max(1, box.height)])
    for number in range(STRIP_PICTURES):
        view = strip_bgr[:, number * width : (number + 1) * width]
        at_s = movement.duration_s * number / (STRIP_PICTURES - 1)
        for hand in range(len(COLORS)):
            _draw_path(view, movement, hand, at_s, np.array([box.x1, box.y1], float), scale_xy)
    return strip_bgr


def _draw_path(
    view: np.ndarray, movement: Movement, hand: int, at_s: float, corner: np.ndarray, scale_xy: np.ndarray
) -> None:
    """Draws the path of one hand's palm up to `at_s`, with a dot at its end. Nothing for a hand that was not seen."""
    times_s = movement.times_s[0] + np.linspace(0, at_s, PATH_STEPS)
    palms = interpolated(movement.times_s, movement.joints[:, hand], times_s)[:, PALM, :2].mean(axis=1)
    if not np.isfinite(palms).all():
        return
    xy = ((palms - corner) * scale_xy).clip(-30000, 30000).round().astype(np.int32)
    line = max(1, round(view.shape[0] / 60))
    cv2.polylines(view, [xy], False, INK, line + 2, cv2.LINE_AA)
    cv2.polylines(view, [xy], False, COLORS[hand], line, cv2.LINE_AA)
    cv2.circle(view, xy[-1].tolist(), 2 * line + 1, COLORS[hand], cv2.FILLED, cv2.LINE_AA)
