"""Rejection thresholds and confidence, calibrated on held-out inputs."""

from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.rejection import Rejection
from training.datasets.dataset import DataSet, Split

if TYPE_CHECKING:
    import keras

KEEP_CONFIDENCE = 0.989  # share of held-out pictures whose confidence reaches the calibrated one
KEEP_DISTANCE = 0.9985  # share of held-out pictures whose features lie within the calibrated distance
WAYS = 4  # of writing a digit, whose features have means of their own
STATISTICS = 20000  # pictures are plenty to say where a label's features lie


def calibrated(whole: "keras.Model", data: DataSet, split: Split, keep: float) -> tuple[Rejection, float, float]:
    """Where the features of the labels lie, the least confidence that a share `keep` of the held-out pictures reaches,
    and the largest distance."""
    chosen = statistics_rows(data, split)
    _, features = answers_of(whole, data.train_images[chosen])
    rejection = Rejection.of_features(features, data.train_labels[chosen], len(data.labels))
    probabilities, features = answers_of(whole, data.train_images[split.held_out])
    return rejection, *rejection_thresholds(rejection, probabilities[:, : len(data.labels)], features, keep)


def statistics_rows(data: DataSet, split: Split) -> np.ndarray:
    """Places of training pictures that say where each label's features lie."""
    chosen = split.fitted[:: max(1, len(split.fitted) // STATISTICS)]
    return chosen if len(np.unique(data.train_labels[chosen])) == len(data.labels) else split.fitted


def rejection_thresholds(
    rejection: Rejection, probabilities: np.ndarray, features: np.ndarray, keep: float
) -> tuple[float, float]:
    """The least confidence and the largest distance, of held-out pictures."""
    return (
        float(np.quantile(probabilities.max(axis=1), 1 - keep)),
        float(np.quantile(rejection.distances(features).min(axis=1), KEEP_DISTANCE)),
    )


def answers_of(whole: "keras.Model", images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and embedding of pictures (N, …) uint8."""
    probabilities, features = whole.predict(images.astype(np.float32), batch_size=256, verbose=0)
    return probabilities, features
