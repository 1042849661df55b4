"""The interface of a subject: what a task recognizes (paper, hand, box). Each subject is one class in its own file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.motion.movement import Movement
from recognizer.preprocess import pictures
from recognizer.values import Box, Frame, Hand, Prediction, Region, SeenObject, hand_of

Find = Callable[[Frame], tuple[Region, ...]]
Postprocessed = tuple[tuple[Region, ...], tuple[Prediction, ...]]
OpenFinder = Callable[[], RegionFinder]

WARM_UP_SIDE = 64  # pixels of the blank region for a new classifier's first run


class Predictor(Protocol):
    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]: ...


class Input(Enum):
    """What training extracts from the samples of a subject."""

    INK = "ink"  # grey images of the ink, detected again in each sample
    JOINTS = "joints"  # hand landmarks, as stored with the sample
    COLOUR = "colour"  # the sample's whole colour image


class Postprocessor:
    """Drops regions and labels that the rest of the frame makes unlikely. It belongs to one pipeline and may keep state."""

    def postprocess(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> Postprocessed:
        """The remaining regions and predictions, in reading order. Default: all of them, unchanged."""
        return tuple(regions), tuple(predictions)


@dataclass(frozen=True, eq=False)
class WithMotion:
    """What a MotionReader makes of one frame."""

    regions: tuple[Region, ...]
    predictions: tuple[Prediction, ...]
    movement: Movement | None = None  # that has just ended
    is_moving: bool = False  # whether one is going on


class MotionReader(ABC):
    """Reads signs that move. It belongs to one stream, and gets every frame after the labels were smoothed."""

    @abstractmethod
    def step(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> WithMotion:
        """The regions and predictions, with the label of a movement that ended a moment ago."""

    @abstractmethod
    def predict(self, movement: Movement) -> Prediction:
        """The label of a whole movement; None if it is none of the signs."""


class Subject(ABC):
    """The pipeline stages of one subject. It is stateless: each `open_` method returns a new object."""

    name: str  # on disk, in options and in the HTTP API
    word: str  # what messages call the object that the user shows
    description: str  # in the form of a new task: what the camera shows

    # in the pipeline

    @abstractmethod
    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        """A new finder; `stream` says that frames are consecutive. Raises AssetError if a model file is missing or damaged.

        `hands` returns a hand finder that several pipelines share.
        """

    @abstractmethod
    def open_classifier(self, folder: Path, *, stream: bool = False) -> Predictor:
        """The classifier in a model folder. Raises ModelError or AssetError if a file is missing or damaged."""

    def prepare(self, region: Region) -> Any:
        """The classifier's input. Default: the region's crop, (h, w, 3) uint8 BGR."""
        return region.crop

    def input_image(self, prepared: Any) -> np.ndarray:
        """The classifier's input as an image, (h, w) or (h, w, 3) uint8. Default: the input itself."""
        return prepared

    def open_postprocessor(self, classifier: Predictor | None) -> Postprocessor:
        """The postprocessor of one pipeline. `classifier` is None while the task has no model."""
        return Postprocessor()

    def open_motion(self, folder: Path | None) -> MotionReader | None:
        """The reader of moving signs for one stream, with the model version in `folder`. None if nothing moves.

        Raises ModelError if a file in `folder` is damaged.
        """
        return None

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """All labels as one line of text. Default: labels in the order of their regions, separated by spaces."""
        return " ".join(prediction.label for prediction in predictions if prediction.label is not None)

    def objects(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> tuple[SeenObject, ...]:
        """What is in view, for events. Default: each region is an object."""
        return tuple(
            SeenObject(
                prediction.label,
                prediction.confidence,
                region.box,
                hand_of(region, prediction),
                prediction.moves,
            )
            for region, prediction in zip(regions, predictions, strict=True)
        )

    def warm_up_region(self) -> Region:
        """A blank region, so that a classifier can run once before the first frame."""
        return Region(Box(0, 0, WARM_UP_SIDE, WARM_UP_SIDE), np.zeros((WARM_UP_SIDE, WARM_UP_SIDE, 3), np.uint8))

    @contextmanager
    def finding(self, *, stream: bool) -> Iterator[RegionFinder]:
        """Opens a finder and closes it at the end of the block."""
        finder = self.open_finder(stream=stream)
        try:
            yield finder
        finally:
            finder.close()

    # in samples

    is_whole_picture: bool = False  # an imported image is one region: no finder runs on it

    @contextmanager
    def picture_finder(self) -> Iterator[Find | None]:
        """`find` for single images; None if an imported image is one region. Raises AssetError."""
        if self.is_whole_picture:
            yield None
            return
        with self.finding(stream=False) as finder:
            yield finder.find

    def sample_picture(self, frame_bgr: np.ndarray, region: Region) -> np.ndarray:
        """The image that a sample stores, (h, w, 3) uint8 BGR. Default: the region's crop."""
        return region.crop

    def region_of(self, picture_bgr: np.ndarray, box: Box, hand: Hand | None) -> Region | None:
        """The region of a stored sample. None if it is not found in the image.

        `box` and `hand` are in coordinates of the frame that it was cut from. Default: the whole image.
        """
        return Region(box, picture_bgr, hand=hand)

    def lacks_joints(self, region: Region) -> bool:
        """Whether training needs landmarks that this region lacks, so that it cannot be recorded."""
        return False

    # in the window

    studio_scene: str = "rps"  # scene that the studio draws for a user-trained task
    prompt: str = "hold something up"  # what the user is asked to do
    is_mirrored: bool = True  # a camera's picture is shown as in a mirror; writing would then be unreadable

    @property
    def key(self) -> str:
        """The key that selects this subject for a new task."""
        return self.name[0]

    # in exports

    summary: str  # a sentence: how it is recognized

    def finder_networks(self, kind: str | None) -> Mapping[str, bytes]:
        """The networks that find it, as LiteRT files by name. `kind` is that of the model.

        Raises ModelError or AssetError if a file is missing or damaged. Default: none.
        """
        return {}

    # in training

    input: Input = Input.COLOUR
    starting_task: str | None = None  # shipped task whose network is the feature extractor for new tasks

    grey_preprocess: str = pictures.HAND_VERSION  # preprocess version of grey images of 28x28 pixels
    edge_grey: int | None = None  # grey level beyond the edge of such an image; None: replicate the border

    @property
    def is_drawable(self) -> bool:
        """Whether a drawing on a blank canvas can stand in for the camera's picture."""
        return self.input is Input.INK

    def in_grey(self) -> "Subject":
        """The subject whose framing applies to grey images of 28x28 pixels. Default: itself."""
        return self

    def grey_image(self, picture_bgr: np.ndarray) -> np.ndarray:
        """An image (h, w, 3) uint8 BGR as (28, 28) uint8 grey levels. Default: the whole image."""
        side = max(pictures.SIDE, min(picture_bgr.shape[:2]))
        return pictures.hand_image(pictures.colour_image(picture_bgr, side))

    def card_kind(self, kind: str) -> str | None:
        """The input as a model card records it. None for a subject with a single input."""
        return kind


class UntrainedClassifier:
    """The classifier of a task without a model: it rejects every input."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        """A prediction without a label for each of the subject's inputs."""
        return tuple(
            Prediction(None, 0.0, (), pictures.hand_image(self._subject.input_image(prepared))) for prepared in inputs
        )
