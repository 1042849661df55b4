"""Feature replay: the mean and covariance of each class's features, stored with a model so that it can be extended later.

Features drawn from them replace the original training data (Hayes et al. 2020).
"""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifiers.label_changes import KNOWLEDGE
from recognizer.classifiers.rejection import FeatureStatistics
from recognizer.errors import ModelError


@dataclass(frozen=True, eq=False)
class FeatureDistributions:
    """Mean and covariance of each class's features; the last class is the background. A class without features has NaN."""

    means: np.ndarray  # (labels + 1, D) float32
    covariances: np.ndarray  # (labels + 1, D, D) float32

    @classmethod
    def of_features(cls, features: np.ndarray, classes: np.ndarray, count: int) -> "FeatureDistributions":
        """From features (N, D) float and classes (N,) int below `count`; the last class is the background."""
        size = features.shape[1]
        means = np.full((count, size), np.nan, np.float32)
        covariances = np.full((count, size, size), np.nan, np.float32)
        for index in range(count):
            class_features = features[classes == index]
            if len(class_features) > 1:
                means[index] = class_features.mean(axis=0)
                covariances[index] = np.cov(class_features.T)
        return cls(means, covariances)

    @classmethod
    def of_statistics(cls, statistics: FeatureStatistics, labels: int) -> "FeatureDistributions":
        """For a model without knowledge.npz: the mean of each label and the covariance that all labels share."""
        size = statistics.means.shape[1]
        whitening = statistics.whitening.astype(np.float64)
        covariance = np.linalg.inv(whitening.T @ whitening)
        means = np.full((labels + 1, size), np.nan, np.float32)
        means[:labels] = statistics.means[:labels]
        covariances = np.full((labels + 1, size, size), np.nan, np.float32)
        covariances[:labels] = covariance
        return cls(means, covariances)

    @classmethod
    def load(cls, folder: Path) -> "FeatureDistributions":
        """Read knowledge.npz of a model version. Raises ModelError if it is missing or damaged."""
        path = folder / KNOWLEDGE
        try:
            with np.load(path) as arrays:
                return cls(arrays["means"].astype(np.float32), arrays["covariances"].astype(np.float32))
        except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error

    def save(self, folder: Path) -> None:
        # float16 is enough: estimates from few features are far less accurate
        np.savez_compressed(
            folder / KNOWLEDGE,
            means=self.means.astype(np.float16),
            covariances=self.covariances.astype(np.float16),
        )

    @property
    def classes(self) -> np.ndarray:
        """The classes that have features, (M,) int."""
        return np.flatnonzero(np.isfinite(self.means).all(axis=1))

    @cached_property
    def _eigen(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Eigenvalues (D,) and eigenvectors (D, D) of each class's covariance; cached, because they are slow to compute."""
        decompositions = []
        for covariance in self.covariances[self.classes]:  # float32: twice as fast as float64; the file has float16
            values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
            decompositions.append((values, vectors))
        return decompositions

    def sample(self, each: int, rng: np.random.Generator, *, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Draw `each` features of every class: features (N, D) float32, classes (N,) int.

        With `positive`, features are clipped at 0, as the outputs of a ReLU are.
        """
        drawn = []
        for index, (values, vectors) in zip(self.classes, self._eigen, strict=True):
            noise = rng.normal(size=(each, len(values))) * np.sqrt(np.maximum(values, 0))
            drawn.append(self.means[index] + noise @ vectors.T)
        features = np.concatenate(drawn) if drawn else np.zeros((0, self.means.shape[1]))
        if positive:
            features = np.maximum(features, 0)
        return features.astype(np.float32), np.repeat(self.classes, each)
