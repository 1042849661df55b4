"""Records samples from a source without a window."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.finders.finder import RegionFinder
from recognizer.preprocess import sharpness
from recognizer.samples.sample import new_session
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.teaching.recording import RECENT_THUMBNAILS, main_region
from recognizer.values import Frame, Observation

if TYPE_CHECKING:
    import numpy as np


EVERY_NTH = 3  # frames: ten samples a second at 30 fps, as with a held key in the window


@dataclass
class CaptureCounts:
    """How many frames were saved or skipped."""

    saved: int = 0
    empty: int = 0  # no region was found
    blurred: int = 0
    duplicates: int = 0


def capture(
    store: Samples,
    task: str,
    label: str,
    frames: "Iterable[Frame]",
    finder: RegionFinder,
    every: int = EVERY_NTH,
    max_samples: int | None = None,
    max_frames: int | None = None,
    counts: CaptureCounts | None = None,
) -> CaptureCounts:
    """Save a sample from each `every`th frame, except frames that are empty, blurred or near-duplicates of a recent sample.

    Stop after `max_samples` samples, or after `max_frames` of these frames. The finder gets every frame, because it tracks
    objects over time. `counts` is kept up to date, also for a caller who is interrupted. Raises SamplesError.
    """
    counts = CaptureCounts() if counts is None else counts
    session, subject = new_session(), subject_of(store.task(task).subject)
    thumbnails: list[np.ndarray] = []
    for number, frame in enumerate(frames):
        if counts.saved == max_samples or number // every == max_frames:
            break
        regions = finder.find(frame)
        if number % every:
            continue
        region = main_region(Observation(frame, task, tuple(regions)))
        if region is None or subject.lacks_joints(region):
            counts.empty += 1
            continue
        thumbnail = sharpness.thumbnail(region.crop)
        if sharpness.sharpness(region.crop) < sharpness.BLURRED:
            counts.blurred += 1
        elif sharpness.is_duplicate(thumbnail, thumbnails):
            counts.duplicates += 1
        else:
            store.add(task, label, region, frame, session, frame.name)
            counts.saved += 1
            thumbnails = [*thumbnails, thumbnail][-RECENT_THUMBNAILS:]
    return counts
