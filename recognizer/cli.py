"""Words to a command, and what comes of it to an exit code."""

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
    """What every file in recognizer/commands/ that is named in WORDS has."""

    def run(self, args: Sequence[str]) -> int:
        """Do what the words behind the command's own say, and return the exit code. Raises RecognizerError."""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for files that could not be read, 2 for an error, 130 for Ctrl-C."""
    args = list(sys.argv[1:] if args is None else args)
    escape_unencodable_output()
    try:
        if not args or args[0].startswith("-"):
            return command(DEFAULT_COMMAND).run(args)
        if args[0] in RENAMED_COMMANDS:
            raise SettingsError(
                f"{args[0]} is now {RENAMED_COMMANDS[args[0]]}. See: {PROGRAM} {RENAMED_COMMANDS[args[0]]} --help"
            )
        check_command(args[0], COMMANDS, PROGRAM)
        return command(args[0]).run(args[1:])
    except BrokenPipeError:  # what reads the output, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except (Exception, KeyboardInterrupt) as error:
        return exit_code_of(error)


def command(name: str) -> Command:
    """The command's module: only the chosen one is imported, so that --help answers at once."""
    return cast(Command, importlib.import_module(f"recognizer.commands.{name}"))
