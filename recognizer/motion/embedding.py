"""Scales the features of movements, so that the distance of two movements says whether they are one sign."""

import numpy as np

from recognizer.motion import features

VERSION = f"{features.VERSION} embedding-1"  # written into each model's card
WEIGHTS = {"path": 3.0, "turn": 2.0, "bend": 3.0, "shape": 2.0, "other_place": 0.8, "other_turn": 0.7,
           "other_bend": 0.7, "whole": 0.7}  # fmt: skip
SIZE = features.SIZE
LIMIT = 3.5  # distance at which two movements are as likely two signs as one
SHARPNESS = 4.0  # how fast the probability falls with the distance


def embed(movements: np.ndarray) -> np.ndarray:
    """Features (N, features.SIZE) as points (N, SIZE) float32. Their Euclidean distance compares movements."""
    return (movements * _scales()).astype(np.float32)


def _scales() -> np.ndarray:
    scales = np.zeros(features.SIZE)
    for name, block in features.BLOCKS.items():
        size = block.stop - block.start
        scales[block] = WEIGHTS[name] / np.sqrt(size)
    return scales
