"""Linear heads over frozen features: taught by a few samples, and rehearsed so that they forget nothing.

What a model knew is kept without its data: as the mean and covariance of each class's features, from which features are
drawn and labelled by the old head (Hayes et al. 2020 rehearse features; Li & Hoiem 2016 let the old network label).
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import Head, Neighbours
from recognizer.classifiers.network import NETWORK
from recognizer.errors import ModelError
from training.publishing.card import KERAS_NETWORK

REHEARSED = (
    200  # features drawn of each known class: their average differs from its mean by less than a tenth of its spread
)
PULL = 1e-4  # towards the old head, for what the samples leave open
MAX_STEPS = 200
SHRUNK = 0.1  # of the covariance is that of a ball: few samples do not tell how features go together
NEVER = -1e4  # the bias of a class without features
AGREEMENT = 0.02  # of probabilities: LiteRT's arithmetic and Keras' differ by less


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
