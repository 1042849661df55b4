"""Runs the server on one machine, with uvicorn."""

import dataclasses

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.app import create_app
from recognizer.serve.http.guard import BODY_LIMIT
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.listener import KEEP_ALIVE_S, address, open_listener

SHUTDOWN_S = 10  # time for open requests after Ctrl-C


def serve(settings: ServeSettings, models: ModelStore, samples: Samples) -> int:
    """Serve until Ctrl-C. Open requests are finished first."""
    import uvicorn

    with open_listener(settings) as listener:
        settings = dataclasses.replace(settings, port=listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(settings, models, samples),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=BODY_LIMIT,
            ws_max_queue=1,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
        )
        print(f"Serving on {address(settings)} until Ctrl-C; the documentation is at /docs", flush=True)
        uvicorn.Server(config).run([listener])
    return 0
