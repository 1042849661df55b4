"""Routes of training jobs."""

from typing import Annotated

from fastapi import APIRouter, Path

from recognizer.serve.routes.app_state import State
from recognizer.serve.routes.schemas import JobInfo, LearnRequest

router = APIRouter(tags=["learning"])

JobId = Annotated[str, Path(description="the id that POST /v1/learn returned", max_length=40)]


@router.post("/v1/learn", status_code=202)
def learn(state: State, request: LearnRequest) -> JobInfo:
    """Start a training job on the task's samples. At most one job per task runs at a time."""
    return JobInfo.of(state.jobs.start(state.require_task(request.task)))


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
