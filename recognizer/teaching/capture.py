"""Captures samples from a source without a window."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.finders.finder import RegionFinder
from recognizer.preprocess import sharpness
from recognizer.samples.sample import new_session
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.teaching.recording import SIMILAR_KEPT, shown_region
from recognizer.values import Frame, Observation

if TYPE_CHECKING:
    import numpy as np


EVERY = 3  # frames: ten samples a second of a 30-fps video, as a held key records


@dataclass
class Captured:
    """What a capture did with the frames that it looked at."""

    kept: int = 0
    empty: int = 0  # nothing was found in it
    blurred: int = 0
    duplicates: int = 0


def capture(
    store: Samples,
    task: str,
    label: str,
    frames: "Iterable[Frame]",
    finder: RegionFinder,
    every: int = EVERY,
    most: int | None = None,
    looks: int | None = None,
) -> Captured:
    """Keep a sample of each `every`th frame that shows something sharp and new, until `most` are kept or `looks` made.

    The finder sees all frames, since it follows what it has found. Raises SamplesError.
    """

    captured, session, subject = Captured(), new_session(), subject_of(store.task(task).subject)
    thumbnails: list[np.ndarray] = []
    for number, frame in enumerate(frames):
        if captured.kept == most or number // every == looks:
            break
        regions = finder.find(frame)
        if number % every:
            continue
        region = shown_region(Observation(frame, task, tuple(regions)))
        if region is None or subject.lacks_joints(region):
            captured.empty += 1
            continue
        thumbnail = sharpness.thumbnail(region.crop)
        if sharpness.sharpness(region.crop) < sharpness.BLURRED:
            captured.blurred += 1
        elif sharpness.is_duplicate(thumbnail, thumbnails):
            captured.duplicates += 1
        else:
            store.add(task, label, region, frame, session, frame.name)
            captured.kept += 1
            thumbnails = [*thumbnails, thumbnail][-SIMILAR_KEPT:]
    return captured
