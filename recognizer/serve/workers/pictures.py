"""Decodes untrusted pictures. The header is validated first, so that decoding is cheap and safe."""

import io
import re
import warnings

import cv2
import numpy as np

from recognizer.samples.png import is_complete_png
from recognizer.serve.http.problems import Problem
from recognizer.sources import kinds
from recognizer.sources.decoding import decode_image, decoded_bytes, heic_remedy
from recognizer.system.native import muted_native_code

FORMATS = ("JPEG", "PNG", "WEBP")
PIXELS_LIMIT = 7680 * 4320  # an 8K frame: 100 MB decoded
BYTES_LIMIT = 3 * PIXELS_LIMIT  # decoded: transparency and 16 bits a channel take up to 8 bytes a pixel
SCANS_LIMIT = 100  # of a progressive JPEG: decoding time grows with each scan; cameras write about ten
JPEG_QUALITY = 95
REMEDY = "Send a JPEG, PNG or WebP picture."
# a JPEG marker; not a stuffed 00 or a restart marker, which occur inside a scan
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_ALONE = (0x01, 0xD8)  # markers without a segment
_END, _SCAN = 0xD9, 0xDA


def decode_picture(data: bytes) -> np.ndarray:
    """Decode a picture to (h, w, 3) uint8 BGR. Raises Problem if it is not a picture, truncated or too large."""
    width, height = picture_size(data)
    if width * height > PIXELS_LIMIT:
        raise _too_many_pixels(f"{width}x{height}, {width * height / 1e6:.0f} megapixels")
    size = decoded_bytes(np.frombuffer(data, np.uint8)) or 0
    if size > BYTES_LIMIT:
        raise _too_many_pixels(f"{width}x{height} with {size // (width * height)} bytes a pixel")
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    elif data.startswith(b"\x89PNG") and not is_complete_png(data):
        raise _damaged("a truncated or damaged PNG")
    return decode_image(np.frombuffer(data, np.uint8), "The picture")


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in the header, pixels. Raises Problem if the format is not supported."""
    from PIL import Image

    if not data:
        raise Problem(422, "There is no picture", "an empty body", REMEDY)
    kind = kinds.kind_of(data[: kinds.HEAD_BYTES])
    if kind == kinds.HEIC:
        return _heic_size(data)
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            warnings.filterwarnings("ignore", category=UserWarning)  # Pillow warns about unusual JPEG files
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return image.size
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_many_pixels("more than 89 megapixels") from error
    except Image.UnidentifiedImageError as error:
        found = kind or f"{len(data)} bytes of something else"
        raise Problem(415, "This picture format is not supported", found, REMEDY) from error
    except Exception as error:  # Pillow's decoders raise many types: struct.error, zlib.error, ValueError …
        raise _damaged(f"an invalid header ({error})") from error


def _heic_size(data: bytes) -> tuple[int, int]:
    """Width and height of a HEIC picture, pixels. Raises Problem if it is damaged, or the package for it is missing."""
    if not kinds.reads_heic():
        raise Problem(415, "This picture format is not supported", kinds.HEIC, heic_remedy())
    import pillow_heif

    try:
        with muted_native_code():
            return pillow_heif.open_heif(io.BytesIO(data)).size
    except Exception as error:  # libheif's errors have many types
        raise _damaged("an invalid HEIC picture") from error


def to_jpeg(data: bytes) -> bytes:
    """The picture, upright, as a JPEG that every browser shows. Raises Problem as `decode_picture` does."""
    return cv2.imencode(".jpg", decode_picture(data), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _check_jpeg(data: bytes) -> None:
    """Raise Problem for a truncated JPEG file, which OpenCV would decode in part."""
    position, scans = 2, 0
    while (marker := _MARKER.search(data, position)) is not None:
        code = marker[1][0]
        if code == _END:
            return
        position = marker.end()
        if code not in _ALONE:
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
        scans += code == _SCAN
        if scans > SCANS_LIMIT:
            raise _damaged(f"a JPEG of more than {SCANS_LIMIT} scans")
    raise _damaged("a truncated JPEG")


def _damaged(found: str) -> Problem:
    return Problem(422, "The picture is damaged", found, "Send the complete file again.")


def _too_many_pixels(found: str) -> Problem:
    return Problem(
        413, "The picture is too large", found, f"Send a JPEG of at most {PIXELS_LIMIT / 1e6:.0f} megapixels."
    )
