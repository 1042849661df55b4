"""Classifies hands by their joints, their pixels, or both."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.classifiers.classifier import Classifier, Scores
from recognizer.classifiers.colour import ObjectClassifier
from recognizer.classifiers.sides import allowed_labels, within_sides
from recognizer.errors import ModelError
from recognizer.preprocess import appearance, pictures, pose
from recognizer.registry import card as registry_card
from recognizer.registry.assets import find_asset
from recognizer.registry.synced import open_models
from recognizer.values import Box, Hand, Prediction, Region

FUSED_VERSION = f"{pose.VERSION} and {appearance.VERSION}"  # both features, in this order
PREPARED = {  # preprocess version of each kind of model
    "pose": pose.VERSION,
    "pixels": pictures.HAND_VERSION,
    "colour": pictures.COLOUR_VERSION,
    "fused": FUSED_VERSION,
}
EXTRACT_EVERY = 3  # for a still hand in a stream, appearance features are extracted once in this many frames
SAME_PLACE = 0.5  # IoU of two frames' boxes, above which they belong to the same hand
MAX_POSE_CHANGE = 0.06  # mean change of the pose features of a still hand between frames, at most
EVIDENCE_FRAMES = 5  # frames of a still hand whose scores are averaged, so that no single frame decides


class HandClassifier:
    """Classifies regions of hands with one version of a model. The card's `kind` is the model's input.

    "pose": joints; "pixels": the grey picture; "colour": the colour picture; "fused": joints and appearance features.
    "pose" and "fused" need joints: a region without them is classified by the task's newest "pixels" version, if it has one.
    `stream` says that calls belong to consecutive frames. The probabilities of a still hand are then averaged over the last
    EVIDENCE_FRAMES frames, and its appearance features are reused.

    Raises ModelError if a file in `folder` is missing or damaged, and AssetError if a "fused" model lacks MediaPipe's network.
    """

    def __init__(self, folder: Path, *, stream: bool = False):
        card = registry_card.read_card(folder)
        self.folder = folder
        self.labels = list(card.labels)
        if card.kind not in PREPARED:
            known = ", ".join(PREPARED)
            raise ModelError(f"{folder / registry_card.CARD} has kind {card.kind!r}; {known} are known. Retrain.")
        self.kind = card.kind
        self._sides = card.sides
        self._object_classifier = ObjectClassifier(folder) if self.kind == "colour" else None
        self._classifier = (
            self._object_classifier.classifier if self._object_classifier else Classifier(folder, PREPARED[self.kind])
        )
        self._appearance_cache = _AppearanceCache(stream) if self.kind == "fused" else None
        self._evidence = Evidence() if stream else None

    def predict(self, regions: Sequence[Region]) -> tuple[Prediction, ...]:
        """One Prediction for each region, in the same order; its image is the region's crop, (28, 28) uint8 grey or colour."""
        if self._appearance_cache is not None:
            self._appearance_cache.next_frame()
        if self._evidence is not None:
            self._evidence.next_frame()
        return tuple(self._predict_one(region) for region in regions)

    def _predict_one(self, region: Region) -> Prediction:
        if self._object_classifier is not None:
            return self._object_classifier.predict_one(region.crop)
        image = pictures.hand_image(region.crop)
        if self.kind == "pixels":
            return self._classifier.predict_one(image)
        views = [self._view(region, hand) for hand in (region.hand, region.mirrored_hand) if hand is not None]
        if views:
            scores = self._classifier.scores(views)
            if self._evidence is not None:
                scores = self._evidence.add(region.box, views[0][: pose.SIZE], scores)
            if self._sides is not None and region.hand is not None:
                allowed = allowed_labels(self.labels, self._sides, region.hand.side)
                scores = Scores(within_sides(scores.probabilities[None], allowed[None])[0], scores.distance)
            return self._classifier.prediction_of(scores, image)
        return self._pixel_classifier.predict_one(image) if self._pixel_classifier else Prediction(None, 0.0, (), image)

    @cached_property
    def _pixel_classifier(self) -> Classifier | None:
        """The classifier of hands without joints. None if it is missing, damaged, or has labels that this model lacks."""
        beside = open_models(self.folder.parent.parent).newest_version(self.folder.parent.name, "pixels")
        if beside is None:
            return None
        try:
            classifier = Classifier(beside, PREPARED["pixels"])
        except ModelError:  # the model of joints is intact and works without it
            return None
        return classifier if all(label in self.labels for label in classifier.labels) else None

    def _view(self, region: Region, hand: Hand) -> np.ndarray:
        features = pose.pose_features(hand.landmarks, hand.side)
        if self._appearance_cache is None:
            return features
        return np.concatenate([features, self._appearance_cache.features(region, hand, features)])


class _AppearanceCache:
    """Extracts the appearance features of hands. In a stream it reuses those of hands that are held still."""

    def __init__(self, stream: bool):
        self._extractor = appearance.AppearanceExtractor(find_asset("hand_landmarker"))
        self._stream = stream
        self._frame = 0
        self._recent: list[
            tuple[int, Box, np.ndarray, np.ndarray]
        ] = []  # frame, box, pose features, appearance features

    def next_frame(self) -> None:
        self._frame += 1
        self._recent = [seen for seen in self._recent if self._stream and self._frame - seen[0] < EXTRACT_EVERY]

    def features(self, region: Region, hand: Hand, pose_features: np.ndarray) -> np.ndarray:
        for _, place, before, features in self._recent:
            if self._stream and _is_still(region.box, pose_features, place, before):
                return features
        features = self._extractor.features(region.crop, hand.landmarks - corner(region), hand.side)
        self._recent.append((self._frame, region.box, pose_features, features))
        return features


@dataclass(eq=False)
class _StillHand:
    """The scores of one hand while it keeps its pose and place."""

    box: Box  # in the last frame
    pose_features: np.ndarray  # (pose.SIZE,) in the last frame
    recent_scores: deque[Scores]


class Evidence:
    """Averages the scores of each still hand over the frames of a stream."""

    def __init__(self) -> None:
        self._before: list[_StillHand] = []  # hands in the last frame
        self._now: list[_StillHand] = []

    def next_frame(self) -> None:
        self._before, self._now = self._now, []

    def add(self, box: Box, pose_features: np.ndarray, scores: Scores) -> Scores:
        """The mean scores of the hand in `box` over the last frames in which it was still, this frame included."""
        still = (hand for hand in self._before if _is_still(box, pose_features, hand.box, hand.pose_features))
        same = next(still, None)
        recent = same.recent_scores if same else deque(maxlen=EVIDENCE_FRAMES)
        recent.append(scores)
        self._now.append(_StillHand(box, pose_features, recent))
        probabilities = np.stack([one.probabilities for one in recent]).mean(axis=0)
        return Scores(probabilities, float(np.mean([one.distance for one in recent])))


def _is_still(box: Box, pose_features: np.ndarray, box_before: Box, features_before: np.ndarray) -> bool:
    """Whether a hand is one that was seen before, in the same place and pose. Another hand may have the same pose."""
    return box.iou(box_before) > SAME_PLACE and bool(np.abs(pose_features - features_before).mean() < MAX_POSE_CHANGE)


def corner(region: Region) -> np.ndarray:
    """The top left corner of a region's crop in the frame: (3,) float32 x, y and 0."""
    return np.array([region.box.x1, region.box.y1, 0], np.float32)
