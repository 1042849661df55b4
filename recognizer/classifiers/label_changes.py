"""Renames and removes labels of trained models, without a training run."""

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
from recognizer.registry.store import ModelStore, Rewrite

KNOWLEDGE = "knowledge.npz"  # mean and covariance of each class's features; the last class is the background


def rename_label(models: ModelStore, task: str, label: str, to: str) -> Rewrite | None:
    """Rename a label in the task's models; None if none has it. Raises ModelError."""

    def rename(folder: Path) -> bool:
        card = registry_card.read_card(folder)
        if label not in card.labels or to in card.labels:
            return False
        labels = tuple(to if one == label else one for one in card.labels)
        _write(card, labels, folder, lambda name: to if name == label else name)
        return True

    return models.rewrite(task, rename)


def remove_label(models: ModelStore, task: str, label: str) -> Rewrite | None:
    """Remove a label from the task's models: what shows it is then rejected. None if none has it.

    A version without another label stays as it is. Raises ModelError if a network has the label built in.
    """

    def remove(folder: Path) -> bool:
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

    return models.rewrite(task, remove)


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
    registry_card.write_card(replace(card, labels=labels, user_training=training, metrics=metrics), folder)


def _renamed(by_label: Mapping[str, Any], new_name: Callable[[str], str | None]) -> dict[str, Any]:
    return {new: value for label, value in by_label.items() if (new := new_name(label)) is not None}
