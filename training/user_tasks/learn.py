"""Trains a task on its samples: reads them, fits a linear head over frozen features, validates it and publishes it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from recognizer.errors import SamplesError, SettingsError
from recognizer.registry import card
from recognizer.samples.sample import Sample, Task
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from recognizer.tasks import subject_of_model
from recognizer.teaching.import_pictures import import_pictures
from training.networks.backbones import SIDE
from training.settings import LearnSettings
from training.user_tasks import hand_feature_extractor
from training.user_tasks.fine_tuning import fine_tuned_start
from training.user_tasks.moving_signs import MovingSigns
from training.user_tasks.parts import Parts
from training.user_tasks.sample_inputs import SampleInputs, colour_inputs, hand_inputs, ink_inputs
from training.user_tasks.starting_point import ReportProgress, current_version, starting_point_of, uses_colour_pictures
from training.user_tasks.training_run import TrainingRun


def learn(settings: LearnSettings, report_progress: ReportProgress) -> Path | None:
    """Train and publish a model. Returns the new version's folder, or None if validation rejected it.

    Raises SamplesError if there are too few labels, SettingsError for options that do not fit the task, ModelError and
    AssetError for missing files.
    """
    began_s = time.perf_counter()
    report_progress("reading samples", 0.0)
    store = settings.samples
    if settings.folder is not None:
        subject = settings.subject or subject_of_model(settings.task, settings.models)
        import_pictures(store, settings.task, settings.folder, subject)
    task = store.task(settings.task)
    rows = store.read(task.name)
    current = current_version(settings.models, task)
    still_rows = [row for row in rows if row.moving_s is None]
    moving_rows = [row for row in rows if row.moving_s is not None]
    _check_labels(task, still_rows, moving_rows, current)
    moving = MovingSigns(task, moving_rows, store, settings.models, current, settings.seed) if moving_rows else None
    parts = Parts(task, current, still_rows, moving)
    with ExitStack() as stack:
        if parts.needs_still:
            run = stack.enter_context(_still_run(task, still_rows, parts.current_still, settings, report_progress))
            parts.check_still(run)
        parts.check_moving()
        folder = None
        if parts.passed or settings.force:
            report_progress("publishing", 0.9)
            with settings.models.publishing(task.name) as draft:
                parts.publish(draft, settings.command, force=settings.force)
            folder = settings.models.current(task.name)
    validation = parts.validation
    result = {
        "published": None if folder is None else folder.name,
        "before": {"accuracy": validation.before, "known": validation.known_before},
        "after": {"accuracy": validation.after, "known": validation.known_after},
        "per_label": validation.per_label,
        "confused": validation.confused,
        "why": validation.reason,
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    report_progress("done", 1.0, result)
    return folder


@contextmanager
def _still_run(
    task: Task, rows: Sequence[Sample], current: Path | None, settings: LearnSettings, report_progress: ReportProgress
) -> Iterator[TrainingRun]:
    """The training run of the signs that are held still. `current` is the current version, if it reads any."""
    store = settings.samples
    sample_inputs = _inputs_of(task, rows, store, current, settings)
    if len(sample_inputs.samples) < len(rows):
        missing = len(rows) - len(sample_inputs.samples)
        report_progress(f"{missing} of {len(rows)} samples are left out: no {task.subject} is found in them", 0.1)
        _check_labels(task, sample_inputs.samples, (), current)
    start = starting_point_of(settings, task, sample_inputs, current, report_progress)
    with ExitStack() as stack:
        if settings.fine_tune:
            start = stack.enter_context(fine_tuned_start(start, task, sample_inputs, settings.seed, report_progress))
        yield TrainingRun(task, sample_inputs, start, current, store, settings.seed, report_progress)


def _inputs_of(
    task: Task, rows: Sequence[Sample], store: Samples, current: Path | None, settings: LearnSettings
) -> SampleInputs:
    """The samples as network inputs: colour pictures, ink or hand joints. Raises SettingsError and AssetError."""
    if uses_colour_pictures(task, current, settings):
        if task.sides:
            raise SettingsError(
                f"{task.name} tells the left from the right hand, which needs joints: leave out --network and --backbone."
            )
        return colour_inputs(rows, store, SIDE)
    subject = subject_of(task.subject)
    if subject.input is Input.INK:
        return ink_inputs(rows, store, subject)
    kind = card.read_card(current).kind if current else None
    with_appearance = kind == "fused" or (
        current is None and hand_feature_extractor.newest(settings.models) is not None
    )
    return hand_inputs(rows, store, with_appearance=with_appearance)


def _check_labels(task: Task, still: Sequence[Sample], moving: Sequence[Sample], current: Path | None) -> None:
    """Raise SamplesError if there is nothing to learn, or a single still sign, which nothing tells from others.

    A movement is told from all others by itself.
    """
    labels = {row.label for row in still}
    known = card.read_card(current).labels if current else ()
    if not labels and not moving:
        raise SamplesError(
            f"The task {task.name} has no samples. Record some with c in the window, or give --from DIR."
        )
    if labels and len(labels | set(known)) < 2:
        all_show = "All still samples" if moving else "All samples"
        raise SamplesError(
            f"{all_show} of {task.name} show {labels.pop()}, and training needs two labels. Record another label."
        )
