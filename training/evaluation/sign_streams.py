"""Accuracy on streams: each held-out person shows one sign after the other, as before a camera."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.classifiers.classifier import TOP, Scores
from recognizer.classifiers.hands import Evidence
from recognizer.classifiers.rejection import labels_within
from recognizer.preprocess import pose
from recognizer.registry.card import Thresholds
from recognizer.smoothing import Smoother
from recognizer.values import Box, Hand, Prediction, Region
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

    `evidence` and `smooth` as for `HeldOutHands`.
    """
    hands = HeldOutHands(data, predictions, thresholds, evidence=evidence, smooth=smooth)
    right = wrong = counted = 0
    for row, since_change_s in _frames(data, person):
        _, shown = hands.show(row)
        if since_change_s >= CHANGE_S:
            label = shown[0].label if shown else None
            counted += 1
            right += label == data.labels[data.classes[row]]
            wrong += label not in (None, data.labels[data.classes[row]])
    return right / counted, wrong / counted


class HeldOutHands:
    """Photographs of hands as frames of a stream, with the predictions of a network that was trained on other people."""

    def __init__(
        self,
        data: SignData,
        predictions: Predictions,
        thresholds: Thresholds,
        *,
        evidence: bool = True,
        smooth: bool = True,
    ) -> None:
        """`evidence` says whether scores are averaged while a hand is still, `smooth` whether labels are smoothed, as live."""
        self._data = data
        self._predictions = predictions
        self._thresholds = thresholds
        self._evidence = Evidence() if evidence else None
        self._smoother = Smoother() if smooth else None
        self._count = 0

    def show(self, row: int | None) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """The regions and predictions of the next frame, which shows this photograph; None: it shows no hand."""
        if self._evidence is not None:
            self._evidence.next_frame()
        regions: tuple[Region, ...] = ()
        shown: tuple[Prediction, ...] = ()
        if row is not None and np.isfinite(self._predictions.probabilities[row, 0]):
            scores = Scores(self._predictions.probabilities[row], float(self._predictions.distances[row]))
            hand = _hand(self._data, row)
            if self._evidence is not None and hand is not None:
                scores = self._evidence.add(REGION.box, pose.pose_features(hand.landmarks, hand.side), scores)
            regions, shown = (replace(REGION, hand=hand),), (_prediction(scores, self._thresholds, self._data.labels),)
        if self._smoother is not None:
            shown = self._smoother.update(self._count / FPS, regions, shown)
        self._count += 1
        return regions, shown


def _hand(data: SignData, row: int) -> Hand | None:
    """The hand with joints in a photograph; None if there are none."""
    view = int(data.hands.jointed[row].argmax())
    if not data.hands.jointed[row, view]:
        return None
    return Hand(data.hands.landmarks[row, view], "left" if data.hands.left[row, view] else "right", 1.0)


def _frames(data: SignData, person: str) -> Iterator[tuple[int, float]]:
    """The photograph, as a row of `data`, of each frame of one person's stream, and the seconds since the sign changed."""
    for sign in range(len(data.labels)):
        rows = np.flatnonzero(data.evaluated & (data.hands.sources == person) & (data.classes == sign))
        for number, row in enumerate(np.repeat(rows[:PHOTOGRAPHS_A_SIGN], FRAMES_A_PHOTOGRAPH).tolist()):
            yield row, number / FPS


def _prediction(scores: Scores, thresholds: Thresholds, labels: list[str]) -> Prediction:
    (index,) = labels_within(thresholds, scores.probabilities[None], np.array([scores.distance]))
    label = labels[index] if index < len(labels) else None
    known = scores.probabilities[:-1]
    top = tuple((labels[place], float(known[place])) for place in np.argsort(-known, kind="stable")[:TOP])
    return Prediction(label, top[0][1], top, IMAGE)
