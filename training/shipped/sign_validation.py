"""Metrics of the shipped hand signs on held-out people."""

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np

from recognizer.classifiers.rejection import labels_within
from recognizer.registry.card import Thresholds
from training.datasets import hand_photographs
from training.publishing.calibration import (
    SIGNS_CONFIDENCE_COVERAGE,
    SIGNS_DISTANCE_COVERAGE,
    SIGNS_DISTANCE_FACTOR,
    SIGNS_PRECISION,
)
from training.shipped.sign_data import CODE, Predictions, SignData
from training.shipped.sign_fitting import fit


@dataclass(frozen=True, eq=False)
class ValidationResult:
    """Metrics of one input on held-out people, and the thresholds with which they were measured."""

    thresholds: Thresholds
    right: dict[str, float]  # share of each person's pictures that get the right label; a hand not found is wrong
    nothing_labelled: float  # share of photos/nothing that gets a label
    strict: "ValidationResult | None" = None  # with the thresholds used live, if these are stricter

    @property
    def average(self) -> float:
        return float(np.mean(list(self.right.values())))


def validate(data: SignData, wanted: list[str]) -> dict[str, ValidationResult]:
    """Leave-one-person-out validation of the inputs `wanted`."""
    results = {}
    for kind in wanted:
        predictions = _held_out_predictions(data, kind)
        strict = (
            metrics_of(data, predictions, precision=SIGNS_PRECISION)
            if kind == "pixels" and not data.hyperparameters.keep
            else None
        )
        results[kind] = replace(metrics_of(data, predictions), strict=strict)
    return results


def _held_out_predictions(data: SignData, kind: str) -> Predictions:
    """Predictions for each person by a network that was not trained on them; for photos/nothing by the first network."""
    count = len(data.hands)
    probabilities = np.full((count, len(data.labels) + 1), np.nan, np.float32)
    distances = np.full(count, np.nan, np.float32)
    for person in data.people:
        rows = data.evaluated & (data.hands.sources == person)
        rows |= data.empty & (person == data.people[0])
        path = data.runs / f"{kind}-without-{person}-{_digest(data, kind)}.npz"
        if not path.is_file():
            print(f"{data.task}, {kind}: without {person} …", flush=True)
            fit(data, kind, person).predict(data.hands[rows]).save(path)
        stored = Predictions.load(path)
        probabilities[rows], distances[rows] = stored.probabilities, stored.distances
    return Predictions(probabilities, distances)


def _digest(data: SignData, kind: str) -> str:
    hands = data.hands
    arrays = (hands.landmarks, hands.images, hands.appearance_features[:, :, :1], data.classes)
    data_digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    key_parts = [
        data_digest,
        hand_photographs.code_digest(*CODE),
        data.seed,
        kind,
        *data.hyperparameters.fit_settings(),
    ]
    if kind == "pixels":
        key_parts += [hand_photographs.code_digest("training/networks/image_networks.py"), data.sign_mnist.sha256]
    return hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:8]


def metrics_of(data: SignData, predictions: Predictions, precision: float | None = None) -> ValidationResult:
    """Choose thresholds, and measure the accuracy with them.

    The thresholds accept most right predictions. With `precision`, that share of the labels is right.
    """
    hands, distances = data.hands, predictions.distances
    known = predictions.probabilities[:, : len(data.labels)]
    confidence = np.nan_to_num(known.max(axis=1), nan=0.0)
    best = np.nan_to_num(known, nan=0.0).argmax(axis=1)
    right = data.evaluated & (confidence > 0) & (best == data.classes)
    if precision:
        labelled = (data.evaluated | data.empty) & (confidence > 0)
        min_confidence = _confidence_at_precision(confidence[labelled], right[labelled], precision)
    else:
        min_confidence = float(
            np.quantile(confidence[right], 1 - (data.hyperparameters.keep or SIGNS_CONFIDENCE_COVERAGE))
        )
    max_distance = SIGNS_DISTANCE_FACTOR * float(np.quantile(distances[right], SIGNS_DISTANCE_COVERAGE))
    thresholds = Thresholds(min_confidence, max_distance)
    labels = labels_within(thresholds, predictions.probabilities, distances)
    right &= labels == best
    of_person = {person: right[data.evaluated & (hands.sources == person)] for person in data.people}
    return ValidationResult(
        thresholds,
        {person: float(their.mean()) for person, their in of_person.items()},
        float((labels[data.empty] < len(data.labels)).mean()) if data.empty.any() else 0.0,
    )


def _confidence_at_precision(confidence: np.ndarray, right: np.ndarray, precision: float) -> float:
    """The lowest threshold with which a share `precision` of the labels is right; the highest confidence if there is none."""
    values = np.unique(confidence)[::-1]
    shares = (right[confidence >= value].mean() for value in values)
    return float(
        min((value for value, share in zip(values, shares, strict=True) if share >= precision), default=values[0])
    )


def print_table(data: SignData, results: dict[str, ValidationResult]) -> None:
    """Print the end-to-end accuracy per held-out person: a hand that is not found or gets no label counts as wrong."""
    print(f"{data.task:10}" + "".join(f"{person[:12]:>13}" for person in data.people), end="")
    print(f"{'average':>10}{'nothing':>10}")
    for kind, result in results.items():
        line = "".join(f"{result.right[person]:13.4f}" for person in data.people)
        print(f"{kind:10}{line}{result.average:10.4f}{result.nothing_labelled:10.4f}")
