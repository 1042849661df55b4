"""Recorded hand signs."""

from pathlib import Path

import numpy as np

from recognizer.samples.store import Samples
from recognizer.values import Box, Frame, Hand, Region

SIGNS = {"fist": (), "one": (1,), "two": (1, 2), "five": (0, 1, 2, 3, 4)}  # the extended fingers; 0 is the thumb


def a_hand(sign: str, rng: np.random.Generator) -> Hand:
    """A right hand that makes the sign: landmarks (21, 3) float32 in pixels, with noise."""
    joints = np.zeros((21, 3))
    turn = rng.normal(0, 0.1)
    for finger in range(5):
        angle = np.radians(-50 + 22 * finger)
        along = np.array([np.sin(angle), -np.cos(angle), 0.0])
        root = (0.5 if finger == 0 else 1.0) * along
        extended = finger in SIGNS[sign]
        for joint in range(4):
            reach = 0.3 * joint if extended else (0, 0.3, 0.15, -0.1)[joint]
            depth = 0.0 if extended else (0, -0.1, -0.35, -0.3)[joint]
            joints[1 + 4 * finger + joint] = root + reach * along + [0, 0, depth]
    turned = joints @ np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    points = 80 * turned + rng.normal(0, 1.5, (21, 3)) + [200, 200, 0]
    return Hand(points.astype(np.float32), "right", 0.9)


def a_region(sign: str, rng: np.random.Generator) -> Region:
    return Region(Box(100, 50, 300, 250), np.zeros((40, 40, 3), np.uint8), hand=a_hand(sign, rng))


def record(folder: Path, counts: dict[str, int], *, shown: dict[str, str] | None = None, seed: int = 0) -> Samples:
    """Add samples to the hand task "signs": so many of each label.

    `shown` maps labels to the sign that their samples show instead.
    """
    store, rng = Samples(folder), np.random.default_rng(seed)
    if not store.tasks():
        store.create_task("signs", "hand", [*SIGNS, "nothing"])
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "drawn")
    for label, count in counts.items():
        for _ in range(count):
            store.add("signs", label, a_region((shown or {}).get(label, label), rng), frame, "first", "drawn")
    return store
