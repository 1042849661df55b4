"""The commands that look after captured samples: `new`, and `samples` with its sub-commands."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.errors import SamplesError
from recognizer.system.remote import folder_of
from recognizer.system.terminal import SOME_FAILED

# Whatever loads OpenCV or NumPy is imported where it is used, so that --help answers at once.
if TYPE_CHECKING:
    from recognizer.samples.archive import Imported
    from recognizer.samples.sample import Sample
    from recognizer.samples.store import Samples

SHOWN = 20  # problems told one by one; the rest are counted

SAMPLES_HELP = """\
commands:
  list [TASK]              tasks, their labels and how many samples each has
  show TASK                a contact sheet, output/samples-TASK.png, with the samples' ids
  relabel TASK FROM TO     all samples of a label, or those chosen with --sample and --session
  delete TASK              samples chosen with --label, --sample and --session, or the task with --all
  merge TASK INTO          all samples of one task into another of the same region
  export ZIP [TASK…]       pictures and samples.csv in one file
  import ZIP|DIR           such a file, or a folder of label/picture with --task
  verify                   finds rows without pictures, pictures without rows, and what cannot be read
"""


def run_samples(words: Sequence[str]) -> int:
    """`python -m recognizer samples`: returns 0, 1 where something was refused or is wrong, or raises RecognizerError."""
    parser = argparse.ArgumentParser(
        prog="python -m recognizer samples",
        description="Look after the captured samples.",
        epilog=SAMPLES_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--captures",
        "--data",
        type=folder_of,
        help="another folder (default: RECOGNIZER_CAPTURES, else data/captures/)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", help="one of those below")

    command = commands.add_parser("list")
    command.add_argument("task", nargs="?")
    command.add_argument("--json", action="store_true", help="one JSON object a task and line")

    command = commands.add_parser("show")
    command.add_argument("task")
    command.add_argument("--label", help="of this label alone")
    command.add_argument("--each", type=int, default=16, metavar="N", help="samples of each label (default 16)")
    command.add_argument("--output", type=Path, metavar="PNG", help="default output/samples-TASK.png")

    command = commands.add_parser("relabel")
    command.add_argument("task")
    command.add_argument("label", metavar="FROM")
    command.add_argument("to", metavar="TO")
    _add_choice(command)

    command = commands.add_parser("delete")
    command.add_argument("task")
    command.add_argument("--label", help="samples of this label, and the label itself where nothing else is chosen")
    command.add_argument("--all", action="store_true", help="the task with all its samples")
    _add_choice(command)

    command = commands.add_parser("merge")
    command.add_argument("task")
    command.add_argument("into")

    command = commands.add_parser("export")
    command.add_argument("zip", type=Path, metavar="ZIP")
    command.add_argument("tasks", nargs="*", metavar="TASK", help="default: all")

    command = commands.add_parser("import")
    command.add_argument("path", type=Path, metavar="ZIP|DIR")
    command.add_argument("--task", help="for a folder: the task; where it is new, with --region")
    command.add_argument("--region", choices=("hand", "paper", "box"), help="of a task that is new")

    command = commands.add_parser("verify")
    command.add_argument(
        "--set-aside", action="store_true", help="move what is wrong to .set-aside/; nothing is deleted"
    )

    options = parser.parse_args(words or ["--help"])
    if getattr(options, "each", 1) < 1:
        raise SamplesError(f"--each {options.each} is not at least 1.")

    from recognizer.samples.store import Samples

    store = Samples(options.captures)
    run = {
        "list": _list,
        "show": _show,
        "relabel": _relabel,
        "delete": _delete,
        "merge": _merge,
        "export": _export,
        "import": _import,
        "verify": _verify,
    }
    return run[options.command](store, options)


def _list(store: "Samples", options: argparse.Namespace) -> int:
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
                "region": task.region,
                "samples": len(own),
                "sessions": sessions,
                "labels": counts,
            }
            print(json.dumps(line, ensure_ascii=False))
            continue
        print(f"{task.name} ({task.region}): {len(own)} samples in {sessions} sessions")
        for label, count in counts.items():
            print(f"  {count:6}  {label}")
    if not tasks and not options.json:
        print(f"No task in {store.folder} yet. Make one: python -m recognizer new NAME --region hand --labels ok,stop")
    return 0


def _show(store: "Samples", options: argparse.Namespace) -> int:
    from recognizer.commands.sample_sheet import contact_sheet
    from recognizer.overlay.text import missing_fonts
    from recognizer.sinks.png import write_png

    task = store.task(options.task).name
    sheet, missing = contact_sheet(store, task, label=options.label, each=options.each)
    path = options.output or Path("output") / f"samples-{task}.png"
    write_png(path, sheet)
    print(f"Wrote {path}")
    if missing:
        print(missing_fonts(missing), file=sys.stderr)
    return 0


def _relabel(store: "Samples", options: argparse.Namespace) -> int:
    if options.sample or options.session:
        count = store.relabel(_chosen(store, options), options.to)
    else:
        count = store.rename_label(options.task, options.label, options.to)
    print(f"Relabelled {count} samples of {options.task}: {options.label} to {options.to}")
    return 0


def _delete(store: "Samples", options: argparse.Namespace) -> int:
    if options.sample or options.session:
        count = store.delete(_chosen(store, options))
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


def _merge(store: "Samples", options: argparse.Namespace) -> int:
    count = store.merge(options.task, options.into)
    print(f"Moved {count} samples of {options.task} into {options.into}")
    return 0


def _export(store: "Samples", options: argparse.Namespace) -> int:
    from recognizer.samples.archive import export_zip

    left_out = export_zip(store, options.zip, options.tasks or None)
    print(f"Wrote {options.zip}")
    return _told(left_out)


def _import(store: "Samples", options: argparse.Namespace) -> int:
    from recognizer.samples.archive import import_zip
    from recognizer.subjects.catalogue import picture_finder
    from recognizer.teaching.import_pictures import import_folder, labels_in

    if not options.path.exists():
        raise SamplesError(f"{options.path} is not there. Give a zip of samples export, or a folder of label/picture.")
    if not options.path.is_dir():
        if options.task or options.region:
            raise SamplesError("A zip says itself which tasks it holds: leave out --task and --region.")
        return _tell_import(import_zip(store, options.path))
    if not options.task:
        raise SamplesError("A folder does not say which task it is for. Add --task NAME.")
    if options.region is not None and options.task not in [task.name for task in store.tasks()]:
        store.create_task(options.task, options.region, labels_in(options.path))
    region = store.task(options.task).region
    if options.region not in (None, region):
        raise SamplesError(f"The task {options.task} shows a {region}, not a {options.region}. Leave out --region.")
    with picture_finder(region) as find:
        return _tell_import(import_folder(store, options.path, options.task, find))


def _verify(store: "Samples", options: argparse.Namespace) -> int:
    from recognizer.samples.verify import set_aside, verify

    problems = verify(store)
    if not problems:
        print(f"{len(store.read())} samples in {store.folder}: all is well")
        return 0
    _told([str(problem) for problem in problems])
    if options.set_aside:
        movable = [problem for problem in problems if problem.line is not None or problem.path is not None]
        print(f"Set {len(movable)} aside in {set_aside(store, movable)}")
        return SOME_FAILED if len(movable) < len(problems) else 0
    return SOME_FAILED


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", action="append", default=[], metavar="ID", help="as the contact sheet shows it")
    parser.add_argument("--session", help="those of this session alone")


def _chosen(store: "Samples", options: argparse.Namespace) -> "list[Sample]":
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


def _tell_import(imported: "Imported") -> int:
    there = f", {imported.already_there} were there already" if imported.already_there else ""
    print(f"Imported {len(imported.added)} samples{there}")
    return _told(imported.refused)


def _told(lines: Sequence[str]) -> int:
    for line in lines[:SHOWN]:
        print(line, file=sys.stderr)
    if len(lines) > SHOWN:
        print(f"… and {len(lines) - SHOWN} more", file=sys.stderr)
    return SOME_FAILED if lines else 0
