"""Training jobs: at most one per task, each in its own process."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.http.problems import Problem
from recognizer.teaching.training_process import Training, TrainingProcess

FINISHED_JOBS_LIMIT = 100  # older finished jobs are dropped
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"


@dataclass
class Job:
    """A training run of a task. `report` is its last JSON report: stage and progress, and at the end the result."""

    task: str
    training: Training
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    state: str = RUNNING
    report: dict[str, Any] = field(default_factory=dict)

    def update(self) -> None:
        """Poll the training process: update `report` and `state`."""
        if self.state == RUNNING:
            self.report = self.training.poll()
            if self.report.get("ended"):
                self.training.cancel()  # releases its resources
                self.state = FAILED if "error" in self.report else DONE


class Jobs:
    """Starts, polls and cancels training jobs. Thread-safe."""

    def __init__(
        self,
        models: ModelStore,
        samples: Samples,
        train: Callable[[str, ModelStore, Samples], Training] = TrainingProcess,
    ) -> None:
        self._models = models
        self._samples = samples
        self._train = train
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, task: str) -> Job:
        """Start a job for the task. Raises Problem (409) if one is running."""
        with self._lock:
            running = next((job for job in self._updated() if job.task == task and job.state == RUNNING), None)
            if running is not None:
                raise Problem(
                    409,
                    f"{task} is already being trained",
                    f"job {running.id}, started {running.started}",
                    f"Wait for it, or cancel it: DELETE /v1/jobs/{running.id}",
                )
            job = Job(task, self._train(task, self._models, self._samples))
            self._jobs[job.id] = job
            ended = [other.id for other in self._jobs.values() if other.state != RUNNING]
            for old in ended[:-FINISHED_JOBS_LIMIT]:
                del self._jobs[old]
            job.update()
            return job

    def all(self) -> list[Job]:
        """All running jobs and the last finished ones, newest first."""
        with self._lock:
            return self._updated()[::-1]

    def get(self, job_id: str) -> Job:
        """The job with this id. Raises Problem (404)."""
        with self._lock:
            return self._get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Stop a running job and wait until it has stopped. Return the job. Raises Problem (404)."""
        with self._lock:
            job = self._get(job_id)
            if job.state == RUNNING:
                job.training.cancel()
                job.report = job.training.poll()
                # the run may have published a model before it stopped
                job.state = DONE if job.report.get("published") else CANCELLED
            return job

    def close(self) -> None:
        """Stop all running jobs."""
        for job in self.all():
            self.cancel(job.id)

    def _get(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise Problem(404, "There is no such job", f"{job_id[:40]!a}", "GET /v1/jobs lists them.")
        job.update()
        return job

    def _updated(self) -> list[Job]:
        for job in self._jobs.values():
            job.update()
        return list(self._jobs.values())
