"""Which tasks there are: shipped, trained, waiting for a first model."""

from collections.abc import Iterable
from pathlib import Path

from recognizer.registry import card as registry_card
from recognizer.registry.synced import open_models
from recognizer.samples.sample import NOTHING, Task
from recognizer.samples.store import Samples


def task_names(models: Path) -> list[str]:
    """The tasks that come with the program, then those that have a model in the folder or samples."""
    return shipped_and_own(models, [task.name for task in Samples().tasks()])


def shipped_and_own(models: Path, own: Iterable[str]) -> list[str]:
    return [*TASKS, *sorted({*open_models(models).tasks(), *own} - set(TASKS))]


def has_model(models: Path, task: str) -> bool:
    return open_models(models).has(task)


def is_untaught(task: str, models: Path) -> bool:
    """Whether a task of the user's own waits for its first model."""
    return not has_model(models, task) and task in {own.name for own in Samples().tasks()}


TASKS = ("digits", "letters", "rps")


def task_to_record(store: Samples, models: Path, name: str) -> Task:
    """The task of that name; one that has a model and no samples yet is made with its labels. Raises RecognizerError."""
    if name not in {task.name for task in store.tasks()} and name in open_models(models).tasks():
        card = registry_card.read_card(open_models(models).current(name))
        store.create_task(name, card.subject or "", [*card.labels, NOTHING])
    return store.task(name)
