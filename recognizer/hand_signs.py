"""What only hand signs need: a classifier of joints and pixels, and signs read from left to right."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer import appearance, pose, preprocess, registry
from recognizer.assets import find_asset
from recognizer.classifier import Classifier
from recognizer.errors import ModelError
from recognizer.things import ThingClassifier
from recognizer.values import Box, Frame, Hand, Prediction, Region

MAX_SPEED = 2.0  # hand sizes a second: a hand that moves faster is on its way, or signs a J or Z
SAME_HAND = 0.6  # of a hand's size: a hand further away than this in the last frame is another one
MAX_GAP_S = 0.3  # older hands say nothing about speed
FUSED_VERSION = f"{pose.VERSION} and {appearance.VERSION}"  # both features, in this order
PREPARED = {  # what a network of each kind takes
    "pose": pose.VERSION,
    "pixels": preprocess.HAND_VERSION,
    "colour": preprocess.COLOUR_VERSION,
    "fused": FUSED_VERSION,
}
LOOK_EVERY = 3  # frames of a stream in which a hand that is held still is looked at once
SAME_PLACE = 0.5  # intersection over union of a hand's boxes in two frames
HELD_STILL = 0.06  # mean change of its pose features up to which a hand looks as it did


class HandClassifier:
    """Labels regions that are hands, with one version of a model of the kind its card names.

    Raises ModelError for a folder that is not whole, and AssetError where a "fused" one lacks MediaPipe's network.
    "pose" knows joints, "pixels" the picture in grey, "colour" in colour, "fused" joints and what they look like.
    A region without joints, of which "pose" and "fused" can say nothing, is read by the task's newest "pixels" version.
    With `stream`, the regions of one call follow those of the last: a hand that is held still is not looked at each time.
    """

    def __init__(self, folder: Path, *, stream: bool = False):
        card = registry.read_card(folder)
        self.folder = folder
        self.kind = card.get("kind")
        self.labels: list[str] = card["labels"]
        if self.kind not in PREPARED:
            known = ", ".join(PREPARED)
            raise ModelError(f"{folder / registry.CARD} has kind {self.kind!r}; {known} are known. Retrain.")
        self._things = ThingClassifier(folder) if self.kind == "colour" else None
        self._classifier = self._things.classifier if self._things else Classifier(folder, PREPARED[self.kind])
        self._sight = _Sight(stream) if self.kind == "fused" else None

    def predict(self, regions: Sequence[Region]) -> tuple[Prediction, ...]:
        """One Prediction for each region, in the same order; its image is the region's crop, (28, 28) uint8 grey or colour."""
        if self._sight is not None:
            self._sight.next_frame()
        return tuple(self._predict_one(region) for region in regions)

    def _predict_one(self, region: Region) -> Prediction:
        if self._things is not None:
            return self._things.predict_one(region.crop)
        image = preprocess.hand_image(region.crop)
        if self.kind == "pixels":
            return self._classifier.predict_one(image)
        views = [self._view(region, hand) for hand in (region.hand, region.mirrored) if hand is not None]
        if views:
            return self._classifier.predict_views(views, image)
        return self._of_pixels.predict_one(image) if self._of_pixels else Prediction(None, 0.0, (), image)

    @cached_property
    def _of_pixels(self) -> Classifier | None:
        """What reads hands without joints; None where nothing that is whole says only labels that this version knows."""
        beside = registry.newest(self.folder.parent.parent, self.folder.parent.name, "pixels")
        if beside is None:
            return None
        try:
            classifier = Classifier(beside, PREPARED["pixels"])
        except ModelError:  # what reads joints is whole, and goes on
            return None
        return classifier if all(label in self.labels for label in classifier.labels) else None

    def _view(self, region: Region, hand: Hand) -> np.ndarray:
        features = pose.pose_features(hand.landmarks, hand.side)
        if self._sight is None:
            return features
        return np.concatenate([features, self._sight.look(region, hand, features)])


class _Sight:
    """How the hands of this frame look; what a stream showed a moment ago need not be looked at again."""

    def __init__(self, stream: bool):
        self._appearance = appearance.Appearance(find_asset("hand_landmarker"))
        self._stream = stream
        self._frame = 0
        self._seen: list[tuple[int, Box, np.ndarray, np.ndarray]] = []  # frame, place, pose and appearance features

    def next_frame(self) -> None:
        self._frame += 1
        self._seen = [seen for seen in self._seen if self._stream and self._frame - seen[0] < LOOK_EVERY]

    def look(self, region: Region, hand: Hand, posed: np.ndarray) -> np.ndarray:
        for _, place, before, features in self._seen:
            # two hands may make signs that differ in their looks alone
            if self._stream and region.box.iou(place) > SAME_PLACE and np.abs(posed - before).mean() < HELD_STILL:
                return features
        features = self._appearance.features(region.crop, hand.landmarks - corner(region), hand.side)
        self._seen.append((self._frame, region.box, posed, features))
        return features


def corner(region: Region) -> np.ndarray:
    """Where a region's crop begins in the frame: (3,) float32 x, y and 0."""
    return np.array([region.box.x1, region.box.y1, 0], np.float32)


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
