"""A plain web server for a folder, as `python -m http.server` is one."""

import contextlib
import functools
import http.server
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.local_server import running


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Nothing is printed."""


@contextlib.contextmanager
def serving_folder(folder: Path) -> Iterator[str]:
    """The URL of a running server."""
    handler = functools.partial(_Handler, directory=str(folder))
    with running(handler) as url:
        yield url
