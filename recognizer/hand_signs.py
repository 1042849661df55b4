"""What only hand signs need: a classifier of joints and pixels, and signs read from left to right."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer import pose, preprocess, registry
from recognizer.classifier import TOP, Classifier
from recognizer.errors import ModelError
from recognizer.things import ThingClassifier
from recognizer.values import Frame, Prediction, Region

LOG_FLOOR = 1e-4  # a network that is surely wrong is not to outvote the other
MAX_SPEED = 1.5  # hand sizes a second: a hand that moves faster is on its way, or signs a J or Z
SAME_HAND = 0.6  # of a hand's size: a hand further away than this in the last frame is another one
MAX_GAP_S = 0.3  # older hands say nothing about speed


class HandClassifier:
    """Labels regions that are hands, with one version of a model of the kind its card names.

    Raises ModelError for a folder that is not whole. "pose" knows joints, "pixels" the picture in grey, "colour" in
    colour, "fused" joints and grey.
    """

    def __init__(self, folder: Path):
        card = registry.read_card(folder)
        kind = card.get("kind")
        self.labels: list[str] = card["labels"]
        self._pose: Classifier | None = None
        self._pixels: Classifier | None = None
        self._colour: ThingClassifier | None = None
        self._pose_weight = 1.0
        if kind == "pose":
            self._pose = Classifier(folder, pose.VERSION)
        elif kind == "pixels":
            self._pixels = Classifier(folder, preprocess.HAND_VERSION)
        elif kind == "colour":
            self._colour = ThingClassifier(folder)
        elif kind == "fused":
            self._pose = Classifier(folder / "pose", pose.VERSION)
            self._pixels = Classifier(folder / "pixels", preprocess.HAND_VERSION)
            try:
                self._pose_weight = float(card["fusion"]["pose_weight"])
                self._min_confidence = float(card["rejection"]["min_confidence"])
                self._max_distance = float(card["rejection"]["max_distance"])
            except (KeyError, TypeError, ValueError) as error:
                raise ModelError(
                    f"{folder / registry.CARD} holds no fusion weight or thresholds ({error}). Retrain."
                ) from error
        else:
            raise ModelError(
                f"{folder / registry.CARD} has kind {kind!r}; pose, pixels, colour and fused are known. Retrain."
            )

    def predict(self, regions: Sequence[Region]) -> tuple[Prediction, ...]:
        """One Prediction for each region, in the same order; its image is the region's crop, (28, 28) uint8 grey or colour."""
        return tuple(self._predict_one(region) for region in regions)

    def _predict_one(self, region: Region) -> Prediction:
        if self._colour is not None:
            return self._colour.predict_one(region.crop)
        image = preprocess.hand_image(region.crop)
        features = None
        if self._pose is not None and region.hand is not None:
            features = pose.pose_features(region.hand.landmarks, region.hand.side)
        if self._pose is not None and self._pixels is not None and features is not None:
            return self._fused(self._pose, self._pixels, features, image)
        if self._pose is not None and features is not None:
            return replace(self._pose.predict_one(features), image=image)
        if self._pixels is not None:
            return self._pixels.predict_one(image)
        return Prediction(None, 0.0, (), image)

    def _fused(self, joints: Classifier, pixels: Classifier, features: np.ndarray, image: np.ndarray) -> Prediction:
        """Both networks' log-probabilities mixed; how far a hand is from every known sign, its joints say."""
        by_pose, embedding = joints.run(features)
        mixed = by_pose if self._pose_weight == 1 else fuse(by_pose, pixels.run(image)[0], self._pose_weight)
        known = mixed[: len(self.labels)]
        order = np.argsort(-known)[:TOP]
        confidence = float(known[order[0]])
        near = bool(joints.rejection.distances(embedding[None]).min() <= self._max_distance)
        label = self.labels[order[0]] if confidence >= self._min_confidence and near else None
        return Prediction(label, confidence, tuple((self.labels[i], float(known[i])) for i in order), image)


def fuse(by_pose: np.ndarray, by_pixels: np.ndarray, pose_weight: float) -> np.ndarray:
    """Log-probabilities (..., K) mixed and made probabilities again."""
    logs = pose_weight * np.log(by_pose + LOG_FLOOR) + (1 - pose_weight) * np.log(by_pixels + LOG_FLOOR)
    shares = np.exp(logs)
    return shares / shares.sum(axis=-1, keepdims=True)


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
