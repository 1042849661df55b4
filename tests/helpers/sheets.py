"""Written characters with their labels and boxes."""

import numpy as np

from recognizer.values import Box
from training.datasets import rooms


def rng(seed=0):
    return np.random.default_rng(seed)


BOX = Box(100, 100, 160, 200)


def wrote(character: str, *, box: Box = BOX, ambiguous: bool = False, struck: bool = False) -> rooms.Written:
    label = character if character.isdigit() and not struck else None
    corners = tuple(float(side) for side in box.xyxy)
    return rooms.Written(label, corners, False, 0, np.zeros((9, 9), np.uint8), np.eye(3), ambiguous, character)
