"""Classifies movements by the demonstrations of each label, from one demonstration up.

    classifier = MotionClassifier.fit(movements, labels, rng)     # labels: a name, or None for "no sign of the task"
    classifier.save(folder / FILE)
    prediction = MotionClassifier.load(folder / FILE).predict(movement)
    prediction.label                                              # None: none of the labels

A movement gets the label of the nearest demonstration, if that is near enough. "Near" is measured between features that were
scaled once, for all tasks (embedding.py), so a single demonstration is enough and training takes seconds. Where many people
have shown a label, as J and Z, a linear head may decide about it instead: it rejects more of what hands do between letters.

Either hand makes a sign, and the left one makes its mirror image. Where that makes one label of another, as of "swipe left"
and "swipe right", the two have a direction in the picture, whichever hand makes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from recognizer.classifiers.arrays import read_arrays
from recognizer.classifiers.heads import Head
from recognizer.errors import ModelError
from recognizer.motion import embedding, features
from recognizer.motion.features import movement_features, reflected
from recognizer.motion.movement import LEFT, Movement, exchanged
from recognizer.motion.segmenter import pieces
from recognizer.motion.variations import counterexamples, varied
from recognizer.system import files

FILE = "motion.npz"  # in the folder of a model's version
COPIES = 8  # variations of each demonstration
NONE = -1  # class of a demonstration that shows no sign of the task
MIN_CONFIDENCE = 0.5  # of the best label; without one, the movement has no label
MIN_HEAD_CONFIDENCE = 0.6  # the same of the linear head
PIECE = 0.8  # of embedding.LIMIT: the same for a part of a movement, since a long movement has many parts
COUNTER = 0.5  # … a counterexample that is nearer to a demonstration is the sign itself, such as a wave backwards
SHARPNESS = 4.0  # how fast the probability falls with the distance
MIRROR_PAIR = 0.4  # of embedding.LIMIT: if the mirror image of one label is so near another …
MIRROR_SHARE = 0.5  # … and nearer by this share than the two labels are, they have a direction in the picture
_AS_MADE = slice(0, embedding.SIZE)  # columns of points: as if the right hand had made the movement
_AS_SEEN = slice(embedding.SIZE, 2 * embedding.SIZE)  # … its path as it is in the picture
_REFLECTED = slice(2 * embedding.SIZE, 3 * embedding.SIZE)  # … the mirror image of that


@dataclass(frozen=True)
class MotionPrediction:
    """The result of classifying one movement. `label` is None if it is none of the labels."""

    label: str | None
    confidence: float  # 0 to 1, probability of the best label
    top: tuple[tuple[str, float], ...]  # up to three (label, probability), best first


@dataclass(frozen=True, eq=False)
class MotionClassifier:
    """Demonstrations of each label as points of the embedding. A value: `fit` and `load` make one."""

    labels: tuple[str, ...]
    points: np.ndarray  # (N, 3 * embedding.SIZE) float32: demonstrations and their variations, see point_of
    classes: np.ndarray  # (N,) int64: index of each point's label, NONE for no sign
    sides: np.ndarray  # (N,) str: side of the main hand, or "" where either hand means the same
    head: Head | None = None  # over movement_features; decides about `head_labels` alone
    head_labels: tuple[str, ...] = ()  # "" for one that was deleted; the head's last column is none of them

    @classmethod
    def fit(
        cls,
        movements: Sequence[Movement],
        labels: Sequence[str | None],
        rng: np.random.Generator,
        *,
        sides_differ: bool = False,
    ) -> Self:
        """Learns from demonstrations, at least one of each label. None as a label: no sign of the task.

        `sides_differ`: the left and the right hand mean different things, so a label is learned for the hand that showed it.
        Otherwise either hand makes each sign, and the left one makes its mirror image.
        """
        names = tuple(dict.fromkeys(label for label in labels if label is not None))
        shown: list[tuple[Movement, int]] = []
        for movement, label in zip(movements, labels, strict=True):
            copies = [movement, *(varied(movement, rng) for _ in range(COPIES))]
            if movement.has_two_hands:  # which hand moves more is chance, if both move
                copies += [exchanged(one) for one in copies]
            shown += [(one, NONE if label is None else names.index(label)) for one in copies]
        points = np.stack([point_of(movement) for movement, _ in shown])
        others = [
            other
            for movement, label in zip(movements, labels, strict=True)
            if label
            for other in counterexamples(movement)
        ]
        their_points = [point_of(other) for other in others]
        for other, point in zip(others, their_points, strict=True):
            if np.linalg.norm((points - point)[:, _AS_MADE], axis=1).min() > COUNTER * embedding.LIMIT:
                shown.append((other, NONE))
                points = np.concatenate([points, point[None]])
        sides = np.array([movement.sides[0] if sides_differ else "" for movement, _ in shown])
        return cls(names, points, np.array([label for _, label in shown], np.int64), sides)

    def predict(self, movement: Movement) -> MotionPrediction:
        """The label of a movement, or of the longest part that has one. It takes a few milliseconds."""
        whole = self._predicted(movement, embedding.LIMIT)
        if whole.label is not None:
            return whole
        parts = (self._predicted(part, PIECE * embedding.LIMIT) for part in pieces(movement))
        return next((part for part in parts if part.label is not None), whole)

    def _predicted(self, movement: Movement, limit: float) -> MotionPrediction:
        found = self._by_demonstrations(movement, limit)
        if self.head is None or not (found.label is None or found.label in self.head_labels):
            return found
        *shares, _ = self.head.probabilities(movement_features(movement)).tolist()
        known = sorted(zip(self.head_labels, shares, strict=True), key=lambda one: -one[1])
        label, confidence = known[0]
        top = tuple(one for one in known[:3] if one[0])
        return MotionPrediction(label if label and confidence >= MIN_HEAD_CONFIDENCE else None, confidence, top)

    def _by_demonstrations(self, movement: Movement, limit: float) -> MotionPrediction:
        probabilities = self.probabilities(movement, limit)
        order = np.argsort(-probabilities[:-1], kind="stable")[:3]
        top = tuple((self.labels[i], float(probabilities[i])) for i in order)
        if not top:
            return MotionPrediction(None, 0.0, ())
        label, confidence = top[0]
        return MotionPrediction(label if confidence >= MIN_CONFIDENCE else None, confidence, top)

    def probabilities(self, movement: Movement, limit: float = embedding.LIMIT) -> np.ndarray:
        """The probabilities (labels + 1,) of a movement by its demonstrations, the last for none of the labels."""
        distances = self._distances(point_of(movement))
        fits = (self.sides == "") | (self.sides == movement.sides[0])
        nearest = np.full(len(self.labels) + 1, np.inf)
        for index in range(NONE, len(self.labels)):
            rows = fits & (self.classes == index)
            if rows.any():
                nearest[index] = distances[rows].min()  # NONE is the last
        nearest[NONE] = min(nearest[NONE], limit)
        logits = -((nearest / limit) ** 2) * SHARPNESS
        shares: np.ndarray = np.exp(logits - logits.max())
        return shares / shares.sum()

    def _distances(self, point: np.ndarray) -> np.ndarray:
        """The distances (N,) of a movement's point to the demonstrations."""
        as_made, as_seen = (
            np.linalg.norm(self.points[:, columns] - point[columns], axis=1) for columns in (_AS_MADE, _AS_SEEN)
        )
        return np.where(self._has_direction[self.classes], as_seen, as_made)

    @cached_property
    def _has_direction(self) -> np.ndarray:
        """(labels + 1,) bool: whether a label has a direction in the picture. The last is for no sign, which has none."""
        found = np.zeros(len(self.labels) + 1, bool)
        rows = [np.flatnonzero(self.classes == index) for index in range(len(self.labels))]
        for one in range(len(rows)):
            for other in range(one):
                seen = self.points[rows[one], _AS_SEEN]
                mirrored = _nearest(seen, self.points[rows[other], _REFLECTED])
                direct = _nearest(seen, self.points[rows[other], _AS_SEEN])
                if mirrored < min(MIRROR_PAIR * embedding.LIMIT, MIRROR_SHARE * direct):
                    found[[one, other]] = True
        return found

    def save(self, path: Path) -> None:
        """Writes FILE; whole or not at all. Raises OSError."""
        with files.atomic_file(path) as file:
            np.savez_compressed(
                file,
                version=np.array(embedding.VERSION),
                labels=np.array(self.labels),
                points=self.points.astype(np.float16),
                classes=self.classes.astype(np.int32),
                sides=self.sides,
                head_labels=np.array(self.head_labels, str),
                kernel=np.zeros((0, 0), np.float32) if self.head is None else self.head.kernel,
                bias=np.zeros(0, np.float32) if self.head is None else self.head.bias,
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ModelError if the file is missing or damaged, or of another version of the features."""
        names = ("version", "labels", "points", "classes", "sides", "head_labels", "kernel", "bias")
        found = read_arrays(path, *names, dims=(0, 1, 2, 1, 1, 1, 2, 1))
        version, labels, points, classes, sides, head_labels, kernel, bias = found
        if str(version) != embedding.VERSION:
            raise ModelError(f"{path} is of version {version}, and this program uses {embedding.VERSION}. Retrain.")
        rows = len(points)
        fits = points.shape[1] == 3 * embedding.SIZE and len(classes) == len(sides) == rows
        has_head = len(bias) > 0
        fits &= kernel.shape == ((features.SIZE, len(head_labels) + 1) if has_head else (0, 0))
        fits &= len(bias) == (len(head_labels) + 1 if has_head else 0)
        if not fits or (rows and not (classes.min() >= NONE and classes.max() < len(labels))):
            raise ModelError(f"{path} is damaged: its arrays do not fit. Fetch the model again or retrain.")
        return cls(
            tuple(map(str, labels)),
            points.astype(np.float32),
            classes.astype(np.int64),
            sides,
            Head(kernel, bias) if has_head else None,
            tuple(map(str, head_labels)),
        )


def point_of(movement: Movement) -> np.ndarray:
    """The point (3 * embedding.SIZE,) float32 of a movement: made by a right hand, as seen, and the mirror of that."""
    as_made = movement_features(movement)
    mirror = reflected(as_made)
    as_seen, its_mirror = (mirror, as_made) if movement.sides[0] == LEFT else (as_made, mirror)
    return embedding.embed(np.stack([as_made, as_seen, its_mirror])).ravel()


def _nearest(points: np.ndarray, others: np.ndarray) -> float:
    """The smallest distance between two sets of points, (N, D) and (M, D); infinite if one is empty."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * points @ others.T
    return float(np.sqrt(max(0.0, squares.min()))) if squares.size else np.inf
