"""The route that exports a model for other programs."""

import contextlib
import threading
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from recognizer.export.export import export_zip
from recognizer.serve.http.problems import Problem
from recognizer.serve.routes.app_state import KnownTask, State
from recognizer.serve.routes.projects import ZIP, ZIP_RESPONSE, scratch_folder

router = APIRouter(tags=["tasks and models"])

_one_at_a_time = threading.Lock()  # each opens the networks again, and computes for seconds


@router.get("/v1/exports/{task}", response_class=FileResponse, responses=ZIP_RESPONSE)
def export(
    state: State,
    task: KnownTask,
    to: Annotated[Literal["litert", "onnx", "web"], Query(description="the runtime that is to run it")] = "litert",
    golden: Annotated[
        Literal["studio", "samples"],
        Query(description="the pictures with which it is checked: drawn, or the user's samples"),
    ] = "studio",
) -> FileResponse:
    """The task's current model with a program that runs it elsewhere, and a check that it answers the same: a zip.

    429 while another export is made.
    """
    with contextlib.ExitStack() as cleaning:
        folder = cleaning.enter_context(scratch_folder(state))
        path = folder / f"{task}-{to}.zip"
        if not _one_at_a_time.acquire(blocking=False):
            raise Problem(429, "The server is busy", "another export", "Try again when it has ended.")
        try:
            export_zip(task, to, path, state.models, state.sample_index.store, golden)
        finally:
            _one_at_a_time.release()
        clean_up = cleaning.pop_all().close  # when the answer has been sent
    return FileResponse(path, media_type=ZIP, filename=path.name, background=BackgroundTask(clean_up))
