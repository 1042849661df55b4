"""Lists webcams, and opens one as a source of frames."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

from recognizer.errors import SourceError
from recognizer.sources.decoding import silence_decoders
from recognizer.sources.newest_frame import LiveSource, first_picture
from recognizer.sources.source import OpenCapture

_DEVICES = Path("/dev")  # folder of the camera devices on Linux
_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_INDICES_TRIED = 4  # on systems that cannot list cameras; each try takes a fraction of a second


def open_webcam(
    index: int,
    *,
    size_wh: tuple[int, int] = (1280, 720),
    fps: float = 30.0,
    open_capture: OpenCapture = cv2.VideoCapture,
) -> LiveSource:
    """The newest frames of camera `index`. Raises SourceError, with the remedy, if it delivers no picture."""

    def open_device() -> cv2.VideoCapture | None:
        capture = _open_device(index, (_BACKENDS.get(sys.platform, cv2.CAP_ANY), cv2.CAP_ANY), open_capture)
        if capture is not None:
            # Over USB 2, uncompressed pictures of this size reach only 10 fps. The available sizes depend on the format.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
            capture.set(cv2.CAP_PROP_FPS, fps)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    known = listed_cameras()
    capture = open_device() if known is None or index in known else None
    first_bgr = first_picture(capture)
    if capture is None or first_bgr is None:
        raise SourceError(camera_error(index))
    return LiveSource(
        f"camera {index}",
        capture,
        first_bgr,
        open_device,
        f"camera {index} is gone: plug it in again or press q; trying to reconnect",
    )


def find_webcams(open_capture: OpenCapture = cv2.VideoCapture) -> list[int]:
    """The numbers of the cameras that can be opened now, in ascending order, without those that other programs use."""
    return list(webcams(open_capture))


def listed_cameras() -> list[int] | None:
    """The numbers of the cameras that Linux lists, including those in use. None on other systems, which have no such list."""
    if not sys.platform.startswith("linux"):
        return None
    numbers = (re.fullmatch(r"video(\d+)", path.name) for path in _DEVICES.glob("video*"))
    return sorted(int(number[1]) for number in numbers if number)


def camera_error(index: int) -> str:
    """The error line for a camera that did not open: likely cause and remedy."""
    known = listed_cameras()
    if known is None:
        allow = {
            "darwin": "allow the terminal to use it in System Settings > Privacy & Security > Camera",
            "win32": "allow desktop apps to use it in Settings > Privacy & security > Camera",
        }.get(sys.platform, "plug it in again")
        return f"Camera {index} did not open. Close other programs that use it, {allow}, or try --source studio."
    device = _DEVICES / f"video{index}"
    others = [other for other in known if other != index]
    instead = f"--source {others[0]}" if others else "--source studio"
    if index not in known:
        if "microsoft" in platform.release().lower():
            return (
                f"Camera {index} is not there: WSL has no camera until `usbipd attach --wsl` is run on Windows. "
                f"Run it, start this program under Windows instead, or try {instead}."
            )
        return f"Camera {index} is not there: {device} does not exist. Plug it in, or try {instead}."
    if not os.access(device, os.R_OK | os.W_OK):
        return (
            f"Camera {index} may not be opened: no permission for {device}. "
            f"Run `sudo usermod -aG video $USER` and log in again, or try {instead}."
        )
    return (
        f"Camera {index} is there but gives no picture: it is busy, or {device} is not its picture channel. "
        f"Close other programs that use it, or try {instead}."
    )


def webcams(open_capture: OpenCapture) -> Iterator[int]:
    """The numbers of the cameras that can be opened, one after another."""
    silence_decoders()
    known = listed_cameras()
    for index in range(_INDICES_TRIED) if known is None else known:
        capture = _open_device(index, (_BACKENDS.get(sys.platform, cv2.CAP_ANY),), open_capture)
        if capture is not None:
            capture.release()
            yield index


def _open_device(index: int, backends: tuple[int, ...], open_capture: OpenCapture) -> cv2.VideoCapture | None:
    """The camera, opened with the first backend that can; None if none can."""
    for backend in backends:
        capture = open_capture(index, backend)
        if capture.isOpened():
            return capture
        capture.release()
    return None
