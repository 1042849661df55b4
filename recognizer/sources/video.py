"""A source of frames from a video file."""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import SourceError
from recognizer.sources.decoding import check_file, read_picture
from recognizer.sources.source import OpenCapture, Source
from recognizer.system.terminal import print_messages
from recognizer.system.urls import without_secrets
from recognizer.values import Frame


class VideoFile(Source):
    """Every frame of a video in order, with timestamps by its frame rate.

    `path` is a file or its address, and `capture` the video if it is open already. `fps` is used if the video has no
    frame rate. `paced` plays it in real time. Raises SourceError if it is not a video or has no readable frame.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float = 30.0,
        paced: bool = False,
        capture: cv2.VideoCapture | None = None,
        open_capture: OpenCapture = cv2.VideoCapture,
    ) -> None:
        super().__init__(without_secrets(str(path)), live=False)
        if capture is None:
            check_file(Path(path), "a video file")
            backend = cv2.CAP_FFMPEG if cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG) else cv2.CAP_ANY
            # FFmpeg takes what precedes a colon for a protocol, but not in an absolute path: 12:30.mp4, concat:a|b.mp4
            capture = open_capture(os.path.abspath(path), backend)
        self._capture = capture
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f"{self.name} is not a video that can be read, or it is damaged. "
                "Try another file, or convert it to MP4 (H.264)."
            )
        first_bgr = read_picture(capture)
        if first_bgr is None:
            capture.release()
            raise SourceError(f"{self.name} holds no picture: it is cut off or damaged. Try another file.")
        self._first_bgr = first_bgr
        stated_fps = capture.get(cv2.CAP_PROP_FPS)
        # an unknown rate is stored as 0, NaN or a time base, such as 90000
        self.fps: float = stated_fps if 0 < stated_fps < 1000 else fps
        self._stated_count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._paced = paced

    def __iter__(self) -> Iterator[Frame]:
        image_bgr: np.ndarray | None = self._first_bgr
        due_s = time.perf_counter()
        for index in itertools.count():
            if image_bgr is None:
                break
            if self._paced:
                self._stopping.wait(max(0.0, due_s - time.perf_counter()))
                due_s = max(due_s + 1 / self.fps, time.perf_counter())  # after a delay, the rest is not played faster
            if self._stopping.is_set():
                return
            yield Frame(image_bgr, index, index / self.fps, self.name)
            if self._stopping.is_set():
                return
            image_bgr = read_picture(self._capture)
        if index < 0.9 * self._stated_count:  # the stated number is slightly wrong in intact videos, too
            print_messages([f"{self.name} ends early: {index} of {self._stated_count:.0f} frames could be read."])

    def close(self) -> None:
        super().close()
        self._capture.release()
