"""Creates the ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.http.connections import Connections
from recognizer.serve.http.guard import Guard
from recognizer.serve.http.metrics import Metrics, RequestCounter
from recognizer.serve.http.problems import RESPONSES, add_error_handlers
from recognizer.serve.http.sessions import EndedSessions, Sessions
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.routes import changes, events, exports, learning, pages, predict, projects, stream, tasks
from recognizer.serve.routes import samples as sample_routes
from recognizer.serve.routes.app_state import AppState
from recognizer.serve.workers.jobs import Jobs
from recognizer.serve.workers.pool import WorkerPool
from recognizer.serve.workers.sample_index import SampleIndex
from recognizer.serve.workers.worker import LOCK_WAIT_S

DESCRIPTION = """The recognizer as a web service, on the same pipeline, samples and models as its window.

`WS /v1/stream?task=` takes pictures as binary messages and answers each with a JSON object. If pictures arrive faster than
they are processed, only the latest is answered. Errors are JSON with `what`, `found` and `remedy`."""


def create_app(
    settings: ServeSettings,
    models: ModelStore,
    samples: Samples,
    *,
    pool: WorkerPool | None = None,
    jobs: Jobs | None = None,
    connections: Connections | None = None,
    ended_sessions: EndedSessions | None = None,
    is_replica: bool = False,
) -> FastAPI:
    """Create the ASGI app. It closes `pool` and `jobs` at shutdown; by default it creates them.

    `is_replica` says that other processes of a cluster serve the same.
    It marks which of the `connections` have sent the token. `ended_sessions` remembers who has logged out.
    """
    from fastapi_offline import FastAPIOffline

    samples.refresh()  # reports unreadable samples before the server starts
    samples.lock_wait_s = LOCK_WAIT_S
    state = AppState(
        settings=settings,
        models=models,
        sample_index=SampleIndex(samples),
        pool=pool or WorkerPool(models, samples, settings.workers),
        jobs=jobs or Jobs(models, samples),
        metrics=Metrics(),
        sessions=Sessions(settings.session_key, ended_sessions),
        is_replica=is_replica,
    )

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        state.pool.warm()
        yield
        state.jobs.close()
        state.pool.close()

    app = FastAPIOffline(
        title="Recognizer",
        version="1",
        description=DESCRIPTION,
        lifespan=running,
        redoc_url=None,
        responses=RESPONSES,
        static_url="/static/docs",
        swagger_ui_oauth2_redirect_url="/docs/oauth2-redirect",
    )
    app.state.app_state = state
    for part in (predict, tasks, changes, projects, exports, sample_routes, learning, stream, events, pages):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=pages.PAGE), name="static")
    add_error_handlers(app, state.folders)
    app.add_middleware(
        Guard,
        settings=settings,
        sessions=state.sessions,
        connections=Connections() if connections is None else connections,
        metrics=state.metrics,
    )
    app.add_middleware(RequestCounter, metrics=state.metrics)
    return app
