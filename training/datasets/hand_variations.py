"""Augmentation of hand joints and hand crops."""

import cv2
import numpy as np

from recognizer.classifiers.hands import corner
from recognizer.preprocess import appearance, pose
from recognizer.preprocess.pose import BONE_ENDS, BONE_STARTS, normalised
from recognizer.values import Hand, Region

TURN_DEG = 28.0  # standard deviation of the rotation in the image plane; more would turn an H into a U
LEAN_DEG = 16.0  # … of the rotation out of the plane
FLEX_DEG = 5.0  # … of the rotation of each bone
JITTER = (0.025, 0.025, 0.05)  # … of each joint's x, y, z in palm lengths; depth is the least accurate
WRONG_SIDE = 0.5  # share of hands whose left/right is swapped: either hand makes the sign, and detectors confuse them


def augmented(landmarks: np.ndarray, left: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Augment landmarks (N, 21, 3) and left (N,) bool: rotation, bone lengths, finger flexion, noise and side.

    Returns normalised landmarks (N, 21, 3), in palm lengths, and left (N,) bool.
    """
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
    """Rotation matrices (…, 3, 3) of rotation vectors (…, 3) in radians (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / np.maximum(angle[..., 0], 1e-9), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


VIEWS = 2  # of each hand: as detected in the picture, and as detected in the flipped picture
CROPS_A_VIEW = 4  # crops of each view: the first unchanged, the others augmented
CROP_TURN_DEG, ZOOM, SHIFT = 9.0, 0.08, 0.03  # standard deviations of the augmentation of crops; shift in sides
GAMMA, TINT = 0.35, 0.1  # … of the logarithms of gamma and of each channel's gain
COARSE_SHARE, COARSE_SIDES = 0.3, (24, 90)  # share of crops reduced to so many pixels a side; half of these become grey


def augmented_crops(region: Region, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """CROPS_A_VIEW crops (appearance.SIDE, appearance.SIDE, 3) uint8 RGB of a hand, the first one unchanged."""
    joints, left = hand.landmarks - corner(region), hand.side == "left"
    pictures = [appearance.upright(region.crop, joints, left=left)]
    for _ in range(CROPS_A_VIEW - 1):
        # detectors confuse left and right, and either hand makes the same sign
        swap_side = rng.random() < WRONG_SIDE / 2
        turn, zoom, shift = (
            np.radians(rng.normal(0, CROP_TURN_DEG)),
            np.exp(rng.normal(0, ZOOM)),
            rng.normal(0, SHIFT, 2),
        )
        picture = appearance.upright(
            region.crop, joints, left=left ^ swap_side, turn_rad=float(turn), zoom=float(zoom), shift=tuple(shift)
        )
        adjusted = 255 * (picture / 255) ** np.exp(rng.normal(0, GAMMA)) * np.exp(rng.normal(0, TINT, 3))
        picture = np.clip(adjusted, 0, 255).astype(np.uint8)
        if rng.random() < COARSE_SHARE:
            side = int(rng.integers(*COARSE_SIDES))
            small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            picture = cv2.resize(small, (appearance.SIDE, appearance.SIDE), interpolation=cv2.INTER_CUBIC)
            if rng.random() < 0.5:
                picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        pictures.append(picture)
    return pictures


MIXED_APART = 0.3  # least distance to real hands, palm lengths, RMS over the joints; a closer mixture may show a sign


def mixed_poses(
    points: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` synthetic background hands (M, 21, 3) with fingers of two signs, each unlike every real hand.

    `points` are (N, 21, 3) normalised hands with their labels (N,). Returns the background hands, and for each the index (M,)
    into `points` of the hand that its palm is from.
    """
    flat = points @ pose.palm_frame(points)
    one, other = rng.integers(len(points), size=(2, count))
    swapped = rng.random((count, 5)) < 0.5
    valid = (labels[one] != labels[other]) & swapped.any(axis=1) & ~swapped.all(axis=1)
    one, other, swapped = one[valid], other[valid], swapped[valid]
    mixed = flat[one].copy()
    for finger, joints in enumerate(pose.FINGERS):
        rows = swapped[:, finger]
        roots = flat[one[rows], joints[0]] - flat[other[rows], joints[0]]
        mixed[np.ix_(rows, joints)] = flat[other[rows]][:, joints] + roots[:, None]
    real = flat[rng.permutation(len(flat))[:1500]].reshape(-1, pose.JOINTS * 3)
    vectors = mixed.reshape(len(mixed), -1)
    squares = (vectors**2).sum(axis=1)[:, None] + (real**2).sum(axis=1) - 2 * vectors @ real.T
    is_far = np.sqrt(np.maximum(squares.min(axis=1), 0) / pose.JOINTS) > MIXED_APART
    rotated = mixed @ pose.palm_frame(points)[one].transpose(0, 2, 1)
    return rotated[is_far], one[is_far]
