"""What a training run fits, before it is published."""

from dataclasses import dataclass

import numpy as np

from recognizer.classifiers.heads import Head
from recognizer.classifiers.rejection import Rejection
from recognizer.classifiers.sides import within_sides


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A linear head with its labels and its rejection thresholds."""

    labels: list[str]
    head: Head
    rejection: Rejection

    def predict(self, features: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """The class of each of (N, D) features, (N,) int; the number of labels for a rejected input.

        `allowed` (N, labels) bool says which labels each hand can mean; None: all.
        """
        return self.rejection.labels(self.probabilities(features, allowed), features)

    def probabilities(self, features: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """The probabilities (N, labels + 1) of (N, D) features, the last of the background."""
        probabilities = self.head.probabilities(features)
        return probabilities if allowed is None else within_sides(probabilities, allowed)

    def predict_without_rejection(self, features: np.ndarray) -> np.ndarray:
        """The most probable label of each of (N, D) features, (N,) int, even for inputs that would be rejected."""
        return self.head.probabilities(features)[:, : len(self.labels)].argmax(axis=1)
