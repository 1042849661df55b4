"""What all commands share: a parser whose errors are one line, and the choice of a subcommand."""

import argparse
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from recognizer.commands.options import given_path, seed
from recognizer.errors import SettingsError
from recognizer.registry.synced import open_models
from recognizer.system.environment import complete


@dataclass(frozen=True)
class CommandHelp:
    """What `-h` prints about a subcommand."""

    help: str
    example: str  # arguments of an example call


class Parser(argparse.ArgumentParser):
    """Sets only the options that were given, since the settings have the defaults. Raises SettingsError for bad options."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(
            prog=program,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
        )

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{self.prog}: {message}. {self.prog} -h lists the options.")

    def add_models(self) -> None:
        self.add_argument("--models", type=open_models, metavar="DIR", help="folder or URL of the models")

    def add_runs(self, help: str) -> None:
        self.add_argument("--runs", type=given_path, metavar="DIR", help=help)

    def add_seed(self) -> None:
        self.add_argument("--seed", type=seed, help="random seed; the same seed repeats a run (default: 0)")


class TrainingParser(Parser):
    """The parser of a command that needs the packages for training: they are installed when its options are valid."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        options = super().parse_args(args, namespace)
        complete()
        return options


def choose_command(program: str, about: str, words: Sequence[str], table: Mapping[str, CommandHelp]) -> str | None:
    """The subcommand that `words` begin with; None if they ask for help, which is then printed.

    Raises SettingsError for an unknown subcommand; the message names the most similar one.
    """
    if not words or words[0] in ("-h", "--help"):
        width = max(map(len, table))
        lines = [
            f"  {name:{width}}  {word.help}\n  {'':{width}}  {program} {word.example}" for name, word in table.items()
        ]
        print(
            f"usage: {program} COMMAND …\n\n{about}\n\n"
            + "\n".join(lines)
            + f"\n\n{program} COMMAND -h lists the options of each."
        )
        return None
    if words[0] not in table:
        nearest = difflib.get_close_matches(words[0], table, 1, cutoff=0)[0]
        raise SettingsError(
            f"{program} has no command {words[0]}. Did you mean {nearest}? The commands are {', '.join(table)}."
        )
    return words[0]
