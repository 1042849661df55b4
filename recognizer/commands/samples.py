"""`recognizer samples`: records and manages samples."""

import argparse
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from recognizer.commands.asking import add_new, add_yes, check_label, is_confirmed
from recognizer.commands.options import (
    Parser,
    Subcommand,
    add_models,
    add_task,
    at_least_1,
    given_path,
    run_subcommand,
)
from recognizer.commands.record import record
from recognizer.commands.sample_sheet import PER_LABEL, contact_sheet
from recognizer.commands.samples_option import add_samples
from recognizer.errors import SamplesError
from recognizer.overlay.text import missing_fonts
from recognizer.samples.archive import ImportResult, export_zip, import_zip
from recognizer.samples.exported import is_unpacked_export
from recognizer.samples.sample import Sample, clean_label
from recognizer.samples.store import Samples
from recognizer.samples.verify import set_aside, verify
from recognizer.sinks.png import write_png
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.system.terminal import SOME_FAILED, print_messages
from recognizer.teaching import changes
from recognizer.teaching.changes import Deleted, What
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
        "Give another label to selected samples, or rename a label of the task and of its models. "
        "If both labels are the task's, they are merged.",
        example="greetings helo hello",
    )
    add_task(parser)
    parser.add_argument("label", metavar="FROM")
    parser.add_argument("to", metavar="TO")
    add_new(parser)
    _add_choice(parser)
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    store, to = options.samples, clean_label(options.to)
    check_label(options.task, to, changes.labels_of(options.models, store, options.task), options)
    if options.sample or options.session:
        chosen = _selected(store, options)
        store.add_labels(options.task, [to])
        count, model, must_retrain = store.relabel(chosen, to), None, False
    else:
        done = changes.rename_label(options.models, store, options.task, options.label, to)
        count, model, must_retrain = done.samples, done.model, done.must_retrain
    print(f"Relabelled {count} samples of {options.task}: {options.label} to {to}")
    if must_retrain:
        print(f"The model learns of it with the next training: python -m recognizer learn {options.task}")
    elif model is not None:
        print(f"The model of {options.task} shows {to}, too")
    return 0


def _delete(args: Sequence[str]) -> int:
    parser = Parser(
        "samples delete",
        "Move selected samples, a label, or all samples of a task to the trash.",
        example="greetings --label hello",
    )
    add_task(parser)
    parser.add_argument(
        "--label",
        help="samples of this label; without --sample and --session, the label itself is deleted too, also from the model",
    )
    parser.add_argument("--all", action="store_true", help="delete all samples, and the list of labels")
    _add_choice(parser)
    add_yes(parser)
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    store = options.samples
    if options.sample or options.session:
        count = store.delete(_selected(store, options))
    elif options.label is not None:
        count = changes.delete_label(options.models, store, options.task, options.label).samples
    elif options.all:
        count = len(store.read(options.task))
        if not is_confirmed(f"Delete the {count} samples of {options.task}?", options):
            return SOME_FAILED
        changes.delete_task(options.models, store, options.task, What.SAMPLES)
    else:
        raise SamplesError(
            "Nothing was selected to delete. Give --label, --sample, --session, or --all for the task with all its samples."
        )
    print(f"Deleted {count} samples of {options.task}. They are in the trash: python -m recognizer samples trash")
    return 0


def _trash(args: Sequence[str]) -> int:
    parser = Parser("samples trash", "List what was deleted: samples, labels, and tasks with their models.")
    parser.add_argument("--json", action="store_true", help="one JSON object per line and entry")
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    found = changes.trash(options.models, options.samples)
    for entry in found:
        print(json.dumps(asdict(entry), ensure_ascii=False) if options.json else f"{entry.name}  {_in_words(entry)}")
    if not found and not options.json:
        print("The trash is empty.")
    return 0


def _in_words(entry: Deleted) -> str:
    what = {
        "samples": f"{entry.samples} samples of {', '.join(entry.labels)} in {entry.task}",
        "label": f"the label {entry.label} of {entry.task}, {entry.samples} samples",
        "task": f"the task {entry.task}, {entry.samples} samples",
        "model": f"the model of {entry.task}",
    }[entry.kind]
    return f"{what}, {entry.versions} versions of its model" if entry.versions else what


def _restore(args: Sequence[str]) -> int:
    parser = Parser("samples restore", "Bring back what was deleted.", example="20261127-193154-000000-ab12")
    parser.add_argument(
        "entry", nargs="?", metavar="ENTRY", help="a name that samples trash prints (default: the last)"
    )
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    entry = options.entry
    if entry is None:
        found = changes.trash(options.models, options.samples)
        if not found:
            raise SamplesError("The trash is empty: there is nothing to bring back.")
        entry = found[-1].name
    back = changes.restore(options.models, options.samples, entry)
    print(f"Brought back {_in_words(back)}")
    if back.kind == "label":
        print(f"The model learns it again with the next training: python -m recognizer learn {back.task}")
    return 0


def _empty(args: Sequence[str]) -> int:
    parser = Parser("samples empty", "Delete what is in the trash for good.", example="--yes")
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="names that samples trash prints (default: all)")
    add_yes(parser)
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    found = changes.trash(options.models, options.samples)
    chosen = [entry for entry in found if not options.entries or entry.name in options.entries]
    count = sum(entry.samples for entry in chosen)
    if not found:
        print("The trash is empty.")
        return 0
    if not is_confirmed(f"Delete {len(chosen)} entries of the trash with {count} samples for good?", options):
        return SOME_FAILED
    changes.empty_trash(options.models, options.samples, options.entries or None)
    print(f"Deleted {count} samples for good")
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
    parser.add_argument("--new", action="store_true", help="folders may be named by new labels of the task")
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
    if options.task not in store.task_names():
        if options.subject is None:
            raise SamplesError(
                f"There is no task {options.task} yet. To make it with the folders as labels, add --subject and one of: "
                f"{', '.join(SUBJECTS)}."
            )
        store.create_task(options.task, options.subject, folder_labels(options.path))
    task = store.task(options.task)
    check_subject(task.name, task.subject, options.subject)
    for label in folder_labels(options.path, task.labels):
        check_label(task.name, label, task.labels, options)
    before = len(store.read(task.name))
    try:
        with subject_of(task.subject).picture_finder() as find:
            return _print_imported(import_folder(store, options.path, task.name, find))
    except KeyboardInterrupt:
        count = len(store.read(task.name)) - before
        print(f"Stopped. {count} samples of {task.name} were imported and are kept; the same command imports the rest.")
        raise


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
    "relabel": Subcommand("TASK FROM TO", "rename or merge a label, or give selected samples another one", _relabel),
    "delete": Subcommand("TASK", "move selected samples, a label, or all samples to the trash", _delete),
    "trash": Subcommand("", "list what was deleted", _trash),
    "restore": Subcommand("[ENTRY]", "bring back what was deleted", _restore),
    "empty": Subcommand("[ENTRY…]", "delete what is in the trash for good", _empty),
    "merge": Subcommand("TASK INTO", "move all samples into another task of the same subject", _merge),
    "export": Subcommand("[TASK…] ZIP", "write pictures and samples.csv to a zip file", _export),
    "import": Subcommand(
        "ZIP | TASK DIR", "import such a file, or a folder with one folder of pictures per label", _import
    ),
    "verify": Subcommand("", "find rows without pictures, pictures without rows, and unreadable files", _verify),
}
