"""One lesson: a head learned from some samples, proved on the others, and published with what it needs."""

import hashlib
import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, Head
from recognizer.classifiers.network import NETWORK
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics, Rejection
from recognizer.registry.card import ModelCard, Thresholds, write_card
from recognizer.samples.sample import NOTHING, Sample, Task
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from training.lessons import heads
from training.lessons.knowledge import Knowledge
from training.lessons.starting_point import DIGITS, Base, Tell, mnist_features
from training.lessons.taught import Taught
from training.lessons.verdict import MAX_LOSS, Verdict, judged, split
from training.lessons.views import View, features_of
from training.publishing.card import git_commit

COPIES = 200  # changed ones for each label, and …
COPIES_RANGE = (10, 40)  # … for each sample
MOST_COPIES = 10_000  # of all samples together, one of each at least: what many samples show needs no more
MOST_RUNS = 1000  # of a network over copies: as many take a second or two
MOST_LOOKS = 200  # of a backbone, which takes longer


NEW_COUNTS = 3.0  # times as much as a class that is rehearsed: a new label has to win its place
KNOWN_COUNTS = (1.0, 4.0, 16.0)  # what is rehearsed counts more where too much of it would be lost
KEPT = 0.95  # share of right readings that thresholds let pass
COPIES_KEPT = 0.98  # likewise of changed copies
LEEWAY = 1.3  # times the distance of changed copies: people change their signs by more than that in a day
LEEWAYS: dict[str | None, float] = {  # likewise, of views of these kinds
    "fused": 1.4,
    "colour": 1.6,  # pictures have a background
}
MOST_CONFIDENT = 0.9  # a threshold above it would silence what is only a little different
MORE_NOTHING = 0.01  # more of what is known as nothing may get a label, at most
STEPS = 6  # between the thresholds that were and those that let enough pass
KNOWN_TESTED = 500  # features drawn of each known class to test on
REAL_TESTED = 2000  # of MNIST's test digits, where they are at hand: all of them would take longer than to learn


class Lesson:
    """One run: the samples of a task, and what is made of them."""

    def __init__(self, task: Task, view: View, base: Base, current: Path | None, store: Samples, seed: int, tell: Tell):
        self.task, self.view, self.base, self.current, self.store, self.tell = task, view, base, current, store, tell
        self.subject = subject_of(task.subject)
        self.rng = np.random.default_rng(seed)
        self.names = names_of(task, view, base)
        self.labels = self.names[:-1]
        self.classes = np.array([self.names.index(row.label) for row in view.samples])
        self.inputs = view.plain()
        self.plain = features_of(self.inputs, base.network)
        self.copies = self._copies()
        self.known_counts = KNOWN_COUNTS[0]
        self.thresholds = Thresholds(0.5, 0.0)  # what the proof found

    def _copies(self) -> np.ndarray:
        """Features of changed copies, (C, N, D)."""
        each = COPIES // max(1, min(Counter(self.classes.tolist()).values()))
        count = int(np.clip(each, *COPIES_RANGE))
        if self.view.kind == "colour":
            count = max(1, min(COPIES_RANGE[0], MOST_LOOKS // len(self.classes)))
        elif self.base.network is not None and self.view.kind is None:
            count = min(count, max(COPIES_RANGE[0], MOST_RUNS // len(self.classes)))
        count = min(count, max(1, MOST_COPIES // len(self.classes)))
        made = []
        for number in range(count):
            self.tell("looking", 0.1 + 0.5 * number / count)
            made.append(features_of(self.view.changed(self.rng), self.base.network))
        return np.stack(made)

    def prove(self) -> Verdict:
        """Learn from a part, and read the rest with the current version and with what was learned."""
        fitted, held_out = split(self.view.samples)
        self.tell("learning", 0.65)
        if not len(held_out):
            return self._unproved()
        taught, known_before, known_after = self._fit_carefully(fitted)
        taught = self._with_thresholds(taught, fitted, held_out)
        self.thresholds = taught.rejection.thresholds
        meant = self.classes[held_out]
        said_before = self._said_before(held_out)
        said_after = taught.said(self.plain[held_out])
        before = None if said_before is None else float((said_before == meant).mean())
        after = float((said_after == meant).mean())
        per_label = {
            self.names[index]: {
                "of": int((meant == index).sum()),
                "before": 0 if said_before is None else int((said_before[meant == index] == index).sum()),
                "after": int((said_after[meant == index] == index).sum()),
            }
            for index in np.unique(meant)
        }
        wrong = Counter(
            (self.names[said], self.names[index])
            for said, index in zip(said_after, meant, strict=True)
            if said != index
        )
        confused = [(said, label, count) for (said, label), count in wrong.most_common()]
        passed, why = judged(before, after, known_before, known_after, len(self.labels))
        return Verdict(before, after, known_before, known_after, per_label, confused, len(held_out), passed, why)

    def _unproved(self) -> Verdict:
        """A sample of each label leaves none to prove it on: good enough for a task that has no model yet."""
        rows = np.arange(len(self.classes))
        taught, known_before, known_after = self._fit_carefully(rows)
        taught = self._with_thresholds(taught, rows, rows[:0])
        self.thresholds = taught.rejection.thresholds
        passed = self.current is None
        why = "one sample a label: nothing is left to prove it on" + ("" if passed else ", so the current model stays")
        return Verdict(None, None, known_before, known_after, {}, [], 0, passed, why)

    def _fit_carefully(self, rows: np.ndarray) -> tuple[Taught, float | None, float | None]:
        """A head from some of the samples that loses little of what was known, if there is one, and what it does."""
        for self.known_counts in KNOWN_COUNTS:
            taught = self.fit(rows)
            before, after = self._known(taught)
            if before is None or after is None or after >= before - MAX_LOSS / 2:
                break
        return taught, before, after

    def fit(self, rows: np.ndarray) -> Taught:
        """A head from some of the samples, over all labels."""
        classes = self.classes[rows]
        features = np.concatenate([self.plain[rows], *self.copies[:, rows]])
        repeated = np.tile(classes, 1 + len(self.copies))
        count = len(self.names)
        if self.base.head is None:
            head = heads.discriminant_head(features, repeated, count)
            if self.classes.max() == len(self.labels):
                # what is to be left alone has many looks, which one mean does not tell
                targets = np.eye(count, dtype=np.float32)[repeated]
                head = heads.fit_head(features, targets, 1 / np.bincount(repeated)[repeated], head)
            spread = repeated < len(self.labels)
            statistics = FeatureStatistics.of_features(features[spread], repeated[spread], len(self.labels))
        else:
            head = self._joined_head(features, repeated)
            statistics = self._joined_statistics(features, repeated)
        thresholds = self.base.rejection.thresholds if self.base.rejection else Thresholds(0.5, np.inf)
        return Taught(self.labels, head, Rejection(statistics, thresholds))

    @property
    def _positive(self) -> bool:
        """Whether the features cannot be less than 0."""
        return bool((self.plain >= 0).all())

    @cached_property
    def _places(self) -> np.ndarray:
        """Where the base's classes are among the new ones; its last stays the last."""
        return np.array([*range(len(self.base.labels)), len(self.labels)])

    @cached_property
    def _rehearsed(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of what the base knows, real ones where they are at hand, and what it says of them as shares of the
        new classes.
        """
        assert self.base.knowledge is not None
        assert self.base.head is not None
        drawn, classes = self.base.knowledge.rehearse(heads.REHEARSED, self.rng, positive=self._positive)
        real = self._real_digits(test=False)
        if real is not None:
            drawn = np.concatenate([drawn[classes >= len(DIGITS)], real[0]])
        shares = np.zeros((len(drawn), len(self.names)), np.float32)
        shares[:, self._places] = self.base.head.probabilities(drawn)
        return drawn, shares

    def _joined_head(self, features: np.ndarray, classes: np.ndarray) -> Head:
        assert self.base.head is not None
        drawn, shares = self._rehearsed
        everything = np.concatenate([drawn, features])
        if self.base.network is None or self.view.kind == "colour":
            return heads.discriminant_head(everything, np.append(shares.argmax(axis=1), classes), len(self.names))
        start = heads.widened(self.base.head, len(self.names), self._places)
        targets = np.concatenate([shares, np.eye(len(self.names), dtype=np.float32)[classes]])
        counts = np.maximum(np.bincount(classes, minlength=len(self.names)), 1)
        own = np.where(np.arange(len(counts)) < len(self.base.labels), 1.0, NEW_COUNTS)
        weights = np.concatenate([np.full(len(drawn), self.known_counts), heads.REHEARSED * (own / counts)[classes]])
        return heads.fit_head(everything, targets, weights, start)

    def _joined_statistics(self, features: np.ndarray, classes: np.ndarray) -> FeatureStatistics:
        """The base's, with a row for each new label, and one more for known labels as they were recorded."""
        assert self.base.rejection is not None
        kept = len(self.base.labels)
        means = self.base.rejection.statistics.means
        rows = [*means[:kept]]
        rows += [features[classes == index].mean(axis=0) for index in range(kept, len(self.labels))]
        rows += [
            *means[kept:],
            *(features[classes == index].mean(axis=0) for index in np.unique(classes) if index < kept),
        ]
        return FeatureStatistics(np.stack(rows).astype(np.float32), self.base.rejection.statistics.whitening)

    def _with_thresholds(self, taught: Taught, fitted: np.ndarray, held_out: np.ndarray) -> Taught:
        """Thresholds that let right readings pass, yet hardly more of what is known as nothing."""
        classes, plain = self.classes, self.plain
        if self.base.rejection is None:
            passing = self._passing(taught, self.copies[:, fitted], classes[fitted], COPIES_KEPT)
            leeway = LEEWAYS.get(self.view.kind, LEEWAY)
            before = Thresholds(min(passing.min_confidence, MOST_CONFIDENT), leeway * passing.max_distance)
        else:
            before = self.base.rejection.thresholds
        wanted = before
        if len(held_out):
            passing = self._passing(taught, plain[None, held_out], classes[held_out], KEPT)
            wanted = Thresholds(
                min(before.min_confidence, passing.min_confidence), max(before.max_distance, passing.max_distance)
            )
        return self._guarded(taught, before, wanted)

    def _passing(self, taught: Taught, features: np.ndarray, classes: np.ndarray, share: float) -> Thresholds:
        """Thresholds each of which `share` of the right predictions passes; features (C, N, D)."""
        meant = np.tile(classes, len(features))
        features = features.reshape(-1, features.shape[-1])
        probabilities = taught.head.probabilities(features)[:, : len(self.labels)]
        right = probabilities.argmax(axis=1) == meant
        if not right.any():
            limits = taught.rejection.thresholds
            return limits if np.isfinite(limits.max_distance) else replace(limits, max_distance=0.0)
        distances = taught.rejection.statistics.distances(features[right])
        confidence = probabilities[right].max(axis=1)
        return Thresholds(
            float(np.quantile(confidence, 1 - share, method="lower")),
            float(np.quantile(distances, share, method="higher")),
        )

    def _guarded(self, taught: Taught, before: Thresholds, wanted: Thresholds) -> Taught:
        """As far from `before` to `wanted` as nothing known stays nothing."""
        steps = np.linspace(astuple(before), astuple(wanted), STEPS)
        rejections = [replace(taught.rejection, thresholds=Thresholds(*map(float, step))) for step in steps]
        found = [replace(taught, rejection=one) for one in rejections]
        if not len(self._nothing):
            return found[-1]
        labelled = [float((one.said(self._nothing) < len(self.labels)).mean()) for one in found]
        return [one for one, share in zip(found, labelled, strict=True) if share <= labelled[0] + MORE_NOTHING][-1]

    @cached_property
    def _nothing(self) -> np.ndarray:
        """Features of what the base knows as nothing, (M, D)."""
        knowledge = self.base.knowledge
        if knowledge is None:
            return self.plain[:0]
        drawn, classes = knowledge.rehearse(heads.REHEARSED, self.rng, positive=self._positive)
        return drawn[classes == len(self.base.labels)]

    def _said_before(self, rows: np.ndarray) -> np.ndarray | None:
        """What the current version shows for some of the samples, as the new classes are numbered."""
        if self.current is None:
            return None
        inputs = [self.subject.prepare(self.view.region(row, self.store)) for row in rows]
        said = [prediction.label for prediction in self.subject.open_classifier(self.current).predict(inputs)]
        return np.array([self.names.index(label) if label in self.names else len(self.labels) for label in said])

    def _known(self, taught: Taught) -> tuple[float | None, float | None]:
        """Share of what the base knew that gets the right label, before and after; None without a base."""
        if self.base.head is None:
            return None, None
        features, classes = self._known_features
        before = self.base.known_before
        if before is None:
            said = self.base.head.probabilities(features)[:, : len(self.base.labels)].argmax(axis=1)
            before = float((said == classes).mean())
        return before, float((taught.best(features) == classes).mean())

    @cached_property
    def _known_features(self) -> tuple[np.ndarray, np.ndarray]:
        """Features and classes of MNIST's test digits, where they are at hand and the base reads digits, else drawn."""
        assert self.base.knowledge is not None
        real = self._real_digits(test=True)
        if real is not None:
            return real
        drawn, classes = self.base.knowledge.rehearse(KNOWN_TESTED, np.random.default_rng(1), positive=self._positive)
        known = classes < len(self.base.labels)
        return drawn[known], classes[known]

    def _real_digits(self, *, test: bool) -> tuple[np.ndarray, np.ndarray] | None:
        """Features and classes of some of MNIST's digits, where they are at hand and the base reads digits."""
        if self.base.network is None or list(self.base.labels[:10]) != DIGITS:
            return None
        if self.subject.input is not Input.INK:
            return None
        return mnist_features(self.base.network, test=test)

    def publish(self, verdict: Verdict, command: str, draft: Path) -> None:
        """Learn from all samples, and write the version; `command` repeats the training."""
        rows = np.arange(len(self.classes))
        taught = self.fit(rows)
        if self.base.file is not None:
            shutil.copyfile(self.base.file, draft / NETWORK)
        taught.head.save(draft / HEAD)
        taught.rejection.statistics.save(draft / FEATURES)
        self._knowledge().save(draft)
        counts = Counter(row.label for row in self.view.samples)
        card = ModelCard(
            task=self.task.name,
            labels=tuple(self.labels),
            subject=self.task.subject,
            kind=self.view.kind,
            features=INPUT if self.base.network is None else None,
            input=self.base.input,
            preprocess=self.view.prepared,
            outputs=["probabilities of the labels, then of nothing known", "embedding"],
            parameters=int(taught.head.kernel.size + taught.head.bias.size),
            rejection=self.thresholds,
            user_training={
                "from": self._origin(),
                "samples": {label: counts[label] for label in self.names if counts[label]},
                "captures_sha256": digest(self.view.samples),
            },
            metrics={
                "held_out": verdict.held_out,
                "held_out_before": verdict.before,
                "held_out_after": verdict.after,
                "known_before": verdict.known_before,
                "known_after": verdict.known_after,
                "per_label": verdict.per_label,
            },
            command=command,
            git_commit=git_commit(),
            versions={"python": platform.python_version(), "numpy": np.__version__},
        )
        write_card(card, draft)

    def _origin(self) -> str | None:
        """The name of the version of this task that was started from."""
        if self.base.folder is None:
            return None
        return self.base.folder.name

    def _knowledge(self) -> Knowledge:
        """The base's, with that of the new labels."""
        features = np.concatenate([self.plain, *self.copies])
        own = Knowledge.of_features(features, np.tile(self.classes, 1 + len(self.copies)), len(self.names))
        if self.base.knowledge is None:
            return own
        means, covariances = own.means.copy(), own.covariances.copy()
        kept = self.base.knowledge.classes
        means[self._places[kept]] = self.base.knowledge.means[kept]
        covariances[self._places[kept]] = self.base.knowledge.covariances[kept]
        return Knowledge(means, covariances)


def names_of(task: Task, view: View, base: Base) -> list[str]:
    """The labels of a lesson, those of the base first, then those with samples; the last is "nothing"."""
    recorded = {row.label for row in view.samples}
    order = dict.fromkeys([*base.labels, *task.labels, *(row.label for row in view.samples)])
    return [name for name in order if name != NOTHING and (name in base.labels or name in recorded)] + [NOTHING]


def digest(samples: Sequence[Sample]) -> str:
    """Of the samples' paths and labels."""
    lines = sorted(f"{row.path}\t{row.label}" for row in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
