"""Linear heads over frozen features: taught by a few samples, and rehearsed so that they forget nothing.

What a model knew is kept without its data: as the mean and covariance of each class's features, from which features are
drawn and labelled by the old head (Hayes et al. 2020 rehearse features; Li & Hoiem 2016 let the old network label).
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.classifier import Head
from recognizer.errors import ModelError

KNOWLEDGE = "knowledge.npz"
REHEARSED = (
    200  # features drawn of each known class: their average differs from its mean by less than a tenth of its spread
)
PULL = 1e-3  # towards the old head, for what the samples leave open
MAX_STEPS = 200


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

    def rehearse(self, each: int, rng: np.random.Generator, *, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, D) float32 and classes (N,), `each` of every class known; `positive` where features cannot be less."""
        drawn = []
        for index in self.classes:
            spread = self.covariances[index].astype(np.float64)
            values, vectors = np.linalg.eigh((spread + spread.T) / 2)
            noise = rng.normal(size=(each, len(values))) * np.sqrt(np.maximum(values, 0))
            drawn.append(self.means[index] + noise @ vectors.T)
        features = np.concatenate(drawn) if drawn else np.zeros((0, self.means.shape[1]))
        if positive:
            features = np.maximum(features, 0)
        return features.astype(np.float32), np.repeat(self.classes, each)


def fit_head(features: np.ndarray, targets: np.ndarray, weights: np.ndarray, start: Head, pull: float = PULL) -> Head:
    """The multinomial logistic regression that fits best while staying near `start`.

    `features` (N, D), `targets` (N, K) shares that sum to 1, `weights` (N,) how much each counts.
    """
    from scipy.optimize import minimize

    size, classes = start.kernel.shape
    features = features.astype(np.float64)
    first = np.concatenate([start.kernel.ravel(), start.bias]).astype(np.float64)
    share = weights / weights.sum()

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = parameters[: size * classes].reshape(size, classes), parameters[size * classes :]
        logits = features @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1))
        moved = parameters - first
        loss = share @ (total - (targets * logits).sum(axis=1)) + pull * moved @ moved
        error = (np.exp(logits - total[:, None]) - targets) * share[:, None]
        gradient = np.concatenate([(features.T @ error).ravel(), error.sum(axis=0)])
        return loss, gradient + 2 * pull * moved

    found = minimize(cost, first, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS})
    kernel = found.x[: size * classes].reshape(size, classes)
    return Head(kernel.astype(np.float32), found.x[size * classes :].astype(np.float32))
