"""The part of a frame that is stored as a sample of writing."""

import numpy as np

from recognizer.values import Box

PAPER_MARGIN = 1.0  # of the longer side, kept around what was written: the finder needs paper to tell ink from ground


def cut_out(frame_bgr: np.ndarray, box: Box) -> np.ndarray:
    """The part of the frame around what was written, with a margin where the frame has one: (h, w, 3) uint8."""
    margin = _paper_margin(box)
    return frame_bgr[max(0, box.y1 - margin) : box.y2 + margin, max(0, box.x1 - margin) : box.x2 + margin]


def box_in_cut_out(box: Box) -> Box:
    """Where the box, given in the frame, lies in its `cut_out`."""
    margin = _paper_margin(box)
    x, y = min(box.x1, margin), min(box.y1, margin)
    return Box(x, y, x + box.width, y + box.height)


def _paper_margin(box: Box) -> int:
    return round(PAPER_MARGIN * max(box.width, box.height))
