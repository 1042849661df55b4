"""What the commands' words and options have in common."""

import argparse
import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from recognizer.errors import SettingsError
from recognizer.registry.synced import open_models
from recognizer.system import paths

PROGRAM = "python -m recognizer"
HELP = ("-h", "--help")


class Parser(argparse.ArgumentParser):
    """The words and options of one command. What is wrong with them raises SettingsError, one line."""

    def __init__(self, args: str, description: str, *, example: str = "", epilog: str = "") -> None:
        """`words` are the command's own, such as "samples show"; `example` is what may follow them."""
        prog = f"{PROGRAM} {args}".rstrip()
        epilog = f"example:\n  {f'{prog} {example}'.rstrip()}\n\n{epilog}".rstrip()
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=prog, description=description, epilog=epilog, formatter_class=formatter)

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


@dataclass(frozen=True)
class Subcommand:
    """A word of a command that has several."""

    arguments: str  # what may stand behind it, such as "TASK ZIP"
    help: str
    run: Callable[[Sequence[str]], int]  # given what stands behind the word


def run_subcommand(
    command: str, description: str, known: Mapping[str, Subcommand], example: str, args: Sequence[str]
) -> int:
    """Run the word that stands first, or print what each is for. Raises SettingsError for one that is not known."""
    prog = f"{PROGRAM} {command}"
    if args and args[0] not in HELP:
        check_command(args[0], known, prog)
        return known[args[0]].run(args[1:])
    print(f"usage: {prog} WORD …\n\n{description}\n\nwords:")
    usages = {f"{name} {subcommand.arguments}".rstrip(): subcommand.help for name, subcommand in known.items()}
    for usage, help in usages.items():
        print(f"  {usage:<{max(map(len, usages))}}  {help}")
    print(f"\n{prog} WORD --help says more of one.\n\nexample:\n  {prog} {example}")
    return 0


def check_command(name: str, known: Collection[str], prog: str) -> None:
    """Raises SettingsError with the nearest word that is known."""
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        remedy = f"Did you mean {near[0]}?" if near else f"Words: {', '.join(known)}."
        raise SettingsError(f"{prog} knows no word {name!r}. {remedy}")


def add_task(parser: argparse.ArgumentParser) -> None:
    """The task, which stands first."""
    parser.add_argument("task", metavar="TASK", help=f"as {PROGRAM} tasks list names it")


def add_models(parser: argparse.ArgumentParser) -> None:
    """`--models`, as a ModelStore."""
    parser.add_argument(
        "--models", type=open_models, default=paths.models(), metavar="FOLDER",
        help="of the trained models, or its URL (default: RECOGNIZER_MODELS, else models/)",
    )  # fmt: skip


def at_least_1(text: str) -> int:
    """A count, as argparse takes it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return int(text)
