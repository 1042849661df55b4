"""Tasks, and the versions of their models."""

import contextlib
from typing import Any

from fastapi import APIRouter

from recognizer.errors import ModelError, RecognizerError
from recognizer.registry import card as registry_card
from recognizer.samples.sample import Task
from recognizer.serve.problems import Problem
from recognizer.serve.schemas import ModelSeen, MoreLabels, NewTask, TaskSeen, Version, VersionSeen
from recognizer.serve.service import Here, Service, TaskAsked
from recognizer.tasks import task_names, task_to_record

router = APIRouter(tags=["tasks and models"])


@router.get("/v1/tasks")
def tasks(here: Here) -> list[TaskSeen]:
    """All tasks: those that come with the program, then one's own."""
    own = {task.name: task for task in here.shelf.store.tasks()}
    return [_seen(here, name, own.get(name)) for name in task_names(here.models, here.shelf.store)]


@router.post("/v1/tasks", status_code=201)
def new_task(here: Here, new: NewTask) -> TaskSeen:
    """A task of one's own, ready for samples."""
    names = task_names(here.models, here.shelf.store)
    taken = next((name for name in names if name.casefold() == new.name.casefold()), None)
    if taken is not None:
        raise Problem(409, "There is such a task already", f"{taken!a}", "Choose another name, or record into it.")
    task = here.shelf.store.create_task(new.name, new.region, new.labels)
    return _seen(here, task.name, task)


@router.post("/v1/tasks/{task}/labels")
def more_labels(here: Here, task: TaskAsked, more: MoreLabels) -> TaskSeen:
    """Further labels for a task; those that it has already stay as they are."""
    store = here.shelf.store
    home = task_to_record(store, here.models, task)
    return _seen(here, task, store.add_labels(home.name, more.labels))


@router.get("/v1/models/{task}")
def model(here: Here, task: TaskAsked) -> ModelSeen:
    """The versions of a task's model with their cards, the newest first."""
    if (current := here.current(task)) is None:
        raise _no_model(task)
    names = reversed(here.models.versions(task))
    versions = [VersionSeen(version=name, current=name == current, card=_card_json(here, task, name)) for name in names]
    return ModelSeen(task=task, current=current, versions=versions)


@router.post("/v1/models/{task}/rollback")
def rollback(here: Here, task: TaskAsked) -> Version:
    """Back to the version before; running streams follow."""
    if here.current(task) is None:
        raise _no_model(task)
    try:
        return Version(task=task, version=here.models.rollback(task))
    except ModelError as error:
        raise Problem(409, "There is no earlier version", str(error), "GET /v1/models/{task} lists them.") from error


def _no_model(task: str) -> Problem:
    return Problem(404, "The task has no model yet", f"{task!a}", "Record samples, then POST /v1/learn.")


def _card_json(here: Service, task: str, version: str) -> dict[str, Any] | None:
    card = _card(here, task, version)
    return card.as_json() if card else None


def _card(here: Service, task: str, version: str) -> registry_card.ModelCard | None:
    try:
        return registry_card.read_card(here.models.folder / task / version)
    except RecognizerError:
        return None


def _seen(here: Service, name: str, own: Task | None) -> TaskSeen:
    """What there is of a task: its labels are those of its samples, then those that only its model knows."""
    version, card = None, None
    with contextlib.suppress(RecognizerError):  # a shipped task whose model is not there is a task still
        version = here.current(name)
    if version is not None:
        card = _card(here, name, version)
    known = card.labels if card else ()
    subject = own.subject if own else (card.subject or "") if card else ""
    labels = list(dict.fromkeys([*(own.labels if own else ()), *known]))
    counts = here.shelf.counts(name) if own else {}
    return TaskSeen(name=name, region=subject, labels=labels, samples=counts, model=version)
