"""Records samples from a source without a window."""

from collections.abc import Iterable, Iterator
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
    counts: CaptureCounts | None = None,
    *,
    still: bool = False,
) -> CaptureCounts:
    """Save a sample from each `every`th frame, except frames that are empty, blurred or near-duplicates of a recent sample.

    If hands move for a good part of the frames, their movements are saved instead, unless `still`. Stop after `max_samples`
    samples, or after `max_frames` of these frames. The finder gets every frame, because it tracks objects over time.
    `counts` is kept up to date, also for a caller who is interrupted. Raises SamplesError.
    """
    counts = CaptureCounts() if counts is None else counts
    press = Press(label, is_hands_free=True)
    session = new_session()
    shown = _observations(store, task, frames, finder, still, press)
    try:
        _capture_still(store, task, shown, session, every, max_samples, max_frames, press, counts)
    finally:  # also for a caller who is interrupted
        _capture_movements(store, task, session, max_samples, press, counts)
    return counts


def _observations(
    store: Samples, task: str, frames: Iterable[Frame], finder: RegionFinder, still: bool, press: Press
) -> Iterator[Observation]:
    """What is found in each frame, with the movements of hands unless `still`; `press` gets all of it."""
    motion = None if still else subject_of(store.task(task).subject).open_motion(None)
    for frame in frames:
        regions = tuple(finder.find(frame))
        observation = Observation(frame, task, regions)
        if motion is not None:
            found = motion.step(frame, regions, [NO_PREDICTION] * len(regions))
            observation = replace(observation, movement=found.movement, is_moving=found.is_moving)
            press.see(observation, is_on=True)
        yield observation


def _capture_still(
    store: Samples,
    task: str,
    observations: Iterable[Observation],
    session: str,
    every: int,
    max_samples: int | None,
    max_frames: int | None,
    press: Press,
    counts: CaptureCounts,
) -> None:
    """Save still samples, which `press` notes."""
    subject = subject_of(store.task(task).subject)
    thumbnails: list[np.ndarray] = []
    for number, observation in enumerate(observations):
        is_enough = counts.saved == max_samples
        if number // every == max_frames or (is_enough and not observation.is_moving):
            break
        if number % every or is_enough:
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
            frame = observation.frame
            press.stored.append(store.add(task, press.label, region, frame, session, frame.name))
            counts.saved += 1
            thumbnails = [*thumbnails, thumbnail][-RECENT_THUMBNAILS:]


def _capture_movements(
    store: Samples, task: str, session: str, max_samples: int | None, press: Press, counts: CaptureCounts
) -> None:
    """Save the movements instead of the still samples, if the hands moved for a good part of the time."""
    demonstrations = press.demonstrations[:max_samples]
    if not demonstrations:
        return
    for one in demonstrations:
        store.add_movement(task, press.label, one.movement, one.strip_bgr, one.box, session, press.source)
    store.undo(press.stored)
    counts.saved = counts.moving = len(demonstrations)
