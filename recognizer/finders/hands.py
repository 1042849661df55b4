"""Finds hands by their joints, and retries on other views of the picture if none is found."""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from recognizer.errors import AssetError
from recognizer.finders.finder import RegionFinder
from recognizer.finders.hand_detector import Accept, HandDetector, NetworkDetector, without_repeats
from recognizer.finders.hand_networks import THREADS, View, open_hand_networks
from recognizer.values import Box, Frame, Hand, Region

MIN_SIDE = 32  # pixels; a hand is not recognizable in a smaller picture
MAX_SIDE = 32_766  # pixels; OpenCV cuts nothing out of a larger picture
MARGIN = 0.22  # of a hand's size: fingertips and the heel of the palm lie outside the joints
PADDING = 0.25  # of the longer side: the palm detector misses a hand that fills the picture
MIN_SIZE = 0.06  # of the shorter side: the sign of a smaller hand is not recognizable
DOUBTFUL_MIN_SIZE = 0.15  # of the shorter side: most false detections are small
DOUBTFUL_MIN_SCORE = 0.55  # of handedness: false detections are rarely clearly left or right
MIN_INSIDE = 12  # of 21 joints; the network guesses those outside the picture
MIN_WIDTH = 0.18  # ratio of the singular values of the joints: edges detected as hands are narrower
ROOTS = [5, 9, 13, 17]  # joints where the fingers leave the palm
FINGERS = np.arange(5, 21).reshape(4, 4)
SAME_HAND_IOU = 0.5  # IoU from which two detections are one hand
SAME_HAND_COVER = 0.7  # share of the smaller box that lies in the other one; the same
MAX_DISAGREEMENT = 0.1  # hand sizes: mean distance of the joints in the two sides of a hand that was detected well
GUIDE_AFTER_S = 1.5  # a hand lost for a shorter time needs no guide
GUIDE_SIDE = 0.6  # of the shorter side: hands of this size are detected best

Pair = tuple[Hand, Hand | None]  # a hand, and the same hand detected in the picture's mirror image


PLAIN = View()
PADDED = View(padding=PADDING)
WIDE = View(padding=2 * PADDING, replicate_border=True)
TILTED, TILTED_BACK = View(padding=PADDING, tilt_deg=20), View(padding=PADDING, tilt_deg=-20)
BRIGHT = View(padding=PADDING, gamma=0.5)
BALANCED = View(padding=PADDING, white_balance=True)
# For pictures in which PADDED shows no hand: a view, and whether it is of the mirror image. Each finds the most of the hands
# that those before it miss
SECOND_LOOKS = (
    (PLAIN, False),
    (TILTED, True),
    (BRIGHT, False),
    (WIDE, False),
    (TILTED, False),
    (BALANCED, False),
    (PLAIN, True),
)
# What a hand is detected in again: squares around it, in hand sizes. None is the whole picture.
CORRECTIONS = (None, 3.0, 2.0)
# One a frame. Padding makes distant hands smaller, so that half of the frames are searched without
STREAM_VIEWS = tuple(
    view for last in (TILTED, BRIGHT, WIDE, TILTED_BACK, BALANCED) for view in (PLAIN, PADDED, PLAIN, PADDED, last)
)


class HandFinder(RegionFinder):
    """Finds up to two hands. Close it, or use it in a `with` block.

    Args:
        task_path: MediaPipe's hand_landmarker model.
        video: whether frames belong to one stream. In a stream a hand is followed, and while there is none, each frame
            is searched in one view. A single picture and its mirror image are searched in all views until one shows a hand.
        guide: whether a stream without a hand sets `guide_box`, which shows the user where to hold a hand.
        threads: of each network; 1 for one of several processes.

    Raises AssetError if the model cannot be loaded.
    """

    def __init__(self, task_path: Path, *, video: bool, guide: bool = False, threads: int = THREADS):
        self.video = video
        self.guide_box: Box | None = None  # where the user should hold a hand, while none is found
        self._detector = open_detector(task_path, video=video, threads=threads)
        self._guide = guide and video
        self._nothing_since_s: float | None = None
        self._view_index = 0  # of STREAM_VIEWS
        self._following = False

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions from left to right; `()` without a hand. Each crop is a square (h, w, 3) uint8 BGR."""
        image_bgr = as_bgr(frame.image_bgr)
        if min(image_bgr.shape[:2]) < MIN_SIDE or max(image_bgr.shape[:2]) > MAX_SIDE:
            return ()
        if self.video:
            pairs: list[Pair] = [(hand, None) for hand in suppress_duplicates(self._follow(image_bgr, frame.time_s))]
        else:
            pairs = self._search(image_bgr)
        regions = [_region(image_bgr, hand, mirrored) for hand, mirrored in pairs]
        if self._guide:
            self._update_guide(image_bgr.shape[:2], frame.time_s, found=bool(regions))
        return tuple(sorted(regions, key=lambda region: region.box.center_xy[0]))

    def close(self) -> None:
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _update_guide(self, shape: tuple[int, int], time_s: float, *, found: bool) -> None:
        if found or self._nothing_since_s is None:
            self._nothing_since_s = None if found else time_s
        waited = self._nothing_since_s is not None and time_s - self._nothing_since_s >= GUIDE_AFTER_S
        side = round(GUIDE_SIDE * min(shape))
        x, y = (shape[1] - side) // 2, (shape[0] - side) // 2
        self.guide_box = Box(x, y, x + side, y + side) if waited else None

    def _search(self, image_bgr: np.ndarray) -> list[Pair]:
        """The hands of a picture. Those whose joints are uncertain are corrected."""
        pairs = self._both_sides(PADDED, image_bgr) or self._second_look(image_bgr)
        return distinct([self._corrected(image_bgr, pair) for pair in pairs])

    def _second_look(self, image_bgr: np.ndarray) -> list[Pair]:
        """The hands of the first view that shows any. Its other side is searched only then, since most pictures show none."""
        for view, mirrored in SECOND_LOOKS:
            hands = self._detect(view, image_bgr, mirrored=mirrored)
            if hands:
                others = self._detect(view, image_bgr, mirrored=not mirrored)
                return paired(others, hands) if mirrored else paired(hands, others)
        return []

    def _both_sides(self, view: View, image_bgr: np.ndarray) -> list[Pair]:
        """The hands of a picture and of its mirror image, in which the networks often find other hands."""
        return paired(
            self._detect(view, image_bgr, mirrored=False),
            self._detect(view, image_bgr, mirrored=True),
        )

    def _detect(self, view: View, image_bgr: np.ndarray, *, mirrored: bool) -> list[Hand]:
        """The hands of a picture or of its mirror image, in pixels of the picture."""
        shown_bgr = np.ascontiguousarray(image_bgr[:, ::-1]) if mirrored else image_bgr
        hands = suppress_duplicates(self._detector.detect(shown_bgr, view, _plausible_in(image_bgr)))
        return [_flipped(hand, image_bgr.shape[1]) for hand in hands] if mirrored else hands

    def _corrected(self, image_bgr: np.ndarray, pair: Pair) -> Pair:
        """The pair, or another detection of the same hand whose two sides agree better.

        If the joints of a hand and of its mirror image differ, the networks have often seen a part of the hand only.
        """
        best = pair
        for scale in CORRECTIONS:
            if disagreement(best) < MAX_DISAGREEMENT:
                break
            x, y, part_bgr = _around(image_bgr, pair[0], scale)
            others = [_shifted(other, x, y) for other in self._both_sides(PLAIN, part_bgr)]
            same = [other for other in others if _contains(other[0], pair[0])]
            best = min([best, *same], key=disagreement)
        return best if best[1] is not None else (best[0], self._other_side(image_bgr, best[0]))

    def _other_side(self, image_bgr: np.ndarray, hand: Hand) -> Hand | None:
        """The hand as the networks see it in the mirror image, if they found no palm there."""
        flipped_bgr, width = np.ascontiguousarray(image_bgr[:, ::-1]), image_bgr.shape[1]
        other = self._detector.read_again(flipped_bgr, _flipped(hand, width), _plausible_in(image_bgr))
        return other and _flipped(other, width)

    def _follow(self, image_bgr: np.ndarray, time_s: float) -> list[Hand]:
        """The hands in a frame of a stream. A view that showed a hand is used until it fails, then the next one."""
        view = STREAM_VIEWS[self._view_index % len(STREAM_VIEWS)]
        hands = self._detector.follow(image_bgr, view, _plausible_in(image_bgr), time_s)
        if not hands and not self._following:
            self._view_index += 1
        self._following = bool(hands)
        return hands


def open_detector(task_path: Path, *, video: bool, threads: int = THREADS) -> HandDetector:
    """The detector of the hand_landmarker asset: LiteRT runs it, or MediaPipe if LiteRT cannot and MediaPipe is installed.

    Raises AssetError if neither can.
    """
    try:
        return NetworkDetector(open_hand_networks(task_path, threads))
    except AssetError:
        if find_spec("mediapipe") is None:
            raise
        from recognizer.finders.mediapipe_hands import MediaPipeDetector

        return MediaPipeDetector(task_path, video=video)


def as_bgr(image: np.ndarray) -> np.ndarray:
    """A picture of one, three or four channels as (H, W, 3) uint8 BGR; (0, 0, 3) if it is not a picture."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        return np.zeros((0, 0, 3), np.uint8)
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 3:
        return image
    if channels in (1, 4):
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_BGRA2BGR)
    return np.zeros((0, 0, 3), np.uint8)


def _plausible_in(image_bgr: np.ndarray) -> Accept:
    return lambda hand, doubtful: is_plausible(hand, image_bgr.shape[:2], doubtful=doubtful)


def is_plausible(hand: Hand, shape: tuple[int, int], *, doubtful: bool = False) -> bool:
    """Whether joints in pixels of a picture (H, W) have the size and proportions of a hand.

    The limits exclude fewer than 1 in 200 of 4,700 photographed hands. They are stricter for a doubtful palm.
    """
    joints = hand.landmarks
    if not np.isfinite(joints).all():
        return False
    spread = np.ptp(joints[:, :2], axis=0)
    if spread.max() < (DOUBTFUL_MIN_SIZE if doubtful else MIN_SIZE) * min(shape) or (
        doubtful and hand.score < DOUBTFUL_MIN_SCORE
    ):
        return False
    inside = (joints[:, :2] >= 0).all(axis=1) & (joints[:, :2] < shape[::-1]).all(axis=1)
    if inside.sum() < MIN_INSIDE:
        return False
    rays = np.linalg.norm(joints[ROOTS] - joints[0], axis=1)
    palm = float(rays.mean())
    if palm <= 0 or rays.min() < 0.65 * palm or rays.max() > 1.45 * palm:
        return False
    thumb = float(np.linalg.norm(joints[1] - joints[0]))
    longest = float(np.linalg.norm(np.diff(joints[FINGERS], axis=1), axis=2).max())
    if not 0.2 * palm < thumb < 0.85 * palm or longest > 1.25 * palm:
        return False
    wide, narrow = (*np.linalg.svd(joints[:, :2] - joints[:, :2].mean(axis=0), compute_uv=False), 0.0)[:2]
    return bool(narrow > MIN_WIDTH * wide) and 0.25 < palm / float(np.hypot(*spread)) < 0.9


def square_box(points_xy: np.ndarray, shape: tuple[int, int]) -> Box:
    """A square around points (N, 2) with a margin, moved or shrunk to fit into a picture of shape (H, W)."""
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    side = max(1, min(math.ceil((1 + 2 * MARGIN) * float((high - low).max())), *shape))
    x, y = np.round((low + high) / 2 - side / 2)
    x, y = min(max(int(x), 0), shape[1] - side), min(max(int(y), 0), shape[0] - side)
    return Box(x, y, x + side, y + side)


def suppress_duplicates(hands: list[Hand]) -> list[Hand]:
    """Non-maximum suppression: hands that do not overlap, by descending score."""
    return without_repeats(sorted(hands, key=lambda hand: -hand.score), _same_hand)


def paired(plain: list[Hand], mirrored: list[Hand]) -> list[Pair]:
    """Match hands detected in a picture and in its mirror image by IoU. All are in pixels of the picture."""
    pairs: list[Pair] = []
    rest = list(mirrored)
    for hand in plain:
        same = next((other for other in rest if _box_of(hand).iou(_box_of(other)) >= SAME_HAND_IOU), None)
        pairs.append((hand, same))
        rest = [other for other in rest if other is not same]
    return pairs + [(hand, None) for hand in rest]


def disagreement(pair: Pair) -> float:
    """Mean distance between the joints of a hand's two sides, in hand sizes. Infinite if one is missing."""
    hand, mirrored = pair
    if mirrored is None:
        return math.inf
    apart = np.linalg.norm(hand.landmarks[:, :2] - mirrored.landmarks[:, :2], axis=1).mean()
    return float(apart / max(1e-6, np.ptp(hand.landmarks[:, :2], axis=0).max()))


def distinct(pairs: list[Pair]) -> list[Pair]:
    """The pairs without second detections of one hand; the one whose sides agree better stays."""
    return without_repeats(sorted(pairs, key=disagreement), lambda pair, other: _same_hand(pair[0], other[0]))


def _same_hand(hand: Hand, other_hand: Hand) -> bool:
    """Whether two detections are one hand. One of them may show a part of it only, such as the fingertips."""
    one, other = _box_of(hand), _box_of(other_hand)
    smaller = min(one.area, other.area)
    return one.iou(other) >= SAME_HAND_IOU or one.overlap(other) > SAME_HAND_COVER * smaller


def _contains(hand: Hand, other: Hand) -> bool:
    """Whether the middle of the other hand is in the hand's box."""
    box, (x, y) = _box_of(hand), other.landmarks[:, :2].mean(axis=0)
    return bool(box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2)


def _around(image_bgr: np.ndarray, hand: Hand, scale: float | None) -> tuple[int, int, np.ndarray]:
    """A square part of the picture around a hand, black outside the picture: its left top corner and its pixels.

    None as the scale is the whole picture.
    """
    if scale is None:
        return 0, 0, image_bgr
    low, high = hand.landmarks[:, :2].min(axis=0), hand.landmarks[:, :2].max(axis=0)
    side = max(MIN_SIDE, int(scale * (high - low).max()))
    x, y = (int(corner) for corner in (low + high - side) / 2)
    matrix = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
    return x, y, cv2.warpAffine(image_bgr, matrix, (side, side), flags=cv2.INTER_NEAREST)


def _shifted(pair: Pair, x: int, y: int) -> Pair:
    """The pair moved right and down by x and y pixels."""
    moved = [hand and Hand(hand.landmarks + np.float32([x, y, 0]), hand.side, hand.score) for hand in pair]
    assert moved[0] is not None
    return moved[0], moved[1]


def _flipped(hand: Hand, width: int) -> Hand:
    """Flip a hand back that was detected in a mirror image `width` pixels wide."""
    joints = hand.landmarks * np.float32([-1, 1, 1]) + np.float32([width - 1, 0, 0])
    return Hand(joints, "left" if hand.side == "right" else "right", hand.score)


def _box_of(hand: Hand) -> Box:
    low, high = hand.landmarks[:, :2].min(axis=0), hand.landmarks[:, :2].max(axis=0)
    return Box(*(int(value) for value in (*np.floor(low), *np.ceil(high))))


def _region(image_bgr: np.ndarray, hand: Hand, mirrored: Hand | None) -> Region:
    joints = hand.landmarks if mirrored is None else np.concatenate([hand.landmarks, mirrored.landmarks])
    box = square_box(joints[:, :2], image_bgr.shape[:2])
    return Region(box, image_bgr[box.y1 : box.y2, box.x1 : box.x2].copy(), hand=hand, mirrored_hand=mirrored)
