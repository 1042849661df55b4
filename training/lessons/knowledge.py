"""Training features that a model carries with it, so that it can be trained again without its data."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifiers.rejection import FeatureStatistics
from recognizer.errors import ModelError

KNOWLEDGE = "knowledge.npz"


@dataclass(frozen=True, eq=False)
class Knowledge:
    """How the features of each class are spread; the last class is "nothing known", which may have none (all NaN)."""

    means: np.ndarray  # (labels + 1, D) float32
    covariances: np.ndarray  # (labels + 1, D, D) float32

    @classmethod
    def of_features(cls, features: np.ndarray, classes: np.ndarray, count: int) -> "Knowledge":
        """From features (N, D) and classes (N,) below `count`, of which the last is "nothing known"."""
        size = features.shape[1]
        means = np.full((count, size), np.nan, np.float32)
        covariances = np.full((count, size, size), np.nan, np.float32)
        for index in range(count):
            own = features[classes == index]
            if len(own) > 1:
                means[index] = own.mean(axis=0)
                covariances[index] = np.cov(own.T)
        return cls(means, covariances)

    @classmethod
    def of_statistics(cls, statistics: FeatureStatistics, labels: int) -> "Knowledge":
        """What a version without knowledge.npz tells: the means of its labels and the covariance that they share."""
        size = statistics.means.shape[1]
        whitening = statistics.whitening.astype(np.float64)
        covariance = np.linalg.inv(whitening.T @ whitening)
        means = np.full((labels + 1, size), np.nan, np.float32)
        means[:labels] = statistics.means[:labels]
        covariances = np.full((labels + 1, size, size), np.nan, np.float32)
        covariances[:labels] = covariance
        return cls(means, covariances)

    @classmethod
    def load(cls, folder: Path) -> "Knowledge":
        path = folder / KNOWLEDGE
        try:
            with np.load(path) as arrays:
                return cls(arrays["means"].astype(np.float32), arrays["covariances"].astype(np.float32))
        except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error

    def save(self, folder: Path) -> None:
        # half precision: a thousandth is far finer than what so few features tell
        np.savez_compressed(
            folder / KNOWLEDGE, means=self.means.astype(np.float16), covariances=self.covariances.astype(np.float16)
        )

    @property
    def classes(self) -> np.ndarray:
        """Those of which something is known, (M,) int."""
        return np.flatnonzero(np.isfinite(self.means).all(axis=1))

    @cached_property
    def _axes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Eigenvalues (D,) and eigenvectors (D, D) of the covariance of each class known: slow, and asked for thrice."""
        found = []
        for spread in self.covariances[self.classes]:  # single precision: twice as fast, and finer than what is stored
            values, vectors = np.linalg.eigh((spread + spread.T) / 2)
            found.append((values, vectors))
        return found

    def rehearse(self, each: int, rng: np.random.Generator, *, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, D) float32 and classes (N,), `each` of every class known; `positive` where features cannot be less."""
        drawn = []
        for index, (values, vectors) in zip(self.classes, self._axes, strict=True):
            noise = rng.normal(size=(each, len(values))) * np.sqrt(np.maximum(values, 0))
            drawn.append(self.means[index] + noise @ vectors.T)
        features = np.concatenate(drawn) if drawn else np.zeros((0, self.means.shape[1]))
        if positive:
            features = np.maximum(features, 0)
        return features.astype(np.float32), np.repeat(self.classes, each)
