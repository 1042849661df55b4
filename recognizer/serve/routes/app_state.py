"""The state that the routes share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from recognizer.registry.store import ModelStore, Rewrite
from recognizer.samples.sample import new_session
from recognizer.serve.http.metrics import Metrics
from recognizer.serve.http.problems import Problem
from recognizer.serve.http.sessions import Sessions
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.routes.events import EventHub
from recognizer.serve.routes.schemas import TaskName
from recognizer.serve.workers.jobs import Jobs
from recognizer.serve.workers.pool import WorkerPool
from recognizer.serve.workers.sample_index import SampleIndex
from recognizer.system import paths
from recognizer.tasks import is_untrained, task_names


@dataclass(frozen=True, eq=False)
class AppState:
    """Stores, worker pool, jobs and metrics of one server."""

    settings: ServeSettings
    models: ModelStore
    sample_index: SampleIndex
    pool: WorkerPool
    jobs: Jobs
    metrics: Metrics
    sessions: Sessions
    is_replica: bool = False  # of a cluster: other processes have streams, too
    events: EventHub = field(default_factory=EventHub)
    session: str = field(default_factory=new_session)  # of samples that are sent without a session
    rewrites: dict[str, Rewrite] = field(
        default_factory=dict
    )  # of models, when a label was deleted; by entry of the trash

    @property
    def folders(self) -> tuple[Path, ...]:
        """The server's folders, which no answer names."""
        return self.models.folder, self.sample_index.store.folder, paths.assets(), paths.ROOT, Path.home()

    def require_task(self, name: str) -> str:
        """Return the name if a task has it. Raises Problem (404)."""
        names = task_names(self.models, self.sample_index.store)
        if name not in names:
            raise Problem(404, "There is no such task", f"{name!a}", f"Tasks: {', '.join(names)}.")
        return name

    def current(self, task: str) -> str | None:
        """The task's current version; None if it has no model yet. Raises ModelError."""
        return None if is_untrained(task, self.models, self.sample_index.store) else self.models.current(task).name


def app_state(connection: HTTPConnection) -> AppState:
    return connection.app.state.app_state


State = Annotated[AppState, Depends(app_state)]


def known_task(state: State, task: TaskName) -> str:
    """The task in the query or path. Raises Problem (404) if it does not exist."""
    return state.require_task(task)


KnownTask = Annotated[str, Depends(known_task)]
