"""Fixtures of the tests of training."""

import numpy as np
import pytest

from recognizer.preprocess.pictures import mnist_image
from recognizer.studio.handwriting import digit_strokes, draw_strokes


@pytest.fixture(scope="module")
def written():
    """Thirty written digits (30, 28, 28) uint8, centred as in MNIST, and their labels (30,)."""
    rng = np.random.default_rng(3)
    labels = np.arange(30) % 10
    return np.stack([mnist_image(draw_strokes(digit_strokes(d, rng), (90, 90), 8)) for d in labels]), labels
