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
    """Recognizes what one task knows, in pictures and in what a camera shows.

    A context manager. Nothing is opened before the first `read` or `watch`; all that was opened is closed at the end
    of the `with`. Use one from one thread at a time.

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
        """What one picture shows, whatever was read before it.

        Args:
            picture: the path of a picture file, or an (H, W, 3) uint8 array in BGR order, as cv2.imread gives it. The
                array is not changed.

        Returns:
            An Observation: `text`, the labels in reading order; `regions`, the places where something was found, with
            a `box` in pixels of the picture; and as many `predictions`, with a `label` (None where it is rejected), a
            `confidence` from 0 to 1, and the likeliest labels as `top`.

        Raises:
            SourceError: the file cannot be read, or the array is not such a picture.
            SettingsError: there is no such task.
            ModelError: the task's model is missing or damaged.
            AssetError: the task is of hands, and the file with which hands are found is missing.

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
        """What each frame of a source shows, in order, until the source ends.

        Labels are smoothed over the frames before. Of a camera the newest frame is taken; frames that come while
        another one is worked on are left out. The source is closed when the iteration ends, when its iterator is
        deleted, as by a `break` out of `for`, and with the recognizer.

        Args:
            source: a camera's number, the path of a video, a picture or a folder of pictures, an rtsp:// or http://
                address, or "studio", a camera drawn by code. The studio has no end.
            size_wh: width and height in pixels, asked of a camera, which may give others, and drawn by the studio.
            fps: frames a second, asked of a camera, and drawn by the studio.

        Yields:
            An Observation as `read` returns it. Its `frame` has the picture `image_bgr`, (H, W, 3) uint8 in BGR order,
            its `index`, from 0, and `time_s`, seconds since the source was opened.

        Raises:
            SourceError: the source cannot be opened.
            SettingsError, ModelError, AssetError: as `read` does. All are raised at the first frame.

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
        """Close what was opened. Closing twice is fine, and what is read or watched afterwards is opened again."""
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
    """Raises SourceError for what is no picture."""
    if isinstance(picture, str | Path):
        return Frame(read_image(picture), 0, 0.0, str(picture))
    if not isinstance(picture, np.ndarray):
        raise SourceError(f"A {type(picture).__name__} is no picture. {_PICTURE}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise SourceError(f"An array of shape {picture.shape} and type {picture.dtype} is no picture. {_PICTURE}")
    return Frame(picture, 0, 0.0, "picture")
