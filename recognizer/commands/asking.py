"""Questions at the terminal, and labels that a typing mistake must not make."""

import argparse
import difflib
import sys
from collections.abc import Collection

from recognizer.errors import SamplesError, SettingsError

YES = ("y", "yes")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add the option --yes."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def is_confirmed(question: str, options: argparse.Namespace) -> bool:
    """Whether the user says yes at the terminal, or has given --yes. Raises SettingsError without a terminal."""
    if options.yes:
        return True
    if not sys.stdin or not sys.stdin.isatty():
        raise SettingsError(f"{question} Nothing was done, because there is no terminal to ask at. Add --yes.")
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().casefold() in YES:
        return True
    print("Nothing was done.")
    return False


def add_new(parser: argparse.ArgumentParser) -> None:
    """Add the option --new."""
    parser.add_argument("--new", action="store_true", help="the label is a new one of the task")


def check_label(task: str, label: str, known: Collection[str], options: argparse.Namespace) -> None:
    """Raise SamplesError for a label that the task does not have, unless --new says that it is meant."""
    if options.new or label in known:
        return
    near = difflib.get_close_matches(label, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise SamplesError(f"The task {task} has no label {label}. It has: {', '.join(known)}.{hint} Add --new to make it.")
