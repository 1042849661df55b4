"""POST /v1/learn and its jobs."""

from typing import Annotated

from fastapi import APIRouter, Path

from recognizer.serve.schemas import JobSeen, LearnAsked
from recognizer.serve.service import Here

router = APIRouter(tags=["learning"])

ThisJob = Annotated[str, Path(description="as POST /v1/learn told it", max_length=40)]


@router.post("/v1/learn", status_code=202)
def learn(here: Here, asked: LearnAsked) -> JobSeen:
    """Train a task on its samples, as a job: one at a time for each task."""
    return JobSeen.of(here.jobs.start(here.require_task(asked.task)))


@router.get("/v1/jobs")
def jobs(here: Here) -> list[JobSeen]:
    """All jobs that are remembered, the newest first."""
    return [JobSeen.of(job) for job in here.jobs.all()]


@router.get("/v1/jobs/{job_id}")
def job(here: Here, job_id: ThisJob) -> JobSeen:
    """How far a job is, or what came of it."""
    return JobSeen.of(here.jobs.get(job_id))


@router.delete("/v1/jobs/{job_id}")
def cancel(here: Here, job_id: ThisJob) -> JobSeen:
    """Cancel a job, and answer once it has stopped; of one that has ended, what came of it."""
    return JobSeen.of(here.jobs.cancel(job_id))
