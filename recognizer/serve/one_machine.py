"""Runs the server on one machine, with uvicorn."""

import asyncio.constants
import dataclasses
import signal
import sys

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.serve.app import create_app
from recognizer.serve.http.connections import CONNECTIONS_LIMIT, HEAD_S, Connections
from recognizer.serve.http.guard import BODY_LIMIT
from recognizer.serve.http.repeats import limit_repeats
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.listener import KEEP_ALIVE_S, announced, open_listener

SHUTDOWN_S = 10  # time for open requests after Ctrl-C
FILES_LIMIT = 8192  # open files: connections before their TLS handshake are not counted by Connections
OTHER_FILES = 64  # of the server's own: samples, models, pipes to its workers


def serve(settings: ServeSettings, models: ModelStore, samples: Samples) -> int:
    """Serve until Ctrl-C. Open requests are finished first."""
    import uvicorn

    from recognizer.serve.protocols import limited_protocols

    with open_listener(settings) as listener:
        settings = dataclasses.replace(settings, port=listener.getsockname()[1])
        connections = new_connections()
        http, ws = limited_protocols(connections)
        asyncio.constants.SSL_HANDSHAKE_TIMEOUT = HEAD_S  # type: ignore[misc]  # uvicorn has no setting for it
        config = uvicorn.Config(
            create_app(settings, models, samples, connections=connections),
            http=http,
            ws=ws,
            loop="asyncio",
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
        limit_repeats()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises it again when it has stopped
        with announced(settings):
            uvicorn.Server(config).run([listener])
    return 0


def new_connections() -> Connections:
    """The connections of a server in this process, which may open as many files."""
    limit = min(CONNECTIONS_LIMIT, max(8, raised_files_limit() - OTHER_FILES))
    return Connections(limit, address_limit=limit // 2)


def raised_files_limit() -> int:
    """How many files this process may open. Raised as far as the system allows, up to FILES_LIMIT."""
    if sys.platform == "win32":
        return FILES_LIMIT  # sockets are no files there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_LIMIT if hard == resource.RLIM_INFINITY else min(FILES_LIMIT, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS may have a lower limit than it says
            return soft
        return wanted
    return FILES_LIMIT if soft == resource.RLIM_INFINITY else soft
