"""Rendered sheets of paper, and frames that show them."""

import cv2
import numpy as np

from recognizer.studio.handwriting import digit_strokes, draw_strokes, placement_matrix
from recognizer.values import Box, Frame

CARD_S = 2.4  # how many seconds the studio shows each sheet


def paper(size_wh: tuple[int, int] = (640, 480), shade: int = 225) -> np.ndarray:
    """A sheet of one shade of grey that fills the picture, (H, W) uint8."""
    return np.full((size_wh[1], size_wh[0]), shade, np.uint8)


def write(
    sheet_gray: np.ndarray,
    digit: int,
    center_xy: tuple[float, float],
    height_px: float,
    *,
    width_px: float | None = None,  # of the pen; the default is that of a felt pen
    angle_deg: float = 0.0,
    shade: int = 40,
    seed: int = 0,
) -> Box:
    """Write a digit onto the sheet, (H, W) uint8, in place. Return the bounding box of its ink."""
    strokes = digit_strokes(digit, np.random.default_rng(seed))
    matrix = placement_matrix(strokes, center_xy, height_px, angle_deg)
    size_wh = (sheet_gray.shape[1], sheet_gray.shape[0])
    ink = draw_strokes(strokes, size_wh, width_px or max(2.0, 0.08 * height_px), matrix=matrix)
    alpha = ink / 255.0
    sheet_gray[:] = np.round(sheet_gray * (1 - alpha) + shade * alpha).astype(np.uint8)
    rows, columns = np.nonzero(ink > 127)
    return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def as_frame(gray: np.ndarray, *, index: int = 0, time_s: float = 0.0, name: str = "drawn") -> Frame:
    return Frame(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), index, time_s, name)


def middle_of_card(card: int, fps: float = 30.0) -> int:
    """Index of the studio frame in the middle of the time of sheet number `card`, when it does not move."""
    return round((CARD_S * card + CARD_S / 2) * fps)
