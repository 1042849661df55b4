"""MediaPipe's hand landmark pipeline, with its two networks run by LiteRT.

One network finds palms in the whole picture. The other one finds the joints of the hand in a turned square around a palm, or
around the joints of the frame before. The geometry and the constants are those of MediaPipe 1.2 (hand_detector_graph.cc,
hand_landmarks_detector_graph.cc, and the calculators that they name), since the networks were trained with them.
"""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from recognizer.errors import AssetError
from recognizer.preprocess import pose
from recognizer.preprocess.appearance import NETWORK as HAND_NETWORK
from recognizer.preprocess.appearance import SIDE as HAND_SIDE
from recognizer.preprocess.pose import JOINTS
from recognizer.system.native import silent_stderr
from recognizer.system.text import one_line
from recognizer.values import Hand

PALMS, JOINTS_OF_HAND = "palms", "hand"  # the names of the two networks in an export
PALM_NETWORK = "hand_detector.tflite"  # in the hand_landmarker asset
PALM_SIDE = 192  # pixels of the network's input
PALM_CELLS = ((24, 2), (12, 6))  # cells along a side of each grid of anchors, and anchors a cell
PALM_POINTS = 7
PALM_WRIST, PALM_MIDDLE = 0, 2  # the points that show how the palm is turned: the wrist, the root of the middle finger
PALM_TARGET_RAD = 90.0  # MediaPipe means degrees, but its field is in radians: every hand is turned by 27 degrees
PALM_SCALE, PALM_SHIFT = 2.6, 0.5  # in sizes of the palm: the hand's square, and its shift towards the fingers
SAME_PALM_IOU = 0.3  # boxes that overlap more are one palm
HAND_SCALE, HAND_SHIFT = 2.0, 0.1  # in sizes of the palm and the fingers' first segments
HAND_OUTPUTS = 4  # joints, presence, right hand, joints in metres
DEPTH_SCALE = 0.4  # the network's z is this much larger than its x and y
STABLE = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]  # joints without the fingers' ends, which move most
PRESENCE = 0.5  # least score of the presence of a hand
SAME_JOINT = 0.2  # of a hand's palm: joints of two hands that are nearer are the same …
SAME_JOINTS = 10  # … and with as many of them the hands are the same …
SAME_HAND_IOU = 0.2  # … if their boxes overlap
WHITE = 255
MAX_GAIN = 3.0  # of the white balance: a larger gain only amplifies noise
THREADS = 2  # the second one takes half of the time off each network, a third one nothing


@dataclass(frozen=True)
class Square:
    """A turned square of a picture, in pixels. It may reach beyond the picture."""

    x: float  # of its centre
    y: float
    side: float
    turn_rad: float = 0.0  # clockwise

    def matrix(self) -> np.ndarray:
        """The (2, 3) affine matrix from shares of the square, 0 to 1, to pixels of the picture."""
        cos, sin = self.side * math.cos(self.turn_rad), self.side * math.sin(self.turn_rad)
        return np.array(
            [[cos, -sin, self.x - (cos - sin) / 2], [sin, cos, self.y - (sin + cos) / 2]],
        )

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Points (…, 2) in shares of the square as pixels of the picture."""
        matrix = self.matrix()
        return points @ matrix[:, :2].T + matrix[:, 2]

    def cut_out(self, picture: np.ndarray, pixels: int, border: int) -> np.ndarray:
        """The square as a picture (pixels, pixels, C) uint8. `border` is OpenCV's kind of border.

        Places are rounded to 1/32 pixel, as OpenCV does in MediaPipe. cv2.warpAffine of OpenCV 5 is more exact, which moves
        some joints by more than 1 % of the hand.
        """
        matrix = (self.matrix() / (pixels, pixels, 1)).astype(np.float32)
        steps = np.arange(pixels, dtype=np.float32)
        x, y = (row[0] * steps + (row[1] * steps + row[2])[:, None] for row in matrix)
        places, fractions = cv2.convertMaps(x, y, cv2.CV_16SC2)
        return cv2.remap(picture, places, fractions, cv2.INTER_LINEAR, borderMode=border)

    def iou(self, other: "Square") -> float:
        """Intersection over union, 0 to 1, as if neither square was turned: MediaPipe's measure."""
        reach = (self.side + other.side) / 2
        sides = [
            max(0.0, min(reach - abs(apart), self.side, other.side)) for apart in (self.x - other.x, self.y - other.y)
        ]
        shared = sides[0] * sides[1]
        return shared / (self.side**2 + other.side**2 - shared)


@dataclass(frozen=True)
class View:
    """How a picture is shown to the networks. The default is MediaPipe's way."""

    padding: float = 0.0  # border on each side, as a share of the longer side
    replicate_border: bool = False  # pad with the colours of the edge pixels instead of black
    tilt_deg: float = 0.0  # counter-clockwise
    white_balance: bool = False  # make the mean colour grey (Buchsbaum 1980), for hands in coloured light
    gamma: float = 1.0  # below 1 brightens dark areas

    def square(self, image_bgr: np.ndarray) -> Square:
        """The square that the palm network sees: the picture (H, W, 3) in the middle of its border."""
        height, width = image_bgr.shape[:2]
        side = (1 + 2 * self.padding) * max(height, width)
        return Square(width / 2, height / 2, side, math.radians(self.tilt_deg))

    def cut_out(self, image_bgr: np.ndarray, square: Square, pixels: int, border: int) -> np.ndarray:
        """The network's input: the square of the picture (H, W, 3) uint8 BGR as (1, pixels, pixels, 3) float32 RGB, 0 to 1."""
        shown = self.adjust(square.cut_out(image_bgr, pixels, border), image_bgr)
        # the networks have no Rescaling layer
        return np.multiply(shown[None, ..., ::-1], np.float32(1 / WHITE), dtype=np.float32)

    @property
    def palm_border(self) -> int:
        return cv2.BORDER_REPLICATE if self.replicate_border else cv2.BORDER_CONSTANT

    @property
    def hand_border(self) -> int:
        """Beyond the picture, a hand's square shows the view's border."""
        return cv2.BORDER_CONSTANT if self.padding and not self.replicate_border else cv2.BORDER_REPLICATE

    def adjust(self, part_bgr: np.ndarray, image_bgr: np.ndarray) -> np.ndarray:
        """A part of the picture with gamma correction, and white balance by the colours of the whole picture."""
        if not self.white_balance and self.gamma == 1.0:
            return part_bgr
        levels = np.linspace(0, 1, WHITE + 1)[:, None] ** self.gamma * np.ones(3)
        if self.white_balance:
            means = np.maximum(cv2.mean(image_bgr)[:3], 1.0)
            levels *= np.clip(means.mean() / means, 1 / MAX_GAIN, MAX_GAIN)
        table = np.clip(np.rint(WHITE * levels), 0, WHITE).astype(np.uint8)
        return cv2.LUT(part_bgr, table.reshape(-1, 1, 3))


@dataclass(frozen=True, eq=False)
class Palms:
    """What the palm network has seen: one candidate for each of N anchors."""

    square: Square  # of the picture
    boxes: np.ndarray  # (N, 4): left, top, right and bottom, in shares of the square
    points: np.ndarray  # (N, PALM_POINTS, 2), in shares of the square
    scores: np.ndarray  # (N,), 0 to 1

    def hands(self, least: float) -> list[Square]:
        """The squares of the hands whose palms have at least that score, best first.

        Weighted non-maximum suppression: candidates of one palm are averaged by their scores (Bazarevsky et al. 2019).
        """
        rest = np.flatnonzero(self.scores >= least)
        rest = rest[np.argsort(-self.scores[rest], kind="stable")]
        found = []
        while len(rest):
            same = _iou(self.boxes[rest[0]], self.boxes[rest]) > SAME_PALM_IOU
            same[0] = True  # also if its box is empty
            weights = self.scores[rest[same]] / self.scores[rest[same]].sum()
            box = weights @ self.boxes[rest[same]]
            points = np.tensordot(weights, self.points[rest[same]], 1)
            found.append(self._hand(box, points))
            rest = rest[~same]
        return found

    def _hand(self, box: np.ndarray, points: np.ndarray) -> Square:
        """The square of the hand of a palm: its box (4,) enlarged, turned and moved towards the fingers."""
        x, y = points[PALM_MIDDLE] - points[PALM_WRIST]
        turn_rad = _wrapped(PALM_TARGET_RAD - math.atan2(-y, x))
        size = self.square.side * (box[2:] - box[:2])
        middle = self.square.to_picture((box[:2] + box[2:]) / 2)
        return _ahead(middle, size, turn_rad + self.square.turn_rad, PALM_SCALE, PALM_SHIFT)


@dataclass(frozen=True, eq=False)
class Reading:
    """What the hand network has read in a square."""

    hand: Hand  # x and y in pixels of the picture
    presence: float  # 0 to 1, the score of a hand's presence
    world: np.ndarray  # (JOINTS, 3) float32, metres from the middle of the hand, turned as in the picture


class HandNetwork(Protocol):
    def run(self, image: np.ndarray) -> Sequence[np.ndarray]:
        """The outputs, each with a first axis of 1, for one input (1, side, side, 3) float32."""


class HandNetworks:
    """The two networks of the hand_landmarker asset: of palms, and of a hand's joints."""

    def __init__(self, palm: HandNetwork, hand: HandNetwork):
        self._palm, self._hand, self._anchors = palm, hand, _anchors()

    def palms(self, image_bgr: np.ndarray, view: View) -> Palms:
        """The candidates for palms in a picture (H, W, 3) uint8 BGR."""
        square = view.square(image_bgr)
        raw, logits = self._palm.run(view.cut_out(image_bgr, square, PALM_SIDE, view.palm_border))
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -100, 100)))
        raw = raw[0] / PALM_SIDE
        middles, halves = raw[:, :2] + self._anchors, raw[:, 2:4] / 2
        boxes = np.concatenate([middles - halves, middles + halves], axis=1)
        points = raw[:, 4:].reshape(-1, PALM_POINTS, 2) + self._anchors[:, None]
        return Palms(square, boxes, points, scores)

    def read(self, image_bgr: np.ndarray, square: Square, view: View) -> Reading:
        """The joints of the hand in a square of a picture (H, W, 3) uint8 BGR."""
        shown = view.cut_out(image_bgr, square, HAND_SIDE, view.hand_border)
        screen, presence, right, world = (output[0] for output in self._hand.run(shown)[:HAND_OUTPUTS])
        joints = screen.reshape(JOINTS, 3) / HAND_SIDE
        depths = joints[:, 2] * square.side / DEPTH_SCALE
        landmarks = np.column_stack([square.to_picture(joints[:, :2]), depths]).astype(np.float32)
        is_right = right[0] > 0.5
        hand = Hand(landmarks, "right" if is_right else "left", float(right[0] if is_right else 1 - right[0]))
        turned = world.reshape(JOINTS, 3) @ _turn(square.turn_rad).T
        return Reading(hand, float(presence[0]), turned.astype(np.float32))


class _Network(HandNetwork):
    def __init__(self, content: bytes, side: int, shapes: tuple[tuple[int, ...], ...], threads: int):
        from ai_edge_litert.interpreter import Interpreter

        self._content = content  # LiteRT reads the weights in place
        self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input, self._outputs = inputs[0]["index"], [output["index"] for output in outputs]
        found = tuple(tuple(int(size) for size in part["shape"][1:]) for part in (inputs[0], *outputs))
        if found != ((side, side, 3), *shapes):
            raise ValueError(f"a network has the shapes {found}")

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output) for output in self._outputs]


def open_hand_networks(task_path: Path, threads: int = THREADS) -> HandNetworks:
    """The networks of the hand_landmarker asset, run by LiteRT.

    Raises AssetError if the asset is missing, damaged or contains different networks.
    """
    try:
        with zipfile.ZipFile(task_path) as archive, silent_stderr():
            palm = _Network(archive.read(PALM_NETWORK), PALM_SIDE, ((2016, 18), (2016, 1)), threads)
            shapes = ((3 * JOINTS,), (1,), (1,), (3 * JOINTS,))
            hand = _Network(archive.read(HAND_NETWORK), HAND_SIDE, shapes, threads)
    except (OSError, LookupError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"{task_path} is missing or damaged ({one_line(error)}). Fetch it again: python -m recognizer assets"
        ) from error
    return HandNetworks(palm, hand)


def square_around(landmarks: np.ndarray) -> Square:
    """The square in which the hand of these joints (21, 3), in pixels, is likely to be in the next frame."""
    points = landmarks[:, :2].astype(np.float64)
    x, y = (
        np.array([0.25, 0.5, 0.25]) @ points[[pose.INDEX_ROOT, pose.MIDDLE_ROOT, pose.RING_ROOT]] - points[pose.WRIST]
    )
    turn_rad = _wrapped(math.pi / 2 - math.atan2(-y, x))
    turn = _turn(turn_rad)[:2, :2]
    upright = points[STABLE] @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    return _ahead(turn @ ((low + high) / 2), high - low, turn_rad, HAND_SCALE, HAND_SHIFT)


def same_hand(landmarks: np.ndarray, others: np.ndarray) -> bool:
    """Whether joints (21, 3) of two hands, in pixels, are of one hand."""
    near = SAME_JOINT * max(_palm_size(landmarks), _palm_size(others))
    apart = np.linalg.norm((landmarks - others)[:, :2], axis=1)
    boxes = [np.concatenate([joints[:, :2].min(axis=0), joints[:, :2].max(axis=0)]) for joints in (landmarks, others)]
    return bool((apart < near).sum() >= SAME_JOINTS and _iou(boxes[0], boxes[1][None])[0] > SAME_HAND_IOU)


def _palm_size(landmarks: np.ndarray) -> float:
    corners = landmarks[[pose.WRIST, pose.INDEX_ROOT, pose.LITTLE_ROOT], :2]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).max())


def _ahead(middle: np.ndarray, size: np.ndarray, turn_rad: float, scale: float, shift: float) -> Square:
    """The square around a turned rectangle (width, height), enlarged, and moved by a share of its height to its upper end."""
    x, y = middle + shift * size[1] * np.array([math.sin(turn_rad), -math.cos(turn_rad)])
    return Square(float(x), float(y), scale * float(size.max()), turn_rad)


def _turn(angle_rad: float) -> np.ndarray:
    """The (3, 3) matrix that turns points clockwise in the picture."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _wrapped(angle_rad: float) -> float:
    """The angle within -π to π."""
    return math.remainder(angle_rad, 2 * math.pi)


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,) with boxes (N, 4)."""
    shared = np.maximum(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + areas - shared
    return np.where(shared > 0, shared / np.where(union == 0, 1, union), 0.0)


def _anchors() -> np.ndarray:
    """The middles (N, 2) of the palm network's anchors, in shares of its input (ssd_anchors_calculator.cc)."""
    grids = []
    for cells, anchors in PALM_CELLS:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(anchors, axis=0))
    return np.concatenate(grids)
