"""What a program says to the terminal that started it: text in any script, one line for an error, and its exit code."""

import codecs
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from recognizer.errors import RecognizerError
from recognizer.system.ctrl_c import was_pressed

SOME_FAILED = 1
USAGE_ERROR = 2
INTERRUPTED = 130


@contextmanager
def exit_on_error(stopped: str = "") -> Iterator[None]:
    """What a `main` does its work in: ends the program as `exit_code_of` says; `stopped` is printed after Ctrl-C."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code_of(error)
        if stopped and code == INTERRUPTED:
            print(stopped)
        sys.exit(code)


def exit_code_of(error: BaseException) -> int:
    """The exit code for an error, which is printed as one line on stderr, or for Ctrl-C; what is a defect is raised."""
    if was_pressed(error):
        return INTERRUPTED
    if not isinstance(error, RecognizerError):
        raise error
    print(error, file=sys.stderr)
    return USAGE_ERROR


def escape_unencodable_output() -> None:
    """Let stdout write any text: a pipe on Windows knows no Hebrew, and a label may be."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("spelled", _escaped)
        sys.stdout.reconfigure(errors="spelled")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What cannot be written, as JSON escapes it: a line of JSON stays one."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
