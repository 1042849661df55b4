"""The last layer of a user-trained model: a linear head, or stored neighbours."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifiers.arrays import read_arrays
from recognizer.errors import ModelError

HEAD = "head.npz"
NEIGHBOURS = "neighbours.npz"
INPUT = "input"  # in a card's "features": the features are the network input itself, such as joints


@dataclass(frozen=True, eq=False)
class Head:
    """A linear head over the features of a frozen extractor."""

    kernel: np.ndarray  # (D, labels + 1) float32, the last column for the background
    bias: np.ndarray  # (labels + 1,) float32

    @classmethod
    def load(cls, path: Path) -> "Head":
        kernel, bias = read_arrays(path, "kernel", "bias", dims=(2, 1))
        if kernel.shape[1] != len(bias):
            raise ModelError(f"{path} is damaged: its arrays do not fit. Fetch the model again or retrain.")
        return cls(kernel, bias)

    def save(self, path: Path) -> None:
        np.savez(path, kernel=self.kernel, bias=self.bias)

    @property
    def classes(self) -> int:
        return len(self.bias)

    @property
    def size(self) -> int:
        return len(self.kernel)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """The softmax probabilities (..., labels + 1) of features (..., D)."""
        logits = features @ self.kernel + self.bias
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """A k-NN classifier: the k nearest stored samples vote (Cover and Hart 1967)."""

    samples: np.ndarray  # (N, D) uint8
    votes: np.ndarray  # (N,) index of each sample's label
    k: int
    measure: str  # "euclidean" or "cosine"
    classes: int  # labels + 1, the last for the background, which gets no votes

    @classmethod
    def load(cls, path: Path) -> "Neighbours":
        names = ("samples", "votes", "k", "measure", "classes")
        samples, votes, k, measure, classes = read_arrays(path, *names, dims=(2, 1, 0, 0, 0))
        numbers = all(array.dtype.kind in "iu" for array in (votes, k, classes))
        if not (numbers and len(votes) == len(samples) and 1 <= k <= len(samples) and _are_below(votes, int(classes))):
            raise ModelError(f"{path} is damaged: its arrays do not fit. Fetch the model again or retrain.")
        return cls(samples, votes, int(k), str(measure), int(classes))

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **vars(self))

    @property
    def size(self) -> int:
        return self.samples.shape[1]

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Shares of the votes for (N, D) features: (N, classes) float32."""
        vectors, offsets = self._compared
        nearest = np.argpartition(features @ vectors.T + offsets, -self.k, axis=1)[:, -self.k :]
        return np.eye(self.classes, dtype=np.float32)[self.votes[nearest]].mean(axis=1)

    @cached_property
    def _compared(self) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (N, D) and offsets (N,) float32. The nearest sample has the largest features @ vector + offset."""
        vectors = self.samples.astype(np.float32)
        squares = (vectors**2).sum(axis=1)
        if self.measure == "cosine":
            return vectors / np.sqrt(np.maximum(squares, 1))[:, None], np.zeros_like(squares)
        return vectors, -squares / 2


def _are_below(votes: np.ndarray, classes: int) -> bool:
    """Whether all are indices of classes."""
    return bool(((votes >= 0) & (votes < classes)).all())
