"""The names of tasks: shipped, trained, or not trained yet."""

from collections.abc import Iterable

from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import NOTHING, Task
from recognizer.samples.store import Samples

TASKS = ("digits", "letters", "rps")


def task_names(models: ModelStore, samples: Samples) -> list[str]:
    """The shipped tasks, then the user-created tasks that have a model or samples."""
    return all_task_names(models, [task.name for task in samples.tasks()])


def all_task_names(models: ModelStore, own: Iterable[str]) -> list[str]:
    """The shipped tasks, then, sorted, those with a model and the names in `own`."""
    return [*TASKS, *sorted({*models.tasks(), *own} - set(TASKS))]


def subject_of_model(task: str, models: ModelStore) -> str | None:
    """The subject of the task's model; None if it has no model. Raises ModelError."""
    return registry_card.read_card(models.current(task)).subject if task in models.tasks() else None


def is_untrained(task: str, models: ModelStore, samples: Samples) -> bool:
    """Whether a user's task has samples but no model yet."""
    return not models.has(task) and task in own_names(samples)


def own_names(samples: Samples) -> list[str]:
    """The names of the tasks in the store, also of those whose task.json is damaged."""
    samples.refresh()
    return samples.task_names()


def task_to_record(samples: Samples, models: ModelStore, name: str) -> Task:
    """The task with this name. Created with the model's labels if it has no samples yet. Raises RecognizerError."""
    if name not in own_names(samples) and name in models.tasks():
        card = registry_card.read_card(models.current(name))
        samples.create_task(name, card.subject or "", [*card.all_labels, NOTHING], sides=card.sides is not None)
    return samples.task(name)
