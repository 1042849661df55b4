"""Orientation of a sheet: upright, upside down, or mirrored by the camera."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

import numpy as np

from recognizer.values import Box, Frame, Prediction, Region


class Turn(Enum):
    """What a picture needs so that its writing can be read: to be flipped left to right, and top to bottom."""

    UPRIGHT = (False, False)
    UPSIDE_DOWN = (True, True)
    MIRRORED = (True, False)

    @property
    def display_name(self) -> str:
        """The name in JSON and CSV, such as "upside down"."""
        return self.name.lower().replace("_", " ")

    def image(self, image: np.ndarray) -> np.ndarray:
        """(H, W, …) turned, of its own memory."""
        across, down = (slice(None, None, -1 if flipped else 1) for flipped in self.value)
        return np.ascontiguousarray(image[down, across])

    def box(self, box: Box, size_wh: tuple[int, int] = (0, 0)) -> Box:
        """Where a box lies in the turned picture. Without the picture's size only how boxes lie to each other holds."""
        (width, height), (x1, y1, x2, y2) = size_wh, box.xyxy
        across, down = self.value
        if across:
            x1, x2 = width - x2, width - x1
        if down:
            y1, y2 = height - y2, height - y1
        return Box(x1, y1, x2, y2)

    def region(self, region: Region, size_wh: tuple[int, int]) -> Region:
        """Ink as it is in the turned picture. Which digit the picture showed there holds no longer."""
        return replace(
            region, box=self.box(region.box, size_wh), crop=self.image(region.crop), digit_probabilities=None
        )

    def frame(self, frame: Frame) -> Frame:
        height, width = frame.image_bgr.shape[:2]
        truth = tuple(replace(one, box=self.box(one.box, (width, height))) for one in frame.truth)
        return replace(frame, image_bgr=self.image(frame.image_bgr), truth=truth)


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
        return Turn.MIRRORED.frame(frame) if self.on else frame
