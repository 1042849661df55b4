"""Trainings that clients have asked for: one at a time for each task, each a process of its own."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.problems import Problem
from recognizer.teaching.training_process import Training, TrainingProcess

FINISHED_JOBS_LIMIT = 100  # that have ended
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"


@dataclass
class Job:
    """A training of a task. `said` is its last line: stage and progress, at last the result."""

    task: str
    training: Training
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    state: str = RUNNING
    report: dict[str, Any] = field(default_factory=dict)

    def update(self) -> None:
        """Take note of what the training has said, and whether it has ended."""
        if self.state == RUNNING:
            self.report = self.training.poll()
            if self.report.get("ended"):
                self.training.cancel()  # gives back what it held
                self.state = FAILED if "error" in self.report else DONE


class Jobs:
    """Starts, follows and cancels trainings; safe to use from several threads."""

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
        """A new training of the task. Raises Problem where one is running."""
        with self._lock:
            running = next((job for job in self._updated() if job.task == task and job.state == RUNNING), None)
            if running is not None:
                raise Problem(
                    409,
                    f"{task} is being trained already",
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
        """All that are remembered, the newest first."""
        with self._lock:
            return self._updated()[::-1]

    def get(self, job_id: str) -> Job:
        """The job of that id. Raises Problem where there is none."""
        with self._lock:
            return self._get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Stop a job, if it still runs, and return it once it has stopped: nothing half-written stays."""
        with self._lock:
            job = self._get(job_id)
            if job.state == RUNNING:
                job.training.cancel()
                job.report = job.training.poll()
                # it may have published before it could be stopped
                job.state = DONE if job.report.get("published") else CANCELLED
            return job

    def close(self) -> None:
        """Stop all that run."""
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
