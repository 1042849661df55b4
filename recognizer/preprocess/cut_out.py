"""The part of a frame that is stored as a sample of writing."""

import numpy as np

from recognizer.values import Box

PAPER_MARGIN = (
    1.0  # of the longer side: margin around the writing, since the finder needs paper to estimate the background
)


def cut_out(frame_bgr: np.ndarray, box: Box) -> np.ndarray:
    """The part (h, w, 3) of a frame (H, W, 3) uint8 BGR around a box of writing, with a margin as far as the frame reaches."""
    margin = _paper_margin(box)
    return frame_bgr[max(0, box.y1 - margin) : box.y2 + margin, max(0, box.x1 - margin) : box.x2 + margin]


def box_in_cut_out(box: Box) -> Box:
    """The box, given in pixels of the frame, in pixels of its `cut_out`."""
    margin = _paper_margin(box)
    x, y = min(box.x1, margin), min(box.y1, margin)
    return Box(x, y, x + box.width, y + box.height)


def _paper_margin(box: Box) -> int:
    return round(PAPER_MARGIN * max(box.width, box.height))
