"""Sample pictures as PNG."""

import contextlib
import zlib

import cv2
import numpy as np

from recognizer.errors import SamplesError

PICTURE_LIMIT = 1 << 26  # bytes of one PNG: about an 8K frame of noise


def encode_png(picture_bgr: np.ndarray) -> bytes:
    """Encode an (h, w, 3) uint8 BGR image as PNG. Raises SamplesError for any other array."""
    if picture_bgr.ndim != 3 or picture_bgr.shape[2] != 3 or picture_bgr.dtype != np.uint8 or not picture_bgr.size:
        raise SamplesError(
            f"An array of shape {picture_bgr.shape} and dtype {picture_bgr.dtype} cannot be stored as a sample. "
            "Give a non-empty BGR image, (h, w, 3) uint8."
        )
    _, data = cv2.imencode(".png", picture_bgr)
    return data.tobytes()


def decode_png(png: bytes, name: str) -> np.ndarray:
    """Decode PNG bytes to (h, w, 3) uint8 BGR. Raises SamplesError if they are damaged or larger than PICTURE_LIMIT."""
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    picture = None
    if is_complete_png(png) and 0 < 3 * width * height <= 2 * PICTURE_LIMIT and len(png) <= PICTURE_LIMIT:
        with contextlib.suppress(cv2.error):
            picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SamplesError(f"{name} is not a readable PNG picture. Run: python -m recognizer samples verify")
    return picture


def is_complete_png(data: bytes) -> bool:
    """Whether all PNG chunks up to IEND are there with valid checksums. OpenCV decodes truncated files without an error."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"):
        return False
    start = 8
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if zlib.crc32(data[start + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        if data[start + 4 : start + 8] == b"IEND":
            return True
        start = end + 4
    return False
