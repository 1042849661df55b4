"""The app, put together from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from recognizer.samples.store import Samples
from recognizer.serve.guard import Guard
from recognizer.serve.jobs import Jobs
from recognizer.serve.metrics import Counted, Metrics
from recognizer.serve.problems import RESPONSES, tell_problems
from recognizer.serve.routes import learning, pages, predict, samples, stream, tasks
from recognizer.serve.sample_index import Shelf
from recognizer.serve.service import Service
from recognizer.serve.settings import ServeSettings
from recognizer.serve.workers.pool import Readers

DESCRIPTION = """The recognizer on the same pipeline, samples and models as its window.

`WS /v1/stream?task=` takes pictures as binary messages and answers each with a JSON object; where they come faster than
they are read, the newest one is answered. Errors are JSON with `what`, `found` and `remedy`."""


def create_app(
    settings: ServeSettings, *, store: Samples | None = None, readers: Readers | None = None, jobs: Jobs | None = None
) -> FastAPI:
    """The server as an ASGI app; its parts may be given, else they are made from the settings. It closes them at its end."""
    from fastapi_offline import FastAPIOffline

    store = store or Samples()
    parts = Service(
        settings=settings,
        shelf=Shelf(store),
        readers=readers or Readers(settings.models, settings.workers),
        jobs=jobs or Jobs(settings.models, store.folder),
        metrics=Metrics(),
    )

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        parts.readers.warm()
        yield
        parts.jobs.close()
        parts.readers.close()

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
    app.state.service = parts
    for part in (predict, tasks, samples, learning, stream, pages):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=pages.PAGE), name="static")
    tell_problems(app)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Counted, metrics=parts.metrics)
    return app
