"""What every source of frames has."""

import threading
from collections.abc import Callable, Iterator
from typing import Self

import cv2

from recognizer.values import Frame

OpenCapture = Callable[..., cv2.VideoCapture]  # called with (index or address, backend[, parameters])


class Source:
    """A context manager that iterates `Frame` once, from its opening to its end.

    name: what is read, for people. live: frames come in real time, and those nobody waits for are dropped.
    fps: frames a second; None where the source does not say.
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
        """End the iteration at the next frame. From any thread, any number of times."""
        self._stopping.set()

    def show(self, scene: str) -> None:
        """Go on with another scene, where scenes are drawn; what films the world goes on as it is."""

    def close(self) -> None:
        """Release what was opened. Closing twice is fine."""
        self.stop()
