"""Finders, hand detectors and classifiers that need no model."""

from collections.abc import Callable, Sequence

import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.finders.hand_detector import Accept, HandDetector
from recognizer.finders.hand_networks import View
from recognizer.values import Frame, Hand, Prediction, Region

Answer = Callable[[np.ndarray], Sequence[Hand]]


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
    """An open hand: landmarks (21, 3) float32, relative to the sides of the picture."""
    joints = np.zeros((21, 3), np.float32)
    joints[:, :2] = (OPEN_HAND - 0.5) * size + center_xy
    return Hand(joints, side, score)


class FakeDetector(HandDetector):
    """Detects the hands `answer(image_bgr)`, relative to the sides of the picture, and records pictures and views."""

    def __init__(self, answer: Answer = lambda image_bgr: [], doubtful: Answer = lambda image_bgr: []) -> None:
        self.answer = answer
        self.doubtful = doubtful  # of doubtful palms
        self.shown: list[np.ndarray] = []
        self.views: list[View] = []
        self.closed = False
        self.reads_again = False

    def detect(self, image_bgr: np.ndarray, view: View, accept: Accept) -> list[Hand]:
        self.shown.append(image_bgr)
        self.views.append(view)
        for answer, doubt in ((self.answer, False), (self.doubtful, True)):
            hands = [self._in_pixels(hand, image_bgr) for hand in answer(image_bgr)]
            accepted = [hand for hand in hands if accept(hand, doubt)]
            if accepted:
                return accepted
        return []

    def follow(self, image_bgr: np.ndarray, view: View, accept: Accept, time_s: float) -> list[Hand]:
        return self.detect(image_bgr, view, accept)

    def _in_pixels(self, hand: Hand, image_bgr: np.ndarray) -> Hand:
        height, width = image_bgr.shape[:2]
        return Hand(hand.landmarks * np.float32([width, height, width]), hand.side, hand.score)

    def read_again(self, image_bgr: np.ndarray, hand: Hand, accept: Accept) -> Hand | None:
        return hand if self.reads_again and accept(hand, False) else None

    def close(self) -> None:
        self.closed = True
