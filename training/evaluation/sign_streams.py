"""Accuracy on streams: each held-out person shows one sign after the other, as before a camera."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recognizer.classifiers.classifier import Scores
from recognizer.classifiers.hands import Evidence
from recognizer.classifiers.rejection import labels_within
from recognizer.preprocess import pose
from recognizer.registry.card import Thresholds
from recognizer.smoothing import Smoother
from recognizer.values import Box, Prediction, Region
from training.shipped import sign_data, sign_validation
from training.shipped.sign_data import Predictions, SignData

FPS = 15
FRAMES_A_PHOTOGRAPH = 3  # for which each photograph is shown
PHOTOGRAPHS_A_SIGN = 8  # of one person, at most; neighbouring ones of a collection, in the order of their names
CHANGE_S = 0.2  # after a change of the sign, frames of this time are not counted
REGION = Region(Box(0, 0, 100, 100), np.zeros((1, 1, 3), np.uint8))  # every hand is in the same place
IMAGE = np.zeros((1, 1), np.uint8)


def evaluate_streams(task: str, kind: str, runs: Path) -> None:
    """Print the shares of each held-out person's frames with the right and with a wrong label.

    Below, the same averages with only the smoother, and for single frames. Uses cached predictions, and trains the missing
    folds.
    """
    data = sign_data.load_sign_data(task, runs, 0)
    predictions = sign_validation.held_out_predictions(data, kind)
    thresholds = sign_validation.metrics_of(data, predictions).thresholds
    print(f"{data.task + ', ' + kind:20}{'right':>10}{'wrong':>10}")
    ways = {
        "average": {"evidence": True, "smooth": True},
        "… smoother only": {"evidence": False, "smooth": True},
        "… single frames": {"evidence": False, "smooth": False},
    }
    averages = {}
    for way, parts in ways.items():
        shares = {person: shares_of_stream(data, predictions, thresholds, person, **parts) for person in data.people}
        averages[way] = np.mean(list(shares.values()), axis=0)
        if way == "average":
            _print_rows(shares)
    _print_rows(averages)


def _print_rows(shares: dict[str, tuple[float, float]]) -> None:
    for name, (right, wrong) in shares.items():
        print(f"{name:20}{right:10.4f}{wrong:10.4f}")


def shares_of_stream(
    data: SignData, predictions: Predictions, thresholds: Thresholds, person: str, *, evidence: bool, smooth: bool
) -> tuple[float, float]:
    """Shares of the counted frames of one person's stream that get the right label, and a wrong one.

    `evidence` says whether scores are averaged while a hand is still, `smooth` whether labels are smoothed, as live.
    """
    averaged, smoother = Evidence(), Smoother()
    right = wrong = counted = 0
    for number, (row, since_change_s) in enumerate(_frames(data, person)):
        if evidence:
            averaged.next_frame()
        regions, shown = [], []
        if np.isfinite(predictions.probabilities[row, 0]):
            scores = Scores(predictions.probabilities[row], float(predictions.distances[row]))
            view = int(data.hands.jointed[row].argmax())
            if evidence and data.hands.jointed[row].any():
                features = pose.batch_features(data.hands.landmarks[row, [view]], data.hands.left[row, [view]])[0]
                scores = averaged.add(REGION.box, features, scores)
            regions, shown = [REGION], [_prediction(scores, thresholds, data.labels)]
        if smooth:
            shown = list(smoother.update(number / FPS, regions, shown))
        if since_change_s >= CHANGE_S:
            label = shown[0].label if shown else None
            counted += 1
            right += label == data.labels[data.classes[row]]
            wrong += label not in (None, data.labels[data.classes[row]])
    return right / counted, wrong / counted


def _frames(data: SignData, person: str) -> Iterator[tuple[int, float]]:
    """The photograph, as a row of `data`, of each frame of one person's stream, and the seconds since the sign changed."""
    for sign in range(len(data.labels)):
        rows = np.flatnonzero(data.evaluated & (data.hands.sources == person) & (data.classes == sign))
        for number, row in enumerate(np.repeat(rows[:PHOTOGRAPHS_A_SIGN], FRAMES_A_PHOTOGRAPH).tolist()):
            yield row, number / FPS


def _prediction(scores: Scores, thresholds: Thresholds, labels: list[str]) -> Prediction:
    (index,) = labels_within(thresholds, scores.probabilities[None], np.array([scores.distance]))
    label = labels[index] if index < len(labels) else None
    return Prediction(label, float(scores.probabilities[:-1].max()), (), IMAGE)
