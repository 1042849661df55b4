"""How the shipped signs are made: the mean shape of the hands in the photographs, for practice."""

from pathlib import Path

import numpy as np

from recognizer.spelling.known_signs import TABLE, write_table
from recognizer.spelling.shapes import HandShape, KnownSign, known_sign, shape_of
from recognizer.values import Hand
from training.datasets import hand_photographs, wrong_labels
from training.datasets.hand_photographs import LABELS, TASK_OF_FOLDER, Hands

LEAST_PICTURES = 5  # of one person and sign, else the person does not count


def write_shapes(runs: Path) -> None:
    """Write the table of the shipped tasks' signs. Raises DataError and AssetError."""
    tasks: dict[str, dict[str, KnownSign]] = {task: {} for task in LABELS}
    people = 0
    for task, labels in LABELS.items():
        hands = _hands_of(task, runs)
        people += len(set(hands.sources))
        for label in labels:
            tasks[task][label] = known_sign(_shapes(hands, label))
    about = f"Mean joints of {people} people and collections; no single hand. Written by: python -m training shapes"
    write_table(TABLE, about, tasks)
    print(f"Wrote {TABLE}: {', '.join(f'{len(signs)} signs of {task}' for task, signs in tasks.items())}")


def _hands_of(task: str, runs: Path) -> Hands:
    """The hands with joints in the task's photographs, without wrong labels."""
    parts = []
    for folder in hand_photographs.folders_of_signs():
        if TASK_OF_FOLDER[folder] == task:
            hands = hand_photographs.read_hands(folder, runs / "hands")
            parts.append(hands[hands.jointed[:, 0] & ~wrong_labels.is_wrong(folder)])
    return hand_photographs.concatenate(parts)


def _shapes(hands: Hands, label: str) -> list[HandShape]:
    """Shapes of the hands with a label, as many of each person, so that nobody counts more than another."""
    rows = [
        np.flatnonzero((hands.sources == person) & (hands.labels == label)) for person in sorted(set(hands.sources))
    ]
    rows = [own for own in rows if len(own) >= LEAST_PICTURES]
    count = min(len(own) for own in rows)
    chosen = np.concatenate([own[np.linspace(0, len(own) - 1, count).astype(int)] for own in rows])
    sides = np.where(hands.left[chosen, 0], "left", "right")
    return [
        shape_of(Hand(landmarks, side, 1.0))
        for landmarks, side in zip(hands.landmarks[chosen, 0], sides.tolist(), strict=True)
    ]
