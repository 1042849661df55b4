"""Turns captured samples into network inputs, augmented copies of them, and features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.hands import FUSED_VERSION
from recognizer.classifiers.network import Network
from recognizer.preprocess import appearance, pictures, pose
from recognizer.registry.assets import find_asset
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.subjects.subject import Subject
from recognizer.values import Region
from training.datasets import hand_variations
from training.datasets.hand_variations import CROPS_A_VIEW, augmented_crops

INK_SIDE = 112  # pixels of the longer side at which ink is augmented
TURN_DEG = 7.0  # standard deviations of the augmentation of ink; more would turn a 1 into a 7, or a + into an x
SHEAR = 0.12
STRETCH = 0.1
STROKE_PX = 5  # at INK_SIDE: strokes are thickened or thinned by at most this
BEND_PX = 2.5  # at INK_SIDE: elastic deformation

TILT_DEG = 8.0  # standard deviations of the augmentation of pictures: of the rotation
NEARER = 0.1  # of the logarithm of the scale
MOVED = 0.05  # of the shift, as a share of the picture's side
CHUNK = 32  # inputs per inference
BRIGHTER = 0.15  # of the logarithm of the brightness
TINTED = 0.05  # of the logarithm of each colour channel's gain


class SampleInputs(Protocol):
    """N samples of a task as inputs of a network."""

    @property
    def samples(self) -> list[Sample]: ...

    @property
    def preprocess(self) -> str:
        """Version of the preprocessing, as the model's card states it."""

    @property
    def input_kind(self) -> str | None:
        """The input that the model's card names, such as "pose" or "colour"; None for ink."""

    def region(self, row: int, store: Samples) -> Region:
        """The sample as a region, as a finder returns it."""

    def inputs(self) -> list[np.ndarray]:
        """The network's input for each sample."""

    def augmented(self, rng: np.random.Generator) -> list[np.ndarray]:
        """The network's input for an augmented copy of each sample."""


@dataclass(frozen=True, eq=False)
class HandInputs:
    samples: list[Sample]
    landmarks: np.ndarray  # (N, 21, 3) float32
    left: np.ndarray  # (N,) bool: left hands
    # (N, L, appearance.SIZE) float32: of the crop, then of augmented crops; None: joints alone
    appearance_features: np.ndarray | None = None

    @property
    def preprocess(self) -> str:
        return pose.VERSION if self.appearance_features is None else FUSED_VERSION

    @property
    def input_kind(self) -> str:
        return "pose" if self.appearance_features is None else "fused"

    def region(self, row: int, store: Samples) -> Region:
        return _whole_picture(self.samples[row], store)

    def inputs(self) -> list[np.ndarray]:
        return self._with_appearance(pose.batch_features(self.landmarks, self.left), np.zeros(len(self.samples), int))

    def augmented(self, rng: np.random.Generator) -> list[np.ndarray]:
        pose_features = pose.batch_features(
            *hand_variations.augmented(self.landmarks.astype(np.float64), self.left, rng)
        )
        return self._with_appearance(pose_features, rng.integers(CROPS_A_VIEW, size=len(pose_features)))

    def _with_appearance(self, pose_features: np.ndarray, crop_indices: np.ndarray) -> list[np.ndarray]:
        if self.appearance_features is None:
            return list(pose_features)
        return list(
            np.concatenate(
                [pose_features, self.appearance_features[np.arange(len(pose_features)), crop_indices]], axis=1
            )
        )


@dataclass(frozen=True, eq=False)
class InkInputs:
    samples: list[Sample]
    inks: list[np.ndarray]  # (h, w) uint8
    preprocess: str = pictures.VERSION
    input_kind: None = None

    def region(self, row: int, store: Samples) -> Region:
        return Region(self.samples[row].box, self.inks[row])

    def inputs(self) -> list[np.ndarray]:
        return [pictures.mnist_image(ink) for ink in self.inks]

    def augmented(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [pictures.mnist_image(augmented_ink(ink, rng)) for ink in self.inks]


@dataclass(frozen=True, eq=False)
class ColourInputs:
    samples: list[Sample]
    images: list[np.ndarray]  # (side, side, 3) uint8 BGR
    preprocess: str = pictures.COLOUR_VERSION
    input_kind: str = "colour"

    def region(self, row: int, store: Samples) -> Region:
        return _whole_picture(self.samples[row], store)

    def inputs(self) -> list[np.ndarray]:
        return self.images

    def augmented(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [augmented_picture(image, rng) for image in self.images]


def colour_inputs(samples: Sequence[Sample], store: Samples, side: int) -> ColourInputs:
    """The samples' whole pictures, scaled to `side` pixels."""
    return ColourInputs(list(samples), [pictures.colour_image(store.picture(sample), side) for sample in samples])


def hand_inputs(samples: Sequence[Sample], store: Samples, *, with_appearance: bool = False) -> HandInputs:
    """The samples that have hand joints; with `with_appearance`, their appearance features too.

    Raises AssetError if appearance features are requested and MediaPipe's hand model is missing.
    """
    with_joints = [sample for sample in samples if sample.landmarks is not None]
    landmarks = [sample.landmarks for sample in with_joints if sample.landmarks is not None]
    left = np.array([sample.side == "left" for sample in with_joints], bool)
    appearance_features = appearance_features_of(with_joints, store) if with_appearance else None
    return HandInputs(
        with_joints, np.array(landmarks, np.float32).reshape(-1, pose.JOINTS, 3), left, appearance_features
    )


def ink_inputs(samples: Sequence[Sample], store: Samples, subject: Subject) -> InkInputs:
    """The ink in the samples; samples in which no ink is found are skipped."""
    found = [(sample, subject.region_of(store.picture(sample), sample.box, sample.hand)) for sample in samples]
    inks = [(sample, region.crop) for sample, region in found if region is not None]
    return InkInputs([sample for sample, _ in inks], [ink for _, ink in inks])


def _whole_picture(sample: Sample, store: Samples) -> Region:
    return Region(sample.box, store.picture(sample), hand=sample.hand)


def augmented_picture(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An augmented copy of a picture (side, side, 3) uint8 BGR: shifted, rotated, scaled, with other colours; same shape.

    It is not flipped: an arrow to the left is not an arrow to the right.
    """
    side = image.shape[0]
    transform = cv2.getRotationMatrix2D(
        (side / 2, side / 2), rng.normal(0, TILT_DEG), float(np.exp(rng.normal(0, NEARER)))
    )
    transform[:, 2] += rng.normal(0, MOVED * side, 2)
    warped = cv2.warpAffine(image, transform, (side, side), borderMode=cv2.BORDER_REPLICATE)
    gain = np.exp(rng.normal(0, BRIGHTER) + rng.normal(0, TINTED, 3))
    return np.clip(warped * gain, 0, 255).astype(np.uint8)


def appearance_features_of(samples: Sequence[Sample], store: Samples) -> np.ndarray:
    """Appearance features of each sample's crop and of augmented crops: (N, CROPS_A_VIEW, appearance.SIZE) float32.

    Raises AssetError if MediaPipe's hand model is missing.
    """
    extractor, rng = appearance.AppearanceExtractor(find_asset("hand_landmarker")), np.random.default_rng(0)
    appearance_features = np.zeros((len(samples), CROPS_A_VIEW, appearance.SIZE), np.float32)
    for row, sample in enumerate(samples):
        assert sample.hand is not None, "appearance features need a hand"
        appearance_features[row] = [
            extractor.features_of_upright(crop)
            for crop in augmented_crops(_whole_picture(sample, store), sample.hand, rng)
        ]
    return appearance_features


def augmented_ink(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An augmented copy of ink (h, w) uint8: rotated, sheared, bent, with another stroke width. Its size differs."""
    height, width = ink.shape
    scale = INK_SIDE / max(height, width)
    ink = cv2.resize(ink, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_LINEAR)
    margin = INK_SIDE // 3
    ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    angle, (across, down) = np.radians(rng.normal(0, TURN_DEG)), np.exp(rng.normal(0, STRETCH, 2))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.array([[across, rng.normal(0, SHEAR)], [0, down]])
    center = np.array(ink.shape[::-1]) / 2
    displacement = cv2.resize(
        rng.normal(0, BEND_PX, (4, 4, 2)).astype(np.float32), ink.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]].astype(np.float32)
    source_xy = (np.stack([x, y], axis=2) - center) @ np.linalg.inv(linear).T + center + displacement
    ink = cv2.remap(ink, source_xy.astype(np.float32), None, cv2.INTER_LINEAR)
    size = int(rng.integers(-STROKE_PX, STROKE_PX + 1))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(size) + 1, abs(size) + 1))
    changed = cv2.dilate(ink, pen) if size > 0 else cv2.erode(ink, pen)
    # keep the original width if thinning would break a stroke
    return pictures.trim(changed) if _pieces(changed) == _pieces(ink) else pictures.trim(ink)


def _pieces(ink: np.ndarray) -> int:
    return cv2.connectedComponents((ink > 127).astype(np.uint8))[0]


def features_of(inputs: Sequence[np.ndarray], network: Classifier | Network | None) -> np.ndarray:
    """Features of each input, (N, D) float32: the network's embedding, or the flattened input if there is no network."""
    if network is None:
        return np.array(inputs, np.float32).reshape(len(inputs), -1)
    parts = [network.run_all(inputs[start : start + CHUNK])[1] for start in range(0, len(inputs), CHUNK)]
    return np.concatenate(parts)
