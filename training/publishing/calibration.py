"""Rejection thresholds, calibrated on held-out inputs."""

from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.rejection import FeatureStatistics, Rejection
from recognizer.registry.card import Thresholds
from training.datasets.dataset import DataSet, Split

if TYPE_CHECKING:
    import keras

CONFIDENCE_COVERAGE = 0.989  # share of held-out pictures whose confidence reaches the calibrated one
DISTANCE_COVERAGE = 0.9985  # share of held-out pictures whose features lie within the calibrated distance
SIGNS_CONFIDENCE_COVERAGE = 0.996  # share of right predictions for held-out people: what is no hand is rejected by its
SIGNS_DISTANCE_COVERAGE = 0.998  # confidence, and …
SIGNS_DISTANCE_FACTOR = 1.3  # times that distance: … people whom nobody has seen, and their cameras, lie further away
SIGNS_PRECISION = 0.9  # of the labels that pixels alone give are right: no joints say there that this is a hand at all
SUB_CLUSTERS = 4  # of a digit's features: ways of writing it
STATISTICS = 20000  # pictures are plenty to say where a label's features lie


def calibrate(whole: "keras.Model", data: DataSet, split: Split, keep: float) -> Rejection:
    """With thresholds that a share `keep` of the held-out pictures passes by confidence, and KEEP_DISTANCE by distance."""
    chosen = statistics_rows(data, split)
    _, features = predict_with_features(whole, data.train_images[chosen])
    statistics = FeatureStatistics.of_features(features, data.train_labels[chosen], len(data.labels))
    probabilities, features = predict_with_features(whole, data.train_images[split.held_out])
    return calibrate_on(statistics, probabilities[:, : len(data.labels)], features, keep)


def statistics_rows(data: DataSet, split: Split) -> np.ndarray:
    """Places of training pictures that say where each label's features lie."""
    chosen = split.fitted[:: max(1, len(split.fitted) // STATISTICS)]
    return chosen if len(np.unique(data.train_labels[chosen])) == len(data.labels) else split.fitted


def calibrate_on(
    statistics: FeatureStatistics, probabilities: np.ndarray, features: np.ndarray, keep: float
) -> Rejection:
    """As `calibrated`, from the probabilities and features of held-out pictures."""
    min_confidence = float(np.quantile(probabilities.max(axis=1), 1 - keep))
    return Rejection(statistics, Thresholds(min_confidence, max_distance_of(statistics.distances(features))))


def max_distance_of(distances: np.ndarray) -> float:
    """Within which KEEP_DISTANCE of the distances (N,) lie."""
    return float(np.quantile(distances, DISTANCE_COVERAGE))


def predict_with_features(whole: "keras.Model", images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and embedding of pictures (N, …) uint8."""
    probabilities, features = whole.predict(images.astype(np.float32), batch_size=256, verbose=0)
    return probabilities, features
