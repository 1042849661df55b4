"""Finders, landmarkers and classifiers that need no model."""

from collections.abc import Sequence

import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.values import Frame, Hand, Prediction, Region


class FakeClassifier:
    """A classifier that predicts given labels in turn, in a loop. It records the images."""

    def __init__(self, labels: Sequence[str | None] = ("7",), confidences: Sequence[float] = (0.9,)) -> None:
        self.labels = labels
        self.confidences = confidences
        self.images: list[np.ndarray] = []

    def predict(self, images: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        self.images = list(images)
        return tuple(self._say(number, image) for number, image in enumerate(images))

    def _say(self, number: int, image: np.ndarray) -> Prediction:
        label = self.labels[number % len(self.labels)]
        confidence = self.confidences[number % len(self.confidences)]
        return Prediction(label, confidence, ((label or "8", confidence),), image)


class FakeFinder(RegionFinder):
    """Finds the same regions in every frame."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = tuple(regions)

    def find(self, frame: Frame) -> tuple[Region, ...]:
        return self.regions


# an open right hand, its palm to the camera, in a square from 0 to 1
OPEN_HAND = np.array(
    [
        *((0.50, 0.95), (0.62, 0.87), (0.71, 0.76), (0.78, 0.66), (0.85, 0.58)),
        *((0.61, 0.52), (0.65, 0.36), (0.67, 0.26), (0.69, 0.17)),
        *((0.50, 0.49), (0.51, 0.31), (0.51, 0.20), (0.51, 0.10)),
        *((0.40, 0.52), (0.38, 0.36), (0.37, 0.25), (0.36, 0.16)),
        *((0.31, 0.58), (0.25, 0.47), (0.22, 0.39), (0.19, 0.32)),
    ],
    np.float32,
)


def a_hand(center_xy=(0.5, 0.5), size=0.5, side="right", score=0.95) -> Hand:
    """A landmark like MediaPipe's: coordinates relative to the picture's sides."""
    joints = np.zeros((21, 3), np.float32)
    joints[:, :2] = (OPEN_HAND - 0.5) * size + center_xy
    return Hand(joints, side, score)


class FakeLandmarker:
    """Returns `answer(image_rgb)` for each picture, and records pictures and times."""

    def __init__(self, answer):
        self.answer = answer
        self.shown: list[np.ndarray] = []
        self.times_s: list[float] = []
        self.closed = False

    def detect(self, image_rgb, time_s):
        self.shown.append(image_rgb)
        self.times_s.append(time_s)
        return self.answer(image_rgb)

    def close(self):
        self.closed = True
