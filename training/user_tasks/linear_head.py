"""Linear heads over frozen features, fitted on a few samples and on replayed features to prevent forgetting.

The training data of an earlier model is not needed: features are drawn from the mean and covariance of each of its classes
(feature replay, Hayes et al. 2020) and get their targets from the old head (learning without forgetting, Li & Hoiem 2016).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import Head, Neighbours
from recognizer.classifiers.network import NETWORK
from recognizer.errors import ModelError
from training.publishing.last_layer import KERAS_NETWORK, LAST_LAYER, last_layer_of
from training.user_tasks.lbfgs import minimize

# replayed features per class: their average is within a tenth of a standard deviation of the class's mean
REPLAYED_FEATURES = 200
REGULARIZATION = 1e-4  # keeps weights that the samples do not determine near the old head
MAX_STEPS = 200
SHRINKAGE = 0.1  # towards a spherical covariance: few samples do not determine the correlations of features
ABSENT_CLASS_BIAS = -1e4  # bias of a class without features, which is then never predicted
MAX_PROBABILITY_DIFFERENCE = 0.02  # between LiteRT and Keras; their rounding differs by less


def fit_linear_head(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, start: Head, pull: float = REGULARIZATION
) -> Head:
    """Multinomial logistic regression with an L2 penalty on the distance from `start`, weighted by `pull`.

    `features` (N, D) float, `targets` (N, K) class probabilities that sum to 1, `weights` (N,) sample weights.
    """
    size, classes = start.kernel.shape
    features = features.astype(np.float64)
    initial = np.concatenate([start.kernel.ravel(), start.bias]).astype(np.float64)
    normalized_weights = weights / weights.sum()

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = parameters[: size * classes].reshape(size, classes), parameters[size * classes :]
        logits = features @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        log_normalizer = np.log(np.exp(logits).sum(axis=1))
        offset = parameters - initial
        loss = normalized_weights @ (log_normalizer - (targets * logits).sum(axis=1)) + pull * offset @ offset
        error = (np.exp(logits - log_normalizer[:, None]) - targets) * normalized_weights[:, None]
        gradient = np.concatenate([(features.T @ error).ravel(), error.sum(axis=0)])
        return loss, gradient + 2 * pull * offset

    found = minimize(cost, initial, MAX_STEPS)
    return Head(
        found[: size * classes].reshape(size, classes).astype(np.float32), found[size * classes :].astype(np.float32)
    )


def discriminant_head(features: np.ndarray, classes: np.ndarray, count: int) -> Head:
    """Fisher's linear discriminant over features (N, D) with classes (N,) int below `count`, with equal class priors.

    It needs only the mean of each class and one shared covariance, for which augmented copies of a single sample are enough.
    A class without features is never predicted.
    """
    size = features.shape[1]
    features = features.astype(np.float64)
    present = np.unique(classes)
    means = np.stack([features[classes == index].mean(axis=0) for index in present])
    centred = features - means[np.searchsorted(present, classes)]
    covariance = centred.T @ centred / len(features)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    kernel = np.zeros((size, count))
    bias = np.full(count, ABSENT_CLASS_BIAS)
    kernel[:, present] = np.linalg.solve(covariance, means.T)
    bias[present] = -0.5 * (means.T * kernel[:, present]).sum(axis=0)
    return Head(kernel.astype(np.float32), bias.astype(np.float32))


def widened(head: Head, count: int, order: np.ndarray) -> Head:
    """The head with `count` outputs: its own at the indices `order`; the new ones have weights 0 and the lowest bias."""
    kernel = np.zeros((head.size, count), np.float32)
    bias = np.full(count, head.bias.min(), np.float32)
    kernel[:, order], bias[order] = head.kernel, head.bias
    return Head(kernel, bias)


def head_of(folder: Path, network: Classifier, inputs: Sequence[np.ndarray]) -> Head:
    """The linear head of a model version: the user-trained one, or the last layer of its network.

    The layer is in a file of its own, or in model.keras. It and the network are run on `inputs` to check that they agree.
    Raises ModelError if they do not, if the file is missing or damaged, or if the model has no linear head.
    """
    if isinstance(network.head, Neighbours):
        raise ModelError(f"{folder} is a k-NN model, which has no linear head to train. Train another task.")
    if network.head is not None:
        return network.head
    stored = folder / LAST_LAYER
    path = stored if stored.is_file() else folder / KERAS_NETWORK
    outputs = [network.run(values) for values in inputs]
    probabilities, features = (np.stack(column) for column in zip(*outputs, strict=True))
    size = features.shape[1], probabilities.shape[1]
    head = Head.load(stored) if path == stored else last_layer_of(path, *size)
    if (
        head.kernel.shape != size
        or np.abs(head.probabilities(features) - probabilities).max() > MAX_PROBABILITY_DIFFERENCE
    ):
        raise ModelError(
            f"{path} is not of the same network as {NETWORK} in its folder. Fetch the model again or retrain."
        )
    return head
