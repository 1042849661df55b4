"""Words to a command, and what comes of it to an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from recognizer.commands import FORMER, WINDOW, WORDS
from recognizer.commands.options import PROGRAM, check_word
from recognizer.errors import SettingsError
from recognizer.system.terminal import SOME_FAILED, exit_code_of, spell_what_cannot_be_shown


class Command(Protocol):
    """What every file in recognizer/commands/ that is named in WORDS has."""

    def run(self, words: Sequence[str]) -> int:
        """Do what the words behind the command's own say, and return the exit code. Raises RecognizerError."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for files that could not be read, 2 for an error, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if words is None else words)
    spell_what_cannot_be_shown()
    try:
        if not words or words[0].startswith("-"):
            return command(WINDOW).run(words)
        if words[0] in FORMER:
            raise SettingsError(f"{words[0]} is now {FORMER[words[0]]}. See: {PROGRAM} {FORMER[words[0]]} --help")
        check_word(words[0], WORDS, PROGRAM)
        return command(words[0]).run(words[1:])
    except BrokenPipeError:  # what reads the output, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except (Exception, KeyboardInterrupt) as error:
        return exit_code_of(error)


def command(name: str) -> Command:
    """The command's module: only the chosen one is imported, so that --help answers at once."""
    return cast(Command, importlib.import_module(f"recognizer.commands.{name}"))
