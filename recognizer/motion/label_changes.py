"""Renames and removes labels of signs that move in a version of a model, without a training run."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.motion.classifier import FILE, MotionClassifier
from recognizer.registry import card as registry_card

GONE = -2  # class of the demonstrations of a label that is removed


def rename_in(folder: Path, label: str, to: str) -> bool:
    """Rename a label in a version's folder; if `to` exists, it gets its demonstrations, too. False if it is not there.

    Raises ModelError.
    """
    return _change(folder, label, to)


def remove_in(folder: Path, label: str) -> bool:
    """Remove a label with its demonstrations from a version's folder. False if it is not there, or no other one is.

    Raises ModelError.
    """
    return _change(folder, label, None)


def _change(folder: Path, label: str, to: str | None) -> bool:
    card = registry_card.read_card(folder)
    if label not in card.moving_labels or (to is None and len(card.all_labels) == 1):
        return False
    before = MotionClassifier.load(folder / FILE)
    renamed = [to if name == label else name for name in before.labels]
    labels = tuple(dict.fromkeys(name for name in renamed if name is not None))
    # the last number is that of demonstrations without a label, whose class is -1
    numbers = np.array([*(GONE if name is None else labels.index(name) for name in renamed), -1])
    classes = numbers[before.classes]
    stay = classes != GONE
    after = replace(
        before,
        labels=labels,
        points=before.points[stay],
        classes=classes[stay],
        sides=before.sides[stay],
        head_labels=tuple((to or "") if name == label else name for name in before.head_labels),
    )
    after.save(folder / FILE)
    training = card.user_training
    if training and isinstance(training.get("moving"), dict):
        counts: dict[str, int] = {}
        for name, count in training["moving"].items():
            new = to if name == label else name
            if new is not None:
                counts[new] = counts.get(new, 0) + count
        training = {**training, "moving": counts}
    moving = {**(card.moving or {}), "labels": list(labels)}
    registry_card.write_card(replace(card, moving=moving, user_training=training), folder)
    return True
