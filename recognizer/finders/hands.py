"""Finds hands with MediaPipe's HandLandmarker, and retries on transformed images if none is found."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from recognizer.errors import AssetError
from recognizer.finders.finder import RegionFinder
from recognizer.system.native import silent_stderr
from recognizer.values import Box, Frame, Hand, Region

MIN_SIDE = 32  # pixels; a hand is not recognizable in a smaller picture
HANDS = 2
PRESENCE = 0.5  # least hand presence score of the landmark network
MARGIN = 0.22  # of a hand's size: fingertips and the heel of the palm lie outside the joints
PADDING = 0.25  # of the longer side: the palm detector misses a hand that fills the picture
MAX_GAIN = 3.0  # of the white balance: a larger gain only amplifies noise
MIN_SIZE = 0.06  # of the shorter side: the sign of a smaller hand is not recognizable
LOW_THRESHOLD_MIN_SIZE = 0.15  # of the shorter side: most false detections are small
LOW_THRESHOLD_MIN_SCORE = 0.55  # of handedness: false detections are rarely clearly left or right
MIN_INSIDE = 12  # of 21 joints; MediaPipe guesses those outside the picture
MIN_WIDTH = 0.18  # ratio of the singular values of the joints: edges detected as hands are narrower
ROOTS = [5, 9, 13, 17]  # joints where the fingers leave the palm
FINGERS = np.arange(5, 21).reshape(4, 4)
SAME_HAND_IOU = 0.5  # IoU from which two detections are one hand
SAME_HAND_COVER = 0.7  # share of the smaller box that lies in the other one; the same
MAX_DISAGREEMENT = 0.1  # hand sizes: mean distance of the joints in the two views of a hand that was detected well
GUIDE_AFTER_S = 1.5  # a hand lost for a shorter time needs no guide
GUIDE_SIDE = 0.6  # of the shorter side: hands of this size are detected best
BLANK = np.zeros((MIN_SIDE, MIN_SIDE, 3), np.uint8)


Pair = tuple[Hand, Hand | None]  # a hand, and the same hand detected in the picture's mirror image


@dataclass(frozen=True)
class DetectionPass:
    """One way to transform an image before detection, and the threshold to use."""

    low_threshold: bool = False  # of the palm detector
    padding: float = 0.0  # border on each side, as a share of the longer side
    replicate_border: bool = False  # pad with the colours of the edge pixels instead of black
    tilt_deg: float = 0.0  # counter-clockwise
    white_balance: bool = False  # make the mean colour grey (Buchsbaum 1980), for hands in coloured light
    gamma: float = 1.0  # below 1 brightens dark areas

    def transform(self, image_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Transform a picture (H, W, 3) uint8 BGR. Returns it as RGB, and the (2, 3) affine matrix back to its pixels."""
        image_rgb = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
        if self.white_balance or self.gamma != 1.0:
            image_rgb = _adjust(image_rgb, self.white_balance, self.gamma)
        border = round(self.padding * max(image_bgr.shape[:2]))
        kind = cv2.BORDER_REPLICATE if self.replicate_border else cv2.BORDER_CONSTANT
        if border:
            image_rgb = cv2.copyMakeBorder(image_rgb, border, border, border, border, kind)
        back = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
        if self.tilt_deg:
            height, width = image_rgb.shape[:2]
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), self.tilt_deg, 1.0)
            image_rgb = cv2.warpAffine(image_rgb, turn, (width, height), borderMode=kind)
            back = cv2.invertAffineTransform(turn)
        back[:, 2] -= border
        return image_rgb, back


_FIRST = DetectionPass(padding=PADDING)
_LOW_THRESHOLD = (
    DetectionPass(low_threshold=True),
    DetectionPass(low_threshold=True, padding=PADDING),
    DetectionPass(low_threshold=True, padding=2 * PADDING, replicate_border=True),
    DetectionPass(low_threshold=True, padding=PADDING, gamma=0.5),
    DetectionPass(low_threshold=True, padding=PADDING, tilt_deg=20),
    DetectionPass(low_threshold=True, padding=PADDING, tilt_deg=-20),
    DetectionPass(low_threshold=True, padding=PADDING, white_balance=True),
    DetectionPass(low_threshold=True, padding=PADDING, gamma=0.3),
)
PICTURE_PASSES = (_FIRST, *_LOW_THRESHOLD)  # in this order, until one detects a hand
# The scales are of the square around the hand that is cut out, in hand sizes; None: the whole picture.
CORRECTIONS = (
    (None, DetectionPass(low_threshold=True)),
    (3.0, DetectionPass(low_threshold=True)),
    (2.0, DetectionPass()),
)
# one per frame. Padding makes distant hands smaller, and low-threshold passes take longer
STREAM_PASSES = tuple(one for low_threshold in _LOW_THRESHOLD for one in (DetectionPass(), _FIRST, low_threshold))


class HandFinder(RegionFinder):
    """Finds up to two hands. Close it, or use it in a `with` block: MediaPipe runs threads until it is closed.

    Args:
        task_path: MediaPipe's hand_landmarker model.
        video: whether frames belong to one stream. In a stream a hand is tracked, and while there is none, each frame
            gets one detection pass. A single picture and its mirror image get all passes until one detects a hand.
        guide: whether a stream without a hand sets `guide_box`, which shows the user where to hold a hand.

    Raises AssetError if the model or MediaPipe itself cannot be loaded.
    """

    def __init__(self, task_path: Path, *, video: bool, guide: bool = False):
        self.video = video
        self.guide_box: Box | None = None  # where the user should hold a hand, while none is found
        self._high_threshold = open_landmarker(task_path, video=video, low_threshold=False)
        self._low_threshold = open_landmarker(task_path, video=video, low_threshold=True)
        self._guide = guide and video
        self._nothing_since_s: float | None = None
        self._pass_index = 0  # of STREAM_PASSES
        self._following = False

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions from left to right; `()` without a hand. Each crop is a square (h, w, 3) uint8 BGR."""
        image_bgr = as_bgr(frame.image_bgr)
        if min(image_bgr.shape[:2]) < MIN_SIDE:
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
        self._high_threshold.close()
        self._low_threshold.close()

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
        """Detect hands in a picture with the first pass that finds any, and correct those whose joints are doubtful."""
        for detection_pass in PICTURE_PASSES:
            pairs = self._both_views(detection_pass, image_bgr)
            if pairs:
                return distinct([self._corrected(image_bgr, pair) for pair in pairs])
        return []

    def _both_views(self, detection_pass: DetectionPass, image_bgr: np.ndarray) -> list[Pair]:
        """Detect hands in a picture and in its mirror image, in which MediaPipe often finds other hands."""
        flipped_bgr = np.ascontiguousarray(image_bgr[:, ::-1])
        plain, _ = self._run_pass(detection_pass, image_bgr, 0.0)
        mirrored, _ = self._run_pass(detection_pass, flipped_bgr, 0.0)
        back = [_flipped(hand, image_bgr.shape[1]) for hand in mirrored]
        return paired(suppress_duplicates(plain), suppress_duplicates(back))

    def _corrected(self, image_bgr: np.ndarray, pair: Pair) -> Pair:
        """The pair, or another detection of the same hand whose two views agree better.

        If the joints of a hand and of its mirror image differ, MediaPipe has often seen a part of the hand only.
        """
        best = pair
        for scale, detection_pass in CORRECTIONS:
            if disagreement(best) < MAX_DISAGREEMENT:
                break
            x, y, part_bgr = _around(image_bgr, pair[0], scale)
            others = [_shifted(other, x, y) for other in self._both_views(detection_pass, part_bgr)]
            same = [other for other in others if _contains(other[0], pair[0])]
            best = min([best, *same], key=disagreement)
        return best

    def _follow(self, image_bgr: np.ndarray, time_s: float) -> list[Hand]:
        """Run one pass on a frame of a stream. A pass that detected a hand is repeated until it fails; then the next is run.

        Repeating it is fast, since MediaPipe tracks a hand that it has detected.
        """
        detection_pass = STREAM_PASSES[self._pass_index % len(STREAM_PASSES)]
        hands, others = self._run_pass(detection_pass, image_bgr, time_s)
        if others and not hands:
            # MediaPipe would track the false detection; a blank image resets it
            self._landmarker(detection_pass).detect(BLANK, time_s)
        if not hands and not self._following:
            self._pass_index += 1
        self._following = bool(hands)
        return hands

    def _run_pass(self, detection_pass: DetectionPass, image_bgr: np.ndarray, time_s: float) -> tuple[list[Hand], int]:
        """Plausible hands in pixels of the picture, and the number of implausible detections."""
        image_rgb, back = detection_pass.transform(image_bgr)
        found = self._landmarker(detection_pass).detect(image_rgb, time_s)
        hands = [_in_picture(hand, image_rgb.shape, back) for hand in found]
        plausible = [
            hand
            for hand in hands
            if is_plausible(hand, image_bgr.shape[:2], low_threshold=detection_pass.low_threshold)
        ]
        return plausible, len(hands) - len(plausible)

    def _landmarker(self, detection_pass: DetectionPass) -> "Landmarker":
        return self._low_threshold if detection_pass.low_threshold else self._high_threshold


class Landmarker:
    """MediaPipe's HandLandmarker with NumPy arrays. Raises AssetError if it cannot be opened."""

    def __init__(self, task_path: Path, *, video: bool, confidence: float, hands: int):
        with _without_tensorflow(), silent_stderr():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
            options = vision.HandLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(task_path)),
                running_mode=mode,
                num_hands=hands,
                min_hand_detection_confidence=confidence,
                min_hand_presence_confidence=PRESENCE,
            )
            try:
                self._network = vision.HandLandmarker.create_from_options(options)
            except (RuntimeError, ValueError, OSError) as error:
                line = str(error).splitlines()[0]
                raise AssetError(
                    f"{task_path} is missing or damaged ({line}). Fetch it again: python -m recognizer assets"
                ) from error
            self._image: Callable[[np.ndarray], Any] = lambda image_rgb: mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=image_rgb
            )
            # the networks print to stderr at the first picture, so it is run while stderr is silenced
            self._video, self._last_ms = video, 0
            self.detect(BLANK, 0.0)

    def detect(self, image_rgb: np.ndarray, time_s: float) -> list[Hand]:
        """Hands in a picture (H, W, 3) uint8 RGB. x and y are shares of width and height, z of the width."""
        image = self._image(np.ascontiguousarray(image_rgb))
        if self._video:
            # MediaPipe raises if the time does not increase, and cameras may repeat a time
            self._last_ms = max(self._last_ms + 1, round(1000 * time_s))
            result = self._network.detect_for_video(image, self._last_ms)
        else:
            result = self._network.detect(image)
        return [
            Hand(
                np.array([(point.x, point.y, point.z) for point in points], np.float32),
                sides[0].category_name.lower(),
                float(sides[0].score),
            )
            for points, sides in zip(result.hand_landmarks, result.handedness, strict=True)
        ]

    def close(self) -> None:
        with silent_stderr():
            self._network.close()


def open_landmarker(task_path: Path, *, video: bool, low_threshold: bool) -> Landmarker:
    """A landmarker for up to two hands. With a low threshold it is for one hand, since each false detection takes time."""
    return Landmarker(
        task_path, video=video, confidence=0.1 if low_threshold else 0.3, hands=1 if low_threshold else HANDS
    )


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


def is_plausible(hand: Hand, shape: tuple[int, int], *, low_threshold: bool = False) -> bool:
    """Whether joints in pixels of a picture (H, W) have the size and proportions of a hand.

    The limits exclude fewer than 1 in 200 of 4,700 photographed hands. A low-threshold pass has stricter limits.
    """
    joints = hand.landmarks
    if not np.isfinite(joints).all():
        return False
    spread = np.ptp(joints[:, :2], axis=0)
    if spread.max() < (LOW_THRESHOLD_MIN_SIZE if low_threshold else MIN_SIZE) * min(shape) or (
        low_threshold and hand.score < LOW_THRESHOLD_MIN_SCORE
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
    selected: list[Hand] = []
    for hand in sorted(hands, key=lambda hand: -hand.score):
        if not any(_same_hand(hand, other) for other in selected):
            selected.append(hand)
    return selected


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
    """Mean distance between the joints of a hand's two views, in hand sizes. Infinite if there is one view only."""
    hand, mirrored = pair
    if mirrored is None:
        return math.inf
    apart = np.linalg.norm(hand.landmarks[:, :2] - mirrored.landmarks[:, :2], axis=1).mean()
    return float(apart / max(1e-6, np.ptp(hand.landmarks[:, :2], axis=0).max()))


def distinct(pairs: list[Pair]) -> list[Pair]:
    """The pairs without second detections of one hand; the one whose views agree better stays."""
    selected: list[Pair] = []
    for pair in sorted(pairs, key=disagreement):
        if not any(_same_hand(pair[0], other[0]) for other in selected):
            selected.append(pair)
    return selected


def _same_hand(hand: Hand, other_hand: Hand) -> bool:
    """Whether two detections are one hand. One of them may show a part of it only, such as the fingertips."""
    one, other = _box_of(hand), _box_of(other_hand)
    width = max(0, min(one.x2, other.x2) - max(one.x1, other.x1))
    height = max(0, min(one.y2, other.y2) - max(one.y1, other.y1))
    smaller = max(1, min(one.width * one.height, other.width * other.height))
    return one.iou(other) >= SAME_HAND_IOU or width * height > SAME_HAND_COVER * smaller


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


def _in_picture(hand: Hand, shown_shape: tuple[int, ...], back: np.ndarray) -> Hand:
    """A hand in pixels of the picture. `shown_shape` is that of the transformed picture, in which it was detected."""
    height, width = shown_shape[:2]
    shown = hand.landmarks * np.array([width, height, width], np.float32)
    joints = np.column_stack([shown[:, :2] @ back[:, :2].T + back[:, 2], shown[:, 2]])
    return Hand(joints.astype(np.float32), hand.side, hand.score)


def _region(image_bgr: np.ndarray, hand: Hand, mirrored: Hand | None) -> Region:
    joints = hand.landmarks if mirrored is None else np.concatenate([hand.landmarks, mirrored.landmarks])
    box = square_box(joints[:, :2], image_bgr.shape[:2])
    return Region(box, image_bgr[box.y1 : box.y2, box.x1 : box.x2].copy(), hand=hand, mirrored_hand=mirrored)


def _adjust(image_rgb: np.ndarray, white_balance: bool, gamma: float) -> np.ndarray:
    """The picture with gamma correction and white balance."""
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * np.ones(3)
    if white_balance:
        means = np.maximum(cv2.mean(image_rgb)[:3], 1.0)
        levels *= np.clip(means.mean() / means, 1 / MAX_GAIN, MAX_GAIN)
    table = np.clip(np.rint(255 * levels), 0, 255).astype(np.uint8)
    return cv2.LUT(image_rgb, table.reshape(256, 1, 3))


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hide TensorFlow from MediaPipe, which imports it if it is installed and does not use it. That takes two seconds."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # makes `import tensorflow` fail
    try:
        yield
    finally:
        del sys.modules["tensorflow"]
