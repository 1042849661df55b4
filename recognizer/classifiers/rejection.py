"""Rejects inputs with a low confidence, or with features far from those of all labels."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifiers.arrays import read_arrays
from recognizer.errors import ModelError
from recognizer.registry.card import Thresholds

FEATURES = "features.npz"


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Class means and shared covariance of the features.

    The distance is Mahalanobis' to the class means, with one covariance for all classes (Lee et al. 2018, "A simple
    unified framework for detecting out-of-distribution samples").
    """

    means: np.ndarray  # (classes + M, D) float32: of each class, then of its sub-clusters
    whitening: (
        np.ndarray
    )  # (D, D) float32; multiplied with a difference of features, the vector has the distance as its norm

    @classmethod
    def of_features(
        cls, features: np.ndarray, labels: np.ndarray, classes: int, sub_clusters: int = 1
    ) -> "FeatureStatistics":
        """The statistics of features (N, D) with class indices (N,).

        Above 1, `sub_clusters` is the number of k-means centres that each class also gets, for rare shapes of a digit.
        """
        means = np.stack([features[labels == index].mean(axis=0) for index in range(classes)])
        centred = features - means[labels]
        if sub_clusters > 1:
            from sklearn.cluster import KMeans

            clusters = KMeans(sub_clusters, n_init=3, random_state=0)
            groups = [clusters.fit(features[labels == index]).cluster_centers_ for index in range(classes)]
            means = np.concatenate([means, *groups])
        covariance = centred.T @ centred / len(features)
        # some features are nearly constant: a floor of the variance keeps them from dominating the distance
        covariance += 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
        return cls(means.astype(np.float32), whitening.astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> "FeatureStatistics":
        means, whitening = read_arrays(path, "means", "whitening", dims=(2, 2))
        if whitening.shape != (means.shape[1],) * 2:
            raise ModelError(f"{path} is damaged: its arrays do not fit. Fetch the model again or retrain.")
        return cls(means, whitening)

    def save(self, path: Path) -> None:
        np.savez(path, means=self.means, whitening=self.whitening)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distance of each of (N, D) features to the nearest mean, (N,) float32."""
        whitened = features @ self.whitening.T
        return np.linalg.norm(whitened[:, None] - self._centers[None], axis=2).min(axis=1)

    @cached_property
    def _centers(self) -> np.ndarray:
        return self.means @ self.whitening.T


@dataclass(frozen=True, eq=False)
class Rejection:
    """Gives an input its most probable label, or rejects it.

    A softmax may be confident about an input unlike all labels. Therefore the distance of its features is limited, too.
    """

    statistics: FeatureStatistics
    thresholds: Thresholds

    def labels(self, probabilities: np.ndarray, features: np.ndarray) -> np.ndarray:
        """The class that each of N inputs gets, (N,) int64: a label's index, or the number of labels if rejected.

        `probabilities` (N, labels + 1) float32, the last for the background; `features` (N, D) float32.
        """
        return labels_within(self.thresholds, probabilities, self.statistics.distances(features))


def labels_within(thresholds: Thresholds, probabilities: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The same as `Rejection.labels`, given the distances (N,) of the features to the nearest mean.

    Inputs with NaN or infinite values are rejected.
    """
    known = probabilities[:, :-1]
    # comparisons with NaN are false
    accepted = (known.max(axis=1) >= thresholds.min_confidence) & (distances <= thresholds.max_distance)
    return np.where(accepted, known.argmax(axis=1), known.shape[1])
