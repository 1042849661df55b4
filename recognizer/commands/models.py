"""`recognizer models`: manages trained models."""

import argparse
import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recognizer.commands.options import PROGRAM, Parser, Subcommand, add_models, add_task, given_path, run_subcommand
from recognizer.commands.samples_option import add_samples
from recognizer.errors import ModelError, RecognizerError, SettingsError
from recognizer.export.importing import import_export, is_export
from recognizer.registry import card as registry_card
from recognizer.registry.archive import import_zip
from recognizer.registry.store import title_of
from recognizer.tasks import TASKS


def run(args: Sequence[str]) -> int:
    """Returns 0, or raises ModelError."""
    return run_subcommand("models", "Manage trained models.", SUBCOMMANDS, "rollback greetings", args)


def _list(args: Sequence[str]) -> int:
    parser = Parser("models list", "List tasks and their versions; * marks the current one.", example="greetings")
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object per line and task")
    add_models(parser)
    options = parser.parse_args(args)
    models = options.models
    tasks = models.tasks() if options.task is None else [options.task]
    for task in tasks:
        names = models.versions(task)
        try:
            running = models.current(task).name
        except RecognizerError:  # current.json names a deleted version: the others are still listed
            running = None
        if options.json:
            line = {"task": task, "current": running, "versions": names}
            print(json.dumps(line, ensure_ascii=False))
            continue
        print(task)
        for name in names:
            print(f"  {'*' if name == running else ' '} {name}  {_summary(models.folder_of(task, name))}")
    if not tasks and not options.json:
        print(f"There is no model in {models.folder} yet. Train one: python -m recognizer learn TASK")
    return 0


def _summary(folder: Path) -> str:
    try:
        card = registry_card.read_card(folder)
    except RecognizerError as error:
        return str(error)
    taught = sum(((card.user_training or {}).get("samples") or {}).values())
    trained = title_of(folder).partition(", ")[2]
    parts = [
        trained,
        f"{len(card.all_labels)} labels",
        card.kind,
        f"trained on {taught} of your samples" if taught else None,
    ]
    return ", ".join(filter(None, parts))


def _show(args: Sequence[str]) -> int:
    parser = Parser(
        "models show", "Print the labels, metrics and training settings of a version.", example="digits --json"
    )
    add_task(parser)
    parser.add_argument("version", nargs="?", metavar="VERSION", help="default: the current one")
    parser.add_argument("--json", action="store_true", help="print the complete model card as JSON")
    add_models(parser)
    options = parser.parse_args(args)
    _check_task(options)
    folder = options.models.version_folder(options.task, options.version)
    card = registry_card.read_card(folder)
    if options.json:
        print(json.dumps(card.as_json(), ensure_ascii=False))
        return 0
    running = options.models.current(options.task) == folder
    print(f"{title_of(folder)}{' (current)' if running else ''}, {folder}")
    rows: list[tuple[str, Any]] = [("labels", ", ".join(card.all_labels))]
    rows += [("subject", card.subject), ("kind", card.kind), ("parameters", card.parameters)]
    rows += [("command", card.command), ("git_commit", card.git_commit)]
    taught = card.user_training or {}
    rows += [("starting point", taught.get("from")), ("samples", _counts(taught.get("samples")))]
    rows += [(name.replace("_", " "), value) for name, value in (card.metrics or {}).items()]
    for name, value in rows:
        if value is not None and not isinstance(value, dict):
            print(f"  {name}: {f'{value:.4g}' if isinstance(value, float) else value}")
    return 0


def _counts(samples: dict[str, int] | None) -> str | None:
    return ", ".join(f"{label} {count}" for label, count in samples.items()) if samples else None


def _check_task(options: argparse.Namespace) -> None:
    """Raise ModelError with the tasks that have a model, unless the task is one of them or came with the program."""
    known = options.models.tasks()
    if options.task not in (*known, *TASKS):
        near = difflib.get_close_matches(options.task, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ModelError(
            f"There is no model for the task {options.task}. There are: {', '.join(known) or 'none'}.{hint}"
        )


def _rollback(args: Sequence[str]) -> int:
    parser = Parser("models rollback", "Go back to the previous version, like u in the window.", example="greetings")
    add_task(parser)
    add_models(parser)
    options = parser.parse_args(args)
    _check_task(options)
    version = options.models.rollback(options.task)
    print(f"Back to {title_of(options.models.folder_of(options.task, version))}")
    return 0


def _delete(args: Sequence[str]) -> int:
    parser = Parser(
        "models delete", "Delete versions. The current version cannot be deleted.", example="greetings 20261127-193154"
    )
    add_task(parser)
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="a name that models list prints")
    add_models(parser)
    options = parser.parse_args(args)
    _check_task(options)
    for version in options.versions:
        options.models.delete(options.task, version)
        print(f"Deleted {version} of {options.task}")
    return 0


def _export(args: Sequence[str]) -> int:
    parser = Parser("models export", "Write a version to a zip file.", example="greetings greetings.zip")
    add_task(parser)
    parser.add_argument("zip", type=given_path, metavar="ZIP", help="the file to write")
    parser.add_argument("--version", help="default: the current one")
    add_models(parser)
    options = parser.parse_args(args)
    _check_task(options)
    folder = options.models.export(options.task, options.zip, options.version)
    print(f"Wrote {options.zip} with {title_of(folder)}")
    return 0


def _import(args: Sequence[str]) -> int:
    parser = Parser(
        "models import",
        "Import an exported version, or an export, and make it the current version. models rollback goes back.",
        example="greetings greetings.zip",
        epilog="An export is compared with the current model on the samples of the task, and replaces it if it is no worse.",
    )
    parser.add_argument(
        "task", nargs="?", metavar="TASK", help="its new task; an export names its own (default: that one)"
    )
    parser.add_argument(
        "path", type=given_path, metavar="FILE", help="what models export or export wrote: a zip, or an export's folder"
    )
    parser.add_argument("--force", action="store_true", help="replace the current model also by one that is worse")
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    if is_export(options.path):
        return _import_export(options)
    if options.task is None:
        raise SettingsError(f"{options.path} names no task. Give one: {PROGRAM} models import TASK {options.path}")
    version = import_zip(options.models, options.task, options.path)
    card = registry_card.read_card(options.models.version_folder(options.task, version))
    print(f"  labels: {', '.join(card.all_labels)}")
    accuracy = (card.metrics or {}).get("held_out_after")
    if isinstance(accuracy, int | float):
        print(f"  validated where it was trained: {accuracy:.1%} of held-out samples")
    print(f"{version} is now the current version of {options.task}")
    return 0


def _import_export(options: argparse.Namespace) -> int:
    imported = import_export(options.models, options.samples, options.path, options.task, force=options.force)
    figures = imported.figures
    if figures.after is not None:
        before = "" if figures.before is None else f", and {figures.before:.1%} before"
        print(f"  {figures.after:.1%} of the {figures.samples} samples are recognized{before}")
    print(f"{imported.version} is now the current version of {imported.task}")
    return 0


def _checksums(args: Sequence[str]) -> int:
    parser = Parser(
        "models checksums",
        "Write the SHA-256 of each file into cards that have none: of versions that an earlier program trained.",
        example="greetings",
    )
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: all")
    add_models(parser)
    options = parser.parse_args(args)
    for task in [options.task] if options.task else options.models.tasks():
        for version in options.models.versions(task):
            state = "added" if options.models.add_checksums(task, version) else "there already, and right"
            print(f"{task} {version}: checksums {state}")
    return 0


SUBCOMMANDS = {
    "list": Subcommand("[TASK]", "list tasks and their versions; * marks the current one", _list),
    "show": Subcommand(
        "TASK [VERSION]", "labels, metrics and training settings of a version (default: the current one)", _show
    ),
    "rollback": Subcommand("TASK", "go back to the previous version, like u in the window", _rollback),
    "export": Subcommand("TASK ZIP", "write a version to a zip file", _export),
    "import": Subcommand("[TASK] FILE", "import such a file, or an export, as the current version", _import),
    "checksums": Subcommand("[TASK]", "write the SHA-256 of each file into cards that have none", _checksums),
    "delete": Subcommand("TASK VERSION…", "delete versions other than the current one", _delete),
}
