"""From what a region finder cut out to what a network takes. Pure functions, and the only geometry: training,
capture and the live loop all come through here.
"""

import cv2
import numpy as np

VERSION = "mnist-framing-1"  # written into each model's card; change it whenever a pixel changes
HAND_VERSION = "hand-gray-1"  # likewise, of the models that look at hands
COLOUR_VERSION = "colour-crop-1"  # and of those that look at pictures in colour

SIDE = 28  # pixels of MNIST's pictures
BOX = 20  # pixels of the box that MNIST's digits fill (LeCun et al. 1998)
STROKE = 2.5  # pixels, the median stroke width of MNIST's training digits in that box
STROKE_RANGE = (1.8, 4.4)  # pixels, about the 5th and 98th percentile there: what lies between is left as written
OVERSAMPLING = 4  # strokes are measured and mended at this many times the final size


def mnist_image(ink: np.ndarray) -> np.ndarray:
    """Frame ink as MNIST's makers did (LeCun et al. 1998): a 20x20 box with kept aspect ratio, centred by mass in 28x28.

    `ink` is (h, w) uint8, 0 where there is none. Strokes much thinner or thicker than MNIST's, relative to the
    digit's size, are brought to MNIST's width. Returns (28, 28) uint8 with its darkest ink at 255, all 0 for no ink.
    A picture that is framed already comes back as it is.
    """
    ink = trim(ink)
    if ink.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    if max(ink.shape) != BOX:
        ink = _resize(normalise_stroke_width(_resize(ink, BOX * OVERSAMPLING)), BOX)
    peak = int(ink.max())
    if 0 < peak < 255:
        ink = cv2.convertScaleAbs(ink, alpha=255 / peak)
    return center_by_mass(ink, SIDE)


def trim(ink: np.ndarray) -> np.ndarray:
    """The part of (h, w) ink that holds all of its non-zero pixels; (0, 0) when there are none."""
    x, y, width, height = cv2.boundingRect(ink) if ink.size else (0, 0, 0, 0)
    return ink[y : y + height, x : x + width]


def stroke_width(ink: np.ndarray) -> float:
    """Median width in pixels of the strokes in (h, w) uint8 ink: twice the distance from their middle to their rim."""
    mask = cv2.copyMakeBorder(np.where(ink > 127, 255, 0).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    middle = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0.5)
    return 2 * float(np.median(distance[middle])) if middle.any() else 0.0


def normalise_stroke_width(ink: np.ndarray) -> np.ndarray:
    """Thicken or thin the strokes of (h, w) uint8 ink whose long side is BOX * OVERSAMPLING, to STROKE if out of range."""
    low, high = (limit * OVERSAMPLING for limit in STROKE_RANGE)
    width = stroke_width(ink)
    if width < low:
        size = max(2, round(STROKE * OVERSAMPLING - width) + 1)
        margin = size // 2 + 1
        ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
        return trim(cv2.dilate(ink, _disc(size)))
    if width > high:
        thinned = cv2.erode(ink, _disc(round(width - high) + 1), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        return trim(thinned) if thinned.any() else ink
    return ink


def center_by_mass(ink: np.ndarray, side: int) -> np.ndarray:
    """Lay (h, w) uint8 ink into (side, side) with its centre of mass in the middle, nearest whole pixel, kept inside."""
    height, width = ink.shape
    moments = cv2.moments(ink)
    mass = moments["m00"] or 1.0
    left = round((side - 1) / 2 - moments["m10"] / mass)
    top = round((side - 1) / 2 - moments["m01"] / mass)
    left, top = min(max(left, 0), side - width), min(max(top, 0), side - height)
    image = np.zeros((side, side), np.uint8)
    image[top : top + height, left : left + width] = ink
    return image


def _resize(ink: np.ndarray, long_side: int) -> np.ndarray:
    height, width = ink.shape
    scale = long_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _disc(size: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def hand_image(crop_bgr: np.ndarray) -> np.ndarray:
    """A hand as Sign Language MNIST shows it: a square crop (h, w, 3) or (h, w) uint8 as (28, 28) uint8 grey levels."""
    if crop_bgr.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    gray = crop_bgr if crop_bgr.ndim == 2 else cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY)
    if gray.shape == (SIDE, SIDE):
        return gray
    shrinking = min(gray.shape) > SIDE
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def colour_image(picture_bgr: np.ndarray, side: int) -> np.ndarray:
    """A picture (h, w, 3) uint8 in a square of `side` pixels: whole, its rim repeated where it is too narrow."""
    height, width = picture_bgr.shape[:2]
    across, down = max(0, height - width), max(0, width - height)
    if across or down:
        borders = down // 2, down - down // 2, across // 2, across - across // 2
        picture_bgr = cv2.copyMakeBorder(picture_bgr, *borders, cv2.BORDER_REPLICATE)
    shrinks = side < picture_bgr.shape[0]
    return cv2.resize(picture_bgr, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
