"""`recognizer serve`: a server that runs until Ctrl-C."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands.options import Parser, add_models
from recognizer.commands.samples_option import add_samples
from recognizer.serve.cluster import serve_on_cluster
from recognizer.serve.one_machine import serve
from recognizer.serve.settings import ServeSettings, is_loopback


def run(args: Sequence[str]) -> int:
    """Returns 0 at the end, or raises RecognizerError."""
    parser = Parser(
        "serve",
        "The recognizer in the browser and over REST, documented at /docs.",
        example="--host 0.0.0.0 --workers 2",
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 for one that is free (default 8000)")
    parser.add_argument("--token", help="asked of every client; made and printed where other machines are let in")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that read pictures (default 1)")
    parser.add_argument("--name", action="append", default=[], help="a further name that this machine is reached under")
    parser.add_argument("--certificate", type=Path, metavar="PEM", help="for https, which browsers ask for the camera")
    parser.add_argument("--key", type=Path, metavar="PEM", help="of the certificate")
    add_models(parser)
    add_samples(parser)
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="on the Ray cluster whose head is at ADDRESS, else on the one that runs here, else on this machine's cores",
    )  # fmt: skip
    options = parser.parse_args(args)
    token = options.token
    if token is None and not is_loopback(options.host):
        token = secrets.token_urlsafe(24)
    settings = ServeSettings(
        host=options.host,
        port=options.port,
        token=token,
        workers=options.workers,
        names=tuple(options.name),
        certificate=options.certificate,
        key=options.key,
    )
    if options.cluster is not None:
        return serve_on_cluster(settings, options.models, options.samples, options.cluster)
    return serve(settings, options.models, options.samples)
