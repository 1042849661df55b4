"""Training jobs: at most one per task and two at a time, each in its own process. Further ones wait in line."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.http.problems import Problem, without_folders
from recognizer.system import paths
from recognizer.teaching.training_process import Training, TrainingProcess

FINISHED_JOBS_LIMIT = 100  # older finished jobs are dropped
RUNNING_LIMIT = 2  # a training needs about a gigabyte
QUEUED_LIMIT = 20
POLL_S = 0.5  # how soon a queued job starts after another has ended
QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
UNFINISHED = (QUEUED, RUNNING)


@dataclass
class Job:
    """A training run of a task. `report` is its last JSON report: stage and progress, and at the end the result."""

    task: str
    training: Training | None = None  # None while it is queued
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    state: str = QUEUED
    report: dict[str, Any] = field(default_factory=lambda: {"stage": "waiting for another training", "progress": 0.0})
    is_being_cancelled: bool = False

    def update(self) -> None:
        """Poll the training process: update `report` and `state`."""
        if self.state == RUNNING and self.training is not None and not self.is_being_cancelled:
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
        self._closed = threading.Event()
        self._starter: threading.Thread | None = None  # runs while jobs are queued

    def start(self, task: str) -> Job:
        """Start a job for the task, or queue it. Raises Problem (409) if it has one, (429) if too many wait."""
        with self._lock:
            unfinished = [job for job in self._updated() if job.state in UNFINISHED]
            running = next((job for job in unfinished if job.task == task), None)
            if running is not None:
                raise Problem(
                    409,
                    f"{task} is already being trained",
                    f"job {running.id}, started {running.started}",
                    f"Wait for it, or cancel it: DELETE /v1/jobs/{running.id}",
                )
            if len(unfinished) >= RUNNING_LIMIT + QUEUED_LIMIT:
                raise Problem(429, "The server is busy", f"{len(unfinished)} trainings", "Wait for one of them.")
            job = Job(task)
            self._jobs[job.id] = job
            ended = [other.id for other in self._jobs.values() if other.state not in UNFINISHED]
            for old in ended[:-FINISHED_JOBS_LIMIT]:
                del self._jobs[old]
            self._updated()
            if job.state == QUEUED and self._starter is None:
                self._starter = threading.Thread(target=self._start_queued, name="queued-jobs", daemon=True)
                self._starter.start()
            return job

    def check_idle(self, task: str) -> None:
        """Raise Problem (409) if the task is being trained: it cannot be renamed or deleted then."""
        with self._lock:
            running = next((job for job in self._updated() if job.task == task and job.state in UNFINISHED), None)
        if running is not None:
            raise Problem(409, f"{task} is being trained", f"job {running.id}", "Wait for it, or cancel it.")

    def all(self) -> list[Job]:
        """All unfinished jobs and the last finished ones, newest first."""
        with self._lock:
            return self._updated()[::-1]

    def get(self, job_id: str) -> Job:
        """The job with this id. Raises Problem (404)."""
        with self._lock:
            return self._get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Stop an unfinished job and wait until it has stopped. Return the job. Raises Problem (404)."""
        with self._lock:
            job = self._get(job_id)
            if job.state == QUEUED:
                job.state = CANCELLED
            if job.state != RUNNING or job.training is None:
                return job
            job.is_being_cancelled = True
        job.training.cancel()  # takes some seconds: other jobs can be seen meanwhile
        with self._lock:
            if job.state == RUNNING:
                job.report = job.training.poll()
                # the run may have published a model before it stopped
                job.state = DONE if job.report.get("published") else CANCELLED
            return job

    def close(self) -> None:
        """Stop all jobs."""
        self._closed.set()
        for job in self.all():
            self.cancel(job.id)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The server's folders, which no answer names."""
        return self._models.folder, self._samples.folder, paths.ROOT, Path.home()

    def _get(self, job_id: str) -> Job:
        self._updated()
        job = self._jobs.get(job_id)
        if job is None:
            raise Problem(404, "There is no such job", f"{job_id[:40]!a}", "GET /v1/jobs lists them.")
        return job

    def _updated(self) -> list[Job]:
        """All jobs, after those that are next in line have started."""
        for job in self._jobs.values():
            job.update()
            if job.state == FAILED:
                job.report["error"] = without_folders(str(job.report["error"]), self.folders)
        running = sum(job.state == RUNNING for job in self._jobs.values())
        for job in [job for job in self._jobs.values() if job.state == QUEUED][: max(0, RUNNING_LIMIT - running)]:
            if not self._closed.is_set():
                self._start(job)
        return list(self._jobs.values())

    def _start(self, job: Job) -> None:
        try:
            job.training = self._train(job.task, self._models, self._samples)
        except OSError as error:
            job.state, job.report = (
                FAILED,
                {"error": f"The training did not start ({error.strerror or error}). Try again."},
            )
            return
        job.state = RUNNING
        job.update()

    def _start_queued(self) -> None:
        """Start the queued jobs one after the other, also if no client asks for them."""
        while not self._closed.wait(POLL_S):
            with self._lock:
                if not any(job.state == QUEUED for job in self._updated()):
                    self._starter = None
                    return
