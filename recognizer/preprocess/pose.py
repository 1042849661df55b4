"""From the 21 joints of a hand to the pose network's input. Pure functions, which training and the live loop share."""

import numpy as np

VERSION = "hand-pose-1"  # written into each model's card; change it whenever a feature changes

JOINTS = 21
FINGERS = np.arange(1, JOINTS).reshape(5, 4)  # joints of the thumb, then of each finger, from root to tip
BONE_ENDS = FINGERS.reshape(-1)
BONE_STARTS = np.array([joint - 1 if joint % 4 != 1 else 0 for joint in BONE_ENDS])
PAIRS = np.triu_indices(JOINTS, 1)
WRIST, INDEX_ROOT, MIDDLE_ROOT, RING_ROOT, LITTLE_ROOT = 0, 5, 9, 13, 17
REACH = 3.0  # palm lengths: coordinates are clipped to this; no joint of a real hand is so far from the wrist
SIZE = 60 + 60 + len(PAIRS[0])  # bone directions, joints in the palm's axes, distances of joints


def pose_features(landmarks: np.ndarray, side: str) -> np.ndarray:
    """Features (SIZE,) float32 of a hand's landmarks (21, 3). They do not depend on its place and size in the frame.

    `side` is "left" or "right". A left hand has the features of its mirror image. NaN and infinity count as 0.
    """
    return batch_features(landmarks[None], np.array([side == "left"]))[0]


def batch_features(landmarks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """`pose_features` of many hands: (N, 21, 3) and (N,) bool to (N, SIZE) float32.

    Only the first 60 depend on how the hand is turned, which distinguishes G from Q, H from U and K from P.
    """
    points = normalised(landmarks, left)
    bones = _unit(points[:, BONE_ENDS] - points[:, BONE_STARTS])
    distances = np.linalg.norm(points[:, PAIRS[0]] - points[:, PAIRS[1]], axis=2)
    parts = [bones, points[:, 1:] @ palm_frame(points), distances]
    return np.concatenate([part.reshape(len(points), -1) for part in parts], axis=1).astype(np.float32)


def normalised(landmarks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Hands (N, 21, 3) as right hands, with the wrist at 0 and a palm of length 1. All values are finite.

    `left` (N,) bool says which ones are left hands.
    """
    points = np.nan_to_num(landmarks.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    points = points - points[:, :1]
    length = np.linalg.norm(points[:, [INDEX_ROOT, MIDDLE_ROOT, LITTLE_ROOT]], axis=2).mean(axis=1)
    points = np.clip(points / np.maximum(length, 1e-6)[:, None, None], -REACH, REACH)
    points[left, :, 0] *= -1
    return points


def palm_frame(points: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) whose columns are the palm's axes: along it, across it and out of it."""
    along = _unit(points[:, MIDDLE_ROOT] - points[:, WRIST])
    across = points[:, LITTLE_ROOT] - points[:, INDEX_ROOT]
    across = _unit(across - (across * along).sum(axis=1, keepdims=True) * along)
    return np.stack([along, across, np.cross(along, across)], axis=2)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
