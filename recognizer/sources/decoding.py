"""Decodes pictures from files and cameras to BGR."""

import os
from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import SourceError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif", ".jp2", ".pgm", ".ppm")


def read_image(path: str | Path) -> np.ndarray:
    """The image in a file as (H, W, 3) uint8 BGR. EXIF orientation is applied; transparent pixels become white.

    Raises SourceError if the file is missing, empty, damaged or not a supported image.
    """
    path = Path(path)
    check_file(path, "a picture file")
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread cannot open names outside the code page on Windows
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    return decode_image(data, str(path))


def decode_image(data: np.ndarray, name: str) -> np.ndarray:
    """The picture in the bytes (N,) uint8 of a file, as `read_image` returns it.

    Raises SourceError, with `name` in the message, if it is damaged or not a supported image.
    """
    silence_opencv()
    image_bgr = _decode(data, cv2.IMREAD_COLOR)
    if image_bgr is None:
        if data[4:8].tobytes() == b"ftyp" and data[8:11].tobytes() in (b"hei", b"hev", b"mif"):
            raise SourceError(f"{name} is a HEIC picture, which cannot be read. Save it as JPEG or PNG.")
        raise SourceError(f"{name} is not a picture that can be read, or it is damaged. Use JPEG or PNG.")
    if data[:2].tobytes() == b"\xff\xd8":  # JPEG has no transparency
        return image_bgr
    image_bgra = _decode(data, cv2.IMREAD_UNCHANGED)
    if image_bgra is None or image_bgra.ndim != 3 or image_bgra.shape[2] != 4:
        return image_bgr
    # Drawing programs store transparent pixels as black, on which black ink would be invisible.
    opaque = _eight_bit(image_bgra)[..., 3:].astype(np.uint16)
    colour = _eight_bit(image_bgra)[..., :3]
    return ((colour * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def read_picture(capture: cv2.VideoCapture) -> np.ndarray | None:
    """The next picture of a capture as (H, W, 3) uint8 BGR; None if it cannot be read.

    Infrared cameras deliver grey pictures, some with 16 bits, which are converted.
    """
    try:
        succeeded, image = capture.read()
    except cv2.error:  # raised by some drivers for a damaged frame
        return None
    if not succeeded or image is None or image.size == 0:
        return None
    image = _eight_bit(image)
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        return None  # not a picture but raw data, such as a depth camera's
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) if channels == 4 else image


def _eight_bit(image: np.ndarray) -> np.ndarray:
    """A uint16 image as uint8; other images unchanged."""
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


def _decode(data: np.ndarray, flags: int) -> np.ndarray | None:
    """The decoded image; None if it is damaged or not supported."""
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:  # for invalid headers, and sizes beyond OpenCV's limits
        return None


def check_file(path: Path, kind: str) -> None:
    """Raises SourceError if a file cannot be read or is empty. `kind` is what the message asks for."""
    if path.is_dir():
        raise SourceError(f"{path} is a folder. Give {kind}.")
    if not os.path.exists(path):
        raise SourceError(f"{path} is not there. Check its name and folder.")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path} may not be read: no permission.")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty. Give {kind}.")


def silence_opencv() -> None:
    """Switch off the log lines of OpenCV and FFmpeg, unless the user has set their log levels."""
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
