"""Somebody before the camera who practises signs."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from recognizer.spelling.known_signs import shipped_signs
from recognizer.spelling.practice import Practice
from recognizer.spelling.shapes import HandShape
from recognizer.studio.drawn_hands import draw_shape
from recognizer.values import Box, Frame, Hand, Observation, Prediction, Region

LETTERS = shipped_signs()["letters"]
FPS = 20


def hand_of(shape: HandShape, side: str = "right") -> Hand:
    """The joints of a drawn hand."""
    drawn = draw_shape(
        shape.bones, shape.turn, side=side, skin_bgr=(150, 180, 220), sleeve_bgr=(90, 90, 90), px_per_mm=0.5
    )
    return Hand(drawn.joints, side, 0.9)


@cache
def hand_with(label: str) -> Hand:
    return hand_of(LETTERS[label].shape)


class Learner:
    """Somebody before the camera, who makes signs."""

    def __init__(self, practice: Practice) -> None:
        self.practice = practice
        self.count = 0

    def shows(self, label: str | None, duration_s: float) -> None:
        for observation in self._frames(label, duration_s):
            self.practice.step(observation)

    def _frames(self, label: str | None, duration_s: float) -> Iterator[Observation]:
        for _ in range(round(duration_s * FPS)):
            self.count += 1
            frame = Frame(np.zeros((480, 640, 3), np.uint8), self.count, self.count / FPS, "drawn")
            if label is None:
                yield Observation(frame, "letters")
                continue
            region = Region(Box(0, 0, 90, 90), np.zeros((9, 9, 3), np.uint8), hand=hand_with(label))
            image = np.zeros((9, 9), np.uint8)
            yield Observation(frame, "letters", (region,), (Prediction(label, 0.9, ((label, 0.9),), image),), label)
