"""Writes events as JSON lines, on stdout or to a file that is rotated."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from recognizer.event_detection.event import Event
from recognizer.sinks.png import one_line_errors
from recognizer.system import files

STDOUT = "-"
FILE_BYTES = 10_000_000  # then the file becomes FILE.1: about 40,000 events
OLD_FILES = 3  # FILE.1 is the newest


class EventLog:
    """A listener that writes each event as one line of JSON."""

    def __init__(self, file: TextIO, path: Path | None = None) -> None:
        """`path` is that of the file, which is closed at the end; None for stdout."""
        self._file = file
        self._path = path

    def __call__(self, event: Event) -> None:
        """Raises SinkError if the file cannot be written, and BrokenPipeError if the reader of stdout has gone."""
        line = json.dumps(event.as_json(), ensure_ascii=False)
        if self._path is None:
            print(line, file=self._file, flush=True)
            return
        with one_line_errors(self._path):
            print(line, file=self._file, flush=True)
            if os.path.isfile(self._path) and self._file.tell() >= FILE_BYTES:  # a named pipe has no length
                self._rotate(self._path)

    def close(self) -> None:
        if self._path is not None:
            with one_line_errors(self._path):
                self._file.close()

    def _rotate(self, path: Path) -> None:
        """FILE becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest is deleted. Raises OSError."""
        self._file.close()
        names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, OLD_FILES + 1))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                files.replace(newer, older)
        self._file = _opened(path)


@contextmanager
def open_event_log(target: str) -> Iterator[EventLog]:
    """A log that appends to the file named `target`, or writes to stdout if that is "-".

    On stdout stand only events: what the program prints inside the block goes to stderr. Raises SinkError.
    """
    with ExitStack() as stack:
        if target == STDOUT:
            log = EventLog(sys.stdout)
            stack.enter_context(redirect_stdout(sys.stderr))
        else:
            path = Path(target)
            with one_line_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                file = _opened(path)
            log = EventLog(file, path)
        stack.callback(log.close)
        yield log


def _opened(path: Path) -> TextIO:
    return open(path, "a", encoding="utf-8", errors="backslashreplace")
