"""The data of the shipped hand signs, by person."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.system import files
from training.datasets import hand_photographs, wrong_labels
from training.datasets.dataset import Images
from training.datasets.hand_photographs import LABELS, TASK_OF_FOLDER, Hands
from training.datasets.sign_mnist import load_sign_mnist, rps_subset
from training.networks.hyperparameters import DEFAULTS, Hyperparameters

MAX_FOLDS = 6  # of the cross-validation over people

CODE = (  # the files that determine the predictions
    *hand_photographs.CODE,
    "recognizer/preprocess/pose.py",
    "training/networks/hand_networks.py",
    "training/shipped/sign_fitting.py",
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one network for N hands; NaN where the network's input is missing."""

    probabilities: np.ndarray  # (N, labels + 1)
    distances: np.ndarray  # (N,) Mahalanobis distance to the nearest label

    def save(self, path: Path) -> None:
        with files.atomic_file(path) as file:
            np.savez_compressed(file, probabilities=self.probabilities, distances=self.distances)

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        with np.load(path) as arrays:
            return cls(arrays["probabilities"], arrays["distances"])


@dataclass(frozen=True, eq=False)
class SignData:
    """All hands that a task is trained or evaluated on, with their classes; the `sources` of the hands are people."""

    task: str
    hands: Hands
    classes: np.ndarray  # (N,) int64; len(labels) for background, -1 for unused
    evaluated: np.ndarray  # (N,) bool: from the task's own photographs
    empty: np.ndarray  # (N,) bool: from photos/nothing, which is not used for training
    runs: Path
    seed: int
    hyperparameters: Hyperparameters = DEFAULTS

    @cached_property
    def sign_mnist(self) -> Images:
        """Sign Language MNIST with the task's labels, for networks on pixels. Raises DataError."""
        signs = load_sign_mnist()
        return rps_subset(signs) if self.task == "rps" else signs

    @property
    def labels(self) -> list[str]:
        return LABELS[self.task]

    @cached_property
    def folds(self) -> list[tuple[str, ...]]:
        """The people held out together: at most MAX_FOLDS groups with about the same number of pictures."""
        names, counts = np.unique(self.hands.sources[self.evaluated], return_counts=True)
        groups: list[list[str]] = [[] for _ in range(min(MAX_FOLDS, len(names)))]
        sizes = np.zeros(len(groups), int)
        for index in np.argsort(-counts, kind="stable"):
            smallest = int(sizes.argmin())
            groups[smallest].append(str(names[index]))
            sizes[smallest] += counts[index]
        return [tuple(sorted(group)) for group in groups]

    @cached_property
    def people(self) -> list[str]:
        """The people of the task's own photographs; in some collections they cannot be told apart, and count as one."""
        return sorted(set(self.hands.sources[self.evaluated]))

    def training_rows(self, held_out: Collection[str] = ()) -> np.ndarray:
        """(N,) bool: the training rows of a network that is evaluated on the held-out people."""
        return (self.classes >= 0) & self.hands.found & ~np.isin(self.hands.sources, list(held_out))


def load_sign_data(task: str, runs: Path, seed: int) -> SignData:
    """Read the photographs of hands, and photos/nothing. Raises DataError and AssetError."""
    parts, classes, evaluated, empty = [], [], [], []
    for name in (*hand_photographs.folders_of_signs(), "nothing"):
        found = hand_photographs.read_hands(name, runs / "hands")
        parts.append(found)
        wrong = wrong_labels.is_wrong(name)
        classes.append(np.where(wrong, -1, hand_photographs.classes(task, name, found.labels)))
        evaluated.append(~wrong & (TASK_OF_FOLDER.get(name) == task))
        empty.append(np.full(len(found), name == "nothing"))
    return SignData(
        task,
        hand_photographs.concatenate(parts),
        np.concatenate(classes),
        np.concatenate(evaluated),
        np.concatenate(empty),
        runs / task,
        seed,
    )


def letter_hands(data: SignData) -> Hands:
    """The hands of the task's own photographs whose joints were found."""
    rows = data.training_rows() & data.evaluated
    return data.hands[rows & data.hands.jointed[:, 0]]
