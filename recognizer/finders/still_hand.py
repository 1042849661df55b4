"""Finds a hand whose joints are not found: skin that entered the guide box and is held still.

It runs only while HandFinder finds nothing and shows the guide box. It compares the box with a model of its background.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.finders.hands import as_bgr, square_box
from recognizer.values import Box, Frame, Region

SIDE = 64  # pixels: size at which the box is analysed; a finger is about four pixels wide
MIN_SIDE = 32  # pixels of the box; a hand is not recognizable in a smaller one
CONTEXT_ROWS = 24  # sampled rows outside the box, which show whether the lighting has changed
HELD_S = 0.4  # how long a hand must be still to be found
SETTLED_S = 3.0  # a changed box that is still for this long becomes background
MAX_HELD_S = 30.0  # a found "hand" that is still for longer becomes background: probably a bag or a face
BACKGROUND_TIME_S = 1.0  # time constant with which the background follows slow changes of light
MAX_HAND_CHANGE = 7.0  # of 255, mean change of a still hand: above trembling by half a pixel
RELEASE_FACTOR = 2.0  # hysteresis: multiple of MAX_HAND_CHANGE that is allowed once a hand has been found
MAX_BOX_CHANGE = 3.0  # of 255, mean change of a still box: above camera noise
CHANGED = 20.0  # of 255, in any channel: above noise and JPEG artefacts
SHADE = (0.45, 1.3)  # ratio to the background: a change in this range is a shadow or brighter light …
SHADE_TINT = 0.09  # … if the ratios of the three channels differ by less (Horprasert et al. 1999)
OFFSET = 8.0  # grey levels added before a division, since ratios of dark pixels are mostly noise
RED_GREEN = (0.09, 0.9)  # natural logarithms of the channel ratios of skin in white light, from light to dark skin
GREEN_BLUE = (-0.16, 0.8)
DARKEST = 0.33  # of the illuminant: most hair and shadowed skin is darker
COLOURLESS = 20.0  # of 255: darker pixels show only noise
BRIGHT = 6  # exponent of the norm that estimates the illuminant
MAX_CAST = 1.6  # largest colour cast of a lamp; a coloured wall exceeds it
MIN_EXTENT = 0.25  # of the box's side: the sign of a smaller hand is not recognizable
MAX_COVER = 0.9  # of the box: a larger change is a change of light
MIN_SHARE = 0.55  # of the changed pixels that are skin: with a face, hair and clothes change, too
MAX_RING_CHANGE = (
    0.35  # of the pixels around the skin that may have changed: allows a sleeve, but not hair and a collar
)
MIN_PALM = 0.07  # of the box's side: radius of the palm; a strip of skin has a smaller one
WRIST = 1.5  # palm radii from the palm's centre to the wrist, where the arm begins
FINGERTIPS = 0.88  # of a hand's outline: extent of its joints, to which square_box adds a margin
MAX_CONTEXT_CHANGE = 0.5  # of the pixels around the box: if more have changed, the camera was moved


class StillHandFinder(RegionFinder):
    """Returns the hands that the finder `hands` finds; otherwise at most one Region without joints, in the guide box.

    A context manager that closes `hands`.
    """

    def __init__(self, hands: RegionFinder) -> None:
        self.hands = hands
        self.video = hands.video
        self.guide_box: Box | None = None  # where the user should hold a hand, while none is found
        self._detector = HeldHandDetector()

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions from left to right; `()` without a hand. Each crop is a square (h, w, 3) uint8 BGR."""
        regions = self.hands.find(frame)
        self.guide_box = self.hands.guide_box
        if regions or self.guide_box is None:
            self._detector.clear_recent()
            return regions
        image_bgr = as_bgr(frame.image_bgr)
        box = self._detector.find(image_bgr, self.guide_box, frame.time_s)
        if box is None:
            return ()
        self.guide_box = None
        return (Region(box, image_bgr[box.y1 : box.y2, box.x1 : box.x2].copy()),)

    def uses(self, other: RegionFinder) -> bool:
        return other is self.hands

    def close(self) -> None:
        self.hands.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, eq=False)
class BoxSnapshot:
    """A frame at low resolution: the guide box, and pixels around it."""

    time_s: float
    place: tuple[int, ...]  # the box, and the shape of the picture
    box: np.ndarray  # (SIDE, SIDE, 3) float32 BGR
    around: np.ndarray  # (N, 3) float32, pixels outside of the box

    @classmethod
    def at(cls, image_bgr: np.ndarray, box: Box, time_s: float) -> Self:
        """The snapshot of a frame (H, W, 3) uint8 BGR."""
        cut = cv2.resize(image_bgr[box.y1 : box.y2, box.x1 : box.x2], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        step = max(1, image_bgr.shape[0] // CONTEXT_ROWS)
        rows, columns = np.mgrid[step // 2 : image_bgr.shape[0] : step, step // 2 : image_bgr.shape[1] : step]
        outside = (rows < box.y1) | (rows >= box.y2) | (columns < box.x1) | (columns >= box.x2)
        around = image_bgr[rows[outside], columns[outside]]
        place = (*box.xyxy, *image_bgr.shape[:2])
        return cls(time_s, place, cv2.GaussianBlur(cut, (3, 3), 0).astype(np.float32), around.astype(np.float32))

    def matched_to_light(self, other: Self) -> "BoxSnapshot":
        """This snapshot with the exposure and white balance of another one, estimated from the pixels around the box."""
        light = np.median((other.around + OFFSET) / (self.around + OFFSET), axis=0).astype(np.float32)
        return BoxSnapshot(self.time_s, self.place, light * self.box, light * self.around)


class HeldHandDetector:
    """Models the background of one stream and finds a hand held still in front of it."""

    def __init__(self) -> None:
        self._background: BoxSnapshot | None = None
        self._recent: deque[BoxSnapshot] = deque()  # of the last HELD_S
        self._quiet_since_s: float | None = None
        self._held_since_s: float | None = None

    def clear_recent(self) -> None:
        """Forget recent frames, after a gap in which frames were not analysed. The background stays."""
        self._recent.clear()
        self._quiet_since_s = self._held_since_s = None

    def find(self, image_bgr: np.ndarray, box: Box, time_s: float) -> Box | None:
        """The square around a hand held still in the box, in pixels of the picture (H, W, 3) uint8 BGR; None without one."""
        height, width = image_bgr.shape[:2]
        if min(box.width, box.height) < MIN_SIDE or box.x2 > width or box.y2 > height:
            return None
        snapshot = BoxSnapshot.at(image_bgr, box, time_s)
        self._add_recent(snapshot)
        if self._background is None:
            if self._is_quiet():
                self._background = snapshot
            return None
        expected = self._background.matched_to_light(snapshot)
        if changed_mask(snapshot.around, expected.around).mean() > MAX_CONTEXT_CHANGE:
            self._background = None
            return None
        changed = changed_mask(snapshot.box, expected.box)
        hand = hand_mask(changed, changed & is_skin(snapshot.box, illuminant_bgr(expected.around)))
        if hand is not None and not (self._is_still(hand) and has_edges(hand, snapshot.box, expected.box)):
            hand = None
        if hand is None:
            self._held_since_s = None
        elif self._held_since_s is None:
            self._held_since_s = time_s
        self._update_background(expected, snapshot, changed)
        return None if hand is None else _crop_around(_without_arm(hand), box, (height, width))

    def _add_recent(self, snapshot: BoxSnapshot) -> None:
        last = self._recent[-1] if self._recent else snapshot
        if snapshot.time_s < last.time_s or snapshot.place != last.place:  # the source was restarted
            self.clear_recent()
        if self._background is not None and self._background.place != snapshot.place:
            self._background = None
        self._recent.append(snapshot)
        while len(self._recent) > 2 and snapshot.time_s - self._recent[1].time_s >= HELD_S:
            self._recent.popleft()

    def _change(self) -> np.ndarray | None:
        """Largest change of each pixel of the box within HELD_S, (SIDE, SIDE) grey levels; None before HELD_S has passed."""
        now, first = self._recent[-1], self._recent[0]
        if now.time_s - first.time_s < HELD_S:
            return None
        change = np.zeros_like(now.box)
        for before in self._recent:
            cv2.max(change, cv2.absdiff(now.box, before.box), change)
        return change.mean(axis=2)

    def _is_quiet(self) -> bool:
        change = self._change()
        return change is not None and float(change.mean()) < MAX_BOX_CHANGE

    def _is_still(self, hand: np.ndarray) -> bool:
        change = self._change()
        limit = MAX_HAND_CHANGE * (RELEASE_FACTOR if self._held_since_s is not None else 1.0)
        return change is not None and float(change[hand].mean()) < limit

    def _update_background(self, expected: BoxSnapshot, snapshot: BoxSnapshot, changed: np.ndarray) -> None:
        """Adapt the background to slow changes of light, and add objects that have stayed."""
        if not self._is_quiet():
            self._quiet_since_s = None
        elif self._quiet_since_s is None:
            self._quiet_since_s = snapshot.time_s
        if self._held_since_s is not None:
            stayed = snapshot.time_s - self._held_since_s > MAX_HELD_S
        else:
            stayed = self._quiet_since_s is not None and snapshot.time_s - self._quiet_since_s > SETTLED_S
        if stayed:
            self._background = snapshot
            return
        share = 1 - math.exp(min(0.0, expected.time_s - snapshot.time_s) / BACKGROUND_TIME_S)
        pixel_share = np.where(changed, 0, share)[..., None].astype(np.float32)
        box = expected.box + pixel_share * (snapshot.box - expected.box)
        around = expected.around + np.float32(share) * (snapshot.around - expected.around)
        self._background = BoxSnapshot(snapshot.time_s, snapshot.place, box, around)


def illuminant_bgr(pixels_bgr: np.ndarray) -> np.ndarray:
    """The illuminant (3,) of pixels (N, 3), in grey levels, by shades of grey (Finlayson and Trezzi 2004)."""
    norm = (np.maximum(pixels_bgr, 1.0).astype(np.float64) ** BRIGHT).mean(axis=0) ** (1 / BRIGHT)
    light: np.ndarray = norm.mean() * np.clip(norm / norm.mean(), 1 / MAX_CAST, MAX_CAST)
    return light


def is_skin(picture_bgr: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The mask (h, w) bool of skin-coloured pixels in (h, w, 3), corrected for the illuminant (3,).

    It compares ratios of colour channels, which do not depend on brightness. The ratios of all skin tones lie in one
    small region (Störring et al. 1999, "Skin colour detection under changing lighting conditions").
    """
    logs = np.log((picture_bgr + OFFSET / 2) / light)
    red_green, green_blue = logs[..., 2] - logs[..., 1], logs[..., 1] - logs[..., 0]
    reddish = (red_green > RED_GREEN[0]) & (red_green < RED_GREEN[1])
    warm = (green_blue > GREEN_BLUE[0]) & (green_blue < GREEN_BLUE[1])
    brightest = picture_bgr.max(axis=2)
    skin: np.ndarray = reddish & warm & (brightest > max(COLOURLESS, DARKEST * light.mean()))
    return skin


def changed_mask(pixels: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The mask (...) bool of pixels (..., 3) that differ from those expected by more than a change of light."""
    is_different = np.abs(pixels - np.minimum(expected, 255)).max(axis=-1) > CHANGED
    ratio = (pixels + OFFSET) / (expected + OFFSET)
    low, high = ratio.min(axis=-1), ratio.max(axis=-1)
    is_shade = (high < (1 + SHADE_TINT) * low) & (low > SHADE[0]) & (high < SHADE[1])
    different: np.ndarray = is_different & ~is_shade
    return different


def hand_mask(changed: np.ndarray, skin: np.ndarray) -> np.ndarray | None:
    """The mask (h, w) bool of hand and arm, given the changed pixels and the skin among them; None without a hand."""
    mask = cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    hand: np.ndarray = labels == largest
    rows, columns = np.nonzero(hand)
    ring = surrounding_ring(hand)
    is_small = max(np.ptp(rows), np.ptp(columns)) < MIN_EXTENT * SIDE
    is_large = hand.mean() > MAX_COVER
    is_part = hand.sum() < MIN_SHARE * (changed | hand).sum() or changed[ring].sum() > MAX_RING_CHANGE * ring.sum()
    return None if is_small or is_large or is_part or palm_circle(hand)[1] < MIN_PALM * SIDE else hand


def surrounding_ring(hand: np.ndarray) -> np.ndarray:
    """The ring (h, w) bool two to three pixels outside a mask (h, w) bool, beyond its mixed edge pixels."""
    mask = hand.astype(np.uint8)
    ring: np.ndarray = cv2.dilate(mask, np.ones((7, 7), np.uint8)) > cv2.dilate(mask, np.ones((3, 3), np.uint8))
    return ring


def has_edges(hand: np.ndarray, box_bgr: np.ndarray, background_bgr: np.ndarray) -> bool:
    """Whether the outline of the mask (h, w) has stronger edges in the box than in the background (h, w, 3).

    If not, it is a ghost: the former place of an object that has left (Cucchiara et al. 2003).
    """
    mask = hand.astype(np.uint8)
    rim = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > cv2.erode(mask, np.ones((3, 3), np.uint8))
    now, before = (float(gradient_magnitude(picture)[rim].mean()) for picture in (box_bgr, background_bgr))
    return now > before


def gradient_magnitude(picture_bgr: np.ndarray) -> np.ndarray:
    """Gradient magnitude (h, w) of the grey levels of (h, w, 3)."""
    gray = picture_bgr.mean(axis=2, dtype=np.float32)
    return cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))


def palm_circle(hand: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (row, column) and radius in pixels of the largest circle inside a mask (h, w) bool."""
    padded = cv2.copyMakeBorder(hand.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    middle = np.array(np.unravel_index(int(distance.argmax()), distance.shape), np.float64)
    return middle, float(distance.max())


def _without_arm(hand: np.ndarray) -> np.ndarray:
    """The mask (h, w) bool without the arm, which lies towards the side where the skin leaves the box."""
    middle, palm = palm_circle(hand)
    leaving = hand.copy()
    leaving[1:-1, 1:-1] = False
    if not leaving.any():
        return hand
    arm = np.argwhere(leaving).mean(axis=0) - middle
    length = max(1.0, float(np.linalg.norm(arm)))
    rows, columns = np.indices(hand.shape)
    along = ((rows - middle[0]) * arm[0] + (columns - middle[1]) * arm[1]) / length
    shortened: np.ndarray = hand & (along < WRIST * palm)
    return shortened


def _crop_around(hand: np.ndarray, box: Box, shape: tuple[int, int]) -> Box:
    """The square in a picture of shape (H, W) around a mask (SIDE, SIDE) bool of the box."""
    rows, columns = np.nonzero(hand)
    corners = np.array([(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)], np.float64)
    points = corners * (box.width / SIDE, box.height / SIDE) + (box.x1, box.y1)
    middle = points.mean(axis=0)
    return square_box(middle + FINGERTIPS * (points - middle), shape)
