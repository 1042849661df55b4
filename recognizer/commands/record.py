"""`recognizer samples record`: records samples of one label from a video, a folder of pictures, a camera or the studio."""

import argparse
from collections.abc import Sequence

from recognizer.commands.asking import add_new, check_label
from recognizer.commands.options import Parser, add_models, add_task, at_least_1
from recognizer.commands.samples_option import add_samples
from recognizer.samples.sample import Task, clean_label
from recognizer.sources.opening import open_source
from recognizer.subjects.catalogue import subject_of
from recognizer.system.ctrl_c import CtrlC
from recognizer.tasks import task_to_record
from recognizer.teaching.capture import EVERY_NTH, CaptureCounts, capture

ENDLESS_FRAMES = 300  # of a source without an end: ten seconds at 30 fps


def record(args: Sequence[str]) -> int:
    """Return 0, or 1 if no sample was saved. Raises RecognizerError."""
    parser = Parser(
        "samples record",
        "Record samples of one label without a window: still signs, or the movements of hands. "
        "Blurred and similar frames are skipped.",
        example="greetings --label hello --source clip.mp4",
    )
    add_task(parser)
    parser.add_argument("--label", required=True, help="label of what the source shows")
    parser.add_argument("--source", required=True, help="video file, picture folder, camera number, studio or URL")
    parser.add_argument(
        "--every", type=at_least_1, default=EVERY_NTH, metavar="N", help=f"use every Nth frame ({EVERY_NTH})"
    )
    parser.add_argument("--max", type=at_least_1, metavar="N", help="stop after N samples")
    parser.add_argument("--max-frames", type=at_least_1, metavar="N", help="stop after N of these frames")
    parser.add_argument("--still", action="store_true", help="record still signs even if the hands move")
    add_new(parser)
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    store = options.samples
    task = task_to_record(store, options.models, options.task)
    label, captured = clean_label(options.label), CaptureCounts()
    check_label(task.name, label, task.labels, options)
    try:
        _record(options, task, label, captured)
    except KeyboardInterrupt:
        print(f"Stopped. {_summary(task, label, captured)}")
        raise
    print(_summary(task, label, captured))
    return 0 if captured.saved else 1


def _record(options: argparse.Namespace, task: Task, label: str, captured: CaptureCounts) -> None:
    """Record, and count in `captured` what is saved and skipped."""
    store = options.samples
    with (
        CtrlC() as ctrl_c,
        open_source(options.source) as source,
        subject_of(task.subject).finding(stream=True) as finder,
    ):
        if label not in task.labels:
            store.add_labels(task.name, [label])
            print(f"{task.name} has a new label: {label}")
        endless = source.live or options.source.startswith("studio")
        max_frames = options.max_frames or (ENDLESS_FRAMES // options.every if endless else None)
        frames = ctrl_c.frames(source)
        counts = options.every, options.max, max_frames, captured
        capture(store, task.name, label, frames, finder, *counts, still=options.still)


def _summary(task: Task, label: str, captured: CaptureCounts) -> str:
    if captured.moving:
        return f"Saved {captured.moving} movements of {label} in {task.name}. If the sign is still, add --still."
    return (
        f"Saved {captured.saved} samples of {label} in {task.name}. Skipped: {captured.empty} without a {task.subject}, "
        f"{captured.blurred} blurred, {captured.duplicates} similar to an earlier one"
    )
