"""Terminal output: exit codes, one-line errors, and text that the encoding of stdout cannot represent."""

import codecs
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from recognizer.errors import RecognizerError
from recognizer.system import packages
from recognizer.system.ctrl_c import was_pressed
from recognizer.system.urls import text_without_secrets

SOME_FAILED = 1
USAGE_ERROR = 2
NOT_PUBLISHED = 3  # of learn: the training succeeded, but its model is not better than the current one
INTERRUPTED = 130
PRINTED_LIMIT = 20  # messages printed one by one; the rest are counted


def print_messages(lines: Sequence[str]) -> None:
    """Print the lines on stderr, at most PRINTED_LIMIT of them, and how many there are more."""
    for line in lines[:PRINTED_LIMIT]:
        print(line, file=sys.stderr)
    if len(lines) > PRINTED_LIMIT:
        print(f"… and {len(lines) - PRINTED_LIMIT} more", file=sys.stderr)


@contextmanager
def exit_on_error(stopped: str = "") -> Iterator[None]:
    """Exit with `exit_code_of(error)` if the block raises. `stopped` is the line that is printed after Ctrl-C."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code_of(error)
        if stopped and code == INTERRUPTED:
            print(stopped)
        sys.exit(code)


def exit_code_of(error: BaseException) -> int:
    """The exit code for Ctrl-C or for a RecognizerError, which is printed as one line on stderr. Re-raises other errors."""
    if was_pressed(error):
        return INTERRUPTED
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in packages.OF_TRAINING:
        remedy = packages.install_command(packages.TRAIN)
        print(f"This needs {error.name}, which is not installed. Install it: {remedy}", file=sys.stderr)
        return USAGE_ERROR
    if not isinstance(error, RecognizerError):
        raise error
    print(text_without_secrets(str(error)), file=sys.stderr)
    return USAGE_ERROR


def escape_unencodable_output() -> None:
    """Let stdout accept any text: labels may be in a script that the encoding of a Windows pipe lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("spelled", _escaped)
        sys.stdout.reconfigure(errors="spelled")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Replace unencodable characters by JSON escapes, so that a line of JSON stays valid."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
