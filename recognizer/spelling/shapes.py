"""The shape of a hand, whatever its size, place and owner: how signs are compared, averaged and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.preprocess import pose
from recognizer.studio.drawn_hands import PALM_MM
from recognizer.values import Hand

FINGERS = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
PALM_JOINTS = [0, 1, 5, 9, 13, 17]  # wrist, the thumb's root and the knuckles, as in PALM_MM
ROOTS = np.array([1, 5, 9, 13, 17])
SAME_TURN = 0.8  # radians: hands whose palms differ by less are turned in the same way
LEAST_SPREAD = 0.15  # radians: the joints of a still hand vary by this much
AXES = np.array([1.0, -1.0, -1.0])  # from MediaPipe's axes, y down and z away, to the studio's


@dataclass(frozen=True, eq=False)
class HandShape:
    """A hand as a right hand. The axes of a palm that faces the camera: x right, y up, z towards the camera."""

    bones: (
        np.ndarray
    )  # (5, 3, 3) unit vectors along the last three bones of each finger, thumb first, in the palm's axes
    turn: np.ndarray  # (3, 3) rotation of the palm, from one that faces the camera


def shape_of(hand: Hand) -> HandShape:
    """The shape of a detected hand. A left hand has the shape of its mirror image."""
    (points,) = pose.normalised(hand.landmarks[None], np.array([hand.side == "left"])) * AXES
    turn = _rotation_between(PALM_MM, points[PALM_JOINTS])
    steps = np.stack([np.diff(points[root : root + 4], axis=0) for root in ROOTS])
    return HandShape(_unit(steps @ turn), turn)


def mean_shape(shapes: Sequence[HandShape]) -> HandShape:
    """The mean of several hands that make the same sign: mean directions, which are rotations and unit vectors again.

    Some signs are turned in two ways, such as a P to the left or to the right. Those turned in the way that fewer hands have
    do not count for the rotation.
    """
    turns = np.stack([shape.turn for shape in shapes])
    angles = np.arccos(np.clip((np.einsum("aij,bij->ab", turns, turns) - 1) / 2, -1, 1))
    near = angles[angles.sum(axis=1).argmin()] <= SAME_TURN
    left, _, right = np.linalg.svd(turns[near].mean(axis=0))
    turn = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    return HandShape(_unit(np.mean([shape.bones for shape in shapes], axis=0)), turn)


def _rotation_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) R with which R @ source best fits target, both (N, 3) with the first point at 0 (Kabsch 1976)."""
    left, _, right = np.linalg.svd(target.T @ source)
    return left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right)) or 1.0]) @ right


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)


@dataclass(frozen=True, eq=False)
class KnownSign:
    """How a sign is made: the mean shape of hands that make it, and how far such hands are from it."""

    shape: HandShape
    spread: np.ndarray  # (5,) radians: three of four hands have each finger nearer than this
    drawing: HandShape | None = None  # a clearer one to look at; None: the shape itself


def known_sign(shapes: Sequence[HandShape]) -> KnownSign:
    mean = mean_shape(shapes)
    distances = np.stack([finger_distances(shape, mean) for shape in shapes])
    return KnownSign(mean, np.maximum(np.quantile(distances, 0.75, axis=0), LEAST_SPREAD))


def finger_distances(shape: HandShape, other: HandShape) -> np.ndarray:
    """(5,) radians: the mean angle between the bones of each finger."""
    cosines = (shape.bones * other.bones).sum(axis=2)
    return np.arccos(np.clip(cosines, -1, 1)).mean(axis=1)


def turn_distance(shape: HandShape, other: HandShape) -> float:
    """Radians: the angle between the directions of both palms."""
    return float(np.arccos(np.clip((np.trace(shape.turn.T @ other.turn) - 1) / 2, -1, 1)))
