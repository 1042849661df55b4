"""Finds any object that is held in the guide box in the middle of the picture."""

import cv2
import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.preprocess import sharpness
from recognizer.values import Box, Frame, Region

GUIDE_SIDE = 0.6  # of the shorter side, as for hands
MIN_SIDE = 32  # pixels; a smaller box shows too little detail
UNIFORM_SIDE = 16  # pixels: size at which uniformity is measured, which averages out noise
MAX_UNIFORM_DEVIATION = 8.0  # of 255, standard deviation of the grey levels: above a wall in uneven light
MIN_SHARPNESS = 4.0  # of `sharpness.sharpness`: excludes moving objects and a camera that is still focusing


class BoxFinder(RegionFinder):
    """Finds the object in the guide box as one region; `()` if the box is empty or blurred."""

    def __init__(self) -> None:
        self.guide_box: Box | None = None  # where to hold the object, while the box is empty

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """One region whose crop is a square (h, w, 3) uint8 BGR, or `()`."""
        height, width = frame.image_bgr.shape[:2]
        box = guide_box(width, height)
        crop = frame.image_bgr[box.y1 : box.y2, box.x1 : box.x2].copy()
        is_empty = box.width < MIN_SIDE or is_uniform(crop) or sharpness.sharpness(crop) < MIN_SHARPNESS
        self.guide_box = box if is_empty else None
        return () if is_empty else (Region(box, crop),)


def guide_box(width: int, height: int) -> Box:
    """The square in the middle of a picture of this size in pixels."""
    side = round(GUIDE_SIDE * min(width, height))
    x, y = (width - side) // 2, (height - side) // 2
    return Box(x, y, x + side, y + side)


def is_uniform(crop_bgr: np.ndarray) -> bool:
    """Whether a crop (h, w, 3) uint8 BGR shows one uniform surface, such as a wall."""
    small = cv2.resize(
        cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY), (UNIFORM_SIDE, UNIFORM_SIDE), interpolation=cv2.INTER_AREA
    )
    return float(small.std()) < MAX_UNIFORM_DEVIATION
