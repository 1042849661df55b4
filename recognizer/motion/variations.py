"""Variations of a movement: the same sign as somebody else makes it, or as another camera sees it."""

from dataclasses import replace

import numpy as np

from recognizer.motion.movement import Movement

TURN_DEG = 9.0  # standard deviation of the rotation in the picture: the slant of the arm and of the camera
LEAN_DEG = 9.0  # … of the rotation out of it
STRETCH = 0.14  # … of the logarithms of the path's width and height
WARP = 0.22  # … of the tempo's change over the movement, as a share
EARLY_LATE = 0.08  # share of the movement that is cut off or added at each end, at most
BONES = 0.06  # … of the logarithms of the fingers' lengths
JITTER = 0.02  # … of each joint, in palm lengths


def varied(movement: Movement, rng: np.random.Generator) -> Movement:
    """A random variation of a movement: slant, size of the path, tempo, early or late ends, proportions and jitter.

    Frames in which a hand was not seen stay as they are.
    """
    joints = movement.joints.astype(np.float64)
    times_s = _warped(movement.times_s, rng)
    palm_px = np.nanmedian(np.linalg.norm(joints[:, 0, [5, 9, 17]] - joints[:, 0, :1], axis=-1))
    centre = np.nanmean(joints[:, 0, [0, 5, 17]], axis=(0, 1))
    joints = joints - centre
    wrists = joints[:, :, :1]
    inner = (joints - wrists) * np.exp(rng.normal(0, BONES, (1, 1, 21, 1)))
    path = wrists * np.array([*np.exp(rng.normal(0, STRETCH, 2)), 1.0]) * np.exp(rng.normal(0, STRETCH))
    joints = (path + inner) @ _rotation(rng).T
    joints += rng.normal(0, JITTER * palm_px, joints.shape)
    first, last = _ends(times_s, rng)
    chosen = slice(first, last)
    return Movement(times_s[chosen], (joints[chosen] + centre).astype(np.float32), movement.sides)


def _warped(times_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The times after a change of tempo, and with a tempo that swells or ebbs."""
    start_s, duration_s = times_s[0], times_s[-1] - times_s[0]
    at = (times_s - start_s) / duration_s
    bent = at + np.clip(rng.normal(0, WARP), -0.6, 0.6) * at * (1 - at)
    warped: np.ndarray = start_s + bent * duration_s * np.exp(rng.normal(0, 0.25))
    return warped


def _ends(times_s: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """The first frame and the one after the last that remain. At least half of the frames do."""
    most = int(EARLY_LATE * len(times_s))
    cut = rng.integers(0, most + 1, 2)
    return int(cut[0]), len(times_s) - int(cut[1])


def _rotation(rng: np.random.Generator) -> np.ndarray:
    yaw, pitch = np.radians(rng.normal(0, LEAN_DEG, 2))
    roll = np.radians(rng.normal(0, TURN_DEG))
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])


RAISE_PALMS, RAISE_S = 4.5, 0.45  # how far and for how long a hand comes up before a sign, or drops after it


def counterexamples(movement: Movement) -> tuple[Movement, ...]:
    """Movements that are not this sign, though its hands make them: they come up, drop, and go backwards.

    A sign may be the same backwards, or be a hand that drops: see MotionClassifier.fit.
    """
    backwards = replace(movement, joints=movement.joints[::-1])
    return (_lifted(movement, at=0, up=True), _lifted(movement, at=-1, up=False), backwards)


def _lifted(movement: Movement, *, at: int, up: bool) -> Movement:
    """The hands of the first or last frame that shows the main one, as they come up from below or drop."""
    shown = movement.joints[np.flatnonzero(movement.seen[:, 0])[at]]
    palm_px = float(np.linalg.norm(shown[0, [5, 9, 17]] - shown[0, 0], axis=-1).mean())
    share = np.linspace(1, 0, 12) ** 2 if up else np.linspace(0, 1, 12) ** 2
    joints = np.repeat(shown[None], len(share), axis=0)
    joints[..., 1] += (RAISE_PALMS * palm_px * share)[:, None, None]
    return replace(movement, times_s=np.linspace(0, RAISE_S, len(share)), joints=joints)
