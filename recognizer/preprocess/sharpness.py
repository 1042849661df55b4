"""Checks of a crop before it is recorded as a sample: blur and duplicates. Pure functions."""

from collections.abc import Sequence

import cv2
import numpy as np

SHARPNESS_SIDE = 128  # pixels; crops of all sizes are measured at this one
BLURRED = 20.0  # of `sharpness`: hands and digits blurred by a 75th of their size are below, sharp ones above
DUPLICATE_SIDE = 32  # pixels; crops are compared at this size, where a camera's noise averages out
DUPLICATE_LEVELS = 3.0  # of 255, mean difference to the previous frame: below for a still hand, above for a moving one


def sharpness(crop: np.ndarray) -> float:
    """Variance of the Laplacian of the crop's grey levels at 128x128 pixels (Pech-Pacheco et al. 2000).

    The crop is (h, w) or (h, w, 3) uint8. The scale: 0 for a uniform area, below `BLURRED` for a crop out of focus,
    20 to 100 for a compressed video, 100 to 3000 for a sharp photograph. It also depends on the object: a smooth mug
    has fewer edges than a page.
    """
    side = SHARPNESS_SIDE
    return float(cv2.Laplacian(_small_gray(crop, side), cv2.CV_64F).var()) if crop.size else 0.0


def is_duplicate(own: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether the mean difference to any other thumbnail is below DUPLICATE_LEVELS grey levels.

    For paper compare the ink, since two pages with different digits are almost equal.
    """
    return any(difference(own, other) < DUPLICATE_LEVELS for other in others)


def thumbnail(crop: np.ndarray) -> np.ndarray:
    """The crop as (32, 32) float32 grey levels 0 to 255, to compare it many times."""
    return _small_gray(crop, DUPLICATE_SIDE).astype(np.float32)


def difference(thumbnail_a: np.ndarray, thumbnail_b: np.ndarray) -> float:
    """Mean difference of two thumbnails' grey levels, 0 to 255."""
    return float(np.abs(thumbnail_a - thumbnail_b).mean())


def _small_gray(crop: np.ndarray, side: int) -> np.ndarray:
    gray = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY) if crop.ndim == 3 else crop
    return cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA)
