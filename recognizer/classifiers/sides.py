"""Tasks in which the left and the right hand mean different things: which labels a hand can mean."""

from collections.abc import Mapping, Sequence

import numpy as np

SIDES = ("left", "right")


def allowed_labels(labels: Sequence[str], sides: Mapping[str, Sequence[str]], side: str) -> np.ndarray:
    """Which of the labels a hand of this side can mean, (labels,) bool. `sides` has the hands of each label; default: both."""
    return np.array([side in sides.get(label, SIDES) for label in labels], bool)


def within_sides(probabilities: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The probabilities (N, labels + 1), the last of the background, if only the allowed labels (N, labels) are possible."""
    possible = np.concatenate([allowed, np.ones((len(allowed), 1), bool)], axis=1)
    shares = np.where(possible, probabilities, 0)
    sums = shares.sum(axis=1, keepdims=True)
    known: np.ndarray = shares / np.where(sums > 0, sums, 1)
    return known
