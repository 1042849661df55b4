"""Argument parsing that the commands share."""

import argparse
import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from recognizer.errors import SettingsError
from recognizer.registry.synced import open_models
from recognizer.system import paths

PROGRAM = paths.own_command("python -m recognizer")
HELP = ("-h", "--help")


class Parser(argparse.ArgumentParser):
    """The argument parser of one command. Usage errors raise SettingsError."""

    def __init__(self, name: str, description: str, *, example: str = "", epilog: str = "") -> None:
        """`name` is the command, such as "samples show". `example` is an example of its arguments."""
        prog = f"{PROGRAM} {name}".rstrip()
        epilog = f"example:\n  {f'{prog} {example}'.rstrip()}\n\n{epilog}".rstrip()
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=prog, description=description, epilog=epilog, formatter_class=formatter)

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


@dataclass(frozen=True)
class Subcommand:
    """A subcommand of a command."""

    arguments: str  # its arguments in the help, such as "TASK ZIP"
    help: str
    run: Callable[[Sequence[str]], int]  # called with the arguments after its name


def run_subcommand(
    command: str, description: str, known: Mapping[str, Subcommand], example: str, args: Sequence[str]
) -> int:
    """Run the subcommand `args[0]`, or print the help of all. Raises SettingsError if it is unknown."""
    prog = f"{PROGRAM} {command}"
    if args and args[0] not in HELP:
        check_command(args[0], known, prog)
        return known[args[0]].run(args[1:])
    print(f"usage: {prog} COMMAND …\n\n{description}\n\ncommands:")
    usages = {f"{name} {subcommand.arguments}".rstrip(): subcommand.help for name, subcommand in known.items()}
    for usage, help in usages.items():
        print(f"  {usage:<{max(map(len, usages))}}  {help}")
    print(f"\nMore about one of them: {prog} COMMAND --help\n\nexample:\n  {prog} {example}")
    return 0


def check_command(name: str, known: Collection[str], prog: str) -> None:
    """Raise SettingsError with the most similar name if `name` is unknown."""
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        remedy = f"Did you mean {near[0]}?" if near else f"Commands: {', '.join(known)}."
        raise SettingsError(f"{prog} has no command {name!r}. {remedy}")


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the positional argument TASK."""
    parser.add_argument("task", metavar="TASK", help=f"a name that {PROGRAM} tasks list prints")


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the option --models. Its value is a ModelStore."""
    parser.add_argument(
        "--models", type=open_models, default=paths.models(), metavar="FOLDER",
        help="folder or URL of the trained models (default: RECOGNIZER_MODELS, else models/)",
    )  # fmt: skip


def given_path(text: str) -> Path:
    """An argparse type: a path. pathlib would take "" for the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name is no path")
    return Path(text)


def seed(text: str) -> int:
    """An argparse type: a seed of NumPy and Keras."""
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 to {(1 << 32) - 1}")
    return int(text)


def at_least_1(text: str) -> int:
    """An argparse type: an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return int(text)
