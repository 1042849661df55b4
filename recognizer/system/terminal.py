"""Terminal output: exit codes, one-line errors, and text that the encoding of stdout cannot represent."""

import codecs
import errno
import io
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from recognizer.errors import RecognizerError, printable
from recognizer.system import packages, paths
from recognizer.system.ctrl_c import let_through, was_pressed
from recognizer.system.urls import text_without_secrets

SOME_FAILED = 1
USAGE_ERROR = 2
NOT_PUBLISHED = 3  # of learn: the training succeeded, but its model is not better than the current one
INTERRUPTED = 130
NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota of its own
SHOWN_CHARACTERS = 300  # of a file's name in an error
PRINTED_LIMIT = 20  # messages printed one by one; the rest are counted


stderr_turn = threading.RLock()  # held by a thread that prints on stderr, or that mutes native code there


def print_messages(lines: Sequence[str]) -> None:
    """Print the lines on stderr, at most PRINTED_LIMIT of them, and how many there are more."""
    more = [f"… and {len(lines) - PRINTED_LIMIT} more"] if len(lines) > PRINTED_LIMIT else []
    with stderr_turn:
        for line in [*lines[:PRINTED_LIMIT], *more]:
            print(printable(line), file=sys.stderr)


@contextmanager
def exit_on_error(stopped: str = "") -> Iterator[None]:
    """Exit with `exit_code_of(error)` if the block raises. `stopped` is the line that is printed after Ctrl-C."""
    try:
        let_through()
        yield
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code_of(error)
        if stopped and code == INTERRUPTED:
            print(stopped)
        sys.exit(code)


def exit_code_of(error: BaseException) -> int:
    """The exit code for Ctrl-C or for an error that a user can mend, which is printed as one line on stderr.

    Those are RecognizerError, a full disk, and OSError with a file's name: a name that is too long, or a folder that may not
    be entered, fails wherever a path is looked at first. Re-raises other errors.
    """
    if was_pressed(error):
        return INTERRUPTED
    if isinstance(error, OSError) and error.filename is not None:
        line = f"{_shortened(str(error.filename))} cannot be used: {error.strerror}. Check its name and permissions."
    elif isinstance(error, OSError) and error.errno in NO_SPACE:
        line = f"The output cannot be written: {error.strerror}. Free some space."
    elif isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in packages.OF_BASE:
        line = f"{sys.executable} lacks {error.name}. {packages.other_python()}"
    elif isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in packages.OF_TRAINING:
        remedy = packages.install_command(packages.TRAIN)
        line = f"This needs {error.name}, which is not installed. Install it: {remedy}"
    elif isinstance(error, RecognizerError):
        line = str(error)
    else:
        raise error
    print_messages([paths.own_command(text_without_secrets(line))])
    return USAGE_ERROR


def _shortened(name: str) -> str:
    return name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…"


def escape_unencodable_output() -> None:
    """Let stdout accept any text: labels may be in a script that the encoding of a Windows pipe lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("spelled", _escaped)
        sys.stdout.reconfigure(errors="spelled")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Replace unencodable characters by JSON escapes, so that a line of JSON stays valid."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
