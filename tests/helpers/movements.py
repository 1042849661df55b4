"""Movements made of one hand shape that is moved along a path."""

from collections.abc import Callable, Iterator

import numpy as np

from recognizer.motion.movement import Movement
from recognizer.motion.segmenter import Segmenter
from recognizer.values import Hand
from tests.helpers.signs import a_hand

FPS = 30.0
PALM_PX = 80  # of the hands of tests.helpers.signs

Path = Callable[[np.ndarray], np.ndarray]  # progress (N,) of 0 to 1 -> x, y (N, 2) in palm lengths


def circle(at: np.ndarray) -> np.ndarray:
    return np.column_stack([np.sin(2 * np.pi * at), 1 - np.cos(2 * np.pi * at)])


def swipe(at: np.ndarray) -> np.ndarray:
    return np.column_stack([3 * at, 0 * at])


def wave(at: np.ndarray) -> np.ndarray:
    return np.column_stack([np.sin(4 * np.pi * at), 0 * at])


def stay(at: np.ndarray) -> np.ndarray:
    return np.zeros((len(at), 2))


def frames(
    path: Path,
    *,
    sign: str = "one",
    duration_s: float = 1.0,
    rest_s: float = 0.6,
    fps: float = FPS,
    size: float = 1.0,
    place: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
) -> Iterator[tuple[float, Hand]]:
    """The time and the hand of each frame: the hand rests, moves along the path, and rests."""
    rng = np.random.default_rng(seed)
    shape = a_hand(sign, rng).landmarks
    for index in range(round((duration_s + 2 * rest_s) * fps)):
        time_s = index / fps
        done = np.clip((time_s - rest_s) / duration_s, 0, 1)
        moved = PALM_PX * path(np.array([done * done * (3 - 2 * done)]))[0]
        joints = (
            size * (shape + np.array([*moved, 0]))
            + np.array([*place, 0])
            + rng.normal(0, 0.01 * PALM_PX * size, (21, 3))
        )
        yield time_s, Hand(joints.astype(np.float32), "right", 0.9)


def a_movement(path: Path, **options) -> Movement:  # type: ignore[no-untyped-def]
    """The movement that the segmenter finds in `frames`."""
    segmenter = Segmenter()
    found = [movement for time_s, hand in frames(path, **options) if (movement := segmenter.step(time_s, [hand]))]
    (movement,) = found
    return movement
