"""Routes of training jobs."""

from typing import Annotated

from fastapi import APIRouter, Path

from recognizer.serve.http.problems import Problem
from recognizer.serve.routes.app_state import State
from recognizer.serve.routes.schemas import JobInfo, LearnRequest

router = APIRouter(tags=["learning"])

JobId = Annotated[str, Path(description="the id that POST /v1/learn returned", max_length=40)]


@router.post("/v1/learn", status_code=202)
def learn(state: State, request: LearnRequest) -> JobInfo:
    """Start a training job on the task's samples, or queue it: two run at a time. A task has one job at a time."""
    task = state.require_task(request.task)
    if not state.sample_index.all(task):
        raise Problem(
            409, "There is nothing to learn from", f"{task!a} has no samples", "Record some: POST /v1/samples"
        )
    return JobInfo.of(state.jobs.start(task))


@router.get("/v1/jobs")
def jobs(state: State) -> list[JobInfo]:
    """All remembered jobs, newest first."""
    return [JobInfo.of(job) for job in state.jobs.all()]


@router.get("/v1/jobs/{job_id}")
def job(state: State, job_id: JobId) -> JobInfo:
    """Progress of a job, or its result."""
    return JobInfo.of(state.jobs.get(job_id))


@router.delete("/v1/jobs/{job_id}")
def cancel(state: State, job_id: JobId) -> JobInfo:
    """Cancel a job, and answer when it has stopped. A finished job is returned unchanged."""
    return JobInfo.of(state.jobs.cancel(job_id))
