"""`recognizer samples`: records and manages samples."""

import argparse
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands.options import Parser, Subcommand, add_task, at_least_1, given_path, run_subcommand
from recognizer.commands.record import record
from recognizer.commands.sample_sheet import PER_LABEL, contact_sheet
from recognizer.commands.samples_option import add_samples
from recognizer.errors import SamplesError
from recognizer.overlay.text import missing_fonts
from recognizer.samples.archive import ImportResult, export_zip, import_zip
from recognizer.samples.exported import is_unpacked_export
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.verify import set_aside, verify
from recognizer.sinks.png import write_png
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.system.terminal import SOME_FAILED, print_messages
from recognizer.teaching.import_pictures import check_subject, folder_labels, import_folder


def run(args: Sequence[str]) -> int:
    """Return 0, or 1 if something was skipped or is inconsistent. Raises RecognizerError."""
    return run_subcommand("samples", "Record and manage samples.", SUBCOMMANDS, "show greetings", args)


def _list(args: Sequence[str]) -> int:
    parser = Parser("samples list", "List tasks, their labels and the number of samples of each.", example="greetings")
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object per line and task")
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    if damage := store.damage():
        print(f"{len(damage)} lines or tasks cannot be read. See: python -m recognizer samples verify", file=sys.stderr)
    tasks = store.tasks() if options.task is None else [store.task(options.task)]
    samples = store.read()
    for task in tasks:
        own = [sample for sample in samples if sample.task == task.name]
        found = Counter(sample.label for sample in own)
        counts = {label: found[label] for label in dict.fromkeys([*task.labels, *found])}
        sessions = len({sample.session for sample in own})
        moving = sum(sample.moving_s is not None for sample in own)
        if options.json:
            line = {
                "task": task.name,
                "region": task.subject,
                "samples": len(own),
                "sessions": sessions,
                "moving": moving,
                "labels": counts,
            }
            print(json.dumps(line, ensure_ascii=False))
            continue
        of_them = f", {moving} of them movements" if moving else ""
        print(f"{task.name} ({task.subject}): {len(own)} samples in {sessions} sessions{of_them}")
        for label, count in counts.items():
            print(f"  {count:6}  {label}")
    if not tasks and not options.json:
        make = "python -m recognizer tasks new NAME --subject hand --labels ok,stop"
        print(f"There is no task in {store.folder} yet. Create one: {make}")
    return 0


def _show(args: Sequence[str]) -> int:
    parser = Parser(
        "samples show", "Draw a contact sheet of samples with their ids.", example="greetings --label hello"
    )
    add_task(parser)
    parser.add_argument("--label", help="only samples of this label")
    parser.add_argument(
        "--each", type=at_least_1, default=PER_LABEL, metavar="N", help=f"samples of each label (default {PER_LABEL})"
    )
    parser.add_argument("--output", type=given_path, metavar="PNG", help="default output/samples-TASK.png")
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    task = store.task(options.task).name
    sheet, missing = contact_sheet(store, task, label=options.label, each=options.each)
    path = options.output or Path("output") / f"samples-{task}.png"
    write_png(path, sheet)
    print(f"Wrote {path}")
    if missing:
        print(missing_fonts(missing), file=sys.stderr)
    return 0


def _relabel(args: Sequence[str]) -> int:
    parser = Parser(
        "samples relabel",
        "Give another label to all samples of a label, or to selected samples.",
        example="greetings helo hello",
    )
    add_task(parser)
    parser.add_argument("label", metavar="FROM")
    parser.add_argument("to", metavar="TO")
    _add_choice(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    if options.sample or options.session:
        count = store.relabel(_selected(store, options), options.to)
    else:
        count = store.rename_label(options.task, options.label, options.to)
    print(f"Relabelled {count} samples of {options.task}: {options.label} to {options.to}")
    return 0


def _delete(args: Sequence[str]) -> int:
    parser = Parser(
        "samples delete", "Delete selected samples, a label, or a whole task.", example="greetings --label hello"
    )
    add_task(parser)
    parser.add_argument(
        "--label", help="samples of this label; without --sample and --session, the label itself is deleted too"
    )
    parser.add_argument("--all", action="store_true", help="delete the task and all its samples")
    _add_choice(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    if options.sample or options.session:
        count = store.delete(_selected(store, options))
    elif options.label is not None:
        count = store.delete_label(options.task, options.label)
    elif options.all:
        count = store.delete_task(options.task)
    else:
        raise SamplesError(
            "Nothing was selected to delete. Give --label, --sample, --session, or --all for the task with all its samples."
        )
    print(f"Deleted {count} samples of {options.task}")
    return 0


def _merge(args: Sequence[str]) -> int:
    parser = Parser("samples merge", "Move all samples of a task into another one.", example="signs greetings")
    add_task(parser)
    parser.add_argument("into", metavar="INTO", help="another task of the same subject")
    add_samples(parser)
    options = parser.parse_args(args)
    count = options.samples.merge(options.task, options.into)
    print(f"Moved {count} samples of {options.task} into {options.into}")
    return 0


def _export(args: Sequence[str]) -> int:
    parser = Parser("samples export", "Write pictures and samples.csv to a zip file.", example="greetings samples.zip")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: all")
    parser.add_argument("zip", type=given_path, metavar="ZIP", help="the file to write")
    parser.add_argument(
        "--for-spreadsheets", action="store_true", help="write cells of samples.csv so that none is run as a formula"
    )
    add_samples(parser)
    options = parser.parse_args(args)
    left_out = export_zip(
        options.samples, options.zip, options.tasks or None, for_spreadsheets=options.for_spreadsheets
    )
    print(f"Wrote {options.zip}")
    return _print_lines(left_out)


def _import(args: Sequence[str]) -> int:
    parser = Parser(
        "samples import", "Import an exported zip file, also unpacked, or pictures in folders named by label.",
        example="greetings photos/ --subject hand",
    )  # fmt: skip
    parser.add_argument(
        "task", nargs="?", metavar="TASK", help="for a folder of pictures; an export names its tasks itself"
    )
    parser.add_argument("path", type=given_path, metavar="ZIP|DIR")
    parser.add_argument("--subject", choices=SUBJECTS, help="subject of a new task")
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    if not options.path.exists():
        raise SamplesError(
            f"{options.path} does not exist. Give a zip file of samples export, or a folder of pictures."
        )
    if not options.path.is_dir():
        if not zipfile.is_zipfile(options.path):
            raise SamplesError(
                f"{options.path} is not a readable zip file. Give one of samples export, or a folder of pictures."
            )
        if options.task or options.subject:
            raise SamplesError("A zip file names its tasks itself. Leave out TASK and --subject.")
        return _print_imported(import_zip(store, options.path))
    if is_unpacked_export(options.path):
        if options.subject:
            raise SamplesError(
                f"{options.path} is an export, which states the subject of its tasks. Leave out --subject."
            )
        return _print_imported(import_zip(store, options.path, options.task))
    if not options.task:
        raise SamplesError(
            f"A folder needs the name of a task. Give one: python -m recognizer samples import TASK {options.path}"
        )
    if options.subject is not None and options.task not in [task.name for task in store.tasks()]:
        store.create_task(options.task, options.subject, folder_labels(options.path))
    subject = store.task(options.task).subject
    check_subject(options.task, subject, options.subject)
    with subject_of(subject).picture_finder() as find:
        return _print_imported(import_folder(store, options.path, options.task, find))


def _verify(args: Sequence[str]) -> int:
    parser = Parser("samples verify", "Find rows without pictures, pictures without rows, and unreadable files.")
    parser.add_argument(
        "--set-aside", action="store_true", help="move invalid rows and pictures to .set-aside/; nothing is deleted"
    )
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    problems = verify(store)
    if not problems:
        print(f"{len(store.read())} samples in {store.folder}: no problems found")
        return 0
    _print_lines([str(problem) for problem in problems])
    if options.set_aside:
        movable = [problem for problem in problems if problem.line is not None or problem.path is not None]
        print(f"Moved {len(movable)} to {set_aside(store, movable)}")
        return SOME_FAILED if len(movable) < len(problems) else 0
    return SOME_FAILED


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample",
        action="append",
        default=[],
        metavar="ID",
        help="an id that the contact sheet shows; may be repeated",
    )
    parser.add_argument("--session", help="only samples of this session")


def _selected(store: Samples, options: argparse.Namespace) -> list[Sample]:
    """The samples that the options select. Raises SamplesError if a label, id or session has no samples."""
    samples = store.read(options.task)
    if options.label is not None:
        samples = [sample for sample in samples if sample.label == options.label]
    if options.session is not None:
        samples = [sample for sample in samples if sample.session == options.session]
    if options.sample:
        chosen = {found.id for name in options.sample for found in [_named(samples, name, options.task)]}
        samples = [sample for sample in samples if sample.id in chosen]
    if not samples:
        raise SamplesError(f"No sample of {options.task} matches these options. See: samples list {options.task}")
    return samples


def _named(samples: Sequence[Sample], name: str, task: str) -> Sample:
    """The sample with this id, path or short id. Raises SamplesError if there is none, or several have the short id."""
    found = [sample for sample in samples if name in (sample.id, sample.path)]
    found = found or [sample for sample in samples if name == sample.short_id]
    if not found:
        raise SamplesError(f"There is no sample {name} among the selected samples of {task}. See: samples show {task}")
    if len(found) > 1:
        ids = ", ".join(sample.id for sample in found)
        raise SamplesError(f"{len(found)} samples of {task} have ids that end in {name}. Give one of them whole: {ids}")
    return found[0]


def _print_imported(imported: ImportResult) -> int:
    there = f", {imported.duplicates} skipped because the task has them already" if imported.duplicates else ""
    print(f"Imported {len(imported.added)} samples{there}")
    return _print_lines(imported.refused)


def _print_lines(lines: Sequence[str]) -> int:
    print_messages(lines)
    return SOME_FAILED if lines else 0


SUBCOMMANDS = {
    "record": Subcommand("TASK", "record from a video, a folder or a camera, without a window", record),
    "list": Subcommand("[TASK]", "list tasks, their labels and the number of samples", _list),
    "show": Subcommand("TASK", "draw a contact sheet with ids: output/samples-TASK.png", _show),
    "relabel": Subcommand(
        "TASK FROM TO", "give another label to all samples of a label, or to selected ones", _relabel
    ),
    "delete": Subcommand("TASK", "delete selected samples, or the task with --all", _delete),
    "merge": Subcommand("TASK INTO", "move all samples into another task of the same subject", _merge),
    "export": Subcommand("[TASK…] ZIP", "write pictures and samples.csv to a zip file", _export),
    "import": Subcommand(
        "ZIP | TASK DIR", "import such a file, or a folder with one folder of pictures per label", _import
    ),
    "verify": Subcommand("", "find rows without pictures, pictures without rows, and unreadable files", _verify),
}
