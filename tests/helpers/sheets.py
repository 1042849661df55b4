"""Drawn sheets with what is written on them."""

import numpy as np
import pytest

from recognizer.preprocess.pictures import mnist_image
from recognizer.studio.handwriting import digit_strokes, draw_strokes
from recognizer.values import Box
from training.datasets import rooms


@pytest.fixture(scope="module")
def written():
    """Thirty written digits (30, 28, 28) uint8 in MNIST's framing, and their labels (30,)."""
    rng = np.random.default_rng(3)
    labels = np.arange(30) % 10
    return np.stack([mnist_image(draw_strokes(digit_strokes(d, rng), (90, 90), 8)) for d in labels]), labels


def rng(seed=0):
    return np.random.default_rng(seed)


BOX = Box(100, 100, 160, 200)


def wrote(character: str, *, box: Box = BOX, in_doubt: bool = False, struck: bool = False) -> rooms.Written:
    label = character if character.isdigit() and not struck else None
    corners = tuple(float(side) for side in box.xyxy)
    return rooms.Written(label, corners, False, 0, np.zeros((9, 9), np.uint8), np.eye(3), in_doubt, character)
