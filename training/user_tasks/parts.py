"""The two parts of a task's model: the signs that are held still, and those that move. Each is replaced only by a better one.

A part whose samples have not changed since the current version is not trained again while the other one is.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recognizer.motion import embedding
from recognizer.motion.classifier import FILE as MOTION_FILE
from recognizer.registry import card
from recognizer.samples.sample import Sample, Task
from training.publishing.card import git_commit
from training.user_tasks.moving_signs import MovingSigns
from training.user_tasks.training_run import TrainingRun, digest
from training.user_tasks.validation import ValidationResult

NOT_RUN = ValidationResult(None, None, None, None, {}, [], 0, True, "")


class Parts:
    """What a training run has to train, what came of it, and how that becomes one version."""

    def __init__(
        self, task: Task, current: Path | None, still_rows: Sequence[Sample], moving: MovingSigns | None
    ) -> None:
        self._task = task
        self._current = current
        self._card = card.read_card(current) if current else None
        self._moving = moving
        trained = (self._card.user_training if self._card else None) or {}
        with_joints = [row for row in still_rows if row.landmarks is not None]
        same_still = bool(still_rows) and trained.get("captures_sha256") == digest(with_joints)
        same_moving = moving is None or trained.get("moving_sha256") == digest(moving.samples)
        self.needs_still = bool(still_rows) and (same_moving or not same_still)
        self._needs_moving = moving is not None and not (same_moving and self.needs_still)
        self._run: TrainingRun | None = None
        self._still, self._moved = NOT_RUN, NOT_RUN

    @property
    def current_still(self) -> Path | None:
        """The current version, if it reads signs that are held still."""
        return self._current if self._card and self._card.labels else None

    @property
    def _current_moving(self) -> Path | None:
        return self._current if self._card and self._card.moving_labels else None

    def check_still(self, run: TrainingRun) -> None:
        """Train and validate the signs that are held still."""
        self._run, self._still = run, run.validate()

    def check_moving(self) -> None:
        """Train and validate the signs that move, if there is anything new."""
        if self._moving is not None and self._needs_moving:
            self._moved = self._moving.validate()

    @property
    def passed(self) -> bool:
        """Whether a part has become better, and none is missing."""
        still_is_there = self._still.passed or self.current_still is not None
        moving_is_there = self._moved.passed or self._current_moving is not None
        has_new = (self._run is not None and self._still.passed) or (self._needs_moving and self._moved.passed)
        return still_is_there and moving_is_there and has_new

    @property
    def validation(self) -> ValidationResult:
        """The validation of both parts together. A part that was trained and is not published counts as it was before."""
        if self._run is None or not self._needs_moving:
            return self._moved if self._run is None else self._still
        parts = [one if one.passed or not self.passed else _as_before(one) for one in (self._still, self._moved)]
        known = [one for one in parts if one.known_before is not None] or parts
        return ValidationResult(
            _pooled([(one.before, one.held_out) for one in parts]),
            _pooled([(one.after, one.held_out) for one in parts]),
            known[0].known_before,
            known[0].known_after,
            _added(parts[0].per_label, parts[1].per_label),
            [*parts[0].confused, *parts[1].confused],
            sum(one.held_out for one in parts),
            self.passed,
            "; ".join(f"{name}: {one.reason}" for name, one in zip(("still", "moving"), parts, strict=True)),
        )

    def publish(self, draft: Path, command: str, *, force: bool) -> None:
        """Write the version into the folder `draft`; `command` repeats the training. With `force`, all that was trained."""
        if self._run is not None and (self._still.passed or force):
            self._run.publish(self._still, command, draft)
        elif self.current_still is not None:
            _copy_still(self.current_still, draft)
        else:
            card.write_card(card.ModelCard(labels=(), subject=self._task.subject), draft)
        written = replace(card.read_card(draft), task=self._task.name, command=command, git_commit=git_commit())
        trained = dict(written.user_training or {"from": self._origin()})
        if self._moving is not None and self._needs_moving and (self._moved.passed or force):
            classifier = self._moving.classifier
            classifier.save(draft / MOTION_FILE)
            moving: dict[str, Any] | None = {"labels": list(classifier.labels), "features": embedding.VERSION}
            trained |= {"moving": self._moving.counts, "moving_sha256": digest(self._moving.samples)}
            metrics = {**(written.metrics or {}), "moving": _metrics(self._moved)}
        else:
            moving, metrics = self._kept_moving(draft), dict(written.metrics or {})
            before = (self._card.user_training if self._card else None) or {}
            trained |= {name: before[name] for name in ("moving", "moving_sha256") if name in before}
        sides = written.sides or {} if self._task.sides else None  # {}: no still sign yet
        written = replace(written, moving=moving, sides=sides, user_training=trained, metrics=metrics or None)
        card.write_card(written, draft)

    def _kept_moving(self, draft: Path) -> dict[str, Any] | None:
        """What the card says of the moving signs of the current version, whose file is copied. None if it has none."""
        if self._current is None or not (self._current / MOTION_FILE).exists():
            return None
        shutil.copyfile(self._current / MOTION_FILE, draft / MOTION_FILE)
        return dict((self._card.moving if self._card else None) or {})

    def _origin(self) -> str | None:
        """The name of the version that user training began with."""
        return self._current.name if self._current is not None and self._card and not self._card.user_training else None


def _copy_still(folder: Path, draft: Path) -> None:
    """Copy a version, without what belongs to its moving signs and without the checksums, which publishing adds."""
    for name in card.file_names(folder):
        if name != MOTION_FILE:
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, draft / name)
    card.write_card(replace(card.read_card(folder), moving=None, files=None), draft)


def _as_before(one: ValidationResult) -> ValidationResult:
    """The validation of a part that stays as it was."""
    per_label = {label: {**counts, "after": counts["before"]} for label, counts in one.per_label.items()}
    return replace(one, after=one.before, known_after=one.known_before, per_label=per_label, confused=[])


def _pooled(shares: Sequence[tuple[float | None, int]]) -> float | None:
    """The mean of (accuracy, number of samples); a part without a model reads nothing. None if no part has one."""
    if all(share is None or not count for share, count in shares):
        return None
    return sum((share or 0.0) * count for share, count in shares) / sum(count for _, count in shares)


def _added(one: dict[str, dict[str, int]], other: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The counts of each label, of a label with still and moving samples together."""
    sums = {label: dict(counts) for label, counts in one.items()}
    for label, counts in other.items():
        before = sums.get(label, dict.fromkeys(counts, 0))
        sums[label] = {name: before[name] + count for name, count in counts.items()}
    return sums


def _metrics(validation: ValidationResult) -> dict[str, Any]:
    return {
        "held_out": validation.held_out,
        "held_out_before": validation.before,
        "held_out_after": validation.after,
        "known_before": validation.known_before,
        "known_after": validation.known_after,
        "per_label": validation.per_label,
    }
