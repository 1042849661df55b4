"""What all commands share: a parser that says what is wrong in one line, and words that are looked up in a table."""

import argparse
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from recognizer.errors import SettingsError
from recognizer.registry.synced import open_models


@dataclass(frozen=True)
class CommandHelp:
    """What `-h` says of a word."""

    help: str
    example: str  # the words behind the program's name


class Parser(argparse.ArgumentParser):
    """Gives what was said and no more: the settings have the defaults. Raises SettingsError for what it cannot read."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(
            prog=program,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
        )

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{self.prog}: {message}. {self.prog} -h shows what there is.")

    def add_models(self) -> None:
        self.add_argument(
            "--models", type=open_models, metavar="DIR", help="folder of the models, or a URL that has one"
        )

    def add_runs(self, help: str) -> None:
        self.add_argument("--runs", type=Path, metavar="DIR", help=help)

    def add_seed(self) -> None:
        self.add_argument("--seed", type=int, help="the same seed repeats a run (default: 0)")


def choose_command(program: str, about: str, words: Sequence[str], table: Mapping[str, CommandHelp]) -> str | None:
    """The word of the table that `words` begin with; None where they ask for help, which is printed then.

    Raises SettingsError, which names the nearest word.
    """
    if not words or words[0] in ("-h", "--help"):
        width = max(map(len, table))
        lines = [
            f"  {name:{width}}  {word.help}\n  {'':{width}}  {program} {word.example}" for name, word in table.items()
        ]
        print(
            f"usage: {program} WORD …\n\n{about}\n\n" + "\n".join(lines) + f"\n\n{program} WORD -h says more of each."
        )
        return None
    if words[0] not in table:
        nearest = difflib.get_close_matches(words[0], table, 1, cutoff=0)[0]
        raise SettingsError(f"{program} has no word {words[0]}. Did you mean {nearest}? There are {', '.join(table)}.")
    return words[0]
