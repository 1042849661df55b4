"""Records samples from a source without a window."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.preprocess import sharpness
from recognizer.samples.sample import new_session
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.teaching.press import Press
from recognizer.teaching.recording import RECENT_THUMBNAILS, main_region
from recognizer.values import Frame, Observation, Prediction

NO_PREDICTION = Prediction(None, 0.0, (), np.zeros((1, 1), np.uint8))
EVERY_NTH = 3  # frames: ten samples a second at 30 fps, as with a held key in the window


@dataclass
class CaptureCounts:
    """How many frames were saved or skipped."""

    saved: int = 0
    empty: int = 0  # no region was found
    blurred: int = 0
    duplicates: int = 0
    moving: int = 0  # of those saved: movements


def capture(
    store: Samples,
    task: str,
    label: str,
    frames: "Iterable[Frame]",
    finder: RegionFinder,
    every: int = EVERY_NTH,
    max_samples: int | None = None,
    max_frames: int | None = None,
    *,
    still: bool = False,
) -> CaptureCounts:
    """Save a sample from each `every`th frame, except frames that are empty, blurred or near-duplicates of a recent sample.

    If hands move for a good part of the frames, their movements are saved instead, unless `still`. Stop after `max_samples`
    samples, or after `max_frames` of these frames. The finder gets every frame, because it tracks objects over time.
    Raises SamplesError.
    """

    counts, session, subject = CaptureCounts(), new_session(), subject_of(store.task(task).subject)
    thumbnails: list[np.ndarray] = []
    motion = None if still else subject.open_motion(None)
    press = Press(label, is_hands_free=True)
    for number, frame in enumerate(frames):
        if number // every == max_frames:
            break
        regions = finder.find(frame)
        observation = Observation(frame, task, tuple(regions))
        if motion is not None:
            found = motion.step(frame, regions, [NO_PREDICTION] * len(regions))
            observation = replace(observation, movement=found.movement, is_moving=found.is_moving)
            press.see(observation, is_on=True)
        if counts.saved == max_samples and not observation.is_moving:
            break
        if number % every or counts.saved == max_samples:
            continue
        region = main_region(observation)
        if region is None or subject.lacks_joints(region):
            counts.empty += 1
            continue
        thumbnail = sharpness.thumbnail(region.crop)
        if sharpness.sharpness(region.crop) < sharpness.BLURRED:
            counts.blurred += 1
        elif sharpness.is_duplicate(thumbnail, thumbnails):
            counts.duplicates += 1
        else:
            press.stored.append(store.add(task, label, region, frame, session, frame.name))
            counts.saved += 1
            thumbnails = [*thumbnails, thumbnail][-RECENT_THUMBNAILS:]
    if demonstrations := press.demonstrations[:max_samples]:
        for one in demonstrations:
            store.add_movement(task, label, one.movement, one.strip_bgr, one.box, session, press.source)
        store.undo(press.stored)
        counts.saved = counts.moving = len(demonstrations)
    return counts
