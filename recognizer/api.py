"""The recognizer in three lines of Python: read a picture, or watch a camera."""

import weakref
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Self

import numpy as np

from recognizer.errors import SourceError
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.synced import default_samples
from recognizer.sources.decoding import read_image
from recognizer.sources.opening import open_source
from recognizer.studio.scenes import STUDIO_SCENES
from recognizer.values import Frame, Observation

__all__ = ["Recognizer"]

_PICTURE = "Give (height, width, 3) uint8 in BGR order, as cv2.imread does, or a file's path."


class Recognizer:
    """Recognizes the labels of one task in pictures and in camera frames.

    A context manager. The model is opened by the first `read` or `watch`. The end of the `with` closes all cameras and
    models. Not thread-safe: use it from one thread at a time.

    Args:
        task: "digits", "letters", "rps", or a task of your own.
        models: the folder of the trained models, or its URL; None for the folder that RECOGNIZER_MODELS names, else
            models/ beside the package.

    Example:
        >>> from recognizer import Recognizer
        >>> from recognizer.studio.scenes import Studio
        >>> drawn_bgr = Studio("digits").frame(36).image_bgr  # or "sheet.jpg"
        >>> with Recognizer("digits") as recognizer:
        ...     print(recognizer.read(drawn_bgr).text)
        006
    """

    def __init__(self, task: str = "digits", *, models: str | Path | None = None) -> None:
        self.task = task
        self._models = default_models() if models is None else open_models(models)
        self._picture_pipeline: Pipeline | None = None
        self._open_iterators: weakref.WeakSet[Generator[Observation]] = weakref.WeakSet()

    def read(self, picture: np.ndarray | str | Path) -> Observation:
        """Recognizes one picture. The result does not depend on earlier pictures.

        Args:
            picture: the path of a picture file, or an (H, W, 3) uint8 array in BGR order, as cv2.imread gives it. The
                array is not changed.

        Returns:
            An Observation: `text`, the labels in reading order; `regions`, each with a `box` in pixels of
            the picture; and one prediction for each region in `predictions`, with a `label` (None if rejected), a
            `confidence` from 0 to 1, and the most probable labels as `top`.

        Raises:
            SourceError: the file cannot be read, or the array has another shape or type.
            SettingsError: the task does not exist.
            ModelError: the task's model is missing or damaged.
            AssetError: the task's subject is the hand, and the file of the hand detector is missing.

        Example:
            >>> from recognizer import Recognizer
            >>> from recognizer.studio.scenes import Studio
            >>> with Recognizer("digits") as recognizer:
            ...     observation = recognizer.read(Studio("digits").frame(36).image_bgr)
            >>> for region, prediction in zip(observation.regions, observation.predictions):
            ...     print(prediction.label, f"{prediction.confidence:.0%}", region.box.height > 200)
            0 100% True
            0 100% True
            6 100% True
        """
        if self._picture_pipeline is None:
            self._picture_pipeline = self._open_pipeline(smooth=False)
        frame = _as_frame(picture)
        return self._picture_pipeline.step(frame)

    def watch(
        self, source: int | str | Path, *, size_wh: tuple[int, int] = (1280, 720), fps: float = 30.0
    ) -> Iterator[Observation]:
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
            An Observation as `read` returns it. Its `frame` has the picture `image_bgr`, (H, W, 3) uint8 in BGR order,
            its `index`, from 0, and `time_s`, seconds since the source was opened.

        Raises:
            SourceError: the source cannot be opened.
            SettingsError, ModelError, AssetError: as `read` does. All of these, SourceError too, are raised when the first
                frame is requested, not by the call of `watch`.

        Example:
            >>> from recognizer import Recognizer
            >>> with Recognizer("digits") as recognizer:
            ...     for observation in recognizer.watch("studio"):
            ...         if observation.text:
            ...             print(observation.frame.index, observation.text)
            ...             break
            0 006
        """
        iterator = self._watch(str(source), size_wh, fps)
        self._open_iterators.add(iterator)
        return iterator

    def close(self) -> None:
        """Closes all cameras and models. May be called twice. A later `read` or `watch` opens them again."""
        for iterator in list(self._open_iterators):
            iterator.close()
        if self._picture_pipeline is not None:
            self._picture_pipeline.close()
            self._picture_pipeline = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self, source: str, size_wh: tuple[int, int], fps: float) -> Generator[Observation]:
        with self._open_pipeline(smooth=True) as pipeline:
            scene = STUDIO_SCENES.get(pipeline.task, pipeline.subject.studio_scene)
            spec = f"studio:{scene}" if source == "studio" else source
            with open_source(spec, size_wh=size_wh, fps=fps) as frames:
                for frame in frames:
                    yield pipeline.step(frame)

    def _open_pipeline(self, *, smooth: bool) -> Pipeline:
        return open_pipeline(self.task, self._models, default_samples(), smooth=smooth)


def _as_frame(picture: np.ndarray | str | Path) -> Frame:
    """Raises SourceError if it is not a picture."""
    if isinstance(picture, str | Path):
        return Frame(read_image(picture), 0, 0.0, str(picture))
    if not isinstance(picture, np.ndarray):
        raise SourceError(f"A {type(picture).__name__} is no picture. {_PICTURE}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise SourceError(f"An array of shape {picture.shape} and type {picture.dtype} is no picture. {_PICTURE}")
    return Frame(picture, 0, 0.0, "picture")
