"""From the 21 joints of a hand to what the pose network takes. Pure functions: training and the live loop come through
here.
"""

import numpy as np

VERSION = "hand-pose-1"  # written into each model's card; change it whenever a feature changes

JOINTS = 21
FINGERS = np.arange(1, JOINTS).reshape(5, 4)  # joints of the thumb, then of each finger, from root to tip
BONE_ENDS = FINGERS.reshape(-1)
BONE_STARTS = np.array([joint - 1 if joint % 4 != 1 else 0 for joint in BONE_ENDS])
PAIRS = np.triu_indices(JOINTS, 1)
WRIST, INDEX_ROOT, MIDDLE_ROOT, RING_ROOT, LITTLE_ROOT = 0, 5, 9, 13, 17
REACH = 3.0  # palm lengths that no joint of a real hand is away from its wrist
SIZE = 60 + 60 + len(PAIRS[0])  # bones as the picture shows them, joints in the palm's own axes, distances of joints


def pose_features(landmarks: np.ndarray, side: str) -> np.ndarray:
    """Features (SIZE,) float32 of a hand's landmarks (21, 3), which are not changed by its place and size in the frame.

    A left hand gives what its mirror image gives for a right one. Finite for whatever numbers the landmarks hold.
    """
    return batch_features(landmarks[None], np.array([side == "left"]))[0]


def batch_features(landmarks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """`pose_features` of many hands: (N, 21, 3) and (N,) bool to (N, SIZE) float32.

    Only the first 60 change when the hand is turned: without them G would be Q, H would be U and K would be P.
    """
    points = normalised(landmarks, left)
    bones = _unit(points[:, BONE_ENDS] - points[:, BONE_STARTS])
    distances = np.linalg.norm(points[:, PAIRS[0]] - points[:, PAIRS[1]], axis=2)
    parts = [bones, points[:, 1:] @ palm_frame(points), distances]
    return np.concatenate([part.reshape(len(points), -1) for part in parts], axis=1).astype(np.float32)


def normalised(landmarks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Hands (N, 21, 3) as right ones, with the wrist at 0 and the palm of length 1, all numbers finite."""
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


TURN_DEG = 28.0  # standard deviations of the augmentation: in the picture's plane, further would make a U of an H
LEAN_DEG = 16.0  # … and out of it
FLEX_DEG = 5.0  # … of each bone by itself
JITTER = (0.025, 0.025, 0.05)  # … of each joint, in palm lengths: depth is what the finder knows least
WRONG_SIDE = 0.5  # share of hands that get the other side: the same sign is made by either, and finders err in it


def augmented(landmarks: np.ndarray, left: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Other hands in the same poses: (N, 21, 3) landmarks and (N,) bool turned, leant, with other bones and noise."""
    count = len(landmarks)
    points = normalised(landmarks, left)
    bones = points[:, BONE_ENDS] - points[:, BONE_STARTS]
    fingers = np.repeat(rng.normal(1, 0.08, (count, 5)), 4, axis=1)
    bones *= (fingers * rng.normal(1, 0.08, (count, len(BONE_ENDS))))[..., None]
    bends = rng.normal(0, np.radians(FLEX_DEG), bones.shape)
    bones = np.einsum("nbij,nbj->nbi", _rotations(bends), bones)
    points = np.zeros_like(points)
    for start, end, bone in zip(BONE_STARTS, BONE_ENDS, bones.transpose(1, 0, 2), strict=True):
        points[:, end] = points[:, start] + bone
    points[..., 2] *= rng.uniform(0.7, 1.3, (count, 1))
    angles = rng.normal(0, np.radians([LEAN_DEG, LEAN_DEG, TURN_DEG]), (count, 3))
    points = np.einsum("nij,nkj->nki", _rotations(angles), points)
    points += rng.normal(0, 1, points.shape) * JITTER
    return points, rng.random(count) < WRONG_SIDE


def _rotations(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices (…, 3, 3) about the vectors (…, 3), by their lengths in radians (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / np.maximum(angle[..., 0], 1e-9), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
