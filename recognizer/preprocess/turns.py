"""Orientation of a sheet: upright, upside down, or mirrored by the camera."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recognizer.values import Box, Frame, Prediction, Region, Turn


def turned_image(image: np.ndarray, turn: Turn) -> np.ndarray:
    """The image (H, W, …), flipped as the turn says. A new array."""
    across, down = (slice(None, None, -1 if flipped else 1) for flipped in turn.value)
    return np.ascontiguousarray(image[down, across])


def turned_box(box: Box, turn: Turn, size_wh: tuple[int, int] = (0, 0)) -> Box:
    """The box in the turned picture. Without the picture's size only the order of boxes is right."""
    (width, height), (x1, y1, x2, y2) = size_wh, box.xyxy
    across, down = turn.value
    if across:
        x1, x2 = width - x2, width - x1
    if down:
        y1, y2 = height - y2, height - y1
    return Box(x1, y1, x2, y2)


def turned_region(region: Region, turn: Turn, size_wh: tuple[int, int]) -> Region:
    """The region in the turned picture, without the digit probabilities, which hold for the picture as it was."""
    box = turned_box(region.box, turn, size_wh)
    return replace(region, box=box, crop=turned_image(region.crop, turn), digit_probabilities=None)


def turned_frame(frame: Frame, turn: Turn) -> Frame:
    """The frame with its picture and its truth turned."""
    height, width = frame.image_bgr.shape[:2]
    truth = tuple(replace(one, box=turned_box(one.box, turn, (width, height))) for one in frame.truth)
    return replace(frame, image_bgr=turned_image(frame.image_bgr, turn), truth=truth)


def turn_of(predictions: Sequence[Prediction]) -> Turn | None:
    """How what is known has to be turned; None where it is upright."""
    turns = [one.turn for one in predictions if one.label is not None]
    return max(turns, key=turns.count) if turns else None


NOTES = {
    Turn.UPSIDE_DOWN: "the sheet is upside down",
    Turn.MIRRORED: "the source gives a mirrored picture: x or --unmirror turns it",
}


def turn_note(predictions: Sequence[Prediction]) -> str:
    """The message for the window. Empty if the sheet is upright."""
    turn = turn_of(predictions)
    return NOTES[turn] if turn else ""


class Unmirror:
    """Flips the frames of a camera that mirrors its image, while it is on."""

    def __init__(self, on: bool = False) -> None:
        self.on = on

    def toggle(self) -> None:
        self.on = not self.on

    def __call__(self, frame: Frame) -> Frame:
        return turned_frame(frame, Turn.MIRRORED) if self.on else frame
