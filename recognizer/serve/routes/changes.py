"""Routes that rename, merge, reorder and delete tasks and labels, and of the trash."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from recognizer.serve.http.problems import Problem
from recognizer.serve.routes.app_state import KnownTask, State
from recognizer.serve.routes.schemas import (
    ChangeTaskRequest,
    Label,
    LabelChangeInfo,
    MergeRequest,
    RenameLabelRequest,
    TaskInfo,
    TrashEntryInfo,
)
from recognizer.serve.routes.tasks import task_info
from recognizer.tasks import TASKS, own_names, task_to_record
from recognizer.teaching import changes
from recognizer.teaching.changes import What

router = APIRouter(tags=["tasks and models"])

REWRITES_LIMIT = 100  # deletions of labels whose model can be brought back too

OneLabel = Annotated[Label, Query(description="a label of the task")]
Entry = Annotated[str, Path(description="an entry that GET /v1/trash lists", max_length=80)]


@router.patch("/v1/tasks/{task}")
def change_task(state: State, task: KnownTask, request: ChangeTaskRequest) -> TaskInfo:
    """Reorder the labels of a task, and rename it with its samples and models."""
    store = state.sample_index.store
    state.jobs.check_idle(task)
    if request.labels is not None:
        recorded = task_to_record(store, state.models, task).labels
        store.reorder_labels(task, [label for label in request.labels if label in recorded])
    if request.name is not None and request.name != task:
        task = changes.rename_task(state.models, store, task, request.name)
    return _info(state, task)


@router.delete("/v1/tasks/{task}")
def delete_task(state: State, task: KnownTask) -> TrashEntryInfo:
    """Delete a task with its samples and models; of a shipped task only the samples. It goes to the trash."""
    state.jobs.check_idle(task)
    what = What.SAMPLES if task in TASKS else What.ALL
    return TrashEntryInfo.of(changes.delete_task(state.models, state.sample_index.store, task, what))


@router.post("/v1/tasks/{task}/merge")
def merge_task(state: State, task: KnownTask, request: MergeRequest) -> TaskInfo:
    """Move all samples and labels of a task into another one. The task and its models are gone afterwards."""
    into, store = state.require_task(request.into), state.sample_index.store
    for name in (task, into):
        state.jobs.check_idle(name)
    if task in TASKS:
        raise Problem(422, f"{task} came with the program and stays", f"{task!a}", "Merge the other one into it.")
    store.merge(task, task_to_record(store, state.models, into).name)
    if state.models.has(task):
        changes.delete_task(state.models, store, task, What.MODEL)
    return _info(state, into)


@router.patch("/v1/tasks/{task}/labels")
def rename_label(state: State, task: KnownTask, label: OneLabel, request: RenameLabelRequest) -> LabelChangeInfo:
    """Rename a label in the samples and in the model. If the task has the new label already, the two are merged."""
    state.jobs.check_idle(task)
    done = changes.rename_label(state.models, state.sample_index.store, task, label, request.label)
    return LabelChangeInfo(samples=done.samples, must_retrain=done.must_retrain, entry=None)


@router.delete("/v1/tasks/{task}/labels")
def delete_label(state: State, task: KnownTask, label: OneLabel) -> LabelChangeInfo:
    """Delete a label with its samples, and from the model. It goes to the trash."""
    state.jobs.check_idle(task)
    done = changes.delete_label(state.models, state.sample_index.store, task, label)
    if done.model is not None and done.entry:
        state.rewrites[done.entry] = done.model
        while len(state.rewrites) > REWRITES_LIMIT:
            state.rewrites.pop(next(iter(state.rewrites)))
    return LabelChangeInfo(samples=done.samples, must_retrain=done.must_retrain, entry=done.entry or None)


@router.get("/v1/trash")
def trash(state: State) -> list[TrashEntryInfo]:
    """What was deleted, newest first. It is kept until the trash is emptied."""
    return [TrashEntryInfo.of(one) for one in changes.trash(state.models, state.sample_index.store)[::-1]]


@router.delete("/v1/trash", status_code=204)
def empty_trash(state: State) -> None:
    """Delete everything in the trash for good."""
    changes.empty_trash(state.models, state.sample_index.store)


@router.post("/v1/trash/{entry}/restore", status_code=201)
def restore(state: State, entry: Entry) -> TrashEntryInfo:
    """Bring back what was deleted. A label's model comes back too, unless the server or the model has changed since."""
    _require_entry(state, entry)
    found = changes.restore(state.models, state.sample_index.store, entry)
    rewrite = state.rewrites.pop(entry, None)
    if rewrite is not None:
        state.models.undo_rewrite(rewrite)
    return TrashEntryInfo.of(found)


@router.delete("/v1/trash/{entry}", status_code=204)
def delete_for_good(state: State, entry: Entry) -> None:
    """Delete one entry of the trash for good."""
    _require_entry(state, entry)
    changes.empty_trash(state.models, state.sample_index.store, [entry])


def _require_entry(state: State, entry: str) -> None:
    if not any(one.name == entry for one in changes.trash(state.models, state.sample_index.store)):
        raise Problem(404, "That is not in the trash", f"{entry!a}", "GET /v1/trash lists what is.")


def _info(state: State, task: str) -> TaskInfo:
    store = state.sample_index.store
    return task_info(state, task, store.task(task) if task in own_names(store) else None)
