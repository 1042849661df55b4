"""Which subject a task shows, and its finder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from recognizer.finders.guide_box import BoxFinder
from recognizer.finders.still_hand import Finder, HeldFinder
from recognizer.finders.writing import WritingFinder
from recognizer.preprocess import pictures
from recognizer.samples.sample import Sample
from recognizer.subjects.hands import open_hands
from recognizer.subjects.paper import ink_of
from recognizer.subjects.subject import RegionFinder
from recognizer.values import Frame, Prediction, Region


class Untaught:
    """The classifier of a task that has samples to record and no model yet: it knows nothing."""

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        """Inputs are pictures, (h, w) or (h, w, 3) uint8, or regions with one."""
        images = [pictures.hand_image(one.crop if isinstance(one, Region) else one) for one in inputs]
        return tuple(Prediction(None, 0.0, (), image) for image in images)


def open_finder(region: str, *, stream: bool, hands: "Callable[[], Finder] | None" = None) -> RegionFinder:
    """What finds a task's regions; `stream` for frames that follow each other. It may have a `close`. Raises AssetError."""
    if region == "paper":
        return WritingFinder(video=stream)
    if region == "box":
        return BoxFinder()

    return HeldFinder((hands or open_hands)()) if stream else open_hands(stream=False)


@contextmanager
def finding(region: str, *, stream: bool) -> Iterator[RegionFinder]:
    """The same for as long as the block lasts."""
    finder = open_finder(region, stream=stream)
    try:
        yield finder
    finally:
        close_finder(finder)


@contextmanager
def picture_finder(region: str) -> Iterator[Callable[[Frame], tuple[Region, ...]] | None]:
    """What looks for a task's regions in single pictures; None for boxes, which are whole pictures. Raises AssetError."""
    if region == "box":
        yield None
        return
    with finding(region, stream=False) as finder:
        yield finder.find


def close_finder(finder: RegionFinder) -> None:
    """Give back what a finder holds, such as MediaPipe's threads."""
    close = getattr(finder, "close", None)
    if close is not None:
        close()


def region_of(sample: Sample, picture_bgr: np.ndarray, shown_on: str) -> Region | None:
    """The region that was recorded, as the pipeline of a task that is shown on "paper", a "hand" or in a "box" takes it.

    Its box is that of the frame it was found in. None where nothing is found again.
    """
    if shown_on == "paper":
        ink = ink_of(sample, picture_bgr)
        return None if ink is None else Region(sample.box, ink)
    return Region(sample.box, picture_bgr, hand=sample.hand)
