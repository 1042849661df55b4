"""Metrics of the shipped hand signs on held-out people."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recognizer.classifiers.rejection import labels_within
from recognizer.registry.card import Thresholds
from training.datasets import hand_photographs
from training.publishing.calibration import (
    SIGNS_CONFIDENCE_COVERAGE,
    SIGNS_DISTANCE_COVERAGE,
    SIGNS_DISTANCE_FACTOR,
    SIGNS_MAX_WRONG,
    SIGNS_MIN_CONFIDENCE,
    SIGNS_PRECISION,
)
from training.shipped.sign_data import CODE, Predictions, SignData
from training.shipped.sign_fitting import fit


@dataclass(frozen=True)
class LabelResult:
    """Metrics of one label's pictures. Each person's pictures together count as much as another's."""

    right: float  # share that gets the right label
    wrong: float  # … that gets a wrong label
    confused: dict[str, float]  # share that gets each wrong label, the most frequent first


@dataclass(frozen=True, eq=False)
class ValidationResult:
    """Metrics of one input on held-out people, and the thresholds with which they were measured."""

    thresholds: Thresholds
    right: dict[str, float]  # share of each person's pictures that get the right label
    wrong: dict[str, float]  # … that get a wrong label; the others are not found, or rejected
    nothing_labelled: float  # share of photos/nothing that gets a label
    labels: dict[str, LabelResult] = field(default_factory=dict)  # of each label, over all people
    strict: "ValidationResult | None" = None  # with the thresholds used live, if these are stricter

    @property
    def average(self) -> float:
        return float(np.mean(list(self.right.values())))

    @property
    def average_wrong(self) -> float:
        return float(np.mean(list(self.wrong.values())))


def validate(data: SignData, wanted: list[str]) -> dict[str, ValidationResult]:
    """Cross-validation of the inputs `wanted` over people."""
    results = {}
    for kind in wanted:
        predictions = held_out_predictions(data, kind)
        strict = (
            metrics_of(data, predictions, precision=SIGNS_PRECISION)
            if kind == "pixels" and not data.hyperparameters.keep
            else None
        )
        results[kind] = replace(metrics_of(data, predictions), strict=strict)
    return results


def held_out_predictions(data: SignData, kind: str, folds: Sequence[tuple[str, ...]] = ()) -> Predictions:
    """Predictions for the people of each fold by a network trained on the others; for photos/nothing by the first network.

    `folds` are those that are wanted, by default all; NaN for other people.
    """
    count = len(data.hands)
    probabilities = np.full((count, len(data.labels) + 1), np.nan, np.float32)
    distances = np.full(count, np.nan, np.float32)
    for fold in folds or data.folds:
        rows = data.evaluated & np.isin(data.hands.sources, fold)
        rows |= data.empty & (fold == data.folds[0])
        path = data.runs / f"{kind}-without-{fold[0]}-{_digest(data, kind)}.npz"
        if not path.is_file():
            print(f"{data.task}, {kind}: without {', '.join(fold)} …", flush=True)
            fit(data, kind, fold).predict(data.hands[rows]).save(path)
        stored = Predictions.load(path)
        probabilities[rows], distances[rows] = stored.probabilities, stored.distances
    return Predictions(probabilities, distances)


def _digest(data: SignData, kind: str) -> str:
    hands = data.hands
    arrays = (hands.landmarks, hands.images, hands.appearance_features[:, :, :1], data.classes, hands.sources)
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

    The thresholds accept most right predictions, and few wrong ones: SIGNS_MAX_WRONG. With `precision`, that share of the
    labels is right.
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
        coverage = data.hyperparameters.keep or SIGNS_CONFIDENCE_COVERAGE
        min_confidence = float(np.quantile(confidence[right], 1 - coverage))
        if not data.hyperparameters.keep:
            least = _confidence_at_wrong_share(data, confidence, right)
            min_confidence = max(min_confidence, least, SIGNS_MIN_CONFIDENCE)
    max_distance = SIGNS_DISTANCE_FACTOR * float(np.quantile(distances[right], SIGNS_DISTANCE_COVERAGE))
    thresholds = Thresholds(min_confidence, max_distance)
    labels = labels_within(thresholds, predictions.probabilities, distances)
    right &= labels == best
    wrong = ~right & (labels < len(data.labels))
    rows = {person: data.evaluated & (hands.sources == person) for person in data.people}
    return ValidationResult(
        thresholds,
        {person: float(right[own].mean()) for person, own in rows.items()},
        {person: float(wrong[own].mean()) for person, own in rows.items()},
        float((labels[data.empty] < len(data.labels)).mean()) if data.empty.any() else 0.0,
        {data.labels[index]: _label_result(data, labels, index) for index in range(len(data.labels))},
    )


def _label_result(data: SignData, labels: np.ndarray, index: int) -> LabelResult:
    """The result of one label, given the class (N,) that each picture gets."""
    rows = np.flatnonzero(data.evaluated & (data.classes == index))
    _, people, counts = np.unique(data.hands.sources[rows], return_inverse=True, return_counts=True)
    weights = 1 / (len(counts) * counts[people])
    shares = np.bincount(labels[rows], weights, minlength=len(data.labels) + 1)[: len(data.labels)]
    wrong = {data.labels[other]: float(shares[other]) for other in np.argsort(-shares) if other != index}
    return LabelResult(
        float(shares[index]), sum(wrong.values()), {label: share for label, share in wrong.items() if share}
    )


def _confidence_at_precision(confidence: np.ndarray, right: np.ndarray, precision: float) -> float:
    """The lowest threshold with which a share `precision` of the labels is right; the highest confidence if there is none."""
    values = np.unique(confidence)[::-1]
    shares = (right[confidence >= value].mean() for value in values)
    return float(
        min((value for value, share in zip(values, shares, strict=True) if share >= precision), default=values[0])
    )


def _confidence_at_wrong_share(data: SignData, confidence: np.ndarray, right: np.ndarray) -> float:
    """The lowest threshold with which at most SIGNS_MAX_WRONG of a person's pictures get a wrong label, mean of all people.

    `confidence` (N,), 0 for a hand that was not found, and `right` (N,) bool are of the most probable labels.
    """
    wrong = data.evaluated & ~right & (confidence > 0)
    if not wrong.any():
        return 0.0
    people, counts = np.unique(data.hands.sources[data.evaluated], return_counts=True)
    weights = dict(zip(people.tolist(), (1 / (len(people) * counts)).tolist(), strict=True))
    order = np.flatnonzero(wrong)[np.argsort(-confidence[wrong], kind="stable")]
    shares = np.cumsum([weights[source] for source in data.hands.sources[order].tolist()])
    allowed = int((shares <= SIGNS_MAX_WRONG).sum())
    return 0.0 if allowed == len(order) else float(np.nextafter(confidence[order[allowed]], np.float32(2)))


def print_table(data: SignData, results: dict[str, ValidationResult]) -> None:
    """Print the share of each held-out person's pictures that get the right label and a wrong one, end to end."""
    heads = [f"{kind}, {part}" for kind in results for part in ("right", "wrong")]
    print(f"{data.task:20}" + "".join(f"{head:>16}" for head in heads))
    for person in data.people:
        shares = [share for result in results.values() for share in (result.right[person], result.wrong[person])]
        print(f"{person:20}" + "".join(f"{share:16.4f}" for share in shares))
    averages = [share for result in results.values() for share in (result.average, result.average_wrong)]
    print(f"{'average':20}" + "".join(f"{share:16.4f}" for share in averages))
    print(f"{'without a sign':20}" + "".join(f"{'':16}{result.nothing_labelled:16.4f}" for result in results.values()))
