"""A source of frames from a network camera."""

import cv2

from recognizer.errors import SourceError
from recognizer.sources.newest_frame import LiveSource, first_picture
from recognizer.sources.snapshot import SnapshotCapture, is_snapshot
from recognizer.sources.source import OpenCapture, Source
from recognizer.sources.video import VideoFile
from recognizer.system.urls import without_secrets

OPEN_TIMEOUT_MS = 5000  # even a distant camera answers within this time, or not at all
READ_TIMEOUT_MS = 5000


def open_stream(
    url: str,
    *,
    fps: float = 30.0,
    paced: bool = False,
    open_capture: OpenCapture = cv2.VideoCapture,
) -> Source:
    """The newest frames of a network camera. An HTTP address of a video with an end is opened as a VideoFile instead.

    An HTTP address that answers with one picture is requested again and again, as a camera's snapshots are.
    Raises SourceError if there is no answer within OPEN_TIMEOUT_MS, or no picture.
    """
    name = without_secrets(url)
    is_http = url.lower().startswith("http")
    polls = is_http and is_snapshot(url)

    def connect() -> cv2.VideoCapture | None:
        if polls:
            return SnapshotCapture(url)
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            READ_TIMEOUT_MS,
        ]
        capture = open_capture(url, cv2.CAP_FFMPEG, timeouts)
        if capture.isOpened():
            return capture
        capture.release()
        return None

    capture = connect()
    if capture is not None and is_http and not polls and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return VideoFile(url, fps=fps, paced=paced, capture=capture)
    first_bgr = first_picture(capture)
    if capture is None or first_bgr is None:
        raise SourceError(f"{name} gives no picture. Check the address, its user and password, and the network.")
    return LiveSource(
        name,
        capture,
        first_bgr,
        connect,
        f"{name} is silent: check the network or press q; trying to reconnect",
    )
