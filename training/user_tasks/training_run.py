"""One training run: fit a linear head on some samples, validate it on the others, and publish it with its files."""

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
from recognizer.classifiers.sides import SIDES, allowed_labels
from recognizer.registry import card
from recognizer.registry.card import ModelCard, Thresholds, write_card
from recognizer.samples.sample import NOTHING, Sample, Task
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from training.publishing.card import git_commit
from training.user_tasks import linear_head
from training.user_tasks.feature_replay import FeatureDistributions
from training.user_tasks.sample_inputs import SampleInputs, features_of
from training.user_tasks.starting_point import DIGITS, ReportProgress, StartingPoint, mnist_features
from training.user_tasks.trained_head import TrainedHead
from training.user_tasks.validation import MAX_LOSS, ValidationResult, may_replace, split

COPIES = 200  # augmented copies per label
COPIES_RANGE = (10, 40)  # lowest and highest number of augmented copies per sample
MAX_COPIES = 10_000  # copies of all samples, but at least one per sample; many samples vary enough without copies
MAX_NETWORK_RUNS = 1000  # inferences on copies, which take 1 to 2 s
MAX_BACKBONE_RUNS = 200  # the same for a backbone, which is slower


NEW_LABEL_WEIGHT = 3.0  # relative to a replayed class: otherwise the old classes win over a new label
REPLAY_WEIGHTS = (1.0, 4.0, 16.0)  # tried in turn, until the accuracy on the old labels is preserved
COVERAGE = 0.95  # share of the correct predictions on held-out samples that the thresholds accept
COPIES_COVERAGE = 0.98  # the same for augmented copies
DISTANCE_FACTOR = 1.3  # factor on the copies' distance: samples of another day vary more than augmented copies
DISTANCE_FACTORS: dict[str | None, float] = {  # the same for some inputs
    "fused": 1.4,
    "colour": 1.6,  # pictures have a background
}
MAX_MIN_CONFIDENCE = 0.9  # a higher threshold would reject inputs that differ only a little from the samples
MAX_MORE_FALSE_POSITIVES = 0.01  # allowed increase of the share of background that gets a label
STEPS = 6  # thresholds tried, from the old ones to those that reach the coverage
REPLAYED_TEST_FEATURES = 500  # features drawn from each old class, for validation


class TrainingRun:
    """Trains, validates and publishes one model from the samples of a task."""

    def __init__(
        self,
        task: Task,
        sample_inputs: SampleInputs,
        start: StartingPoint,
        current: Path | None,
        store: Samples,
        seed: int,
        report_progress: ReportProgress,
    ):
        self.task, self.sample_inputs, self.start, self.current = task, sample_inputs, start, current
        self.store, self.report_progress = store, report_progress
        self.subject = subject_of(task.subject)
        self.rng = np.random.default_rng(seed)
        self.names = label_names(task, sample_inputs, start)
        self.labels = self.names[:-1]
        self.classes = np.array([self.names.index(row.label) for row in sample_inputs.samples])
        self.sides = self._sides_of_labels() if task.sides else None
        self.allowed = self._allowed()
        self.inputs = sample_inputs.inputs()
        self.features = features_of(self.inputs, start.network)
        self.copy_features = self._augmented_features()
        self.replay_weight = REPLAY_WEIGHTS[0]
        self.thresholds = Thresholds(0.5, 0.0)  # set by validate()

    def _sides_of_labels(self) -> dict[str, list[str]]:
        """The hands that mean each label: those of its samples, else those that the starting point knows."""
        known = (card.read_card(self.start.folder).sides if self.start.folder else None) or {}
        shown = {(row.label, row.side) for row in self.sample_inputs.samples}
        of_label = {label: [side for side in SIDES if (label, side) in shown] for label in self.labels}
        return {label: of_label[label] or list(known.get(label, SIDES)) for label in self.labels}

    def _allowed(self) -> np.ndarray | None:
        """Which labels the hand of each sample can mean, (N, labels) bool; None if the sides do not matter."""
        if self.sides is None:
            return None
        return np.stack([allowed_labels(self.labels, self.sides, row.side) for row in self.sample_inputs.samples])

    def _allowed_in(self, rows: np.ndarray) -> np.ndarray | None:
        return None if self.allowed is None else self.allowed[rows]

    def _augmented_features(self) -> np.ndarray:
        """Features of augmented copies, (C, N, D): C copies of N samples."""
        per_sample = COPIES // max(1, min(Counter(self.classes.tolist()).values()))
        count = int(np.clip(per_sample, *COPIES_RANGE))
        if self.sample_inputs.input_kind == "colour":
            count = max(1, min(COPIES_RANGE[0], MAX_BACKBONE_RUNS // len(self.classes)))
        elif self.start.network is not None and self.sample_inputs.input_kind is None:
            count = min(count, max(COPIES_RANGE[0], MAX_NETWORK_RUNS // len(self.classes)))
        count = min(count, max(1, MAX_COPIES // len(self.classes)))
        features_of_copies = []
        for number in range(count):
            self.report_progress("computing features", 0.1 + 0.5 * number / count)
            features_of_copies.append(features_of(self.sample_inputs.augmented(self.rng), self.start.network))
        return np.stack(features_of_copies)

    def validate(self) -> ValidationResult:
        """Fit on the training samples, and measure the current and the new model on the held-out samples."""
        fitted, held_out = split(self.sample_inputs.samples)
        self.report_progress("fitting the head", 0.65)
        if not len(held_out):
            return self._without_validation()
        model, known_before, known_after = self._fit_carefully(fitted)
        model = self._with_thresholds(model, fitted, held_out)
        self.thresholds = model.rejection.thresholds
        true_classes = self.classes[held_out]
        predicted_before = self._predicted_before(held_out)
        predicted_after = model.predict(self.features[held_out], self._allowed_in(held_out))
        before = None if predicted_before is None else float((predicted_before == true_classes).mean())
        after = float((predicted_after == true_classes).mean())
        per_label = {
            self.names[index]: {
                "of": int((true_classes == index).sum()),
                "before": 0
                if predicted_before is None
                else int((predicted_before[true_classes == index] == index).sum()),
                "after": int((predicted_after[true_classes == index] == index).sum()),
            }
            for index in np.unique(true_classes)
        }
        wrong = Counter(
            (self.names[predicted], self.names[index])
            for predicted, index in zip(predicted_after, true_classes, strict=True)
            if predicted != index
        )
        confused = [(predicted, label, count) for (predicted, label), count in wrong.most_common()]
        passed, reason = may_replace(before, after, known_before, known_after, len(self.labels))
        return ValidationResult(
            before, after, known_before, known_after, per_label, confused, len(held_out), passed, reason
        )

    def _without_validation(self) -> ValidationResult:
        """With one sample per label there is no validation: the new model is published only if the task has no model yet."""
        rows = np.arange(len(self.classes))
        model, known_before, known_after = self._fit_carefully(rows)
        model = self._with_thresholds(model, rows, rows[:0])
        self.thresholds = model.rejection.thresholds
        passed = self.current is None
        reason = "one sample a label: none is left for validation" + ("" if passed else ", so the current model stays")
        return ValidationResult(None, None, known_before, known_after, {}, [], 0, passed, reason)

    def _fit_carefully(self, rows: np.ndarray) -> tuple[TrainedHead, float | None, float | None]:
        """Fit with growing weight of the replayed features until the accuracy on the old labels is preserved.

        Returns the model and that accuracy before and after.
        """
        for self.replay_weight in REPLAY_WEIGHTS:
            model = self.fit(rows)
            before, after = self._accuracy_on_known(model)
            if before is None or after is None or after >= before - MAX_LOSS / 2:
                break
        return model, before, after

    def fit(self, rows: np.ndarray) -> TrainedHead:
        """Fit a head for all labels on the samples `rows` and their augmented copies."""
        classes = self.classes[rows]
        features = np.concatenate([self.features[rows], *self.copy_features[:, rows]])
        repeated = np.tile(classes, 1 + len(self.copy_features))
        count = len(self.names)
        if self.start.head is None:
            head = linear_head.discriminant_head(features, repeated, count)
            if self.classes.max() == len(self.labels):
                # background samples vary too much for one mean
                targets = np.eye(count, dtype=np.float32)[repeated]
                head = linear_head.fit_linear_head(features, targets, 1 / np.bincount(repeated)[repeated], head)
            is_known = repeated < len(self.labels)
            statistics = FeatureStatistics.of_features(features[is_known], repeated[is_known], len(self.labels))
        else:
            head = self._extended_head(features, repeated)
            statistics = self._extended_statistics(features, repeated)
        thresholds = self.start.rejection.thresholds if self.start.rejection else Thresholds(0.5, np.inf)
        return TrainedHead(self.labels, head, Rejection(statistics, thresholds))

    @property
    def _positive(self) -> bool:
        """Whether all features are at least 0."""
        return bool((self.features >= 0).all())

    @cached_property
    def _class_indices(self) -> np.ndarray:
        """Index of each class of the starting point among the new classes; background stays the last."""
        return np.array([*range(len(self.start.labels)), len(self.labels)])

    @cached_property
    def _replayed(self) -> tuple[np.ndarray, np.ndarray]:
        """Replayed features (M, D) of the old classes, and the old head's probabilities as targets (M, K).

        For digits, features of MNIST's training digits replace them if MNIST is installed.
        """
        assert self.start.distributions is not None
        assert self.start.head is not None
        replayed, classes = self.start.distributions.sample(
            linear_head.REPLAYED_FEATURES, self.rng, positive=self._positive
        )
        digits = self._real_digits(test=False)
        if digits is not None:
            replayed = np.concatenate([replayed[classes >= len(DIGITS)], digits[0]])
        targets = np.zeros((len(replayed), len(self.names)), np.float32)
        targets[:, self._class_indices] = self.start.head.probabilities(replayed)
        return replayed, targets

    def _extended_head(self, features: np.ndarray, classes: np.ndarray) -> Head:
        assert self.start.head is not None
        replayed, replayed_targets = self._replayed
        all_features = np.concatenate([replayed, features])
        if self.start.network is None or self.sample_inputs.input_kind == "colour":
            return linear_head.discriminant_head(
                all_features, np.append(replayed_targets.argmax(axis=1), classes), len(self.names)
            )
        start = linear_head.widened(self.start.head, len(self.names), self._class_indices)
        targets = np.concatenate([replayed_targets, np.eye(len(self.names), dtype=np.float32)[classes]])
        counts = np.maximum(np.bincount(classes, minlength=len(self.names)), 1)
        class_weights = np.where(np.arange(len(counts)) < len(self.start.labels), 1.0, NEW_LABEL_WEIGHT)
        weights = np.concatenate(
            [
                np.full(len(replayed), self.replay_weight),
                linear_head.REPLAYED_FEATURES * (class_weights / counts)[classes],
            ]
        )
        return linear_head.fit_linear_head(all_features, targets, weights, start)

    def _extended_statistics(self, features: np.ndarray, classes: np.ndarray) -> FeatureStatistics:
        """Statistics of the starting point, with a mean for each new label, and a second mean for old labels with samples."""
        assert self.start.rejection is not None
        old_count = len(self.start.labels)
        means = self.start.rejection.statistics.means
        rows = [*means[:old_count]]
        rows += [features[classes == index].mean(axis=0) for index in range(old_count, len(self.labels))]
        rows += [
            *means[old_count:],
            *(features[classes == index].mean(axis=0) for index in np.unique(classes) if index < old_count),
        ]
        return FeatureStatistics(np.stack(rows).astype(np.float32), self.start.rejection.statistics.whitening)

    def _with_thresholds(self, model: TrainedHead, fitted: np.ndarray, held_out: np.ndarray) -> TrainedHead:
        """The model with thresholds that accept most correct predictions and hardly more background than before."""
        classes = self.classes
        if self.start.rejection is None:
            covering = self._thresholds_for_coverage(
                model, self.copy_features[:, fitted], classes[fitted], COPIES_COVERAGE, self._allowed_in(fitted)
            )
            factor = DISTANCE_FACTORS.get(self.sample_inputs.input_kind, DISTANCE_FACTOR)
            before = Thresholds(min(covering.min_confidence, MAX_MIN_CONFIDENCE), factor * covering.max_distance)
        else:
            before = self.start.rejection.thresholds
        target = before
        if len(held_out):
            covering = self._thresholds_for_coverage(
                model, self.features[None, held_out], classes[held_out], COVERAGE, self._allowed_in(held_out)
            )
            target = Thresholds(
                min(before.min_confidence, covering.min_confidence), max(before.max_distance, covering.max_distance)
            )
        return self._limited_thresholds(model, before, target)

    def _thresholds_for_coverage(
        self,
        model: TrainedHead,
        features: np.ndarray,
        classes: np.ndarray,
        coverage: float,
        allowed: np.ndarray | None,
    ) -> Thresholds:
        """Thresholds, each of which alone accepts the share `coverage` of the correct predictions; features (C, N, D).

        `allowed` (N, labels) bool says which labels each hand can mean.
        """
        true_classes = np.tile(classes, len(features))
        allowed = None if allowed is None else np.tile(allowed, (len(features), 1))
        features = features.reshape(-1, features.shape[-1])
        probabilities = model.probabilities(features, allowed)[:, : len(self.labels)]
        correct = probabilities.argmax(axis=1) == true_classes
        if not correct.any():
            limits = model.rejection.thresholds
            return limits if np.isfinite(limits.max_distance) else replace(limits, max_distance=0.0)
        distances = model.rejection.statistics.distances(features[correct])
        confidence = probabilities[correct].max(axis=1)
        return Thresholds(
            float(np.quantile(confidence, 1 - coverage, method="lower")),
            float(np.quantile(distances, coverage, method="higher")),
        )

    def _limited_thresholds(self, model: TrainedHead, before: Thresholds, target: Thresholds) -> TrainedHead:
        """The model with the thresholds from `before` to `target` that are nearest to `target` and reject the background."""
        steps = np.linspace(astuple(before), astuple(target), STEPS)
        rejections = [replace(model.rejection, thresholds=Thresholds(*map(float, step))) for step in steps]
        candidates = [replace(model, rejection=one) for one in rejections]
        if not len(self._background):
            return candidates[-1]
        labelled_shares = [float((one.predict(self._background) < len(self.labels)).mean()) for one in candidates]
        return [
            one
            for one, share in zip(candidates, labelled_shares, strict=True)
            if share <= labelled_shares[0] + MAX_MORE_FALSE_POSITIVES
        ][-1]

    @cached_property
    def _background(self) -> np.ndarray:
        """Background features, (M, D), drawn from the distributions of the starting point."""
        distributions = self.start.distributions
        if distributions is None:
            return self.features[:0]
        replayed, classes = distributions.sample(linear_head.REPLAYED_FEATURES, self.rng, positive=self._positive)
        return replayed[classes == len(self.start.labels)]

    def _predicted_before(self, rows: np.ndarray) -> np.ndarray | None:
        """The current version's predictions for the samples `rows`, as indices of the new classes; None without one."""
        if self.current is None:
            return None
        inputs = [self.subject.prepare(self.sample_inputs.region(row, self.store)) for row in rows]
        predicted = [prediction.label for prediction in self.subject.open_classifier(self.current).predict(inputs)]
        return np.array([self.names.index(label) if label in self.names else len(self.labels) for label in predicted])

    def _accuracy_on_known(self, model: TrainedHead) -> tuple[float | None, float | None]:
        """Accuracy on the labels of the starting point, before and after; None if it has no labels."""
        if self.start.head is None:
            return None, None
        features, classes = self._known_features
        before = self.start.known_before
        if before is None:
            predicted = self.start.head.probabilities(features)[:, : len(self.start.labels)].argmax(axis=1)
            before = float((predicted == classes).mean())
        return before, float((model.predict_without_rejection(features) == classes).mean())

    @cached_property
    def _known_features(self) -> tuple[np.ndarray, np.ndarray]:
        """Test features and classes of the old labels: of MNIST's test digits if the task has them, else replayed ones."""
        assert self.start.distributions is not None
        digits = self._real_digits(test=True)
        if digits is not None:
            return digits
        replayed, classes = self.start.distributions.sample(
            REPLAYED_TEST_FEATURES, np.random.default_rng(1), positive=self._positive
        )
        known = classes < len(self.start.labels)
        return replayed[known], classes[known]

    def _real_digits(self, *, test: bool) -> tuple[np.ndarray, np.ndarray] | None:
        """Features and classes of some of MNIST's digits, if MNIST is installed and the starting point reads digits."""
        if self.start.network is None or list(self.start.labels[:10]) != DIGITS:
            return None
        if self.subject.input is not Input.INK:
            return None
        return mnist_features(self.start.network, test=test)

    def publish(self, validation: ValidationResult, command: str, draft: Path) -> None:
        """Fit on all samples, and write the version into the folder `draft`; `command` repeats the training."""
        rows = np.arange(len(self.classes))
        model = self.fit(rows)
        if self.start.file is not None:
            shutil.copyfile(self.start.file, draft / NETWORK)
        model.head.save(draft / HEAD)
        model.rejection.statistics.save(draft / FEATURES)
        self._feature_distributions().save(draft)
        counts = Counter(row.label for row in self.sample_inputs.samples)
        model_card = ModelCard(
            task=self.task.name,
            labels=tuple(self.labels),
            subject=self.task.subject,
            kind=self.sample_inputs.input_kind,
            features=INPUT if self.start.network is None else None,
            input=self.start.input,
            preprocess=self.sample_inputs.preprocess,
            outputs=["probabilities of the labels, then of the background", "embedding"],
            parameters=int(model.head.kernel.size + model.head.bias.size),
            rejection=self.thresholds,
            sides=self.sides,
            user_training={
                "from": self._origin(),
                "samples": {label: counts[label] for label in self.names if counts[label]},
                "captures_sha256": digest(self.sample_inputs.samples),
            },
            metrics={
                "held_out": validation.held_out,
                "held_out_before": validation.before,
                "held_out_after": validation.after,
                "known_before": validation.known_before,
                "known_after": validation.known_after,
                "per_label": validation.per_label,
            },
            command=command,
            git_commit=git_commit(),
            versions={"python": platform.python_version(), "numpy": np.__version__},
        )
        write_card(model_card, draft)

    def _origin(self) -> str | None:
        """The name of the version of this task that the run started from."""
        if self.start.folder is None:
            return None
        return self.start.folder.name

    def _feature_distributions(self) -> FeatureDistributions:
        """Distributions of the starting point for its classes, and fitted ones for the other classes."""
        features = np.concatenate([self.features, *self.copy_features])
        fitted = FeatureDistributions.of_features(
            features, np.tile(self.classes, 1 + len(self.copy_features)), len(self.names)
        )
        if self.start.distributions is None:
            return fitted
        means, covariances = fitted.means.copy(), fitted.covariances.copy()
        old_classes = self.start.distributions.classes
        means[self._class_indices[old_classes]] = self.start.distributions.means[old_classes]
        covariances[self._class_indices[old_classes]] = self.start.distributions.covariances[old_classes]
        return FeatureDistributions(means, covariances)


def label_names(task: Task, sample_inputs: SampleInputs, start: StartingPoint) -> list[str]:
    """The labels of a training run: those of the starting point, then the others that have samples, then "nothing"."""
    recorded = {row.label for row in sample_inputs.samples}
    order = dict.fromkeys([*start.labels, *task.labels, *(row.label for row in sample_inputs.samples)])
    return [name for name in order if name != NOTHING and (name in start.labels or name in recorded)] + [NOTHING]


def digest(samples: Sequence[Sample]) -> str:
    """SHA-256 of the samples' paths and labels."""
    lines = sorted(f"{row.path}\t{row.label}" for row in samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
