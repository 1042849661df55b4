"""What every subject has: a subject is what a task shows to the camera. A new one is a class of its own in one file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.preprocess import pictures
from recognizer.values import Box, Frame, Hand, Prediction, Region

Find = Callable[[Frame], tuple[Region, ...]]
Postprocessed = tuple[tuple[Region, ...], tuple[Prediction, ...]]
OpenFinder = Callable[[], RegionFinder]

WARM_UP_SIDE = 64  # pixels of the empty region that a new classifier is run on first


class Predictor(Protocol):
    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]: ...


class Input(Enum):
    """What a training makes of a subject's samples."""

    INK = "ink"  # grey pictures of what was written, found again in each sample
    JOINTS = "joints"  # of a hand, as the sample stores them
    COLOUR = "colour"  # the sample's whole picture


class Postprocessor:
    """Drops what the rest of the picture speaks against. One belongs to one pipeline, and may remember its last frames."""

    def postprocess(self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]) -> Postprocessed:
        """The regions and predictions that stay, in reading order. Default: all of them, as they are."""
        return tuple(regions), tuple(predictions)


class Subject(ABC):
    """One subject's stages. It holds no state; what has some, such as a finder, it opens anew."""

    name: str  # on disk, in options and in the HTTP API
    word: str  # what the user is asked to show

    # in the pipeline

    @abstractmethod
    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        """What finds its regions; `stream` for frames that follow each other. Raises AssetError.

        `hands` is asked for a finder of hands to look through, which stays open for others.
        """

    @abstractmethod
    def open_classifier(self, folder: Path, *, stream: bool = False) -> Predictor:
        """The classifier of a model version. Raises ModelError and AssetError."""

    def prepare(self, region: Region) -> Any:
        """The classifier's input. Default: the region's crop, (h, w, 3) uint8 BGR."""
        return region.crop

    def input_image(self, prepared: Any) -> np.ndarray:
        """The classifier's input as a picture, (h, w) or (h, w, 3) uint8. Default: the input itself."""
        return prepared

    def open_postprocessor(self, classifier: Predictor | None) -> Postprocessor:
        """The postprocessor of one pipeline. `classifier` is None while the task has no model."""
        return Postprocessor()

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """All that is known in one line. Default: the known labels in the order of their regions."""
        return " ".join(prediction.label for prediction in predictions if prediction.label is not None)

    def warm_up_region(self) -> Region:
        """An empty region, on which a new classifier is run before a frame comes."""
        return Region(Box(0, 0, WARM_UP_SIDE, WARM_UP_SIDE), np.zeros((WARM_UP_SIDE, WARM_UP_SIDE, 3), np.uint8))

    @contextmanager
    def finding(self, *, stream: bool) -> Iterator[RegionFinder]:
        """`open_finder` for as long as the block lasts."""
        finder = self.open_finder(stream=stream)
        try:
            yield finder
        finally:
            finder.close()

    # in samples

    is_whole_picture: bool = False  # a picture that is imported is one region, and nothing is looked for in it

    @contextmanager
    def picture_finder(self) -> Iterator[Find | None]:
        """What looks for regions in single pictures; None where these are whole pictures. Raises AssetError."""
        if self.is_whole_picture:
            yield None
            return
        with self.finding(stream=False) as finder:
            yield finder.find

    def sample_picture(self, frame_bgr: np.ndarray, region: Region) -> np.ndarray:
        """What a sample stores of a frame, (h, w, 3) uint8 BGR. Default: the region's crop."""
        return region.crop

    def region_of(self, picture_bgr: np.ndarray, box: Box, hand: Hand | None) -> Region | None:
        """The region that a sample was made of; None where nothing is found again in its picture.

        `box` and `hand` are those of the frame it was found in. Default: the whole picture.
        """
        return Region(box, picture_bgr, hand=hand)

    def lacks_joints(self, region: Region) -> bool:
        """Whether the region can be no sample, since it is learned from joints and has none."""
        return False

    # in the window

    studio_scene: str = "rps"  # what the studio shows for a task of the user's own

    @property
    def key(self) -> str:
        """The key that chooses it for a new task."""
        return self.name[0]

    # in a training

    input: Input = Input.COLOUR
    starting_task: str | None = None  # the shipped task whose network gives the features of a new one

    grey_preprocess: str = pictures.HAND_VERSION  # of small grey pictures
    edge_grey: int | None = None  # the level beyond a small picture's edge; None: its outermost pixels go on

    def in_grey(self) -> "Subject":
        """The subject that small grey pictures of it are framed and published as. Default: itself."""
        return self

    def grey_image(self, picture_bgr: np.ndarray) -> np.ndarray:
        """A picture (h, w, 3) uint8 BGR as a small network's input, (28, 28) uint8. Default: the whole of it."""
        side = max(pictures.SIDE, min(picture_bgr.shape[:2]))
        return pictures.hand_image(pictures.colour_image(picture_bgr, side))

    def card_kind(self, kind: str) -> str | None:
        """What a card names a classifier of this kind of input; None for a subject with a single kind."""
        return kind


class UntrainedClassifier:
    """The classifier of a task that has samples to record and no model yet: it knows nothing."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        """A prediction without a label for each of the subject's inputs."""
        return tuple(
            Prediction(None, 0.0, (), pictures.hand_image(self._subject.input_image(prepared))) for prepared in inputs
        )
