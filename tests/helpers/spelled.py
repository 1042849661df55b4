"""Streams of frames in which somebody spells."""

from collections.abc import Iterator, Sequence

import numpy as np

from recognizer.values import Box, Frame, Hand, Observation, Prediction, Region

FPS = 20
IMAGE = np.zeros((28, 28), np.uint8)
# bent fingers: not the open hand that makes a space
HAND = Hand(np.random.default_rng(0).uniform(120, 280, (21, 3)).astype(np.float32), "right", 0.9)
REGION = Region(Box(100, 100, 300, 300), np.zeros((200, 200, 3), np.uint8), hand=HAND)
HOLD, PAUSE, REST = 0.8, 0.4, 1.7  # seconds: a letter, between two equal letters, between two words

Top = tuple[tuple[str, float], ...]


def prediction(label: str | None, top: Top = ()) -> Prediction:
    top = top or ((label or "?", 0.9),)
    return Prediction(label, top[0][1], top, IMAGE)


class Camera:
    """Makes observations at FPS."""

    def __init__(self) -> None:
        self.count = 0

    def shows(self, shown: Prediction | None, duration_s: float) -> Iterator[Observation]:
        """The frames of so many seconds; None: no hand is in view."""
        for _ in range(round(duration_s * FPS)):
            frame = Frame(np.zeros((480, 640, 3), np.uint8), self.count, self.count / FPS, "drawn")
            self.count += 1
            if shown is None:
                yield Observation(frame, "letters")
            else:
                yield Observation(frame, "letters", (REGION,), (shown,), shown.label or "")

    def spells(self, signs: Sequence[Prediction | str]) -> Iterator[Observation]:
        """Each sign held, with a short pause before an equal one, and a rest at the end. " " is a rest, too."""
        before = None
        for sign in signs:
            if sign == " ":
                yield from self.shows(None, REST)
            else:
                shown = prediction(sign) if isinstance(sign, str) else sign
                if before == shown.label:
                    yield from self.shows(None, PAUSE)
                yield from self.shows(shown, HOLD)
                before = shown.label
        yield from self.shows(None, REST)
