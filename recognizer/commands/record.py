"""`recognizer samples record`: samples of one label out of a video, a folder of pictures, a camera or the studio."""

from collections.abc import Sequence

from recognizer.commands.options import Parser, add_models, add_task, at_least_1
from recognizer.commands.samples_option import add_samples
from recognizer.samples.sample import clean_label
from recognizer.sources.opening import open_source
from recognizer.subjects.catalogue import subject_of
from recognizer.system.ctrl_c import CtrlC
from recognizer.tasks import task_to_record
from recognizer.teaching.capture import EVERY_NTH, capture

ENDLESS_FRAMES = 300  # of a source without an end: ten seconds


def record(args: Sequence[str]) -> int:
    """Returns 0, 1 where no sample was kept, or raises RecognizerError."""
    parser = Parser(
        "samples record",
        "Record samples of one label without a window: sharp frames that differ from those kept before.",
        example="greetings --label hello --source clip.mp4",
    )
    add_task(parser)
    parser.add_argument("--label", required=True, help="what the source shows; added to the task where it is new")
    parser.add_argument("--source", required=True, help="video file, picture folder, camera number, studio, address")
    parser.add_argument(
        "--every", type=at_least_1, default=EVERY_NTH, metavar="N", help=f"take each Nth frame ({EVERY_NTH})"
    )
    parser.add_argument("--max", type=at_least_1, metavar="N", help="stop after N samples")
    parser.add_argument("--max-frames", type=at_least_1, metavar="N", help="stop after N frames looked at")
    add_samples(parser)
    add_models(parser)
    options = parser.parse_args(args)
    store = options.samples
    task = task_to_record(store, options.models, options.task)
    label = clean_label(options.label)
    if label not in task.labels:
        store.add_labels(task.name, [label])
        print(f"{task.name} has a new label: {label}")
    with (
        CtrlC() as ctrl_c,
        open_source(options.source) as source,
        subject_of(task.subject).finding(stream=True) as finder,
    ):
        endless = source.live or options.source.startswith("studio")
        max_frames = options.max_frames or (ENDLESS_FRAMES // options.every if endless else None)
        frames = ctrl_c.frames(source)
        captured = capture(store, task.name, label, frames, finder, options.every, options.max, max_frames)
    print(
        f"Kept {captured.saved} of {label} in {task.name}; left out {captured.empty} frames without a {task.subject}, "
        f"{captured.blurred} blurred, {captured.duplicates} like one before"
    )
    return 0 if captured.saved else 1
