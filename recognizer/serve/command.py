"""`python -m recognizer serve`: flags to a server that runs until Ctrl-C."""

import argparse
import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.errors import SettingsError
from recognizer.mirror import folder_of
from recognizer.system import paths

# Whatever loads FastAPI or OpenCV is imported where it is used, so that --help answers at once.
if TYPE_CHECKING:
    from recognizer.settings import ServeSettings

LEAVE_S = 10  # for what is being answered at Ctrl-C
KEEP_ALIVE_S = 60  # a page that is looked at asks again within this
BACKLOG = 128


def run_serve(words: Sequence[str]) -> int:
    """Returns 0 at the end, or raises RecognizerError."""
    parser = argparse.ArgumentParser(
        prog="python -m recognizer serve",
        description="The recognizer in the browser and over REST, documented at /docs.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 for one that is free (default 8000)")
    parser.add_argument("--token", help="asked of every client; made and printed where other machines are let in")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that read pictures (default 1)")
    parser.add_argument("--name", action="append", default=[], help="a further name that this machine is reached under")
    parser.add_argument("--certificate", type=Path, metavar="PEM", help="for https, which browsers ask for the camera")
    parser.add_argument("--key", type=Path, metavar="PEM", help="of the certificate")
    parser.add_argument(
        "--models", type=folder_of, help="another model folder (default: RECOGNIZER_MODELS, else models/)"
    )
    parser.add_argument(
        "--data",
        type=folder_of,
        metavar="FOLDER",
        help="of the samples (default: RECOGNIZER_CAPTURES, else data/captures/)",
    )
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="on the Ray cluster whose head is at ADDRESS, else on the one that runs here, else on this machine's cores",
    )  # fmt: skip
    options = parser.parse_args(words)
    if options.data:
        os.environ[paths.CAPTURES_VARIABLE] = str(options.data)  # for the processes that read pictures, too

    from recognizer.registry import models_folder
    from recognizer.settings import ServeSettings, is_loopback

    token = options.token
    if token is None and not is_loopback(options.host):
        token = secrets.token_urlsafe(24)
    settings = ServeSettings(
        host=options.host,
        port=options.port,
        token=token,
        workers=options.workers,
        models=options.models or models_folder(),
        names=tuple(options.name),
        certificate=options.certificate,
        key=options.key,
    )
    if options.cluster is not None:
        from recognizer.serve.cluster import serve_on_cluster

        return serve_on_cluster(settings, options.cluster)
    return serve(settings)


def serve(settings: "ServeSettings") -> int:
    """Answer until Ctrl-C; what is being written is finished."""
    import dataclasses

    import uvicorn

    from recognizer.serve.app import create_app
    from recognizer.serve.guard import BODY_LIMIT

    with listening(settings) as listener:
        settings = dataclasses.replace(settings, port=listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(settings),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=BODY_LIMIT,
            ws_max_queue=1,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LEAVE_S,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
        )
        print(f"Serving on {address(settings)} until Ctrl-C; the documentation is at /docs", flush=True)
        uvicorn.Server(config).run([listener])
    return 0


def address(settings: "ServeSettings") -> str:
    """What to open in a browser."""
    scheme = "https" if settings.certificate else "http"
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    way_in = f"/enter?token={settings.token}" if settings.token else "/"
    return f"{scheme}://{host}:{settings.port}{way_in}"


def listening(settings: "ServeSettings") -> socket.socket:
    """The socket that is asked, before anything is loaded. Raises SettingsError where the port is taken."""
    try:
        # the protocol has to be named: asyncio sends small answers at once on sockets that it knows to be TCP
        family, kind, protocol, _, where = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"{settings.host}:{settings.port} cannot be opened: {error.strerror or error}. "
            "Close the program that uses it, or try --port 0."
        ) from error
    return listener
