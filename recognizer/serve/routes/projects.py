"""Routes that save a task to a file, and load such a file."""

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from recognizer.errors import RecognizerError
from recognizer.serve.http.guard import PROJECTS
from recognizer.serve.http.problems import Problem, problem_of
from recognizer.serve.routes.app_state import AppState, KnownTask, State
from recognizer.serve.routes.schemas import LoadedProjectInfo
from recognizer.teaching import project

router = APIRouter(tags=["tasks and models"])

ZIP = "application/zip"
REFUSED_LIMIT = 100  # messages about samples that were not loaded, in one response
_BINARY = {"schema": {"type": "string", "format": "binary"}}
ZIP_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {ZIP: _BINARY, "application/octet-stream": _BINARY}}
}
ZIP_RESPONSE: dict[int | str, dict[str, Any]] = {200: {"content": {ZIP: _BINARY}, "description": "The file"}}


@router.get(f"{PROJECTS}/{{task}}", response_class=FileResponse, responses=ZIP_RESPONSE)
def save(state: State, task: KnownTask) -> FileResponse:
    """The samples and the current model of the task in one file. `POST /v1/projects` and `tasks import` load it."""
    with contextlib.ExitStack() as cleaning:
        folder = cleaning.enter_context(scratch_folder(state))
        path = folder / f"{task}.zip"
        project.save(task, state.models, state.sample_index.store, path)
        clean_up = cleaning.pop_all().close  # when the answer has been sent
    return FileResponse(path, media_type=ZIP, filename=path.name, background=BackgroundTask(clean_up))


@router.post(PROJECTS, status_code=201, openapi_extra=ZIP_BODY)
async def load(state: State, request: Request) -> LoadedProjectInfo:
    """Load a project: add its samples to its task, which is created if it is not there, and use its model."""
    with scratch_folder(state) as folder:
        path = folder / "project.zip"
        with path.open("wb") as file:
            async for part in request.stream():
                await run_in_threadpool(file.write, part)
        loaded = await run_in_threadpool(project.load, path, state.models, state.sample_index.store)
    return _loaded_info(loaded)


@contextmanager
def scratch_folder(state: AppState) -> Iterator[Path]:
    """A folder for the file while it is sent or received. No error names it."""
    try:
        with tempfile.TemporaryDirectory(prefix="project-") as folder:
            try:
                yield Path(folder)
            except RecognizerError as error:
                raise problem_of(error, (*state.folders, Path(folder))) from error
    except OSError as error:
        found = error.strerror or str(error)
        raise Problem(507, "The file cannot be stored", found, "Free some space on the server.") from error


def _loaded_info(loaded: project.LoadedProject) -> LoadedProjectInfo:
    return LoadedProjectInfo(
        task=loaded.task,
        added=len(loaded.samples.added),
        there_already=loaded.samples.duplicates,
        refused=loaded.samples.refused[:REFUSED_LIMIT],
        model=loaded.model,
        is_new_model=loaded.is_new_model,
        accuracy=loaded.accuracy,
    )
