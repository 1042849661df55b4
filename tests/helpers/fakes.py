"""Finders, landmarkers and classifiers that need no model."""

from collections.abc import Sequence

import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.values import Frame, Hand, Prediction, Region


class FakeClassifier:
    """A classifier that predicts the given labels in turn, in a loop. It records the images of the last call."""

    def __init__(self, labels: Sequence[str | None] = ("7",), confidences: Sequence[float] = (0.9,)) -> None:
        self.labels = labels
        self.confidences = confidences
        self.images: list[np.ndarray] = []

    def predict(self, images: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        self.images = list(images)
        return tuple(self._prediction(number, image) for number, image in enumerate(images))

    def _prediction(self, number: int, image: np.ndarray) -> Prediction:
        label = self.labels[number % len(self.labels)]
        confidence = self.confidences[number % len(self.confidences)]
        return Prediction(label, confidence, ((label or "8", confidence),), image)


class FakeFinder(RegionFinder):
    """Finds the same regions in every frame."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = tuple(regions)

    def find(self, frame: Frame) -> tuple[Region, ...]:
        return self.regions


# (21, 2): an open right hand, palm towards the camera, in a square from 0 to 1
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
    """An open hand like MediaPipe's: landmarks (21, 3) float32, relative to the sides of the picture."""
    joints = np.zeros((21, 3), np.float32)
    joints[:, :2] = (OPEN_HAND - 0.5) * size + center_xy
    return Hand(joints, side, score)


class FakeLandmarker:
    """Detects the hands `answer(image_rgb)` in each picture, and records pictures and times."""

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
