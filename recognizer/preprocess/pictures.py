"""From a region's crop to a network's input. Pure functions, which training, recording and the live loop share."""

import cv2
import numpy as np

VERSION = "mnist-framing-1"  # written into each model's card; change it whenever a pixel changes
HAND_VERSION = "hand-gray-1"  # the same for models of grey pictures of hands
COLOUR_VERSION = "colour-crop-1"  # the same for models of colour pictures

SIDE = 28  # pixels of MNIST's pictures
BOX = 20  # pixels of the box that MNIST's digits fill (LeCun et al. 1998)
STROKE = 2.5  # pixels, the median stroke width of MNIST's training digits in that box
STROKE_RANGE = (1.8, 4.4)  # pixels, about the 5th and 98th percentile there: widths between them are not changed
OVERSAMPLING = 4  # strokes are measured and corrected at this multiple of the final size


def mnist_image(ink: np.ndarray) -> np.ndarray:
    """Ink in MNIST's format (LeCun et al. 1998): fitted into a 20x20 box, aspect ratio kept, centred by mass in 28x28.

    `ink` is (h, w) uint8, 0 for the background. Strokes that are much thinner or thicker than MNIST's, relative to the
    digit's size, are brought to MNIST's range. Returns (28, 28) uint8, 255 for the strongest ink; all 0 without ink.
    A picture that is in this format is returned unchanged.
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
    """The part of (h, w) ink inside the bounding box of its non-zero pixels; shape (0, 0) if there are none."""
    x, y, width, height = cv2.boundingRect(ink) if ink.size else (0, 0, 0, 0)
    return ink[y : y + height, x : x + width]


def stroke_width(ink: np.ndarray) -> float:
    """Median width in pixels of the strokes in (h, w) uint8 ink: twice the distance from their centre line to their edge."""
    mask = cv2.copyMakeBorder(np.where(ink > 127, 255, 0).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    is_centre = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0.5)
    return 2 * float(np.median(distance[is_centre])) if is_centre.any() else 0.0


def normalise_stroke_width(ink: np.ndarray) -> np.ndarray:
    """Thicken strokes below STROKE_RANGE to STROKE, and thin those above it to its upper limit.

    `ink` is (h, w) uint8 with a longer side of BOX * OVERSAMPLING pixels.
    """
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
    """Place (h, w) uint8 ink in a (side, side) picture, centre of mass in the middle as far as all ink fits inside."""
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
    """A hand in the format of Sign Language MNIST, (28, 28) uint8 grey, from a square crop (h, w, 3) BGR or (h, w) uint8."""
    if crop_bgr.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    gray = crop_bgr if crop_bgr.ndim == 2 else cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY)
    if gray.shape == (SIDE, SIDE):
        return gray
    shrinking = min(gray.shape) > SIDE
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def colour_image(picture_bgr: np.ndarray, side: int) -> np.ndarray:
    """A picture (h, w, 3) uint8 as (side, side, 3): padded to a square by replicating its edges, then resized."""
    height, width = picture_bgr.shape[:2]
    across, down = max(0, height - width), max(0, width - height)
    if across or down:
        borders = down // 2, down - down // 2, across // 2, across - across // 2
        picture_bgr = cv2.copyMakeBorder(picture_bgr, *borders, cv2.BORDER_REPLICATE)
    shrinks = side < picture_bgr.shape[0]
    return cv2.resize(picture_bgr, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
