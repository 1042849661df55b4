"""Finds a hand that MediaPipe misses: skin that entered the guide box and is held still.

MediaPipe goes first; only while it finds nothing and shows its guide box is the picture compared with the still
background of that box.
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

SIDE = 64  # pixels at which the box is looked at: a finger is still some four of them wide
MIN_SIDE = 32  # pixels of the box; in a smaller one no hand can be made out
AROUND = 24  # places in the picture's height, outside of the box, where it is looked for whether the light has changed
HELD_S = 0.4  # a hand on its way is in no place for that long
SETTLED_S = 3.0  # a box that changed, and has been still for so long, is the new background
MAX_HELD_S = 30.0  # nobody holds a sign for so long: a bag was put down, or a face that was taken for a hand
BACKGROUND_TIME_S = 1.0  # time constant with which the background follows slow light
MAX_HAND_CHANGE = 7.0  # of 255, mean change of what is held: trembling by half a pixel stays below
RELEASE_FACTOR = 2.0  # times as much lets go again, so that a hand that was held does not flicker
MAX_BOX_CHANGE = 3.0  # of 255, mean change of the whole box: a camera's noise stays below
CHANGED = 20.0  # of 255, in any colour: noise and JPEG's blocks stay below
SHADE = (0.45, 1.3)  # times the background's light: between them is a shadow or a brighter light …
SHADE_TINT = 0.09  # … where the colours' own factors differ by less (Horprasert et al. 1999)
OFFSET = 8.0  # levels added before colours are divided: in the dark a ratio is mostly noise
RED_GREEN = (0.09, 0.9)  # natural logarithms of skin's ratios, in white light, from light to dark skin
GREEN_BLUE = (-0.16, 0.8)
DARKEST = 0.33  # of the light: most hair is darker, and skin that lies in shadow
COLOURLESS = 20.0  # of 255: what is darker shows only noise
BRIGHT = 6  # norm with which a picture's colours are averaged to that of its light
MAX_CAST = 1.6  # times: no lamp colours more than this, but a wall in one colour does
MIN_EXTENT = 0.25  # of the box's side: a smaller hand shows no sign
MAX_COVER = 0.9  # of the box: what is larger is no hand, but the light
MIN_SHARE = 0.55  # of all that changed is skin: with a face come hair and clothes
MAX_FRINGE = 0.35  # of what lies around the skin may have changed too: a sleeve, but not hair above and a collar below
MIN_PALM = 0.07  # of the box's side, radius: a strip of skin has no palm
WRIST = 1.5  # palm radii from the palm's middle: beyond it, where the arm comes in, is the arm
FINGERTIPS = 0.88  # of a hand lie between its joints, around which a crop's margin is counted
OTHER_PLACE = 0.5  # of the places around the box: where so many have changed, the camera was moved


class StillHandFinder(RegionFinder):
    """The hands that `hands` finds; while it finds none and shows its guide box, one Region without joints at most.

    A context manager, as `hands` is, which it closes.
    """

    def __init__(self, hands: RegionFinder) -> None:
        self.hands = hands
        self.video = hands.video
        self.guide_box: Box | None = None  # where to hold a hand, while nothing is found
        self._detector = HeldHandDetector()

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """Regions from left to right, `()` for a frame without a hand. Each crop is a square (h, w, 3) uint8 BGR."""
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
    place: tuple[int, ...]  # the box, and the size of the picture
    box: np.ndarray  # (SIDE, SIDE, 3) float32 BGR
    around: np.ndarray  # (N, 3) float32, pixels outside of the box

    @classmethod
    def at(cls, image_bgr: np.ndarray, box: Box, time_s: float) -> Self:
        cut = cv2.resize(image_bgr[box.y1 : box.y2, box.x1 : box.x2], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        step = max(1, image_bgr.shape[0] // AROUND)
        rows, columns = np.mgrid[step // 2 : image_bgr.shape[0] : step, step // 2 : image_bgr.shape[1] : step]
        outside = (rows < box.y1) | (rows >= box.y2) | (columns < box.x1) | (columns >= box.x2)
        around = image_bgr[rows[outside], columns[outside]]
        place = (*box.xyxy, *image_bgr.shape[:2])
        return cls(time_s, place, cv2.GaussianBlur(cut, (3, 3), 0).astype(np.float32), around.astype(np.float32))

    def matched_to_light(self, other: Self) -> "BoxSnapshot":
        """The same where the camera's exposure and white balance are those of another snapshot at the place."""
        light = np.median((other.around + OFFSET) / (self.around + OFFSET), axis=0).astype(np.float32)
        return BoxSnapshot(self.time_s, self.place, light * self.box, light * self.around)


class HeldHandDetector:
    """Models the background of one stream and finds a hand held still in front of it."""

    def __init__(self) -> None:
        self._background: BoxSnapshot | None = None
        self._recent: deque[BoxSnapshot] = deque()  # back to HELD_S ago
        self._quiet_since_s: float | None = None
        self._held_since_s: float | None = None

    def clear_recent(self) -> None:
        """Frames that are not looked at say nothing about stillness; the background stays."""
        self._recent.clear()
        self._quiet_since_s = self._held_since_s = None

    def find(self, image_bgr: np.ndarray, box: Box, time_s: float) -> Box | None:
        """The square in pixels of the picture (H, W, 3) uint8 around the hand held into the box; None without one."""
        height, width = image_bgr.shape[:2]
        if min(box.width, box.height) < MIN_SIDE or box.x2 > width or box.y2 > height:
            return None
        snapshot = BoxSnapshot.at(image_bgr, box, time_s)
        self._remember(snapshot)
        if self._background is None:
            if self._is_quiet():
                self._background = snapshot
            return None
        expected = self._background.matched_to_light(snapshot)
        if differs(snapshot.around, expected.around).mean() > OTHER_PLACE:
            self._background = None
            return None
        changed = differs(snapshot.box, expected.box)
        hand = find_hand(changed, changed & is_skin(snapshot.box, light_bgr(expected.around)))
        if hand is not None and not (self._is_still(hand) and has_edges(hand, snapshot.box, expected.box)):
            hand = None
        if hand is None:
            self._held_since_s = None
        elif self._held_since_s is None:
            self._held_since_s = time_s
        self._settle(expected, snapshot, changed)
        return None if hand is None else _crop_around(_without_arm(hand), box, (height, width))

    def _remember(self, snapshot: BoxSnapshot) -> None:
        last = self._recent[-1] if self._recent else snapshot
        if snapshot.time_s < last.time_s or snapshot.place != last.place:  # the source has begun anew
            self.clear_recent()
        if self._background is not None and self._background.place != snapshot.place:
            self._background = None
        self._recent.append(snapshot)
        while len(self._recent) > 2 and snapshot.time_s - self._recent[1].time_s >= HELD_S:
            self._recent.popleft()

    def _change(self) -> np.ndarray | None:
        """How far each pixel of the box has strayed within HELD_S, (SIDE, SIDE) levels; None before so long."""
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

    def _settle(self, expected: BoxSnapshot, snapshot: BoxSnapshot, changed: np.ndarray) -> None:
        """Let the background follow slow light, and take what has stayed for background."""
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
        share_of = np.where(changed, 0, share)[..., None].astype(np.float32)
        box = expected.box + share_of * (snapshot.box - expected.box)
        around = expected.around + np.float32(share) * (snapshot.around - expected.around)
        self._background = BoxSnapshot(snapshot.time_s, snapshot.place, box, around)


def light_bgr(pixels_bgr: np.ndarray) -> np.ndarray:
    """The light (3,) on pixels (N, 3), in their levels: shades of grey (Finlayson and Trezzi 2004)."""
    norm = (np.maximum(pixels_bgr, 1.0).astype(np.float64) ** BRIGHT).mean(axis=0) ** (1 / BRIGHT)
    light: np.ndarray = norm.mean() * np.clip(norm / norm.mean(), 1 / MAX_CAST, MAX_CAST)
    return light


def is_skin(picture_bgr: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Which pixels (h, w) bool of (h, w, 3) have skin's colour once that of the light (3,) is taken out.

    Ratios of colours, which brightness does not change: skin of all tones lies in one locus of them (Störring et al.
    1999, "Skin colour detection under changing lighting conditions").
    """
    logs = np.log((picture_bgr + OFFSET / 2) / light)
    red_green, green_blue = logs[..., 2] - logs[..., 1], logs[..., 1] - logs[..., 0]
    reddish = (red_green > RED_GREEN[0]) & (red_green < RED_GREEN[1])
    warm = (green_blue > GREEN_BLUE[0]) & (green_blue < GREEN_BLUE[1])
    brightest = picture_bgr.max(axis=2)
    skin: np.ndarray = reddish & warm & (brightest > max(COLOURLESS, DARKEST * light.mean()))
    return skin


def differs(pixels: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Which pixels of (..., 3) are something else than expected, and not the same in another light: (...) bool."""
    apart = np.abs(pixels - np.minimum(expected, 255)).max(axis=-1) > CHANGED
    ratio = (pixels + OFFSET) / (expected + OFFSET)
    low, high = ratio.min(axis=-1), ratio.max(axis=-1)
    is_shade = (high < (1 + SHADE_TINT) * low) & (low > SHADE[0]) & (high < SHADE[1])
    different: np.ndarray = apart & ~is_shade
    return different


def find_hand(changed: np.ndarray, skin: np.ndarray) -> np.ndarray | None:
    """The hand with its arm (h, w) bool among what changed in the box; None where that is no hand."""
    mask = cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    hand: np.ndarray = labels == largest
    rows, columns = np.nonzero(hand)
    fringe = fringe_of(hand)
    is_small = max(np.ptp(rows), np.ptp(columns)) < MIN_EXTENT * SIDE
    is_large = hand.mean() > MAX_COVER
    is_part = hand.sum() < MIN_SHARE * (changed | hand).sum() or changed[fringe].sum() > MAX_FRINGE * fringe.sum()
    return None if is_small or is_large or is_part or palm_of(hand)[1] < MIN_PALM * SIDE else hand


def fringe_of(hand: np.ndarray) -> np.ndarray:
    """Pixels (h, w) bool that lie two or three outside of (h, w) bool: those beside it are of both."""
    mask = hand.astype(np.uint8)
    fringe: np.ndarray = cv2.dilate(mask, np.ones((7, 7), np.uint8)) > cv2.dilate(mask, np.ones((3, 3), np.uint8))
    return fringe


def has_edges(hand: np.ndarray, box_bgr: np.ndarray, background_bgr: np.ndarray) -> bool:
    """Whether the rim (h, w) shows now rather than in the background (h, w, 3).

    Else it is the ghost of what has left its place (Cucchiara et al. 2003).
    """
    mask = hand.astype(np.uint8)
    rim = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > cv2.erode(mask, np.ones((3, 3), np.uint8))
    now, before = (float(edges(picture)[rim].mean()) for picture in (box_bgr, background_bgr))
    return now > before


def edges(picture_bgr: np.ndarray) -> np.ndarray:
    """How steep the grey levels of (h, w, 3) are, (h, w)."""
    gray = picture_bgr.mean(axis=2, dtype=np.float32)
    return cv2.magnitude(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))


def palm_of(hand: np.ndarray) -> tuple[np.ndarray, float]:
    """Middle (row, column) and radius of the largest circle in (h, w) bool."""
    padded = cv2.copyMakeBorder(hand.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    middle = np.array(np.unravel_index(int(distance.argmax()), distance.shape), np.float64)
    return middle, float(distance.max())


def _without_arm(hand: np.ndarray) -> np.ndarray:
    """Skin (h, w) bool without the arm, which comes from where the skin leaves the box."""
    middle, palm = palm_of(hand)
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
    """The square in a picture (H, W) around what (SIDE, SIDE) bool shows of the box."""
    rows, columns = np.nonzero(hand)
    corners = np.array([(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)], np.float64)
    points = corners * (box.width / SIDE, box.height / SIDE) + (box.x1, box.y1)
    middle = points.mean(axis=0)
    return square_box(middle + FINGERTIPS * (points - middle), shape)
