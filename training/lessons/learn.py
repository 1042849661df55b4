"""A training on samples: read them, learn a linear head over frozen features, validate it, publish."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from recognizer.errors import SamplesError
from recognizer.registry import card
from recognizer.samples.sample import Sample, Task
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from recognizer.teaching.import_pictures import import_pictures
from training.lessons import new_signs
from training.lessons.fine_tuning import fine_tuned
from training.lessons.lesson import Lesson
from training.lessons.starting_point import Tell, base_of, current_version, sees_colours
from training.lessons.views import View, colour_view, hand_view, ink_view
from training.networks.backbones import SIDE
from training.settings import LearnSettings


def learn(settings: LearnSettings, tell: Tell) -> Path | None:
    """The new version's folder, or None where it did not prove itself."""
    began_s = time.perf_counter()
    tell("reading", 0.0)
    store = settings.samples
    if settings.folder is not None:
        import_pictures(store, settings.task, settings.folder, settings.subject)
    task = store.task(settings.task)
    rows = store.read(task.name)
    current = current_version(settings.models, task)
    _check_labels(task, rows, current)
    view = _view_of(task, rows, store, current, settings)
    if len(view.samples) < len(rows):
        missing = len(rows) - len(view.samples)
        tell(f"in {missing} of {len(rows)} samples no {task.subject} is found again: they are left out", 0.1)
        _check_labels(task, view.samples, current)
    base = base_of(settings, task, view, current, tell)
    with ExitStack() as stack:
        if settings.full:
            base = stack.enter_context(fine_tuned(base, task, view, settings.seed, tell))
        lesson = Lesson(task, view, base, current, store, settings.seed, tell)
        verdict = lesson.prove()
        folder = None
        if verdict.passed or settings.force:
            tell("publishing", 0.9)
            with settings.models.publishing(task.name) as draft:
                lesson.publish(verdict, settings.command, draft)
            folder = settings.models.current(task.name)
    result = {
        "published": None if folder is None else folder.name,
        "before": {"accuracy": verdict.before, "known": verdict.known_before},
        "after": {"accuracy": verdict.after, "known": verdict.known_after},
        "per_label": verdict.per_label,
        "confused": verdict.confused,
        "why": verdict.why,
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    tell("done", 1.0, result)
    return folder


def _view_of(task: Task, rows: Sequence[Sample], store: Samples, current: Path | None, settings: LearnSettings) -> View:
    """The samples as the task's subject is learned: colour pictures, ink or joints. Raises SettingsError and AssetError."""
    if sees_colours(task, current, settings):
        return colour_view(rows, store, SIDE)
    subject = subject_of(task.subject)
    if subject.input is Input.INK:
        return ink_view(rows, store, subject)
    kind = card.read_card(current).kind if current else None
    looked = kind == "fused" or (current is None and new_signs.newest(settings.models) is not None)
    return hand_view(rows, store, looked=looked)


def _check_labels(task: Task, rows: Sequence[Sample], current: Path | None) -> None:
    """Raise SamplesError where there is nothing to tell apart."""
    labels = {row.label for row in rows}
    known = card.read_card(current).labels if current else ()
    if not labels:
        raise SamplesError(
            f"The task {task.name} has no samples. Record some with c in the window, or give --from DIR."
        )
    if len(labels | set(known)) < 2:
        raise SamplesError(f"All samples of {task.name} show {labels.pop()}. Record another label to tell it from.")
