"""A movement: the joints of one hand or both over a stretch of time."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

MAX_GAP_S = 0.3  # a hand that is lost for longer has ended its movement
OTHER_HAND_SHARE = 0.5  # share of the frames in which the other hand must be seen to belong to the movement
LEFT, RIGHT = "left", "right"


@dataclass(frozen=True, eq=False)
class Movement:
    """A stretch of joints. Arrays are not changed once they are in a Movement.

    The main hand is the only one seen, or the one that moved more. The rate of the frames may be uneven, 10 to 60 a second.
    """

    times_s: np.ndarray  # (T,) float64, increases; T is at least 2
    joints: (
        np.ndarray
    )  # (T, 2, 21, 3) float32: main and other hand; pixels, z negative towards the camera; NaN: not seen
    sides: tuple[str, str]  # "left" or "right" hand of the person, of the main and the other hand

    @property
    def duration_s(self) -> float:
        return float(self.times_s[-1] - self.times_s[0])

    @cached_property
    def seen(self) -> np.ndarray:
        """(T, 2) bool: in which frames each hand was seen."""
        found: np.ndarray = np.isfinite(self.joints).all(axis=(2, 3))
        return found

    @property
    def has_two_hands(self) -> bool:
        """Whether the other hand was seen often enough to be a part of the movement."""
        return bool(self.seen[:, 1].mean() >= OTHER_HAND_SHARE)


def mirrored(movement: Movement) -> Movement:
    """The same movement made by the other hand, as a mirror shows it."""
    joints = movement.joints * np.array([-1, 1, 1], np.float32)
    main, other = (LEFT if side == RIGHT else RIGHT for side in movement.sides)
    return replace(movement, joints=joints, sides=(main, other))


def exchanged(movement: Movement) -> Movement:
    """The same movement with the other hand as the main hand."""
    main, other = movement.sides
    return replace(movement, joints=movement.joints[:, ::-1], sides=(other, main))


def between(movement: Movement, start_s: float, end_s: float) -> Movement:
    """The frames of a movement from `start_s` to `end_s`, both included."""
    inside = (movement.times_s >= start_s) & (movement.times_s <= end_s)
    return replace(movement, times_s=movement.times_s[inside], joints=movement.joints[inside])


def interpolated(times_s: np.ndarray, joints: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """The joints (N, 21, 3) float32 of one hand (T, 21, 3) at the times `at_s` (N,), linear between the frames that show it.

    Before the first of these frames and after the last one, the hand rests. NaN everywhere if no frame shows it.
    """
    seen = np.isfinite(joints).all(axis=(1, 2))
    if not seen.any():
        return np.full((len(at_s), *joints.shape[1:]), np.nan, np.float32)
    known_s, known = times_s[seen], joints[seen]
    after = np.clip(np.searchsorted(known_s, at_s), 1, max(1, len(known_s) - 1))
    if len(known_s) == 1:
        return np.repeat(known, len(at_s), axis=0)
    before = after - 1
    share = np.clip((at_s - known_s[before]) / (known_s[after] - known_s[before]), 0, 1)[:, None, None]
    return ((1 - share) * known[before] + share * known[after]).astype(np.float32)


def resampled(movement: Movement, steps: int) -> np.ndarray:
    """The joints (steps, 2, 21, 3) float32 at `steps` equally spaced times from the first to the last frame.

    Frames in which a hand was lost are filled. A hand that no frame shows is NaN.
    """
    at_s = np.linspace(movement.times_s[0], movement.times_s[-1], steps)
    hands = [interpolated(movement.times_s, movement.joints[:, hand], at_s) for hand in (0, 1)]
    return np.stack(hands, axis=1)
