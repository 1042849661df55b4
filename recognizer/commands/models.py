"""`recognizer models`: looks after trained models."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recognizer.commands.options import Parser, Subcommand, add_models, add_task, run_subcommand
from recognizer.errors import RecognizerError
from recognizer.registry import card as registry_card
from recognizer.registry.archive import import_zip


def run(args: Sequence[str]) -> int:
    """Returns 0, or raises ModelError."""
    return run_subcommand("models", "Look after trained models.", SUBCOMMANDS, "rollback greetings", args)


def _list(args: Sequence[str]) -> int:
    parser = Parser("models list", "List tasks and their versions; * marks the one that runs.", example="greetings")
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object a task and line")
    add_models(parser)
    options = parser.parse_args(args)
    models = options.models
    tasks = models.tasks() if options.task is None else [options.task]
    for task in tasks:
        names = models.versions(task)
        try:
            running = models.current(task).name
        except RecognizerError:  # a pointer to what is gone: the others can still be looked at
            running = None
        if options.json:
            line = {"task": task, "current": running, "versions": names}
            print(json.dumps(line, ensure_ascii=False))
            continue
        print(task)
        for name in names:
            print(f"  {'*' if name == running else ' '} {name}  {_summary(models.folder / task / name)}")
    if not tasks and not options.json:
        print(f"No model in {models.folder} yet. Train one: python -m recognizer learn TASK")
    return 0


def _summary(folder: Path) -> str:
    try:
        card = registry_card.read_card(folder)
    except RecognizerError as error:
        return str(error)
    taught = sum(((card.user_training or {}).get("samples") or {}).values())
    parts = [f"{len(card.labels)} labels", card.kind, f"taught by {taught} samples" if taught else None]
    return ", ".join(filter(None, parts))


def _show(args: Sequence[str]) -> int:
    parser = Parser("models show", "Print the labels, figures and making of a version.", example="digits --json")
    add_task(parser)
    parser.add_argument("version", nargs="?", metavar="VERSION", help="default: the one that runs")
    parser.add_argument("--json", action="store_true", help="the version's whole card")
    add_models(parser)
    options = parser.parse_args(args)
    folder = options.models.version_folder(options.task, options.version)
    card = registry_card.read_card(folder)
    if options.json:
        print(json.dumps(card.as_json(), ensure_ascii=False))
        return 0
    running = options.models.current(options.task) == folder
    print(f"{options.task} {folder.name}{' (runs)' if running else ''}, {folder}")
    rows: list[tuple[str, Any]] = [("labels", ", ".join(card.labels))]
    rows += [("subject", card.subject), ("kind", card.kind), ("parameters", card.parameters)]
    rows += [("command", card.command), ("git_commit", card.git_commit)]
    taught = card.user_training or {}
    rows += [("taught from", taught.get("from")), ("samples", _counts(taught.get("samples")))]
    rows += [(name.replace("_", " "), value) for name, value in (card.metrics or {}).items()]
    for name, value in rows:
        if value is not None and not isinstance(value, dict):
            print(f"  {name}: {f'{value:.4g}' if isinstance(value, float) else value}")
    return 0


def _counts(samples: dict[str, int] | None) -> str | None:
    return ", ".join(f"{label} {count}" for label, count in samples.items()) if samples else None


def _rollback(args: Sequence[str]) -> int:
    parser = Parser("models rollback", "Go back to the version before, as u does in the window.", example="greetings")
    add_task(parser)
    add_models(parser)
    options = parser.parse_args(args)
    print(f"{options.task} is back to {options.models.rollback(options.task)}")
    return 0


def _delete(args: Sequence[str]) -> int:
    parser = Parser(
        "models delete", "Delete versions; the one that runs is never deleted.", example="greetings 20261127-193154"
    )
    add_task(parser)
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="as models list names it")
    add_models(parser)
    options = parser.parse_args(args)
    for version in options.versions:
        options.models.delete(options.task, version)
        print(f"Deleted {version} of {options.task}")
    return 0


def _export(args: Sequence[str]) -> int:
    parser = Parser("models export", "Write a version into one file.", example="greetings greetings.zip")
    add_task(parser)
    parser.add_argument("zip", type=Path, metavar="ZIP", help="the file to write")
    parser.add_argument("--version", help="default: the one that runs")
    add_models(parser)
    options = parser.parse_args(args)
    folder = options.models.export(options.task, options.zip, options.version)
    print(f"Wrote {options.zip} with {options.task} {folder.name}")
    return 0


def _import(args: Sequence[str]) -> int:
    parser = Parser(
        "models import",
        "Add an exported version and run it; models rollback goes back.",
        example="greetings greetings.zip",
    )
    add_task(parser)
    parser.add_argument("zip", type=Path, metavar="ZIP", help="what models export wrote")
    add_models(parser)
    options = parser.parse_args(args)
    version = import_zip(options.models, options.task, options.zip)
    print(f"{options.task} runs with {version}")
    return 0


SUBCOMMANDS = {
    "list": Subcommand("[TASK]", "tasks and their versions; * marks the one that runs", _list),
    "show": Subcommand(
        "TASK [VERSION]", "labels, figures and making of a version, of the one that runs unless named", _show
    ),
    "rollback": Subcommand("TASK", "go back to the version before, as u does in the window", _rollback),
    "export": Subcommand("TASK ZIP", "a version in one file", _export),
    "import": Subcommand("TASK ZIP", "such a file, as the version that runs", _import),
    "delete": Subcommand("TASK VERSION…", "versions that do not run", _delete),
}
