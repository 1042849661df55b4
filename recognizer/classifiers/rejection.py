"""When an input is none of the labels: too far from all known features, or too little confidence."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.registry.card import read_arrays

FEATURES = "features.npz"


@dataclass(frozen=True, eq=False)
class Rejection:
    """Where the features of each class lie: a picture far from all of them is none of them.

    A softmax says which class fits best, not whether any does. The distance is Mahalanobis' to the class means, with
    one covariance for all classes (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution
    samples").
    """

    means: np.ndarray  # (classes + M, D) float32: of each class, then of the ways to show it
    whitening: np.ndarray  # (D, D) float32; its product with a difference has the distance as its length

    @classmethod
    def of_features(cls, features: np.ndarray, labels: np.ndarray, classes: int, ways: int = 1) -> "Rejection":
        """From features (N, D) of pictures whose classes (N,) are known.

        A 1 is a stick, or has a flag and a foot: with `ways` above one, the rare ways to show a class have means too.
        """
        means = np.stack([features[labels == index].mean(axis=0) for index in range(classes)])
        centred = features - means[labels]
        if ways > 1:
            from sklearn.cluster import KMeans

            groups = [KMeans(ways, n_init=3, random_state=0).fit(features[labels == index]) for index in range(classes)]
            means = np.concatenate([means, *(group.cluster_centers_ for group in groups)])
        covariance = centred.T @ centred / len(features)
        # some features never fire: a floor keeps their directions from drowning the others
        covariance += 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
        return cls(means.astype(np.float32), whitening.astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> "Rejection":
        return cls(*read_arrays(path, "means", "whitening"))

    def save(self, path: Path) -> None:
        np.savez(path, means=self.means, whitening=self.whitening)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distance of each of (N, D) features to each class mean, (N, classes)."""
        whitened = features @ self.whitening.T
        return np.linalg.norm(whitened[:, None] - self._centers[None], axis=2)

    @cached_property
    def _centers(self) -> np.ndarray:
        return self.means @ self.whitening.T
