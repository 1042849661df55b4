"""Renames, merges and deletes labels and tasks: in the samples and in the models at once.

A renamed label keeps its model: the model gets the new name without a training run. What is deleted goes to the trash.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from recognizer.actions.task_actions import move_actions
from recognizer.classifiers import label_changes
from recognizer.errors import ModelError, RecognizerError, SamplesError
from recognizer.motion import label_changes as motion_labels
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore, Rewrite
from recognizer.samples.sample import NOTHING, clean_label
from recognizer.samples.store import Samples
from recognizer.samples.trash import new_entry_name
from recognizer.tasks import TASKS, own_names


class What(StrEnum):
    """What of a task is deleted."""

    ALL = "all"
    SAMPLES = "samples"
    MODEL = "model"


@dataclass(frozen=True)
class LabelChange:
    """What a change of a label has led to."""

    samples: int  # how many samples have changed
    model: Rewrite | None  # how the task's model has changed with them; None if it has not
    must_retrain: bool = False  # whether the model knows of the change only after a training run
    entry: str = ""  # in the trash, where something was deleted


@dataclass(frozen=True)
class Deleted:
    """An entry of the trash, of samples, of models, or of both."""

    name: str
    time: str  # ISO 8601, UTC; "" if only models were deleted
    kind: str  # "samples", "label", "task", or "model"
    task: str
    label: str  # that was deleted; "" if it is no label
    labels: tuple[str, ...]  # of its samples
    samples: int
    versions: int  # of the task's model


def learned_labels(models: ModelStore, task: str) -> tuple[str, ...]:
    """The labels of the task's current model; () without a model that can be read."""
    try:
        return registry_card.read_card(models.current(task)).all_labels if models.has(task) else ()
    except ModelError:
        return ()


def rename_label(models: ModelStore, samples: Samples, task: str, label: str, to: str) -> LabelChange:
    """Rename a label of a task; if `to` is one of its labels, the two are merged.

    The model shows the new name at once. After a merge it knows `to` as before, and no `label`, until it is trained again.
    Raises SamplesError and ModelError, also for a label of a shipped model.
    """
    to = clean_label(to)
    label, own, learned = _checked_label(models, samples, task, label)
    if label == to:
        return LabelChange(0, None)
    if NOTHING in (label, to):
        raise SamplesError(f"{NOTHING} is the background, which is no sign. Choose another label.")
    count = samples.rename_label(task, label, to) if label in own else 0
    model = None
    if label in learned and to in learned:
        model = _rewrite(
            models,
            task,
            lambda folder: label_changes.remove_in(folder, task, label),
            lambda folder: motion_labels.rename_in(folder, label, to),
        )
    elif label in learned:
        model = _rewrite(
            models,
            task,
            lambda folder: label_changes.rename_in(folder, label, to),
            lambda folder: motion_labels.rename_in(folder, label, to),
        )
    is_merge = to in own or to in learned
    return LabelChange(count, model, must_retrain=is_merge and bool(learned) and count > 0)


def delete_label(models: ModelStore, samples: Samples, task: str, label: str) -> LabelChange:
    """Move a label with its samples to the trash, and remove it from the model, unless that knows nothing else.

    Raises SamplesError and ModelError.
    """
    label, own, learned = _checked_label(models, samples, task, label)
    model = _remove_from_models(models, task, label) if label in learned else None
    entry = new_entry_name() if label in own else ""
    count = samples.delete_label(task, label, entry=entry) if entry else 0
    return LabelChange(count, model, must_retrain=label in learned and model is None, entry=entry)


def _remove_from_models(models: ModelStore, task: str, label: str) -> Rewrite | None:
    """Remove a label from the task's models; None if none has it, or one knows nothing else."""
    return _rewrite(
        models,
        task,
        lambda folder: label_changes.remove_in(folder, task, label),
        lambda folder: motion_labels.remove_in(folder, label),
    )


def _rewrite(models: ModelStore, task: str, *changing: Callable[[Path], bool]) -> Rewrite | None:
    """Rewrite the task's models with several changes of a version's folder; None if none of them has changed anything."""
    return models.rewrite(task, lambda folder: sum(change(folder) for change in changing) > 0)


def rename_task(models: ModelStore, samples: Samples, task: str, to: str) -> str:
    """Rename a task with its samples and models. Return its new name. Raises SamplesError and ModelError."""
    _check_is_own(task)
    has_samples, has_models = task in own_names(samples), task in models.tasks()
    if not (has_samples or has_models):
        raise SamplesError(f"There is no task {task}. See: python -m recognizer tasks list")
    taken = {*TASKS, *own_names(samples), *models.tasks()} - {task}
    if other := next((name for name in taken if name.casefold() == to.casefold()), None):
        raise SamplesError(f"The task {other} exists already. Choose another name.")
    name = samples.rename_task(task, to).name if has_samples else to
    if has_models:
        try:
            models.rename_task(task, name)
        except RecognizerError:
            if has_samples:
                samples.rename_task(name, task)
            raise
    move_actions(samples, task, name)
    return name


def delete_task(models: ModelStore, samples: Samples, task: str, what: What = What.ALL) -> Deleted:
    """Move a task to the trash: its samples, its models, or both. Return the entry. Raises SamplesError and ModelError.

    What came with the program stays.
    """
    check_deletable(models, samples, task, what)
    name = new_entry_name()
    wants_samples = what is not What.MODEL and task in own_names(samples)
    wants_models = what is not What.SAMPLES and task in models.tasks()
    if wants_models:
        models.delete_task(task, name)
    if wants_samples:
        try:
            samples.delete_task(task, entry=name)
        except RecognizerError:
            if wants_models:
                models.restore(name)
            raise
    return next(entry for entry in trash(models, samples) if entry.name == name)


def check_deletable(models: ModelStore, samples: Samples, task: str, what: What) -> None:
    """Raise SamplesError or ModelError if the task is not there, has not what is to be deleted, or came with the program."""
    has_samples, has_models = task in own_names(samples), task in models.tasks()
    if not (has_samples or has_models):
        raise SamplesError(f"There is no task {task}. See: python -m recognizer tasks list")
    if what is not What.SAMPLES:
        _check_is_own(task)
    if what is What.SAMPLES and not has_samples:
        raise SamplesError(f"The task {task} has no samples. Nothing was deleted.")
    if what is What.MODEL and not has_models:
        raise ModelError(f"The task {task} has no model. Nothing was deleted.")


def labels_of(models: ModelStore, samples: Samples, task: str) -> tuple[str, ...]:
    """The labels of a task's samples, then those that only its model has. Raises SamplesError if there is no such task."""
    own, learned = _all_labels(models, samples, task)
    if not (own or learned):
        raise SamplesError(f"There is no task {task}. See: python -m recognizer tasks list")
    return tuple(dict.fromkeys([*own, *learned]))


def trash(models: ModelStore, samples: Samples) -> list[Deleted]:
    """What is in the trash of both stores, oldest first."""
    versions = {entry.name: entry for entry in models.trash()}
    found = [
        Deleted(
            one.name,
            one.time,
            one.kind,
            one.task,
            one.label,
            one.labels,
            len(one.samples),
            _count(versions.pop(one.name).folder) if one.name in versions else 0,
        )
        for one in samples.trash()
    ]
    found += [Deleted(one.name, "", "model", one.task, "", (), 0, _count(one.folder)) for one in versions.values()]
    return sorted(found, key=lambda entry: entry.name)


def restore(models: ModelStore, samples: Samples, name: str) -> Deleted:
    """Bring back an entry of the trash. Return what it was.

    A label that comes back has to be learned again, as its model had forgotten it. Raises SamplesError and ModelError.
    """
    found = _entry(models, samples, name)
    if found.versions:
        models.restore(name)
    if found.kind != "model":
        try:
            samples.restore(name)
        except RecognizerError:
            if found.versions:
                models.delete_task(found.task, name)
            raise
    return found


def empty_trash(models: ModelStore, samples: Samples, names: Collection[str] | None = None) -> None:
    """Delete entries of the trash for good, by default all. Raises SamplesError and ModelError."""
    for name in names or ():
        _entry(models, samples, name)
    own = {entry.name for entry in samples.trash()}
    samples.empty_trash(None if names is None else own.intersection(names))
    models.empty_trash(names)


def _entry(models: ModelStore, samples: Samples, name: str) -> Deleted:
    found = next((entry for entry in trash(models, samples) if entry.name == name), None)
    if found is None:
        raise SamplesError(f"There is no {name!a} in the trash. See: python -m recognizer samples trash")
    return found


def fixed_labels(models: ModelStore, task: str) -> frozenset[str]:
    """The labels of a task that came with the program: others rely on their names, such as the game. Raises ModelError."""
    if task not in TASKS or not models.has(task):
        return frozenset()
    cards = [registry_card.read_card(models.folder_of(task, version)) for version in models.versions(task)]
    return frozenset(label for card in cards if not card.user_training for label in card.all_labels)


def _check_own(models: ModelStore, task: str, label: str) -> None:
    """Raise SamplesError for a label that came with the program."""
    if label in fixed_labels(models, task):
        raise SamplesError(f"{label} came with {task} and keeps its name. Make a task of your own for other labels.")


def _check_is_own(task: str) -> None:
    if task in TASKS:
        raise SamplesError(
            f"{task} came with the program: it keeps its name and its model. Your samples of it can be deleted: "
            f"python -m recognizer tasks delete {task} --only samples"
        )


def _checked_label(
    models: ModelStore, samples: Samples, task: str, label: str
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The label as it is stored, the labels of the task's samples, and those of its model.

    Raises SamplesError if neither has the label, or if it came with the program.
    """
    label, (own, learned) = clean_label(label), _all_labels(models, samples, task)
    if label not in (*own, *learned):
        known = ", ".join(dict.fromkeys([*own, *learned])) or "none"
        raise SamplesError(f"The task {task} has no label {label}. It has: {known}.")
    _check_own(models, task, label)
    return label, own, learned


def _all_labels(models: ModelStore, samples: Samples, task: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of the task's samples, and those of its model. () for what it has not."""
    own: list[str] = []
    if task in own_names(samples):
        own = [*samples.task(task).labels, *(sample.label for sample in samples.read(task))]
    return tuple(dict.fromkeys(own)), learned_labels(models, task)


def _count(folder: Path) -> int:
    return len(list(folder.glob(f"*/{registry_card.CARD}")))
