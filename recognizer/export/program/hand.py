"""Reads hand signs: finds hands and their joints, computes features of them, and classifies these."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.classifiers.hands import corner
from recognizer.classifiers.sides import allowed_labels
from recognizer.export.program.model import Model
from recognizer.export.program.network import Network
from recognizer.finders.hand_detector import NetworkDetector
from recognizer.finders.hand_networks import THREADS, HandNetworks
from recognizer.finders.hands import HandFinder
from recognizer.preprocess import appearance, pictures, pose
from recognizer.subjects.hands import HandPostprocessor
from recognizer.values import Frame, Hand, Observation, Prediction, Region


def open_detector(folder: Path, *, video: bool, threads: int = THREADS) -> NetworkDetector:
    """MediaPipe's two networks in the folder `networks` of an export, run as MediaPipe runs them."""
    return NetworkDetector(HandNetworks(Network(folder / "palms"), Network(folder / "hand")))


class Reader:
    """Reads hand signs in pictures with the model of an export. `stream` says that they are the frames of one video."""

    def __init__(self, model: Model, *, stream: bool = False):
        self.model = model
        self._finder = HandFinder(model.folder / "networks", video=stream)
        self._hand_network = Network(model.folder / "networks" / "hand")
        self._postprocessor = HandPostprocessor()

    def read(self, frame: Frame) -> Observation:
        """The signs in a frame, from left to right."""
        found = self._finder.find(frame)
        regions, predictions = self._postprocessor.postprocess(frame, found, self.classify(found))
        text = " ".join(one.label for one in predictions if one.label is not None)
        return Observation(frame, self.model.json["task"], regions, predictions, text)

    def classify(self, regions: Sequence[Region]) -> tuple[Prediction, ...]:
        """The prediction for each region, which has the joints of a hand."""
        return tuple(self._classify(region) for region in regions)

    def _classify(self, region: Region) -> Prediction:
        kind = self.model.json["kind"]
        if kind == "colour":
            image = pictures.colour_image(region.crop, self.model.json["preprocessing"]["side"])
            return self.model.predict_views([image], image)
        image = pictures.hand_image(region.crop)
        if kind == "pixels":
            return self.model.predict_views([image], image)
        hands = [hand for hand in (region.hand, region.mirrored_hand) if hand is not None]
        sides = self.model.json["sides"]
        allowed = None if sides is None else allowed_labels(self.model.labels, sides, hands[0].side)
        return self.model.predict_views([self._features(region, hand) for hand in hands], image, allowed)

    def _features(self, region: Region, hand: Hand) -> np.ndarray:
        """The features of a hand's joints, and of its picture if the model takes them."""
        features = pose.pose_features(hand.landmarks, hand.side)
        if self.model.json["kind"] == "pose":
            return features
        joints_in_crop = hand.landmarks - corner(region)
        upright_rgb = appearance.upright(region.crop, joints_in_crop, left=hand.side == "left")
        outputs = self._hand_network.run(np.multiply(upright_rgb, np.float32(1 / 255), dtype=np.float32)[None])
        joints, pooled, places = (outputs[index][0] for index in (0, 4, 5))
        at_joints = appearance.at_places(places, joints.reshape(pose.JOINTS, 3)[:, :2] / appearance.SIDE)
        return np.concatenate([features, pooled, at_joints.ravel()])
