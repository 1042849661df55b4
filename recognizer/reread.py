"""Samples looked at again: where the recorded thing lies in a sample's picture."""

import numpy as np

from recognizer.regions.writing import writing_in
from recognizer.samples import Sample, box_in_cut_out
from recognizer.values import Region

SAME_INK = 0.3  # intersection over union: what is found in a paper sample lies where it was recorded


def ink_of(sample: Sample, picture_bgr: np.ndarray) -> np.ndarray | None:
    """The ink (h, w) uint8 that was recorded, found again in the sample's picture (h, w, 3) uint8; None where it is not."""
    regions = writing_in(picture_bgr)
    box = box_in_cut_out(sample.box)
    if (box.width, box.height) == picture_bgr.shape[1::-1]:  # a whole picture, in which nothing was found before
        return max(regions, key=lambda region: region.box.area).crop if regions else None
    near = [region for region in regions if region.box.iou(box) > SAME_INK]
    return max(near, key=lambda region: region.box.iou(box)).crop if near else None


def region_of(sample: Sample, picture_bgr: np.ndarray, shown_on: str) -> Region | None:
    """The region that was recorded, as the pipeline of a task that is shown on "paper", a "hand" or in a "box" takes it.

    Its box is that of the frame it was found in. None where nothing is found again.
    """
    if shown_on == "paper":
        ink = ink_of(sample, picture_bgr)
        return None if ink is None else Region(sample.box, ink)
    return Region(sample.box, picture_bgr, hand=sample.hand)
