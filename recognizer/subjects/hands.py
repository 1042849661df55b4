"""What only hand signs need: a classifier of joints and pixels, and signs read from left to right."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recognizer.finders.hands import HandFinder
from recognizer.registry.assets import find_asset
from recognizer.values import Frame, Prediction, Region

MAX_SPEED = 2.0  # hand sizes a second: a hand that moves faster is on its way, or signs a J or Z
SAME_HAND = 0.6  # of a hand's size: a hand further away than this in the last frame is another one
MAX_GAP_S = 0.3  # older hands say nothing about speed


class Signs:
    """The reading of regions that are hands. Keeps the last frame's hands, for their speed."""

    region = "hand"

    def __init__(self) -> None:
        self._before: tuple[float, list[np.ndarray]] = (-1.0, [])

    def prepare(self, region: Region) -> Region:
        return region

    def judge(
        self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """Regions from left to right, and predictions without the labels of hands in fast movement."""
        order = sorted(range(len(regions)), key=lambda i: regions[i].box.center_xy[0])
        before_s, before = self._before
        elapsed_s = frame.time_s - before_s
        judged = []
        for i in order:
            hand, prediction = regions[i].hand, predictions[i]
            if hand is not None and 0 < elapsed_s < MAX_GAP_S:
                travel = _travel(hand.landmarks, before)
                if travel is not None and travel > MAX_SPEED * elapsed_s:
                    prediction = replace(prediction, label=None)
            judged.append(prediction)
        self._before = frame.time_s, [region.hand.landmarks for region in regions if region.hand is not None]
        return tuple(regions[i] for i in order), tuple(judged)

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """The known labels from left to right."""
        return " ".join(prediction.label for prediction in predictions if prediction.label is not None)


def _travel(landmarks: np.ndarray, before: Sequence[np.ndarray]) -> float | None:
    """How far the nearest of the last frame's hands has moved, in sizes of the hand; None where there was none."""
    points = landmarks[:, :2]
    size = float(np.ptp(points, axis=0).max())
    if size <= 0:
        return None
    moves = [float(np.linalg.norm(points - other[:, :2], axis=1).mean()) / size for other in before]
    nearest = min(moves, default=SAME_HAND)
    return nearest if nearest < SAME_HAND else None


def open_hands(*, stream: bool = True) -> HandFinder:
    """What finds hands by their joints. Raises AssetError."""

    return HandFinder(find_asset("hand_landmarker"), video=stream, guide=stream)
