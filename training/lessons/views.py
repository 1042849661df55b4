"""Captured samples as a model meets them: what is found in each, changed copies of it, and the features of both."""

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
from training.datasets.hand_variations import LOOKS, shown_as

INK_SIDE = 112  # pixels of the longer side at which ink is changed
TURN_DEG = 7.0  # standard deviations of how ink is changed: further, and a 1 is a 7 or a + an x
SHEAR = 0.12
STRETCH = 0.1
STROKE_PX = 5  # at INK_SIDE: how much strokes are thickened or thinned at most
BEND_PX = 2.5  # at INK_SIDE: as another hand would write it

TILT_DEG = 8.0  # standard deviations of how things are held up again
NEARER = 0.1  # of the logarithm of their size
MOVED = 0.05  # of the picture's side
CHUNK = 32  # inputs that a network sees at once
BRIGHTER = 0.15  # of the logarithm of the light
TINTED = 0.05  # likewise, of each colour


class View(Protocol):
    """N samples of a task."""

    @property
    def samples(self) -> list[Sample]: ...

    @property
    def prepared(self) -> str:
        """The preprocess that its inputs come from."""

    @property
    def kind(self) -> str | None:
        """The kind of input that a model's card names; None for ink."""

    def region(self, row: int, store: Samples) -> Region:
        """What a finder gives for the sample in that row."""

    def plain(self) -> list[np.ndarray]:
        """The network's input for each sample."""

    def changed(self, rng: np.random.Generator) -> list[np.ndarray]:
        """The same for a copy of each sample that is changed as another try would be."""


@dataclass(frozen=True, eq=False)
class HandView:
    samples: list[Sample]
    landmarks: np.ndarray  # (N, 21, 3)
    left: np.ndarray  # (N,) bool
    looks: np.ndarray | None = None  # (N, L, appearance.SIZE): each hand as it looks, then changed; None: joints alone

    @property
    def prepared(self) -> str:
        return pose.VERSION if self.looks is None else FUSED_VERSION

    @property
    def kind(self) -> str:
        return "pose" if self.looks is None else "fused"

    def region(self, row: int, store: Samples) -> Region:
        return _whole(self.samples[row], store)

    def plain(self) -> list[np.ndarray]:
        return self._with_looks(pose.batch_features(self.landmarks, self.left), np.zeros(len(self.samples), int))

    def changed(self, rng: np.random.Generator) -> list[np.ndarray]:
        posed = pose.batch_features(*hand_variations.augmented(self.landmarks.astype(np.float64), self.left, rng))
        return self._with_looks(posed, rng.integers(LOOKS, size=len(posed)))

    def _with_looks(self, posed: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
        if self.looks is None:
            return list(posed)
        return list(np.concatenate([posed, self.looks[np.arange(len(posed)), chosen]], axis=1))


@dataclass(frozen=True, eq=False)
class PaperView:
    samples: list[Sample]
    inks: list[np.ndarray]  # (h, w) uint8
    prepared: str = pictures.VERSION
    kind: None = None

    def region(self, row: int, store: Samples) -> Region:
        return Region(self.samples[row].box, self.inks[row])

    def plain(self) -> list[np.ndarray]:
        return [pictures.mnist_image(ink) for ink in self.inks]

    def changed(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [pictures.mnist_image(rewritten(ink, rng)) for ink in self.inks]


@dataclass(frozen=True, eq=False)
class ColourView:
    samples: list[Sample]
    images: list[np.ndarray]  # (side, side, 3) uint8 BGR
    prepared: str = pictures.COLOUR_VERSION
    kind: str = "colour"

    def region(self, row: int, store: Samples) -> Region:
        return _whole(self.samples[row], store)

    def plain(self) -> list[np.ndarray]:
        return self.images

    def changed(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [held_again(image, rng) for image in self.images]


def colour_view(samples: Sequence[Sample], store: Samples, side: int) -> ColourView:
    """The samples' whole pictures at `side` pixels."""
    return ColourView(list(samples), [pictures.colour_image(store.picture(sample), side) for sample in samples])


def hand_view(samples: Sequence[Sample], store: Samples, *, looked: bool = False) -> HandView:
    """The hands whose joints the samples store; `looked`: how they look, too.

    Raises AssetError where hands are to be looked at, and MediaPipe's network is missing.
    """
    seen = [sample for sample in samples if sample.landmarks is not None]
    landmarks = [sample.landmarks for sample in seen if sample.landmarks is not None]
    left = np.array([sample.side == "left" for sample in seen], bool)
    looks = looks_of(seen, store) if looked else None
    return HandView(seen, np.array(landmarks, np.float32).reshape(-1, pose.JOINTS, 3), left, looks)


def ink_view(samples: Sequence[Sample], store: Samples, subject: Subject) -> PaperView:
    """The ink in the samples; those in which none is found again are left out."""
    found = [(sample, subject.region_of(store.picture(sample), sample.box, sample.hand)) for sample in samples]
    inks = [(sample, region.crop) for sample, region in found if region is not None]
    return PaperView([sample for sample, _ in inks], [ink for _, ink in inks])


def _whole(sample: Sample, store: Samples) -> Region:
    return Region(sample.box, store.picture(sample), hand=sample.hand)


def held_again(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture (side, side, 3) uint8 as of the same thing held up once more: moved, turned, nearer, in other light.

    It is not mirrored: an arrow to the left is none to the right.
    """
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, TILT_DEG), float(np.exp(rng.normal(0, NEARER))))
    turn[:, 2] += rng.normal(0, MOVED * side, 2)
    moved = cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    light = np.exp(rng.normal(0, BRIGHTER) + rng.normal(0, TINTED, 3))
    return np.clip(moved * light, 0, 255).astype(np.uint8)


def looks_of(samples: Sequence[Sample], store: Samples) -> np.ndarray:
    """How the hand of each sample looks, as it is and changed: (N, LOOKS, appearance.SIZE) float32. Raises AssetError."""
    sight, rng = appearance.Appearance(find_asset("hand_landmarker")), np.random.default_rng(0)
    looks = np.zeros((len(samples), LOOKS, appearance.SIZE), np.float32)
    for place, sample in enumerate(samples):
        assert sample.hand is not None, "only hands are looked at"
        looks[place] = [sight.of_upright(shown) for shown in shown_as(_whole(sample, store), sample.hand, rng)]
    return looks


def rewritten(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink (h, w) uint8 as another try of the same hand, (h, w) uint8: turned, sheared, bent, with another pen."""
    height, width = ink.shape
    scale = INK_SIDE / max(height, width)
    ink = cv2.resize(ink, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_LINEAR)
    margin = INK_SIDE // 3
    ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    angle, (across, down) = np.radians(rng.normal(0, TURN_DEG)), np.exp(rng.normal(0, STRETCH, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[across, rng.normal(0, SHEAR)], [0, down]])
    middle = np.array(ink.shape[::-1]) / 2
    bend = cv2.resize(
        rng.normal(0, BEND_PX, (4, 4, 2)).astype(np.float32), ink.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]].astype(np.float32)
    places = (np.stack([x, y], axis=2) - middle) @ np.linalg.inv(linear).T + middle + bend
    ink = cv2.remap(ink, places.astype(np.float32), None, cv2.INTER_LINEAR)
    size = int(rng.integers(-STROKE_PX, STROKE_PX + 1))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(size) + 1, abs(size) + 1))
    changed = cv2.dilate(ink, pen) if size > 0 else cv2.erode(ink, pen)
    # a stroke that thinning would break stays as it was
    return pictures.trim(changed) if _pieces(changed) == _pieces(ink) else pictures.trim(ink)


def _pieces(ink: np.ndarray) -> int:
    return cv2.connectedComponents((ink > 127).astype(np.uint8))[0]


def features_of(inputs: Sequence[np.ndarray], network: Classifier | Network | None) -> np.ndarray:
    """What the head sees: the network's embedding of each input, or the input itself; (N, D) float32."""
    if network is None:
        return np.array(inputs, np.float32).reshape(len(inputs), -1)
    parts = [network.run_all(inputs[start : start + CHUNK])[1] for start in range(0, len(inputs), CHUNK)]
    return np.concatenate(parts)
