"""`recognizer serve`: the web server. Runs until Ctrl-C."""

import os
import secrets
from collections.abc import Sequence

from recognizer.commands.options import Parser, add_models, given_path
from recognizer.commands.samples_option import add_samples
from recognizer.serve.cluster import serve_on_cluster
from recognizer.serve.http.settings import TOKEN_VARIABLE, ServeSettings
from recognizer.serve.one_machine import serve


def run(args: Sequence[str]) -> int:
    """Return 0 after Ctrl-C. Raises RecognizerError."""
    parser = Parser(
        "serve",
        "Run the recognizer in the browser and as a REST API, documented at /docs.",
        example="--host 0.0.0.0 --workers 2",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 admits other machines (default 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=8000, help="port; 0 picks a free one (default 8000)")
    parser.add_argument(
        "--no-token",
        action="store_true",
        help=f"admit every program and user of this machine; the default is a new token, or that in {TOKEN_VARIABLE}",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="worker processes that recognize pictures (default 1)"
    )
    parser.add_argument(
        "--name", action="append", default=[], help="another host name of this machine; may be repeated"
    )
    parser.add_argument(
        "--certificate",
        type=given_path,
        metavar="PEM",
        help="certificate for https; browsers require https for the camera on other machines",
    )
    parser.add_argument("--key", type=given_path, metavar="PEM", help="private key of the certificate")
    add_models(parser)
    add_samples(parser)
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="run on a Ray cluster: that of the head node ADDRESS, else the one on this machine, else a new one on its cores",
    )  # fmt: skip
    options = parser.parse_args(args)
    token = None if options.no_token else os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(24)
    settings = ServeSettings(
        host=options.host,
        port=options.port,
        token=token,
        workers=options.workers,
        names=tuple(options.name),
        certificate=options.certificate,
        key=options.key,
        opens_browser=options.open,
    )
    if options.cluster is not None:
        return serve_on_cluster(settings, options.models, options.samples, options.cluster)
    return serve(settings, options.models, options.samples)
