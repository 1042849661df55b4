"""Orientation of a sheet: upright, upside down, or mirrored by the camera."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recognizer.values import Box, Frame, Prediction, Region, Turn


def turned_image(image: np.ndarray, turn: Turn) -> np.ndarray:
    """A new image, flipped as `turn` says. Images are (H, W) or (H, W, C)."""
    across, down = (slice(None, None, -1 if flipped else 1) for flipped in turn.value)
    return np.ascontiguousarray(image[down, across])


def turned_box(box: Box, turn: Turn, size_wh: tuple[int, int] = (0, 0)) -> Box:
    """The box in the turned picture. Without `size_wh`, coordinates are shifted, so that only the order of boxes is right."""
    (width, height), (x1, y1, x2, y2) = size_wh, box.xyxy
    across, down = turn.value
    if across:
        x1, x2 = width - x2, width - x1
    if down:
        y1, y2 = height - y2, height - y1
    return Box(x1, y1, x2, y2)


def turned_region(region: Region, turn: Turn, size_wh: tuple[int, int]) -> Region:
    """The region in the turned picture, without the digit probabilities, which belong to the original picture."""
    box = turned_box(region.box, turn, size_wh)
    return replace(region, box=box, crop=turned_image(region.crop, turn), digit_probabilities=None)


def turned_frame(frame: Frame, turn: Turn) -> Frame:
    """The frame with its picture and its ground truth turned."""
    height, width = frame.image_bgr.shape[:2]
    truth = tuple(replace(one, box=turned_box(one.box, turn, (width, height))) for one in frame.truth)
    return replace(frame, image_bgr=turned_image(frame.image_bgr, turn), truth=truth)


def turn_of(predictions: Sequence[Prediction]) -> Turn | None:
    """The most frequent turn of the labelled predictions; None if that is upright."""
    turns = [one.turn for one in predictions if one.label is not None]
    return max(turns, key=turns.count) if turns else None


NOTES = {
    Turn.UPSIDE_DOWN: "the sheet is upside down",
    Turn.MIRRORED: "the source gives a mirrored picture: x or --unmirror flips it",
}


def turn_note(predictions: Sequence[Prediction]) -> str:
    """The message for the window. Empty if the sheet is upright."""
    turn = turn_of(predictions)
    return NOTES[turn] if turn else ""


class Unmirror:
    """While it is on, flips the frames of a camera that mirrors its image."""

    def __init__(self, on: bool = False) -> None:
        self.on = on

    def toggle(self) -> None:
        self.on = not self.on

    def __call__(self, frame: Frame) -> Frame:
        return turned_frame(frame, Turn.MIRRORED) if self.on else frame
