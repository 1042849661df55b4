"""Learns signs that move from the user's demonstrations, and checks them as the still ones are checked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.motion import embedding
from recognizer.motion.classifier import COUNTER, FILE, NONE, MotionClassifier
from recognizer.motion.variations import varied
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import NOTHING, Sample, Task
from recognizer.samples.store import Samples
from recognizer.system.names import path_inside
from training.user_tasks.validation import MAX_LOSS, ValidationResult, may_replace, split

AS_MADE = slice(0, embedding.SIZE)  # columns of points: the movement as if the right hand had made it
KNOWN_VARIATIONS = 4  # of each demonstration of a label that the current model knows, to test what is not forgotten


class MovingSigns:
    """The movements of one task: fitted on all demonstrations, checked on those that were held out.

    Labels without demonstrations here are taken over from the current model, and from the version that user training began
    with: a model holds its demonstrations.
    """

    def __init__(
        self, task: Task, samples: Sequence[Sample], store: Samples, models: ModelStore, current: Path | None, seed: int
    ) -> None:
        """Raises SamplesError if a movement cannot be read, and ModelError."""
        self.samples = list(samples)
        self._task = task
        self._movements = [store.movement(sample) for sample in samples]
        self._labels = [sample.label for sample in samples]
        self._before = None if current is None else _classifier_in(current)
        self._current = current
        self._models = models
        self._seed = seed

    @cached_property
    def classifier(self) -> MotionClassifier:
        """Learned from all demonstrations."""
        return self._fitted(np.arange(len(self.samples)))

    @property
    def counts(self) -> dict[str, int]:
        """The number of demonstrations of each label."""
        return dict(Counter(self._labels))

    def validate(self) -> ValidationResult:
        """Measures the current and the new classifier on held-out demonstrations, and on what the current one knows."""
        fitted, held_out = split(self.samples)
        new = self._fitted(fitted)
        true = [self._true(row) for row in held_out]
        after = [new.predict(self._movements[row]).label for row in held_out]
        before = [
            None if self._before is None else self._before.predict(self._movements[row]).label for row in held_out
        ]
        names = dict.fromkeys(self._labels[row] for row in held_out)
        rows_of = {name: [i for i, row in enumerate(held_out) if self._labels[row] == name] for name in names}
        has_before = self._before is not None
        per_label = {
            name: {
                "of": len(rows),
                "before": sum(before[i] == true[i] for i in rows) if has_before else 0,
                "after": sum(after[i] == true[i] for i in rows),
            }
            for name, rows in rows_of.items()
        }
        wrong = Counter((a or NOTHING, t or NOTHING) for a, t in zip(after, true, strict=True) if a != t)
        known_before, known_after = self._accuracy_on_known()
        share_before = _share(before, true) if has_before else None
        share_after = _share(after, true)
        passed, reason = may_replace(
            share_before, 1.0 if share_after is None else share_after, known_before, known_after, len(new.labels)
        )
        if share_after is None and passed:
            reason = "one movement a label: none is left for validation"
        unchecked = [name for name in new.labels if name not in names and not self._knows(name)]
        is_worse = share_before is not None and share_after is not None and share_after < share_before
        if not passed and unchecked and not is_worse and (known_after or 0) >= (known_before or 0) - MAX_LOSS:
            passed, reason = True, f"{', '.join(unchecked)} is too new to be checked, and nothing else has become worse"
        return ValidationResult(
            share_before,
            share_after,
            known_before,
            known_after,
            per_label,
            [(predicted, label, count) for (predicted, label), count in wrong.most_common()],
            len(held_out),
            passed,
            reason,
        )

    def _knows(self, label: str) -> bool:
        return self._before is not None and label in self._before.labels

    def _true(self, row: int) -> str | None:
        return None if self._labels[row] == NOTHING else self._labels[row]

    def _fitted(self, rows: np.ndarray) -> MotionClassifier:
        """Learned from the demonstrations in `rows`, and from those that earlier models hold."""
        return joined(
            MotionClassifier.fit(
                [self._movements[row] for row in rows],
                [self._true(row) for row in rows],
                np.random.default_rng(self._seed),
                sides_differ=self._task.sides,
            ),
            self._kept,
        )

    @cached_property
    def _kept(self) -> list[MotionClassifier]:
        """What earlier models hold: all of the version before user training; of later ones the labels without samples."""
        if self._current is None or self._before is None:
            return []
        trained = card.read_card(self._current).user_training
        if not trained:
            return [self._before]
        origin = None
        if trained.get("from"):
            path_inside(self._models.folder / self._task.name, trained["from"])  # the card may come from elsewhere
            folder = self._models.folder_of(self._task.name, trained["from"])
            origin = _classifier_in(folder) if folder.is_dir() else None
        others = set(self._before.labels) - set(self._labels) - set(origin.labels if origin else ())
        return [*([origin] if origin else []), only(self._before, others)]

    def _accuracy_on_known(self) -> tuple[float | None, float | None]:
        """The share of known movements that are read right, by the current and by the new model; None if none is known.

        These are variations of the demonstrations of its labels, and what the kept demonstrations are without themselves.
        """
        if self._before is None:
            return None, None
        rng, right = np.random.default_rng(self._seed + 1), []
        for movement, label in zip(self._movements, self._labels, strict=True):
            if label in self._before.labels:
                for _ in range(KNOWN_VARIATIONS):
                    one = varied(movement, rng)
                    right.append(
                        (self._before.predict(one).label == label, self.classifier.predict(one).label == label)
                    )
        kept = joined(self._kept[0], self._kept[1:]) if self._kept else None
        if kept is not None and len(kept.points):
            names = [kept.labels[index] if index != NONE else None for index in kept.classes]
            right += zip(
                _reads(self._before, kept.points, names), _reads(self.classifier, kept.points, names), strict=True
            )
        if not right:
            return None, None
        before, after = np.array(right, float).mean(axis=0)
        return float(before), float(after)


def joined(classifier: MotionClassifier, others: Sequence[MotionClassifier]) -> MotionClassifier:
    """A classifier with the demonstrations of all. A counterexample of the others that shows one of its labels is left out."""
    for other in others:
        other = _without_counterexamples_of(classifier, other)
        labels = tuple(dict.fromkeys([*classifier.labels, *other.labels]))
        classes = [labels.index(other.labels[index]) if index != NONE else NONE for index in other.classes]
        classifier = replace(
            classifier,
            labels=labels,
            points=np.concatenate([classifier.points, other.points]),
            classes=np.concatenate([classifier.classes, np.array(classes, np.int64)]),
            sides=np.concatenate([classifier.sides, other.sides]),
            head=classifier.head or other.head,
            head_labels=classifier.head_labels or other.head_labels,
        )
    return classifier


def _without_counterexamples_of(classifier: MotionClassifier, other: MotionClassifier) -> MotionClassifier:
    """The other classifier without its counterexamples that are demonstrations of the first one's labels."""
    signs = classifier.points[classifier.classes != NONE][:, AS_MADE]
    rows = [
        index != NONE or not (np.linalg.norm(signs - point[AS_MADE], axis=1) < COUNTER * embedding.LIMIT).any()
        for index, point in zip(other.classes, other.points, strict=True)
    ]
    return replace(other, points=other.points[rows], classes=other.classes[rows], sides=other.sides[rows])


def only(classifier: MotionClassifier, labels: set[str]) -> MotionClassifier:
    """A classifier with the demonstrations of these labels alone, and with its counterexamples if there are any labels."""
    names = tuple(name for name in classifier.labels if name in labels)
    rows = [classifier.labels[index] in labels if index != NONE else bool(names) for index in classifier.classes]
    numbers = np.array([*(names.index(name) if name in names else NONE for name in classifier.labels), NONE])
    classes = numbers[classifier.classes[rows]]
    points, sides = classifier.points[rows], classifier.sides[rows]
    head_labels = tuple(name if name in names else "" for name in classifier.head_labels)
    head, head_labels = (classifier.head, head_labels) if any(head_labels) else (None, ())
    return replace(
        classifier, labels=names, points=points, classes=classes, sides=sides, head=head, head_labels=head_labels
    )


def _reads(classifier: MotionClassifier, points: np.ndarray, names: Sequence[str | None]) -> list[bool]:
    """Whether the nearest other demonstration of each point (N, embedding.SIZE) has its label."""
    found = []
    for point, name in zip(points, names, strict=True):
        distances = np.linalg.norm((classifier.points - point)[:, AS_MADE], axis=1)
        distances[distances < embedding.LIMIT * 1e-3] = np.inf  # the point itself
        index = classifier.classes[distances.argmin()]
        found.append((None if index == NONE else classifier.labels[index]) == name)
    return found


def _share(predicted: Sequence[str | None], true: Sequence[str | None]) -> float | None:
    return float(np.mean([a == b for a, b in zip(predicted, true, strict=True)])) if true else None


def _classifier_in(folder: Path) -> MotionClassifier | None:
    return MotionClassifier.load(folder / FILE) if (folder / FILE).exists() else None
