"""Hands: found by their landmarks, classified by landmarks or pixels or both, ordered from left to right."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.classifiers.hands import HandClassifier
from recognizer.errors import AssetError
from recognizer.finders.finder import RegionFinder
from recognizer.finders.hand_networks import HAND_NETWORK, JOINTS_OF_HAND, PALM_NETWORK, PALMS
from recognizer.finders.hands import HandFinder
from recognizer.finders.still_hand import StillHandFinder
from recognizer.motion.classifier import FILE as MOTION_FILE
from recognizer.motion.classifier import MotionClassifier
from recognizer.preprocess.appearance import with_appearance
from recognizer.preprocess.pose import JOINTS
from recognizer.registry.assets import fetch_command, find_asset
from recognizer.registry.card import read_checked_card
from recognizer.subjects.moving_signs import MovingSigns
from recognizer.subjects.subject import (
    WARM_UP_SIDE,
    Input,
    OpenFinder,
    Postprocessed,
    Postprocessor,
    Predictor,
    Subject,
    UntrainedClassifier,
)
from recognizer.values import Frame, Hand, Prediction, Region

MAX_SPEED = 2.0  # hand sizes per second: a faster hand is moving into place, or signs a J or Z
SAME_HAND = 0.6  # share of the hand's size: if a hand of the last frame is further away, it is a different hand
MAX_GAP_S = 0.3  # between frames: after a longer gap no speed is computed


class HandPostprocessor(Postprocessor):
    """Rejects hands in fast movement. It stores the last frame's landmarks to measure speed."""

    def __init__(self) -> None:
        self._before: tuple[float, list[np.ndarray]] = (-1.0, [])

    def postprocess(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> Postprocessed:
        """Regions from left to right. Predictions of fast hands have no label."""
        order = sorted(range(len(regions)), key=lambda i: regions[i].box.center_xy[0])
        before_s, before = self._before
        elapsed_s = frame.time_s - before_s
        labelled = []
        for i in order:
            hand, prediction = regions[i].hand, predictions[i]
            if hand is not None and 0 < elapsed_s < MAX_GAP_S:
                travel = _travel(hand.landmarks, before)
                if travel is not None and travel > MAX_SPEED * elapsed_s:
                    prediction = replace(prediction, label=None)
            labelled.append(prediction if hand is None else replace(prediction, hand=hand.side))
        self._before = frame.time_s, [region.hand.landmarks for region in regions if region.hand is not None]
        return tuple(regions[i] for i in order), tuple(labelled)


def _travel(landmarks: np.ndarray, before: Sequence[np.ndarray]) -> float | None:
    """Distance to the nearest hand of the last frame, in hand sizes. None if no hand was near."""
    points = landmarks[:, :2]
    size = float(np.ptp(points, axis=0).max())
    if size <= 0:
        return None
    moves = [float(np.linalg.norm(points - other[:, :2], axis=1).mean()) / size for other in before]
    nearest = min(moves, default=SAME_HAND)
    return nearest if nearest < SAME_HAND else None


def open_hands(*, stream: bool = True) -> HandFinder:
    """A finder that uses MediaPipe's hand networks. Raises AssetError if its model file is missing or damaged."""
    return HandFinder(find_asset("hand_landmarker"), video=stream, guide=stream)


class HandSubject(Subject):
    """Hands, classified by landmarks, appearance features or pixels."""

    name = "hand"
    word = "hand"
    description = "a hand"
    studio_scene = "signs"
    prompt = "show a sign"
    summary = "It finds the hands in a picture and their joints, computes features of them, and classifies these."
    input = Input.JOINTS

    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        return StillHandFinder((hands or open_hands)()) if stream else open_hands(stream=False)

    def open_classifier(self, folder: Path, *, stream: bool = False) -> Predictor:
        if not read_checked_card(folder).labels:  # all its signs move
            return UntrainedClassifier(self)
        return HandClassifier(folder, stream=stream)

    def prepare(self, region: Region) -> Region:
        """The region itself, since the classifier needs its landmarks and its crop."""
        return region

    def input_image(self, prepared: Region) -> np.ndarray:
        return prepared.crop

    def open_postprocessor(self, classifier: Predictor | None) -> HandPostprocessor:
        return HandPostprocessor()

    def open_motion(self, folder: Path | None) -> MovingSigns:
        has_moving = folder is not None and (folder / MOTION_FILE).exists()
        return MovingSigns(MotionClassifier.load(folder / MOTION_FILE) if folder is not None and has_moving else None)

    def finder_networks(self, kind: str | None) -> Mapping[str, bytes]:
        """MediaPipe's two networks. For a "fused" model, the second has the appearance features as its last two outputs."""
        path = find_asset("hand_landmarker")
        try:
            with zipfile.ZipFile(path) as archive:
                palms, hand = archive.read(PALM_NETWORK), archive.read(HAND_NETWORK)
            return {PALMS: palms, JOINTS_OF_HAND: with_appearance(hand) if kind == "fused" else hand}
        except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
            raise AssetError(f"{path} is missing or damaged ({error}). Fetch it again: {fetch_command()}") from error

    def warm_up_region(self) -> Region:
        """A blank region with random landmarks, so that a classifier of landmarks can run on it."""
        joints = np.random.default_rng(0).uniform(8, WARM_UP_SIDE - 8, (JOINTS, 3)).astype(np.float32)
        return replace(super().warm_up_region(), hand=Hand(joints, "right", 1.0))

    def lacks_joints(self, region: Region) -> bool:
        return region.hand is None


HAND = HandSubject()
