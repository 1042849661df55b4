"""A model that a training run has made, before it is published."""

from dataclasses import dataclass

import numpy as np

from recognizer.classifiers.heads import Head
from recognizer.classifiers.rejection import Rejection


@dataclass(frozen=True, eq=False)
class Taught:
    """A head with all that it needs to be published."""

    labels: list[str]
    head: Head
    rejection: Rejection

    def said(self, features: np.ndarray) -> np.ndarray:
        """The class shown for each of (N, D) features, (N,) int; the number of labels where none is."""
        return self.rejection.labels(self.head.probabilities(features), features)

    def best(self, features: np.ndarray) -> np.ndarray:
        """The likeliest label of each of (N, D) features, (N,) int, whether it would be shown or not."""
        return self.head.probabilities(features)[:, : len(self.labels)].argmax(axis=1)
