"""`recognizer samples`: records captured samples and looks after them."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands.options import Parser, Subcommand, add_task, at_least_1, run_subcommand
from recognizer.commands.record import record
from recognizer.commands.sample_sheet import PER_LABEL, contact_sheet
from recognizer.commands.samples_option import add_samples
from recognizer.errors import SamplesError
from recognizer.overlay.text import missing_fonts
from recognizer.samples.archive import ImportResult, export_zip, import_zip
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.verify import set_aside, verify
from recognizer.sinks.png import write_png
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.system.terminal import SOME_FAILED
from recognizer.teaching.import_pictures import check_subject, folder_labels, import_folder

PRINTED_LIMIT = 20  # problems told one by one; the rest are counted


def run(args: Sequence[str]) -> int:
    """Returns 0, 1 where something was refused or is wrong, or raises RecognizerError."""
    return run_subcommand(
        "samples", "Record captured samples and look after them.", SUBCOMMANDS, "show greetings", args
    )


def _list(args: Sequence[str]) -> int:
    parser = Parser("samples list", "List tasks, their labels and how many samples each has.", example="greetings")
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object a task and line")
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    tasks = store.tasks() if options.task is None else [store.task(options.task)]
    samples = store.read()
    for task in tasks:
        own = [sample for sample in samples if sample.task == task.name]
        found = Counter(sample.label for sample in own)
        counts = {label: found[label] for label in dict.fromkeys([*task.labels, *found])}
        sessions = len({sample.session for sample in own})
        if options.json:
            line = {
                "task": task.name,
                "region": task.subject,
                "samples": len(own),
                "sessions": sessions,
                "labels": counts,
            }
            print(json.dumps(line, ensure_ascii=False))
            continue
        print(f"{task.name} ({task.subject}): {len(own)} samples in {sessions} sessions")
        for label, count in counts.items():
            print(f"  {count:6}  {label}")
    if not tasks and not options.json:
        make = "python -m recognizer tasks new NAME --subject hand --labels ok,stop"
        print(f"No task in {store.folder} yet. Make one: {make}")
    return 0


def _show(args: Sequence[str]) -> int:
    parser = Parser("samples show", "Draw a contact sheet with the samples' ids.", example="greetings --label hello")
    add_task(parser)
    parser.add_argument("--label", help="of this label alone")
    parser.add_argument(
        "--each", type=at_least_1, default=PER_LABEL, metavar="N", help=f"samples of each label (default {PER_LABEL})"
    )
    parser.add_argument("--output", type=Path, metavar="PNG", help="default output/samples-TASK.png")
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
        "Give all samples of a label another one, or those that are chosen.",
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
        "samples delete", "Delete the samples that are chosen, or a task.", example="greetings --label hello"
    )
    add_task(parser)
    parser.add_argument("--label", help="samples of this label, and the label itself where nothing else is chosen")
    parser.add_argument("--all", action="store_true", help="the task with all its samples")
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
            "Say what to delete: --label, --sample, --session, or --all for the task with all its samples."
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
    parser = Parser("samples export", "Write pictures and samples.csv into one file.", example="greetings samples.zip")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: all")
    parser.add_argument("zip", type=Path, metavar="ZIP", help="the file to write")
    add_samples(parser)
    options = parser.parse_args(args)
    left_out = export_zip(options.samples, options.zip, options.tasks or None)
    print(f"Wrote {options.zip}")
    return _print_lines(left_out)


def _import(args: Sequence[str]) -> int:
    parser = Parser(
        "samples import", "Add the samples of an exported zip, or pictures in folders named by label.",
        example="greetings photos/ --subject hand",
    )  # fmt: skip
    parser.add_argument("task", nargs="?", metavar="TASK", help="for a folder; a zip says itself which tasks it holds")
    parser.add_argument("path", type=Path, metavar="ZIP|DIR")
    parser.add_argument("--subject", choices=SUBJECTS, help="of a task that is new")
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    if not options.path.exists():
        raise SamplesError(f"{options.path} is not there. Give a zip of samples export, or a folder of label/picture.")
    if not options.path.is_dir():
        if options.task or options.subject:
            raise SamplesError("A zip says itself which tasks it holds: leave out TASK and --subject.")
        return _print_imported(import_zip(store, options.path))
    if not options.task:
        raise SamplesError(
            f"A folder does not say which task it is for. Name one: python -m recognizer samples import TASK {options.path}"
        )
    if options.subject is not None and options.task not in [task.name for task in store.tasks()]:
        store.create_task(options.task, options.subject, folder_labels(options.path))
    subject = store.task(options.task).subject
    check_subject(options.task, subject, options.subject)
    with subject_of(subject).picture_finder() as find:
        return _print_imported(import_folder(store, options.path, options.task, find))


def _verify(args: Sequence[str]) -> int:
    parser = Parser("samples verify", "Find rows without pictures, pictures without rows, and what cannot be read.")
    parser.add_argument(
        "--set-aside", action="store_true", help="move what is wrong to .set-aside/; nothing is deleted"
    )
    add_samples(parser)
    options = parser.parse_args(args)
    store = options.samples
    problems = verify(store)
    if not problems:
        print(f"{len(store.read())} samples in {store.folder}: all is well")
        return 0
    _print_lines([str(problem) for problem in problems])
    if options.set_aside:
        movable = [problem for problem in problems if problem.line is not None or problem.path is not None]
        print(f"Set {len(movable)} aside in {set_aside(store, movable)}")
        return SOME_FAILED if len(movable) < len(problems) else 0
    return SOME_FAILED


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", action="append", default=[], metavar="ID", help="as the contact sheet shows it")
    parser.add_argument("--session", help="those of this session alone")


def _selected(store: Samples, options: argparse.Namespace) -> list[Sample]:
    """The task's samples that the flags choose; a label, id or session without samples is an error."""
    samples = store.read(options.task)
    if options.label is not None:
        samples = [sample for sample in samples if sample.label == options.label]
    if options.session is not None:
        samples = [sample for sample in samples if sample.session == options.session]
    for name in options.sample:
        if not any(name in (sample.id, sample.path) for sample in samples):
            raise SamplesError(
                f"No sample {name} among those chosen of {options.task}. See: samples show {options.task}"
            )
    if options.sample:
        samples = [sample for sample in samples if sample.id in options.sample or sample.path in options.sample]
    if not samples:
        raise SamplesError(f"No sample of {options.task} is chosen by that. See: samples list {options.task}")
    return samples


def _print_imported(imported: ImportResult) -> int:
    there = f", {imported.duplicates} were there already" if imported.duplicates else ""
    print(f"Imported {len(imported.added)} samples{there}")
    return _print_lines(imported.refused)


def _print_lines(lines: Sequence[str]) -> int:
    for line in lines[:PRINTED_LIMIT]:
        print(line, file=sys.stderr)
    if len(lines) > PRINTED_LIMIT:
        print(f"… and {len(lines) - PRINTED_LIMIT} more", file=sys.stderr)
    return SOME_FAILED if lines else 0


SUBCOMMANDS = {
    "record": Subcommand("TASK", "out of a video, a folder or a camera, without a window", record),
    "list": Subcommand("[TASK]", "tasks, their labels and how many samples each has", _list),
    "show": Subcommand("TASK", "a contact sheet, output/samples-TASK.png, with the samples' ids", _show),
    "relabel": Subcommand("TASK FROM TO", "all samples of a label, or those that are chosen", _relabel),
    "delete": Subcommand("TASK", "samples that are chosen, or the task with --all", _delete),
    "merge": Subcommand("TASK INTO", "all samples of a task into another of the same subject", _merge),
    "export": Subcommand("[TASK…] ZIP", "pictures and samples.csv in one file", _export),
    "import": Subcommand("ZIP | TASK DIR", "such a file, or a folder of label/picture", _import),
    "verify": Subcommand("", "rows without pictures, pictures without rows, and what cannot be read", _verify),
}
