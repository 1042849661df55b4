"""The commands that look after trained models: `models` with its sub-commands."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recognizer.errors import RecognizerError
from recognizer.registry import card as registry_card
from recognizer.registry import store, synced
from recognizer.system.remote import folder_of

MODELS_HELP = """\
commands:
  list [TASK]              tasks and their versions; * marks the one that runs
  show TASK [VERSION]      labels, figures and making of a version, of the one that runs unless named
  rollback TASK            go back to the version before, as u does in the window
  delete TASK VERSION…     remove versions that do not run
  export TASK ZIP          a version in one file
"""


def run_models(words: Sequence[str]) -> int:
    """`python -m recognizer models`: returns 0, or raises ModelError."""
    parser = argparse.ArgumentParser(
        prog="python -m recognizer models",
        description="Look after the trained models.",
        epilog=MODELS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", type=folder_of, help="another folder (default: RECOGNIZER_MODELS, else models/)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", help="one of those below")

    command = commands.add_parser("list")
    command.add_argument("task", nargs="?")
    command.add_argument("--json", action="store_true", help="one JSON object a task and line")

    command = commands.add_parser("show")
    command.add_argument("task")
    command.add_argument("version", nargs="?")
    command.add_argument("--json", action="store_true", help="the version's whole card")

    commands.add_parser("rollback").add_argument("task")

    command = commands.add_parser("delete")
    command.add_argument("task")
    command.add_argument("versions", nargs="+", metavar="VERSION")

    command = commands.add_parser("export")
    command.add_argument("task")
    command.add_argument("zip", type=Path, metavar="ZIP")
    command.add_argument("--version", help="default: the one that runs")

    options = parser.parse_args(words or ["--help"])
    models = options.models or synced.models_folder()
    run = {"list": _list, "show": _show, "rollback": _rollback, "delete": _delete, "export": _export}
    run[options.command](models, options)
    return 0


def _list(models: Path, options: argparse.Namespace) -> None:
    tasks = store.tasks(models) if options.task is None else [options.task]
    for task in tasks:
        names = store.versions(models, task)
        try:
            running = store.current(models, task).name
        except RecognizerError:  # a pointer to what is gone: the others can still be looked at
            running = None
        if options.json:
            line = {"task": task, "current": running, "versions": names}
            print(json.dumps(line, ensure_ascii=False))
            continue
        print(task)
        for name in names:
            print(f"  {'*' if name == running else ' '} {name}  {_summary(models / task / name)}")
    if not tasks and not options.json:
        print(f"No model in {models} yet. Train one: python -m training.lessons.learn --task NAME")


def _summary(folder: Path) -> str:
    try:
        card = registry_card.read_card(folder)
    except RecognizerError as error:
        return str(error)
    taught = sum(card.get("taught", {}).get("samples", {}).values())
    parts = [f"{len(card['labels'])} labels", card.get("kind"), f"taught by {taught} samples" if taught else None]
    return ", ".join(filter(None, parts))


def _show(models: Path, options: argparse.Namespace) -> None:
    folder = store.version_folder(models, options.task, options.version)
    card = registry_card.read_card(folder)
    if options.json:
        print(json.dumps(card, ensure_ascii=False))
        return
    running = store.current(models, options.task) == folder
    print(f"{options.task} {folder.name}{' (runs)' if running else ''}, {folder}")
    rows: list[tuple[str, Any]] = [("labels", ", ".join(card["labels"]))]
    rows += [(name, card.get(name)) for name in ("region", "kind", "parameters", "command", "git_commit")]
    taught = card.get("taught", {})
    rows += [("taught from", taught.get("from")), ("samples", _counts(taught.get("samples")))]
    rows += [(name.replace("_", " "), value) for name, value in card.get("metrics", {}).items()]
    for name, value in rows:
        if value is not None and not isinstance(value, dict):
            print(f"  {name}: {f'{value:.4g}' if isinstance(value, float) else value}")


def _counts(samples: dict[str, int] | None) -> str | None:
    return ", ".join(f"{label} {count}" for label, count in samples.items()) if samples else None


def _rollback(models: Path, options: argparse.Namespace) -> None:
    print(f"{options.task} is back to {store.rollback(models, options.task)}")


def _delete(models: Path, options: argparse.Namespace) -> None:
    for version in options.versions:
        store.delete(models, options.task, version)
        print(f"Deleted {version} of {options.task}")


def _export(models: Path, options: argparse.Namespace) -> None:
    folder = store.export(models, options.task, options.zip, options.version)
    print(f"Wrote {options.zip} with {options.task} {folder.name}")
