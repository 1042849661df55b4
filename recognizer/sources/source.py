"""The interface of a frame source."""

import threading
from collections.abc import Callable, Iterator
from typing import Self

import cv2

from recognizer.values import Frame

OpenCapture = Callable[..., cv2.VideoCapture]  # called with (index or address, backend[, parameters])


class Source:
    """An iterable of frames, and a context manager that closes the device or file. It can be iterated once.

    `name` is the source in messages. `live` says that frames come in real time and late ones are dropped. `fps` is in
    frames per second, or None if it is unknown.
    """

    name: str
    live: bool
    fps: float | None = None

    def __init__(self, name: str, live: bool) -> None:
        self.name = name
        self.live = live
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def stop(self) -> None:
        """End the iteration at the next frame. May be called from any thread, and more than once."""
        self._stopping.set()

    def show(self, scene: str) -> None:
        """Switch to another studio scene. Default: nothing, since other sources have no scenes."""

    def close(self) -> None:
        """Release the device or file. May be called more than once."""
        self.stop()
