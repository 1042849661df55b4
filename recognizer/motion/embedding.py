"""Maps the features of movements to points whose distance says whether two movements are one sign.

A linear map, fitted on random movements of drawn hands that many people make (training/movements/embedding.py): linear
discriminant analysis (Fisher 1936; Rao 1948), which scales what differs between people down and what differs between
movements up. No movement that somebody teaches takes part, so the map is the same for all tasks.
"""

from functools import cache
from pathlib import Path

import numpy as np

from recognizer.classifiers.arrays import read_arrays
from recognizer.errors import ModelError
from recognizer.motion import features

VERSION = f"{features.VERSION} embedding-1"  # written into each model's card
SIZE = 24
LIMIT = 1.8  # distance at which a movement is as likely none of the signs as the nearest one
PATH = Path(__file__).with_name("embedding.npz")


def embed(movements: np.ndarray) -> np.ndarray:
    """Features (N, features.SIZE) as points (N, SIZE) float32. Two performances of one movement are about 1 apart.

    Raises ModelError if this program's own file is damaged.
    """
    return ((movements - _mean()) @ _kernel()).astype(np.float32)


@cache
def _arrays() -> tuple[np.ndarray, np.ndarray]:
    version, mean, kernel = read_arrays(PATH, "version", "mean", "kernel", dims=(0, 1, 2))
    if str(version) != VERSION or kernel.shape != (features.SIZE, SIZE) or mean.shape != (features.SIZE,):
        raise ModelError(f"{PATH} does not fit this program. Install the program again.")
    return mean.astype(np.float32), kernel.astype(np.float32)


def _mean() -> np.ndarray:
    return _arrays()[0]


def _kernel() -> np.ndarray:
    return _arrays()[1]
