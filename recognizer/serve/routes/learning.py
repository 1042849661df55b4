"""POST /v1/learn and its jobs."""

from typing import Annotated

from fastapi import APIRouter, Path

from recognizer.serve.app_state import State
from recognizer.serve.schemas import JobInfo, LearnRequest

router = APIRouter(tags=["learning"])

JobId = Annotated[str, Path(description="as POST /v1/learn told it", max_length=40)]


@router.post("/v1/learn", status_code=202)
def learn(state: State, request: LearnRequest) -> JobInfo:
    """Train a task on its samples, as a job: one at a time for each task."""
    return JobInfo.of(state.jobs.start(state.require_task(request.task)))


@router.get("/v1/jobs")
def jobs(state: State) -> list[JobInfo]:
    """All jobs that are remembered, the newest first."""
    return [JobInfo.of(job) for job in state.jobs.all()]


@router.get("/v1/jobs/{job_id}")
def job(state: State, job_id: JobId) -> JobInfo:
    """How far a job is, or what came of it."""
    return JobInfo.of(state.jobs.get(job_id))


@router.delete("/v1/jobs/{job_id}")
def cancel(state: State, job_id: JobId) -> JobInfo:
    """Cancel a job, and answer once it has stopped; of one that has ended, what came of it."""
    return JobInfo.of(state.jobs.cancel(job_id))
