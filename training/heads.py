"""Linear heads over frozen features: taught by a few samples, and rehearsed so that they forget nothing.

What a model knew is kept without its data: as the mean and covariance of each class's features, from which features are
drawn and labelled by the old head (Hayes et al. 2020 rehearse features; Li & Hoiem 2016 let the old network label).
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifier import NETWORK, Classifier, Head, Neighbours, Rejection
from recognizer.errors import ModelError
from training.versions import KERAS_NETWORK

KNOWLEDGE = "knowledge.npz"
REHEARSED = (
    200  # features drawn of each known class: their average differs from its mean by less than a tenth of its spread
)
PULL = 1e-4  # towards the old head, for what the samples leave open
MAX_STEPS = 200
SHRUNK = 0.1  # of the covariance is that of a ball: few samples do not tell how features go together
NEVER = -1e4  # the bias of a class without features
AGREEMENT = 0.02  # of probabilities: LiteRT's arithmetic and Keras' differ by less


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
    def of_rejection(cls, rejection: Rejection, labels: int) -> "Knowledge":
        """What a version without knowledge.npz tells: the means of its labels and the covariance that they share."""
        size = rejection.means.shape[1]
        whitening = rejection.whitening.astype(np.float64)
        covariance = np.linalg.inv(whitening.T @ whitening)
        means = np.full((labels + 1, size), np.nan, np.float32)
        means[:labels] = rejection.means[:labels]
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


def discriminant_head(features: np.ndarray, classes: np.ndarray, count: int) -> Head:
    """Fisher's linear discriminant over features (N, D) of classes (N,) below `count`, all classes as likely.

    It needs no more than a mean of each class and one covariance, which copies of a single sample give. A class without
    features is never said.
    """
    size = features.shape[1]
    features = features.astype(np.float64)
    present = np.unique(classes)
    means = np.stack([features[classes == index].mean(axis=0) for index in present])
    centred = features - means[np.searchsorted(present, classes)]
    covariance = centred.T @ centred / len(features)
    covariance = (1 - SHRUNK) * covariance + SHRUNK * np.trace(covariance) / size * np.eye(size)
    kernel = np.zeros((size, count))
    bias = np.full(count, NEVER)
    kernel[:, present] = np.linalg.solve(covariance, means.T)
    bias[present] = -0.5 * (means.T * kernel[:, present]).sum(axis=0)
    return Head(kernel.astype(np.float32), bias.astype(np.float32))


def widened(head: Head, count: int, order: np.ndarray) -> Head:
    """The head with `count` outputs, its own at the places `order`; those that are new know nothing and say nothing yet."""
    kernel = np.zeros((head.size, count), np.float32)
    bias = np.full(count, head.bias.min(), np.float32)
    kernel[:, order], bias[order] = head.kernel, head.bias
    return Head(kernel, bias)


def head_of(folder: Path, network: Classifier, inputs: Sequence[np.ndarray]) -> Head:
    """The head of a version: its own, or the last layer of its network, found in model.keras.

    `inputs` are shown to both, since they must agree. Raises ModelError.
    """
    if isinstance(network.head, Neighbours):
        raise ModelError(f"{folder} is k-NN, which has no features that a few samples could teach. Teach another task.")
    if network.head is not None:
        return network.head
    path = folder / KERAS_NETWORK
    answers = [network.run(values) for values in inputs]
    probabilities, features = (np.stack(column) for column in zip(*answers, strict=True))
    head = _last_layer(path, features.shape[1], probabilities.shape[1])
    if np.abs(head.probabilities(features) - probabilities).max() > AGREEMENT:
        raise ModelError(f"{path} is not the network of {NETWORK} beside it. Fetch the model again or retrain.")
    return head


def _last_layer(path: Path, size: int, classes: int) -> Head:
    """The layers that turn features into answers; where there are several, each has its share of the features."""
    import h5py

    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    try:
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights:
            for name, layer in weights["layers"].items():
                parts = [np.array(part) for part in layer["vars"].values()] if "vars" in layer else []
                if len(parts) == 2 and parts[0].ndim == 2 and parts[0].shape[1] == classes:
                    found[name] = parts[0], parts[1]
    except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error
    names = sorted(found, key=lambda name: (len(name), name))  # dense_9 before dense_10
    if not names or sum(len(found[name][0]) for name in names) != size:
        raise ModelError(f"{path} has no last layer over its {size} features. Retrain it before it is taught.")
    kernel = np.concatenate([found[name][0] for name in names]) / len(names)
    return Head(kernel, np.mean([found[name][1] for name in names], axis=0))
