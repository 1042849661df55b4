"""Routes of tasks and model versions."""

import contextlib
from typing import Any

from fastapi import APIRouter

from recognizer.errors import ModelError, RecognizerError, StorageError
from recognizer.registry import card as registry_card
from recognizer.samples.sample import Task
from recognizer.serve.http.problems import Problem, without_folders
from recognizer.serve.routes.app_state import AppState, KnownTask, State
from recognizer.serve.routes.schemas import (
    AddLabelsRequest,
    ModelInfo,
    NewTaskRequest,
    SubjectInfo,
    TaskInfo,
    VersionInfo,
    VersionName,
)
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.tasks import TASKS, task_names, task_to_record
from recognizer.teaching.recording import ENOUGH, ENOUGH_MOVING, missing_samples

router = APIRouter(tags=["tasks and models"])


@router.get("/v1/subjects")
def subjects() -> list[SubjectInfo]:
    """What a new task can recognize; the first is the default."""
    return [
        SubjectInfo(
            name=subject.name,
            description=subject.description,
            drawable=subject.is_drawable,
            mirrored=subject.is_mirrored,
        )
        for subject in SUBJECTS.values()
    ]


@router.get("/v1/tasks")
def tasks(state: State) -> list[TaskInfo]:
    """All tasks: shipped ones first, then the user's."""
    own = {task.name: task for task in state.sample_index.store.tasks()}
    return [task_info(state, name, own.get(name)) for name in task_names(state.models, state.sample_index.store)]


@router.post("/v1/tasks", status_code=201)
def new_task(state: State, request: NewTaskRequest) -> TaskInfo:
    """Create a task."""
    names = task_names(state.models, state.sample_index.store)
    taken = next((name for name in names if name.casefold() == request.name.casefold()), None)
    if taken is not None:
        raise Problem(409, "The task exists already", f"{taken!a}", "Choose another name, or record into it.")
    task = state.sample_index.store.create_task(request.name, request.region, request.labels, sides=request.sides)
    return task_info(state, task.name, task)


@router.post("/v1/tasks/{task}/labels")
def add_labels_to_task(state: State, task: KnownTask, request: AddLabelsRequest) -> TaskInfo:
    """Add labels to a task. Labels that it has already are ignored."""
    store = state.sample_index.store
    home = task_to_record(store, state.models, task)
    return task_info(state, task, store.add_labels(home.name, request.labels))


@router.get("/v1/models/{task}")
def model(state: State, task: KnownTask) -> ModelInfo:
    """The model versions of a task with their cards, newest first."""
    if (current := state.current(task)) is None:
        raise _no_model(task)
    names = reversed(state.models.versions(task))
    versions = [
        VersionInfo(version=name, current=name == current, card=_card_json(state, task, name)) for name in names
    ]
    return ModelInfo(task=task, current=current, versions=versions)


@router.post("/v1/models/{task}/rollback")
def rollback(state: State, task: KnownTask) -> VersionName:
    """Go back to the previous version. Running streams use it at once."""
    if state.current(task) is None:
        raise _no_model(task)
    try:
        return VersionName(task=task, version=state.models.rollback(task))
    except StorageError:
        raise
    except ModelError as error:
        found = without_folders(str(error), state.folders)
        raise Problem(409, "There is no earlier version", found, "GET /v1/models/{task} lists them.") from error


def _no_model(task: str) -> Problem:
    return Problem(404, "The task has no model yet", f"{task!a}", "Record samples, then POST /v1/learn.")


def _card_json(state: AppState, task: str, version: str) -> dict[str, Any] | None:
    card = _card(state, task, version)
    if card is None:
        return None
    content = card.as_json()
    if isinstance(command := content.get("command"), str):
        content["command"] = without_folders(command, state.folders)
    return content


def _card(state: AppState, task: str, version: str) -> registry_card.ModelCard | None:
    try:
        return registry_card.read_card(state.models.folder_of(task, version))
    except RecognizerError:
        return None


def task_info(state: AppState, name: str, own: Task | None) -> TaskInfo:
    """Describe a task. Its labels are those of its samples, then those that only its model has."""
    version, card, can_go_back = None, None, False
    with contextlib.suppress(RecognizerError):  # a shipped task may lack its model
        version = state.current(name)
        can_go_back = version is not None and state.models.has_previous(name)
    if version is not None:
        card = _card(state, name, version)
    known = card.all_labels if card else ()
    subject = own.subject if own else (card.subject or "") if card else ""
    labels = list(dict.fromkeys([*(own.labels if own else ()), *known]))
    counts = state.sample_index.counts(name) if own else {}
    moving = state.sample_index.moving_labels(name) if own else ()
    missing = missing_samples(counts, card.labels if card else (), moving)
    return TaskInfo(
        name=name,
        own=name not in TASKS,
        region=subject,
        labels=labels,
        samples=counts,
        enough={label: ENOUGH_MOVING if label in moving else ENOUGH for label in labels},
        missing=missing,
        model=version,
        can_go_back=can_go_back,
    )
