"""The command line: runs a command, and turns errors into exit codes."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from recognizer.commands import COMMANDS, DEFAULT_COMMAND, RENAMED_COMMANDS
from recognizer.commands.options import PROGRAM, check_command
from recognizer.errors import SettingsError
from recognizer.system.terminal import SOME_FAILED, escape_unencodable_output, exit_code_of


class Command(Protocol):
    """The interface of each module in recognizer/commands/ that COMMANDS lists."""

    def run(self, args: Sequence[str]) -> int:
        """Run the command with the arguments after its name. Return the exit code. Raises RecognizerError."""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command. Return its exit code.

    0, 1 if some files could not be read, 2 for an error, 3 if learn published no model, 130 for Ctrl-C.
    """
    args = list(sys.argv[1:] if args is None else args)
    escape_unencodable_output()
    try:
        try:
            return _run(args)
        finally:
            _flush_output()  # here its errors are handled, not when Python exits
    except BrokenPipeError:  # the reader of the output, such as head, has closed the pipe
        _discard_output()
        return SOME_FAILED
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code_of(error)
        try:
            _flush_output()
        except OSError:
            _discard_output()
        return code


def _run(args: Sequence[str]) -> int:
    if not args or args[0].startswith("-"):
        return command(DEFAULT_COMMAND).run(args)
    if args[0] in RENAMED_COMMANDS:
        raise SettingsError(
            f"{args[0]} is now {RENAMED_COMMANDS[args[0]]}. See: {PROGRAM} {RENAMED_COMMANDS[args[0]]} --help"
        )
    check_command(args[0], COMMANDS, PROGRAM)
    return command(args[0]).run(args[1:])


def _flush_output() -> None:
    if sys.stdout is not None:  # None where the program was started without it
        sys.stdout.flush()


def _discard_output() -> None:
    """Send what is still buffered for stdout to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command(name: str) -> Command:
    """Import a command's module. Only the chosen one is imported, so that --help is fast."""
    return cast(Command, importlib.import_module(f"recognizer.commands.{name}"))
