"""Metrics of the shipped hand signs on held-out people."""

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np

from recognizer.classifiers.rejection import labels_within
from recognizer.registry.card import Thresholds
from training.datasets import hand_photographs
from training.publishing.calibration import SIGNS_KEEP_CONFIDENCE, SIGNS_KEEP_DISTANCE, SIGNS_LEEWAY, SIGNS_SURE
from training.shipped.sign_fitting import fit
from training.shipped.sign_material import CODE, Answers, Material


@dataclass(frozen=True, eq=False)
class Verdict:
    """How a kind does on the people left out, with the thresholds that this was measured with."""

    thresholds: Thresholds
    right: dict[str, float]  # share of each person's pictures that get the right label; not found is wrong
    nothing_labelled: float  # share of photos/nothing that gets a label
    strict: "Verdict | None" = None  # with the thresholds to run with, where these are stricter

    @property
    def average(self) -> float:
        return float(np.mean(list(self.right.values())))


def judge(material: Material, wanted: list[str]) -> dict[str, Verdict]:
    """Leave each person out in turn."""
    verdicts = {}
    for kind in wanted:
        answers = _answers_of_others(material, kind)
        strict = (
            verdict_of(material, answers, sure=SIGNS_SURE) if kind == "pixels" and not material.tuning.keep else None
        )
        verdicts[kind] = replace(verdict_of(material, answers), strict=strict)
    return verdicts


def _answers_of_others(material: Material, kind: str) -> Answers:
    """The task's own hands, each read by a network that did not see its person, and photos/nothing, by the first."""
    count = len(material.hands)
    probabilities = np.full((count, len(material.labels) + 1), np.nan, np.float32)
    distances = np.full(count, np.nan, np.float32)
    for person in material.people:
        rows = material.judged & (material.hands.sources == person)
        rows |= material.empty & (person == material.people[0])
        path = material.runs / f"{kind}-without-{person}-{_digest(material, kind)}.npz"
        if not path.is_file():
            print(f"{material.task}, {kind}: without {person} …", flush=True)
            fit(material, kind, person).read(material.hands[rows]).save(path)
        kept = Answers.load(path)
        probabilities[rows], distances[rows] = kept.probabilities, kept.distances
    return Answers(probabilities, distances)


def _digest(material: Material, kind: str) -> str:
    hands = material.hands
    seen = (hands.landmarks, hands.images, hands.looks[:, :, :1], material.classes)
    data = hashlib.sha256(b"".join(array.tobytes() for array in seen)).hexdigest()
    made_of = [data, hand_photographs.code_digest(*CODE), material.seed, kind, *material.tuning.learned_with()]
    if kind == "pixels":
        made_of += [hand_photographs.code_digest("training/networks/plain.py"), material.sign_mnist.sha256]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]


def verdict_of(material: Material, answers: Answers, sure: float | None = None) -> Verdict:
    """Thresholds that let pass what was read right, or with `sure` labels of which that share is right, and how the
    kind does with them.
    """
    hands, distances = material.hands, answers.distances
    known = answers.probabilities[:, : len(material.labels)]
    confidence = np.nan_to_num(known.max(axis=1), nan=0.0)
    best = np.nan_to_num(known, nan=0.0).argmax(axis=1)
    right = material.judged & (confidence > 0) & (best == material.classes)
    if sure:
        asked = (material.judged | material.empty) & (confidence > 0)
        min_confidence = _confidence_when_sure(confidence[asked], right[asked], sure)
    else:
        min_confidence = float(np.quantile(confidence[right], 1 - (material.tuning.keep or SIGNS_KEEP_CONFIDENCE)))
    max_distance = SIGNS_LEEWAY * float(np.quantile(distances[right], SIGNS_KEEP_DISTANCE))
    thresholds = Thresholds(min_confidence, max_distance)
    said = labels_within(thresholds, answers.probabilities, distances)
    right &= said == best
    of_person = {person: right[material.judged & (hands.sources == person)] for person in material.people}
    return Verdict(
        thresholds,
        {person: float(their.mean()) for person, their in of_person.items()},
        float((said[material.empty] < len(material.labels)).mean()) if material.empty.any() else 0.0,
    )


def _confidence_when_sure(confidence: np.ndarray, right: np.ndarray, sure: float) -> float:
    """The lowest confidence from which on that share of the labels is right; the highest where none is."""
    values = np.unique(confidence)[::-1]
    shares = (right[confidence >= value].mean() for value in values)
    return float(min((value for value, share in zip(values, shares, strict=True) if share >= sure), default=values[0]))


def print_table(material: Material, verdicts: dict[str, Verdict]) -> None:
    """The share read right of each person left out, end to end: what was not found or got no label is wrong."""
    print(f"{material.task:10}" + "".join(f"{person[:12]:>13}" for person in material.people), end="")
    print(f"{'average':>10}{'nothing':>10}")
    for kind, verdict in verdicts.items():
        line = "".join(f"{verdict.right[person]:13.4f}" for person in material.people)
        print(f"{kind:10}{line}{verdict.average:10.4f}{verdict.nothing_labelled:10.4f}")
