"""A sink that writes a video file."""

import errno
import os
import shutil
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from recognizer.errors import SinkError
from recognizer.overlay.drawing import letterboxed
from recognizer.overlay.overlay import Overlay
from recognizer.sinks.png import one_line_errors, temporary_path
from recognizer.sinks.sink import _ClosingSink
from recognizer.system import files
from recognizer.values import Observation

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}  # codecs that OpenCV's wheels can write on every system
DISK_RESERVE = 16 << 20  # bytes left free, since OpenCV cannot finish a video on a full disk


class VideoWriter(_ClosingSink):
    """Writes the annotated frames as MP4 or AVI, in the size of the first frame. Frames of other sizes are letterboxed."""

    def __init__(self, path: Path, overlay: Overlay, fps: float = 30) -> None:
        """`fps` is the frame rate of the file. Raises SinkError for a suffix other than .mp4 and .avi."""
        if path.suffix.lower() not in CODECS:
            raise SinkError(f"Cannot write {path}: a video's name ends in {' or '.join(CODECS)}.")
        self._path = path
        self._unfinished = temporary_path(path).absolute()  # FFmpeg takes what precedes a colon for a protocol
        self._overlay = overlay
        self._fps = fps if 0 < fps <= 1000 else 30  # a camera that does not know its rate reports 0 or a wrong one
        self._video: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self._frames_written = 0

    def __enter__(self) -> Self:
        """Create the temporary file. Raises SinkError."""
        with one_line_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._unfinished.touch()
        return self

    def write(self, observation: Observation) -> None:
        """Write one frame. Raises SinkError if the disk is almost full; the frames written so far stay."""
        with one_line_errors(self._path):
            if shutil.disk_usage(self._unfinished.parent).free < DISK_RESERVE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        picture = self._overlay.draw(observation)
        if self._video is None:
            self._video = self._open(picture)
        self._video.write(letterboxed(picture, self._size_wh))
        self._frames_written += 1

    def close(self) -> None:
        """Rename the temporary file if all its frames are there, so that a broken video never replaces a good one.

        Raises SinkError if they are not.
        """
        if self._video is None:
            self._unfinished.unlink(missing_ok=True)
            return
        self._video.release()
        self._video = None
        written = cv2.VideoCapture(str(self._unfinished))
        frames = written.get(cv2.CAP_PROP_FRAME_COUNT) if written.isOpened() else 0
        written.release()
        if frames < self._frames_written:
            self._unfinished.unlink(missing_ok=True)
            raise SinkError(f"The video {self._path} could not be finished. Free some space or choose another folder.")
        with one_line_errors(self._path):
            files.replace(self._unfinished, self._path)

    def _open(self, picture: np.ndarray) -> cv2.VideoWriter:
        height, width = picture.shape[:2]
        self._size_wh = (max(2, width - width % 2), max(2, height - height % 2))  # both codecs need even sides
        codec = CODECS[self._path.suffix.lower()]
        video = cv2.VideoWriter(str(self._unfinished), cv2.VideoWriter.fourcc(*codec), self._fps, self._size_wh)
        if not video.isOpened():
            self._unfinished.unlink(missing_ok=True)
            raise SinkError(f"The video {self._path} did not open with codec {codec}. Try a name that ends in .avi.")
        return video
