"""Recording without a window: samples of one label out of a video, a folder of pictures, a camera or the studio."""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.mirror import folder_of

# Whatever loads OpenCV or NumPy is imported where it is used, so that --help answers at once.
if TYPE_CHECKING:
    import numpy as np

    from recognizer.pipeline import RegionFinder
    from recognizer.samples import Samples
    from recognizer.values import Frame

EVERY = 3  # frames: ten samples a second of a 30-fps video, as a held key records
ENDLESS_FRAMES = 300  # of a source without an end: ten seconds


@dataclass
class Captured:
    """What a capture did with the frames that it looked at."""

    kept: int = 0
    empty: int = 0  # nothing was found in it
    blurred: int = 0
    duplicates: int = 0


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

    from recognizer import registry
    from recognizer.errors import SettingsError
    from recognizer.pipeline import finding
    from recognizer.samples import Samples, clean_label
    from recognizer.sources import open_source
    from recognizer.system.ctrl_c import CtrlC
    from recognizer.teach import task_to_record

    for name in ("every", "max", "max_frames"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise SettingsError(f"--{name.replace('_', '-')} {value} is not at least 1.")
    store = Samples(options.captures)
    task = task_to_record(store, options.models or registry.models_folder(), options.task)
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


def capture(
    store: "Samples",
    task: str,
    label: str,
    frames: "Iterable[Frame]",
    finder: "RegionFinder",
    every: int = EVERY,
    most: int | None = None,
    looks: int | None = None,
) -> Captured:
    """Keep a sample of each `every`th frame that shows something sharp and new, until `most` are kept or `looks` made.

    The finder sees all frames, since it follows what it has found. Raises SamplesError.
    """
    from recognizer import hints
    from recognizer.samples import new_session
    from recognizer.teach import SIMILAR_KEPT, lacks_joints, subject
    from recognizer.values import Observation

    captured, session, home = Captured(), new_session(), store.task(task)
    thumbnails: list[np.ndarray] = []
    for number, frame in enumerate(frames):
        if captured.kept == most or number // every == looks:
            break
        regions = finder.find(frame)
        if number % every:
            continue
        region = subject(Observation(frame, task, tuple(regions)))
        if region is None or lacks_joints(region, home):
            captured.empty += 1
            continue
        thumbnail = hints.thumbnail(region.crop)
        if hints.sharpness(region.crop) < hints.BLURRED:
            captured.blurred += 1
        elif hints.is_duplicate(thumbnail, thumbnails):
            captured.duplicates += 1
        else:
            store.add(task, label, region, frame, session, frame.name)
            captured.kept += 1
            thumbnails = [*thumbnails, thumbnail][-SIMILAR_KEPT:]
    return captured
