"""Renames and removes labels of still signs, writing and objects in a version of a model, without a training run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.arrays import read_arrays
from recognizer.classifiers.heads import HEAD, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.errors import ModelError
from recognizer.registry import card as registry_card

KNOWLEDGE = "knowledge.npz"  # mean and covariance of each class's features; the last class is the background


def rename_in(folder: Path, label: str, to: str) -> bool:
    """Rename a label in a version's folder. False if it is not there, or `to` is. Raises ModelError."""
    card = registry_card.read_card(folder)
    if label not in card.labels or to in card.labels:
        return False
    labels = tuple(to if one == label else one for one in card.labels)
    _write(card, labels, folder, lambda name: to if name == label else name)
    return True


def remove_in(folder: Path, task: str, label: str) -> bool:
    """Remove a label from a version's folder: what shows it is then rejected. False if it is not there, or no other one is.

    Raises ModelError if a network has the label built in.
    """
    card = registry_card.read_card(folder)
    if label not in card.labels or len(card.labels) == 1:
        return False
    index = card.labels.index(label)
    _remove_output(folder, index, task, label)
    statistics = FeatureStatistics.load(folder / FEATURES)
    FeatureStatistics(np.delete(statistics.means, index, axis=0), statistics.whitening).save(folder / FEATURES)
    if (folder / KNOWLEDGE).exists():
        means, covariances = read_arrays(folder / KNOWLEDGE, "means", "covariances", dims=(2, 3))
        np.savez_compressed(
            folder / KNOWLEDGE, means=np.delete(means, index, 0), covariances=np.delete(covariances, index, 0)
        )
    labels = tuple(one for one in card.labels if one != label)
    _write(card, labels, folder, lambda name: None if name == label else name)
    return True


def _remove_output(folder: Path, index: int, task: str, label: str) -> None:
    """Remove a class from the last layer in a version's folder."""
    if (folder / HEAD).exists():
        head = Head.load(folder / HEAD)
        Head(np.delete(head.kernel, index, axis=1), np.delete(head.bias, index)).save(folder / HEAD)
    elif (folder / NEIGHBOURS).exists():
        one = Neighbours.load(folder / NEIGHBOURS)
        stay = one.votes != index
        votes = one.votes[stay] - (one.votes[stay] > index)
        k = min(one.k, max(1, int(stay.sum())))
        Neighbours(one.samples[stay], votes, k, one.measure, one.classes - 1).save(folder / NEIGHBOURS)
    else:
        raise ModelError(f"The network of {task} has {label} built in. Train it without that label: models show {task}")


def _write(
    card: registry_card.ModelCard, labels: tuple[str, ...], folder: Path, new_name: Callable[[str], str | None]
) -> None:
    """Write the card with other labels, also where it counts samples by label."""
    training, metrics = card.user_training, card.metrics
    if training and isinstance(training.get("samples"), dict):
        training = {**training, "samples": _renamed(training["samples"], new_name)}
    if metrics and isinstance(metrics.get("per_label"), dict):
        metrics = {**metrics, "per_label": _renamed(metrics["per_label"], new_name)}
    sides = None if card.sides is None else _renamed(card.sides, new_name)
    written = replace(card, labels=labels, sides=sides, user_training=training, metrics=metrics)
    registry_card.write_card(written, folder)


def _renamed(by_label: Mapping[str, Any], new_name: Callable[[str], str | None]) -> dict[str, Any]:
    return {new: value for label, value in by_label.items() if (new := new_name(label)) is not None}
