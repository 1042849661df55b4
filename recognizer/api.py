"""The recognizer in three lines of Python: read pictures, watch a camera, teach labels."""

import contextlib
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np
from PIL import Image

from recognizer.errors import RecognizerError, SourceError, TrainingError
from recognizer.event_detection.detector import EventDetector, EventTimes
from recognizer.event_detection.event import Event
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.sample import NOTHING
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples, open_samples
from recognizer.sources.decoding import decode_image, from_pillow, read_image
from recognizer.sources.opening import open_source
from recognizer.studio.scenes import STUDIO_SCENES
from recognizer.tasks import subject_of_model
from recognizer.teaching.import_pictures import import_pictures
from recognizer.teaching.training_process import TrainingProcess
from recognizer.values import Frame, Observation, as_json

__all__ = ["Event", "LabelledRegion", "Reading", "Recognizer", "RecognizerError", "TrainingResult", "events"]

Picture = str | PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Image.Image

IN_MEMORY = "picture"  # the name of a picture that is not a file
POLL_S = 0.1  # interval at which the progress of a training is looked at
_WANTED = "Give a file's path, its bytes, a PIL image, or an array: (height, width, 3) uint8 in BGR order, as cv2.imread does."


@dataclass(frozen=True)
class LabelledRegion:
    """A place in a picture where something was found, and what it was recognized as.

    Attributes:
        label: the label; None if what is there was found, but not recognized.
        confidence: the probability of the most probable label, from 0 to 1.
        box: (x1, y1, x2, y2) in pixels of the picture; x2 and y2 lie outside.
        top: the most probable labels, up to three, each with its probability; the best first.
        turn: "upside down" or "mirrored" if the sheet must be turned or flipped to be read; else None.
        hand: "left" or "right", the person's hand, or "both" for a movement of two hands; None for paper and objects.
        moves: whether the label is that of a movement, which has just ended. Only streams have movements.

    Example:
        >>> from recognizer import LabelledRegion
        >>> LabelledRegion("A", 0.982, (412, 80, 640, 360), hand="left")
        LabelledRegion('A', 0.982, box=(412, 80, 640, 360), hand='left')
    """

    label: str | None
    confidence: float
    box: tuple[int, int, int, int]
    top: tuple[tuple[str, float], ...] = ()
    turn: str | None = None
    hand: str | None = None
    moves: bool = False

    def __repr__(self) -> str:
        turn = "" if self.turn is None else f", turn={self.turn!r}"
        hand = "" if self.hand is None else f", hand={self.hand!r}"
        return f"LabelledRegion({self.label!r}, {self.confidence:.3g}, box={self.box}{turn}{hand})"


@dataclass(frozen=True)
class Reading:
    """What was recognized in one picture or frame: what `recognizer read --json` prints, as objects.

    Attributes:
        text: the labels in reading order; "" if nothing was recognized.
        regions: a LabelledRegion for each place where something was found, in reading order.
        name: the file, or the source, that the picture came from.
        index: the number of the frame in its source, from 0.
        time_s: seconds from the opening of the source to the frame.
        image_bgr: the picture, (H, W, 3) uint8 in BGR order.
        observation: the value that the program's own sinks take, such as recognizer.sinks. It is not public and may change.

    Example:
        >>> from recognizer import Recognizer
        >>> from recognizer.studio.scenes import Studio
        >>> digits = Recognizer("digits")
        >>> digits.read(Studio("digits").frame(36).image_bgr).text
        '006'
    """

    text: str
    regions: tuple[LabelledRegion, ...]
    name: str = IN_MEMORY
    index: int = 0
    time_s: float = 0.0
    image_bgr: np.ndarray = field(kw_only=True, repr=False, compare=False)
    observation: Observation = field(kw_only=True, repr=False, compare=False)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The label of each region, in reading order."""
        return tuple(region.label for region in self.regions)

    def as_json(self) -> dict[str, Any]:
        """The JSON object that `recognizer read --json` prints, without the file's name."""
        return as_json(self.observation)

    def __repr__(self) -> str:
        regions = "".join(f"\n  {region!r}," for region in self.regions)
        return f"Reading({self.text!r}, regions=({regions}{chr(10) if regions else ''}))"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run.

    Attributes:
        version: the name of the published model; None if validation rejected it, and the model before it stays.
        reason: why it was published or rejected, in one line.
        accuracy: the share of the held-out samples that the new model labels right, 0 to 1; None without held-out samples.
        accuracy_before: the same of the model before it; None if the task had none.
        seconds: how long it took.

    Example:
        >>> from recognizer import TrainingResult
        >>> TrainingResult("20261128-101500", "better on held-out samples", 0.95, None, 2.1).published
        True
    """

    version: str | None
    reason: str
    accuracy: float | None
    accuracy_before: float | None
    seconds: float

    @property
    def published(self) -> bool:
        """Whether the new model is the task's current one."""
        return self.version is not None


class Recognizer:
    """Recognizes the labels of one task in pictures and in camera frames, and learns new ones.

    Models are opened by the first `read` or `watch`, and closed by `close`, by the end of a `with`, or with the program.
    Not thread-safe: use it from one thread at a time.

    Args:
        task: "digits", "letters", "rps", or a task of your own.
        models: the folder of the trained models, or its URL; None for the folder that RECOGNIZER_MODELS names, else that
            of the program.
        samples: the folder of the recorded samples, or its URL; None for the folder that RECOGNIZER_CAPTURES names, else
            that of the program.

    Example:
        >>> from recognizer import Recognizer
        >>> from recognizer.studio.scenes import Studio
        >>> drawn_bgr = Studio("digits").frame(36).image_bgr  # or "sheet.jpg"
        >>> digits = Recognizer("digits")
        >>> print(digits.read(drawn_bgr))
        006
    """

    def __init__(
        self, task: str = "digits", *, models: str | Path | None = None, samples: str | Path | None = None
    ) -> None:
        self.task = task
        self._models = _models(models)
        self._samples = _samples(samples)
        self._pictures: Pipeline | None = None
        self._open = contextlib.ExitStack()  # has the pipeline of pictures
        self._open_iterators: weakref.WeakSet[Generator[Reading]] = weakref.WeakSet()
        weakref.finalize(self, self._open.close)

    @classmethod
    def new(
        cls,
        task: str,
        *,
        subject: str,
        labels: Iterable[str],
        sides: bool = False,
        models: str | Path | None = None,
        samples: str | Path | None = None,
    ) -> Self:
        """Creates a task of your own. `learn` then teaches it.

        Args:
            task: its name: letters, digits, spaces, - and _, in any script.
            subject: what is shown: "paper", "hand", or "box" for any object.
            labels: the names of what is to be recognized. More can be added by `learn`.
            sides: the left and the right hand mean different things.
            models: as of Recognizer.
            samples: as of Recognizer.

        Raises:
            SamplesError: the name is taken or not allowed, there is no such subject or no label, or `sides` without hands.

        Example:
            >>> import tempfile
            >>> from recognizer import Recognizer
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     greetings = Recognizer.new("greetings", subject="hand", labels=["hello", "thumbs up"], samples=folder)
            ...     print(greetings.labels)
            ('hello', 'thumbs up')
        """
        _samples(samples).create_task(task, subject, labels, sides=sides)
        return cls(task, models=models, samples=samples)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the task's model recognizes; those to be taught if it has no model yet. Raises RecognizerError."""
        if self.task in self._models.tasks():
            return card.read_card(self._models.current(self.task)).all_labels
        return tuple(label for label in self._samples.task(self.task).labels if label != NOTHING)

    def read(self, picture: Picture, *, channels: Literal["bgr", "rgb"] = "bgr") -> Reading:
        """Recognizes one picture. The result does not depend on earlier pictures.

        Args:
            picture: the path of a picture file; the bytes of one; a PIL image; or an (H, W, 3) uint8 array, which is not
                changed.
            channels: the order of an array's channels: "bgr", as of cv2.imread, or "rgb", as of Matplotlib and imageio.

        Returns:
            A Reading, with the `text` and a LabelledRegion for each place where something was found.

        Raises:
            SourceError: the file cannot be read, or the picture has another shape or type.
            SettingsError: the task does not exist.
            ModelError: the task's model is missing or damaged.
            AssetError: the task's subject is the hand, and the file of the hand detector is missing.

        Example:
            >>> from recognizer import Recognizer
            >>> from recognizer.studio.scenes import Studio
            >>> reading = Recognizer("digits").read(Studio("digits").frame(36).image_bgr)
            >>> reading.labels
            ('0', '0', '6')
            >>> for region in reading.regions:
            ...     x1, y1, x2, y2 = region.box
            ...     print(region.label, f"{region.confidence:.0%}", y2 - y1 > 200)
            0 100% True
            0 100% True
            6 100% True
        """
        if self._pictures is None:
            self._pictures = self._open.enter_context(self._open_pipeline(smooth=False))
        return _reading(self._pictures.step(_as_frame(picture, channels)))

    def watch(
        self, source: int | str | Path = 0, *, size_wh: tuple[int, int] = (1280, 720), fps: float = 30.0
    ) -> Iterator[Reading]:
        """Recognizes each frame of a source, in order, until the source ends.

        Labels are smoothed over time. From a camera only the newest frame is processed: frames that arrive in the
        meantime are dropped. The source is closed when the iteration ends, when the iterator is deleted (as after a
        `break` out of `for`), and when the recognizer is closed.

        Args:
            source: a camera's number, the path of a video, a picture or a folder of pictures, an rtsp:// or http://
                address, or "studio", a synthetic camera that draws its frames and never ends.
            size_wh: width and height in pixels, requested from a camera (which may give others) or rendered.
            fps: frames per second, requested from a camera or rendered.

        Yields:
            A Reading, with the frame as `image_bgr`, its `index`, from 0, and `time_s`, seconds since the source was opened.

        Raises:
            SourceError: the source cannot be opened.
            SettingsError, ModelError, AssetError: as `read` does. All of these, SourceError too, are raised when the first
                frame is requested, not by the call of `watch`.

        Example:
            >>> from recognizer import Recognizer
            >>> for seen in Recognizer("digits").watch("studio"):
            ...     if seen.text:
            ...         print(seen.index, seen.text)
            ...         break
            0 006
        """
        iterator = self._watch(str(source), size_wh, fps)
        self._open_iterators.add(iterator)
        return iterator

    def learn(
        self,
        folder: str | Path | None = None,
        *,
        force: bool = False,
        progress: Callable[[str, float], object] | None = None,
    ) -> TrainingResult:
        """Trains the task on its samples, like the command `recognizer learn`. The next `read` uses the new model.

        A part of the samples is held out. The new model is published if it labels them better than the model before it,
        and has not forgotten what that one recognized. Ctrl-C cancels the training and changes nothing.

        Args:
            folder: first add the pictures in FOLDER/label/ to the samples; None to train on those that are there. Pictures
                that are left out are named on stderr.
            force: publish the new model even if it is no better.
            progress: called with what is being done, and the share that is done, from 0 to 1.

        Returns:
            A TrainingResult, with the `version` that was published, or None.

        Raises:
            SamplesError: the folder has no pictures in folders of labels, or none that can be read.
            TrainingError: there are too few samples or labels, or a file that training needs is missing.

        Example:
            >>> import tempfile
            >>> from recognizer import Recognizer, RecognizerError
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     greetings = Recognizer.new("greetings", subject="hand", labels=["hello", "bye"], samples=folder)
            ...     try:
            ...         greetings.learn()
            ...     except RecognizerError as error:
            ...         print(error)
            The task greetings has no samples. Record some with c in the window, or give --from DIR.
        """
        if folder is not None:
            import_pictures(self._samples, self.task, Path(folder), subject_of_model(self.task, self._models))
        report = self._train(["--force"] if force else [], progress)
        self._close_pictures()
        return TrainingResult(
            report["published"],
            report["why"],
            report["after"]["accuracy"],
            report["before"]["accuracy"],
            report["seconds"],
        )

    def rollback(self) -> str:
        """Goes back to the task's model before the current one, like `u` in the window. Returns its version.

        Raises:
            ModelError: there is none.

        Example:
            >>> from recognizer import Recognizer, RecognizerError
            >>> try:
            ...     Recognizer("digits").rollback()
            ... except RecognizerError as error:
            ...     print(str(error).startswith("digits has no earlier version"))
            True
        """
        version = self._models.rollback(self.task)
        self._close_pictures()
        return version

    def close(self) -> None:
        """Closes all cameras and models. May be called twice. A later `read` or `watch` opens them again."""
        for iterator in list(self._open_iterators):
            iterator.close()
        self._close_pictures()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Recognizer({self.task!r})"

    def _watch(self, source: str, size_wh: tuple[int, int], fps: float) -> Generator[Reading]:
        with self._open_pipeline(smooth=True) as pipeline:
            scene = STUDIO_SCENES.get(pipeline.task, pipeline.subject.studio_scene)
            spec = f"studio:{scene}" if source == "studio" else source
            with open_source(spec, size_wh=size_wh, fps=fps) as frames:
                for frame in frames:
                    yield _reading(pipeline.step(frame))

    def _open_pipeline(self, *, smooth: bool) -> Pipeline:
        return open_pipeline(self.task, self._models, self._samples, smooth=smooth)

    def _close_pictures(self) -> None:
        self._open.close()
        self._pictures = None

    def _train(self, options: list[str], progress: Callable[[str, float], object] | None) -> dict[str, Any]:
        """The last report of a training in another process. Raises TrainingError if it ends without a result."""
        training = TrainingProcess(self.task, self._models, self._samples, *options)
        try:
            while not (report := training.poll()).get("ended"):
                if progress is not None and "stage" in report:
                    progress(report["stage"], report["progress"])
                time.sleep(POLL_S)
        finally:
            training.cancel()
        if "error" in report:
            raise TrainingError(report["error"])
        return report


def events(
    task: str,
    source: int | str | Path = 0,
    *,
    hold_s: float = EventTimes.hold_s,
    models: str | Path | None = None,
    samples: str | Path | None = None,
) -> Iterator[Event]:
    """What happens before a camera: a label has appeared, is held, or has gone.

    The source is closed when the iteration ends, and when the iterator is deleted, as after a `break` out of `for`.

    Args:
        task: as of Recognizer.
        source: as of Recognizer.watch.
        hold_s: how long a label must be recognized until it has appeared, in seconds.
        models: as of Recognizer.
        samples: as of Recognizer.

    Yields:
        An Event. When the source ends, all labels in view have gone.

    Raises:
        SourceError, SettingsError, ModelError, AssetError: as Recognizer.watch, when the first event is requested.

    Example:
        >>> from recognizer import events
        >>> for event in events("digits", source="studio"):
        ...     if event.phase == "appeared":
        ...         print(event.label)
        ...         break
        006
    """
    detector = EventDetector(EventTimes(hold_s=hold_s))
    with Recognizer(task, models=models, samples=samples) as recognizer:
        for seen in recognizer.watch(source):
            yield from detector.update(seen.observation)
    yield from detector.close()


def _models(place: str | Path | None) -> ModelStore:
    return default_models() if place is None else open_models(place)


def _samples(place: str | Path | None) -> Samples:
    return default_samples() if place is None else open_samples(place)


def _reading(observation: Observation) -> Reading:
    frame = observation.frame
    found = as_json(observation)["regions"]
    regions = tuple(
        LabelledRegion(
            region["label"],
            region["confidence"],
            tuple(region["box"]),
            tuple(map(tuple, region["top"])),
            region.get("turn"),
            region.get("hand"),
            region.get("moves", False),
        )
        for region in found
    )
    return Reading(
        observation.text,
        regions,
        frame.name,
        frame.index,
        frame.time_s,
        image_bgr=frame.image_bgr,
        observation=observation,
    )


def _as_frame(picture: Picture, channels: str) -> Frame:
    """Raises SourceError if it is not a picture."""
    if channels not in ("bgr", "rgb"):
        raise SourceError(f"There is no order of channels {channels!r}. Give bgr or rgb.")
    match picture:
        case str() | PathLike():
            return Frame(read_image(fspath(picture)), 0, 0.0, fspath(picture))
        case bytes() | bytearray() | memoryview():
            return Frame(decode_image(np.frombuffer(picture, np.uint8), IN_MEMORY), 0, 0.0, IN_MEMORY)
        case Image.Image():
            name = vars(picture).get("filename") or IN_MEMORY
            return Frame(from_pillow(picture, name), 0, 0.0, name)
        case np.ndarray():
            return Frame(_as_bgr(picture, channels), 0, 0.0, IN_MEMORY)
    raise SourceError(f"A {type(picture).__name__} is no picture. {_WANTED}")


def _as_bgr(array: np.ndarray, channels: str) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise SourceError(f"An array of shape {array.shape} and type {array.dtype} is no picture. {_WANTED}")
    return cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if channels == "rgb" else array
