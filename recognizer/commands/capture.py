"""Recording without a window: samples of one label out of a video, a folder of pictures, a camera or the studio."""

import argparse
from collections.abc import Sequence

from recognizer.system.remote import folder_of
from recognizer.teaching.capture import EVERY, capture

ENDLESS_FRAMES = 300  # of a source without an end: ten seconds


def run_capture(words: Sequence[str]) -> int:
    """`python -m recognizer capture`: returns 0, 1 where no sample was kept, or raises RecognizerError."""
    parser = argparse.ArgumentParser(
        prog="python -m recognizer capture",
        description="Record samples of one label without a window: sharp frames that differ from those kept before.",
    )
    parser.add_argument("--task", required=True, help="of python -m recognizer new, or one with a model")
    parser.add_argument("--label", required=True, help="what the source shows; added to the task where it is new")
    parser.add_argument("--source", required=True, help="video file, picture folder, camera number, studio, address")
    parser.add_argument("--every", type=int, default=EVERY, metavar="N", help=f"look at each Nth frame ({EVERY})")
    parser.add_argument("--max", type=int, metavar="N", help="stop after N samples")
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames looked at")
    parser.add_argument("--captures", "--data", type=folder_of, help="folder of the samples")
    parser.add_argument(
        "--models", type=folder_of, help="another model folder (default: RECOGNIZER_MODELS, else models/)"
    )
    options = parser.parse_args(words)

    from recognizer.errors import SettingsError
    from recognizer.registry import synced
    from recognizer.samples.sample import clean_label
    from recognizer.samples.store import Samples
    from recognizer.sources.opening import open_source
    from recognizer.subjects.catalogue import finding
    from recognizer.system.ctrl_c import CtrlC
    from recognizer.tasks import task_to_record

    for name in ("every", "max", "max_frames"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise SettingsError(f"--{name.replace('_', '-')} {value} is not at least 1.")
    store = Samples(options.captures)
    task = task_to_record(store, options.models or synced.models_folder(), options.task)
    label = clean_label(options.label)
    if label not in task.labels:
        store.add_labels(task.name, [label])
        print(f"{task.name} has a new label: {label}")
    with CtrlC() as ctrl_c, open_source(options.source) as source, finding(task.region, stream=True) as finder:
        endless = source.live or options.source.startswith("studio")
        looks = options.max_frames or (ENDLESS_FRAMES // options.every if endless else None)
        frames = ctrl_c.frames(source)
        captured = capture(store, task.name, label, frames, finder, options.every, options.max, looks)
    print(
        f"Kept {captured.kept} of {label} in {task.name}; left out {captured.empty} frames without a {task.region}, "
        f"{captured.blurred} blurred, {captured.duplicates} like one before"
    )
    return 0 if captured.kept else 1
