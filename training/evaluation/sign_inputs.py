"""Compares the inputs for hand signs (joints, pixels, both) and writes training/SIGNS.md.

The accuracy on held-out people is taken from the card of each input's newest version. This module measures the accuracy
on Sign Language MNIST's official test set: "pixels" reads its pictures unchanged, the other inputs read them enlarged.
"""

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.hands import HandClassifier
from recognizer.errors import ModelError
from recognizer.finders.hands import HandFinder
from recognizer.preprocess import pictures
from recognizer.registry import assets
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.values import Frame, Region
from training.datasets import wrong_labels
from training.datasets.dataset import Images
from training.datasets.hand_photographs import LABELS, most_confident
from training.datasets.sign_mnist import load_sign_mnist, rps_subset
from training.processes import fresh_processes
from training.publishing.calibration import SIGNS_PRECISION
from training.publishing.markdown import table, write_text
from training.settings import SIGN_INPUTS

CONFUSIONS = 3  # wrong labels in a row of the table of labels
ENLARGED = 8  # factor: the finder needs hands of more than 28 pixels
HEAD = """# Accuracy on hand signs by input

Written by `python -m recognizer evaluate kinds --every {every}`; `python -m recognizer train letters` and `rps` train one
network for each input, or one with `--kind`. "pose" reads hand joints; "pixels" reads 28×28 grey levels and is trained on
Sign Language MNIST and on crops of photographs; "fused" reads joints and appearance features. The current model is in bold;
"pixels" is used where no joints are found. An input without a column has no trained version here.

A row is the share of one held-out person's or collection's photographs that get the right label, end to end, and in brackets
the share that get a wrong one; the others are not found or rejected. A dash: that input was trained and measured without these
people. Without a sign: share of the pictures without a sign that get a label. Official test: top-1
accuracy on Sign Language MNIST's test pictures, {pixels}, which show the people of its training
pictures. "pose" and "fused" were not trained on that data set; they read {jointed} of the pictures,
enlarged {enlarged} times, and a picture without joints counts as wrong.

The second table of a task has a row for each label of the current model: the mean of the held-out people. {wrong} photographs
show another sign than their label says. They are neither trained on nor counted; training/datasets/wrong_labels.csv lists them
with the reasons.
"""


def write_comparison(models: ModelStore, every: int, results: Path) -> None:
    """Write the table, from every `every`-th test picture. Raises ModelError if a task has no trained version."""
    versions = {task: versions_of(models, task) for task in LABELS}
    write_text(results, report(versions, models, every))
    print(f"Wrote {results}")


def versions_of(models: ModelStore, task: str) -> dict[str, Path]:
    """The folder of the task's newest version with each input that has one. Raises ModelError if none has."""
    newest = {kind: models.newest_version(task, kind) for kind in SIGN_INPUTS}
    found = {kind: folder for kind, folder in newest.items() if folder is not None}
    if not found:
        raise ModelError(f"{models.folder / task} holds no model. Train one: python -m recognizer train {task}")
    return found


def report(versions: dict[str, dict[str, Path]], models: ModelStore, every: int) -> str:
    """The text of SIGNS.md: a table for each task."""
    signs = load_sign_mnist()
    tests = {task: (rps_subset(signs) if task == "rps" else signs) for task in LABELS}
    parts = [
        HEAD.format(
            every=every,
            enlarged=ENLARGED,
            pixels=_counts(tests, 1),
            jointed=_counts(tests, every),
            wrong=len(wrong_labels.listed()),
        )
    ]
    for task, test in tests.items():
        regions = regions_of(test.test_images[::every])
        current = models.current(task)
        columns = []
        people = _metrics(current)["people_left_out"]
        for kind, folder in versions[task].items():
            accuracy = (
                official_test_accuracy(folder, test)
                if kind == "pixels"
                else end_to_end(folder, regions, test.test_labels[::every])
            )
            columns.append(column(kind, folder, people, accuracy, runs=folder == current))
        heads = ["input", *people, "average", "without a sign", "official test", "parameters"]
        rows = [list(cells) for cells in zip(heads, *columns, strict=True)]
        parts.append(f"## {task}\n\n{table(rows[0], rows[1:])}")
        if "pixels" in versions[task]:
            parts.append(strict_threshold_line(versions[task]["pixels"]))
        parts.append(table_of_labels(current))
    return "\n".join(parts)


def column(kind: str, folder: Path, people: Iterable[str], accuracy: float, *, runs: bool) -> list[str]:
    """The cells of one input; bold if it is the current model."""
    metrics = _metrics(folder)
    right, wrong = metrics["people_left_out"], metrics.get("people_left_out_wrong", {})
    cells = [
        kind,
        *(_shares(right.get(person), wrong.get(person)) for person in people),
        _shares(metrics["people_left_out_average"], metrics.get("people_left_out_wrong_average")),
        _shares(metrics["nothing_labelled"], None),
        f"{100 * accuracy:.2f} %",
        f"{registry_card.read_card(folder).parameters or 0:,}",
    ]
    return [f"**{cell}**" for cell in cells] if runs else cells


def _shares(right: float | None, wrong: float | None) -> str:
    if right is None:
        return "–"
    return f"{100 * right:.1f} %" + ("" if wrong is None else f" ({100 * wrong:.1f})")


def strict_threshold_line(folder: Path) -> str:
    """A sentence on the accuracy of "pixels" with the stricter threshold that the live classifier uses."""
    strict = _metrics(folder)["with_strict_thresholds"]
    return (
        f'With its live threshold, chosen so that {100 * SIGNS_PRECISION:.0f} % of its labels are right, "pixels" labels '
        f"{100 * strict['people_left_out_average']:.1f} % of the held-out people's pictures correctly, and "
        f"{100 * strict['nothing_labelled']:.1f} % of the pictures without a sign get a label.\n"
    )


def table_of_labels(folder: Path) -> str:
    """A table of the current model's labels on held-out people; "" if its card has none."""
    labels = _metrics(folder).get("labels", {})
    if not labels:
        return ""
    rows = [
        (label, _shares(one["right"], None), _shares(one["wrong"], None), _confusions(one["confused"]))
        for label, one in labels.items()
    ]
    return table(["label", "right", "wrong", "read as"], rows)


def _confusions(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {100 * share:.1f} %" for label, share in list(shares.items())[:CONFUSIONS])


def _metrics(folder: Path) -> Mapping[str, Any]:
    return registry_card.read_card(folder).metrics or {}


def _counts(tests: dict[str, Images], every: int) -> str:
    return " and ".join(f"{len(test.test_labels[::every]):,} ({task})" for task, test in tests.items())


def official_test_accuracy(folder: Path, signs: Images) -> float:
    """Top-1 accuracy, 0 to 1, of the "pixels" version in the folder on the official test."""
    classifier = Classifier(folder, pictures.HAND_VERSION)
    best = [int(classifier.run(image)[0][: len(classifier.labels)].argmax()) for image in signs.test_images]
    return float(np.mean(best == signs.test_labels))


def end_to_end(folder: Path, found: list[Region | None], labels: np.ndarray) -> float:
    """Top-1 accuracy, 0 to 1, on N pictures; a picture in which no hand was found counts as wrong."""
    classifier = HandClassifier(folder)
    best = [classifier.predict([region])[0].top[0][0] if region else "" for region in found]
    return float(
        np.mean([predicted == classifier.labels[label] for predicted, label in zip(best, labels, strict=True)])
    )


def regions_of(images: np.ndarray) -> list[Region | None]:
    """The hand with the highest score in each of (N, 28, 28) uint8 pictures. Raises AssetError without the hand model."""
    model = assets.find_asset("hand_landmarker")
    shares = np.array_split(images, os.cpu_count() or 1)
    with fresh_processes(len(shares)) as pool:
        return [region for found in pool.map(partial(_find, model), shares) for region in found]


def _find(model: Path, images: np.ndarray) -> list[Region | None]:
    found = []
    with HandFinder(model, video=False) as finder:
        for image in images:
            large = cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
            regions = finder.find(Frame(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), 0, 0.0, "Sign Language MNIST"))
            found.append(most_confident(regions))
    return found
