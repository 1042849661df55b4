"""Calibrates the rejection thresholds on held-out inputs."""

from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.rejection import FeatureStatistics, Rejection
from recognizer.registry.card import Thresholds
from training.datasets.dataset import DataSet, Split

if TYPE_CHECKING:
    import keras

CONFIDENCE_COVERAGE = 0.989  # share of the held-out pictures at or above the minimum confidence
DISTANCE_COVERAGE = 0.9985  # share of the held-out pictures within the maximum feature distance
# the same for hand signs, as shares of the right predictions for held-out people. They are higher, because
# inputs without a hand have a low confidence, so that few hands need to be rejected with them
SIGNS_CONFIDENCE_COVERAGE = 0.996
SIGNS_MIN_CONFIDENCE = 0.3  # the lowest threshold: a less probable sign is a guess, even if it is the best one
SIGNS_MAX_WRONG = 0.02  # share of a held-out person's hands that get a wrong label, mean of all people
SIGNS_DISTANCE_COVERAGE = 0.998
SIGNS_DISTANCE_FACTOR = 1.3  # on the maximum distance: features of new people and cameras are farther away
SIGNS_PRECISION = 0.9  # of labels from pixels alone, where no joints confirm that the region shows a hand
SUB_CLUSTERS = 4  # per digit, for different ways of writing it
STATISTICS = 20000  # pictures from which feature statistics are computed; more do not change them


def calibrate(whole: "keras.Model", data: DataSet, split: Split, keep: float) -> Rejection:
    """Feature statistics of the training pictures, with thresholds from the held-out pictures.

    A share `keep` of the held-out pictures reaches the minimum confidence, and a share DISTANCE_COVERAGE of them lies
    within the maximum distance. `whole` is the network with the outputs probabilities and features.
    """
    chosen = statistics_rows(data, split)
    _, features = predict_with_features(whole, data.train_images[chosen])
    statistics = FeatureStatistics.of_features(features, data.train_labels[chosen], len(data.labels))
    probabilities, features = predict_with_features(whole, data.train_images[split.held_out])
    return calibrate_on(statistics, probabilities[:, : len(data.labels)], features, keep)


def statistics_rows(data: DataSet, split: Split) -> np.ndarray:
    """Indices of the training pictures that the feature statistics are computed from, all labels included."""
    chosen = split.fitted[:: max(1, len(split.fitted) // STATISTICS)]
    return chosen if len(np.unique(data.train_labels[chosen])) == len(data.labels) else split.fitted


def calibrate_on(
    statistics: FeatureStatistics, probabilities: np.ndarray, features: np.ndarray, keep: float
) -> Rejection:
    """Like `calibrate`, from the held-out pictures' probabilities (N, K) and features (N, D)."""
    min_confidence = float(np.quantile(probabilities.max(axis=1), 1 - keep))
    return Rejection(statistics, Thresholds(min_confidence, max_distance_of(statistics.distances(features))))


def max_distance_of(distances: np.ndarray) -> float:
    """The distance within which a share DISTANCE_COVERAGE of the distances (N,) lies."""
    return float(np.quantile(distances, DISTANCE_COVERAGE))


def predict_with_features(whole: "keras.Model", images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, K) and embedding (N, D), float32, of pictures (N, …) uint8."""
    probabilities, features = whole.predict(images.astype(np.float32), batch_size=256, verbose=0)
    return probabilities, features
