"""Network inputs of digits and background, cropped from synthetic rooms by the live finder."""

from collections.abc import Sequence

import numpy as np

from recognizer.finders.characters import NETWORKS
from recognizer.finders.contrast import DigitFinder
from recognizer.finders.ink import InkNetwork
from recognizer.finders.writing import WritingFinder
from recognizer.preprocess.pictures import mnist_image
from recognizer.values import Frame, Region
from training.datasets import rooms
from training.datasets.paper_scenes import NOTHING
from training.datasets.sheets import Digits
from training.finders import verifier

SHAPES = ((640, 360), (640, 480), (1280, 720))  # width and height in pixels of a scene
MIN_PROPOSAL_SCORE, MIN_SCORE = (
    0.1,
    0.3,
)  # lower than those of the live finder, to include uncertain detections
MAX_CROPS = 7  # limit per scene, so that a page of small digits does not dominate
MAX_CONTRAST_CROPS = 3  # limit per scene of regions found by contrast only, which are rare live
MATCH_IOU = 0.55  # a region whose IoU with a character is at least this shows the character
MISS_IOU = 0.05  # a region whose IoU with every character is at most this is background
STROKE_LIKE = frozenset(("slash", "bracket"))  # marks that look like a 1 out of context


def crops(
    digits: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`count` network inputs (N, 28, 28) uint8 and their classes (N,) int64, 0 to 9 or NOTHING.

    `digits` (M, 28, 28) uint8 and `labels` (M,) are from MNIST's training set. Half of the digits in the scenes use
    them; the others are generated pen strokes in styles that MNIST lacks.
    """
    scene_sources = rooms.SceneSources(Digits(digits, labels), *rooms.photographs(held_out=False))
    finder, inks, by_contrast = WritingFinder(), InkNetwork(NETWORKS / "ink.tflite"), DigitFinder()
    images: list[np.ndarray] = []
    classes: list[int] = []
    while len(images) < count:
        scene = rooms.draw(scene_sources, rng, SHAPES[rng.integers(len(SHAPES))])
        characters = finder.characters(scene.picture_bgr, MIN_PROPOSAL_SCORE, MIN_SCORE)
        found = _some(inks.cut_out(scene.picture_bgr, characters), MAX_CROPS, rng)
        contrasting = by_contrast.find(
            Frame(scene.picture_bgr, 0, 0.0, "drawn")
        )  # its crops differ from those of the network
        for region in [*found, *_some(contrasting, MAX_CONTRAST_CROPS, rng)]:
            label = class_of(region, scene.written)
            if label is not None:
                images.append(mnist_image(region.crop))
                classes.append(label)
    return np.array(images[:count], np.uint8), np.array(classes[:count], np.int64)


def _some(regions: Sequence[Region], count: int, rng: np.random.Generator) -> list[Region]:
    """At most `count` random regions."""
    return [regions[index] for index in rng.permutation(len(regions))[:count]]


def class_of(region: Region, written: tuple[rooms.Written, ...]) -> int | None:
    """The class that a region shows, 0 to 9 or NOTHING; None if it is ambiguous."""
    ious = verifier.ious_with(region.box, written)
    best = max(ious, default=0.0)
    if best <= MISS_IOU:
        return NOTHING
    one = written[ious.index(best)]
    if best < MATCH_IOU or one.ambiguous or one.character in STROKE_LIKE:
        return None
    shown = verifier.class_of(one)
    return None if shown == verifier.UNCLEAR else shown
