"""Decodes pictures from files and cameras to BGR. All pictures in files are decoded here, and only once."""

import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.errors import SourceError
from recognizer.sources import kinds
from recognizer.system import packages
from recognizer.system.native import muted_native_code

PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif", ".jp2", ".pgm", ".ppm",
)  # fmt: skip
DECODED_LIMIT = 1 << 30  # bytes of a decoded picture: a phone's 200 megapixels take 600 MB
_MOVING = ("GIF", "WEBP", "PNG", "TIFF", "AVIF")  # kinds of files that may hold several pictures
ANIMATED_S = 0.1  # for pictures of an animation that states no duration, as in browsers
_DEEP = ("TIFF", "PPM", "JPEG2000")  # kinds that may have 16 bits a channel, of which not all headers tell
_STRIP_ROWS = 64  # blended at a time: the products of a large picture take gigabytes
_ORIENTATION = 0x0112  # Exif's tag
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # by Exif's orientation
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.rotate(cv2.transpose(image), cv2.ROTATE_180),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def heic_remedy() -> str:
    """What to do about a HEIC picture, for a message."""
    return f"To read HEIC run `{packages.install_command('heic')}`, or save it as JPEG or PNG."


def read_image(path: str | Path) -> np.ndarray:
    """The image in a file as (H, W, 3) uint8 BGR; of a moving picture the first.

    The orientation in Exif is applied; transparent pixels get a background that what is drawn contrasts with. Raises
    SourceError if the file is missing, empty, damaged, not a supported image, or larger than DECODED_LIMIT.
    """
    return decode_image(_bytes_of(Path(path)), str(path))


def decode_image(data: np.ndarray, name: str) -> np.ndarray:
    """The picture in the bytes (N,) uint8 of a file, as `read_image` returns it.

    Raises SourceError, with `name` in the message, if it is damaged, too large or not a supported image.
    """
    silence_decoders()
    kind = _checked_kind(data, name)
    size = decoded_bytes(data)
    if size is None:
        raise _damaged(name)
    if size > DECODED_LIMIT:
        raise SourceError(
            f"{name} would take {size >> 20} MiB decoded, and {DECODED_LIMIT >> 20} MiB is the limit. Make it smaller."
        )
    if kind in ("AVIF", kinds.HEIC):  # OpenCV does not apply their rotation
        return from_pillow(_pillow_image(data, kind), name)
    image, orientation = _decode(data, cv2.IMREAD_COLOR if kind == "JPEG" else cv2.IMREAD_UNCHANGED)
    if image is None:
        raise _damaged(name)
    if image.dtype not in (np.uint8, np.uint16):
        raise SourceError(f"{name} has {image.dtype} numbers, not grey levels of 8 or 16 bits. Save it as JPEG or PNG.")
    return _UPRIGHT.get(orientation, lambda upright: upright)(_opaque_bgr(image))


@dataclass(frozen=True, eq=False)
class Picture:
    """One of the pictures in a file."""

    image_bgr: np.ndarray  # as `read_image` returns it
    number: int = 1  # from 1
    count: int = 1  # of pictures in the file
    shown_s: float | None = None  # for how long an animation shows it


def read_pictures(path: Path) -> Iterator[Picture]:
    """The pictures of a file: one, or those of an animated GIF, PNG, WebP or AVIF file, or the pages of a TIFF file.

    Raises SourceError, also after some pictures if the rest is damaged.
    """
    data = _bytes_of(path)
    first_bgr = decode_image(data, str(path))  # checks the file; damaged ones are refused with the right message
    kind = kinds.kind_of(data[: kinds.HEAD_BYTES].tobytes())
    if kind not in _MOVING:
        yield Picture(first_bgr)
        return
    with _one_line_errors(str(path)):
        animation = _pillow_image(data, kind)
        indices = range(1 if kind == "PNG" and animation.default_image else 0, animation.n_frames)
    if animation.n_frames == 1:
        yield Picture(first_bgr)
        return
    for number, index in enumerate(indices, start=1):
        with _one_line_errors(str(path)):
            animation.seek(index)
            image_bgr = _from_pillow(animation)
            shown_s = animation.info.get("duration", 0) / 1000
        yield Picture(image_bgr, number, len(indices), None if kind == "TIFF" else shown_s or ANIMATED_S)


def decoded_bytes(data: np.ndarray) -> int | None:
    """The bytes that a picture takes once decoded, from the header of its file (N,) uint8. None if that is not valid."""
    head = data[: kinds.HEAD_BYTES].tobytes()
    kind = kinds.kind_of(head)
    try:
        with warnings.catch_warnings(action="ignore"):
            image = _pillow_image(data, kind)
    except Exception:  # Pillow's decoders raise many types: struct.error, zlib.error, ValueError …
        return None
    channels = 4 if "A" in image.getbands() or "transparency" in image.info else 3
    deep = kind in _DEEP or (kind == "PNG" and head[24] == 16)
    width, height = image.size
    return int(width * height * channels * (2 if deep else 1))


def _bytes_of(path: Path) -> np.ndarray:
    """The bytes (N,) uint8 of a picture file, or of a pipe such as /dev/stdin. Raises SourceError."""
    check_file(path, "a picture file")
    try:
        if path.is_fifo():
            return np.frombuffer(path.read_bytes(), np.uint8)
        if kinds.kind_of_file(path) == kinds.CAMERA_RAW:
            raise _other_kind(str(path), kinds.CAMERA_RAW)
        return np.fromfile(path, np.uint8)  # cv2.imread cannot open names outside the code page on Windows
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def _checked_kind(data: np.ndarray, name: str) -> str:
    """The kind of a picture that can be read. Raises SourceError with the remedy for any other file."""
    kind = kinds.kind_of(data[: kinds.HEAD_BYTES].tobytes())
    if kinds.is_picture(kind):
        return kind
    if kind == kinds.HEIC:
        raise SourceError(f"{name} is a HEIC picture. {heic_remedy()}")
    if kind == kinds.VIDEO:
        raise SourceError(f"{name} is a video, not a picture. Give it as --source, or save a frame as JPEG or PNG.")
    raise _damaged(name) if kind == kinds.UNKNOWN else _other_kind(name, kind)


def _other_kind(name: str, kind: str) -> SourceError:
    return SourceError(f"{name} is a {kind} file, which cannot be read. Save it as JPEG or PNG.")


def _damaged(name: str) -> SourceError:
    return SourceError(f"{name} is not a picture that can be read, or it is damaged. Use JPEG or PNG.")


@contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    """Turns whatever Pillow raises for a damaged file into a SourceError, and mutes it and the libraries that it calls."""
    try:
        with muted_native_code(), warnings.catch_warnings(action="ignore"):
            yield
    except SourceError:
        raise
    except Exception as error:
        raise _damaged(name) from error


def _pillow_image(data: np.ndarray, kind: str) -> Any:
    """The picture as a PIL.Image whose pixels are not decoded yet."""
    from PIL import Image

    Image.init()
    if kind == kinds.HEIC:
        import pillow_heif

        pillow_heif.register_heif_opener()
        kind = "HEIF"
    factory, _ = Image.OPEN[kind]  # Image.open itself refuses a phone's 200 megapixels
    return factory(io.BytesIO(data.tobytes()), "")


def from_pillow(image: Any, name: str) -> np.ndarray:
    """A PIL.Image as `read_image` returns the file that it comes from. Raises SourceError, with `name`, if it is damaged."""
    with _one_line_errors(name):
        return _from_pillow(image)


def _from_pillow(image: Any) -> np.ndarray:
    """The current picture of a PIL.Image, upright, as (H, W, 3) uint8 BGR."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut to 255
        return _opaque_bgr(np.clip(np.asarray(upright), 0, 65535).astype(np.uint16))
    return _opaque_bgr(cv2.cvtColor(np.asarray(upright.convert("RGBA")), cv2.COLOR_RGBA2BGRA))


def _opaque_bgr(image: np.ndarray) -> np.ndarray:
    """A grey, BGR or BGRA picture, uint8 or uint16, as (H, W, 3) uint8 BGR.

    Where most of a picture is transparent, something is drawn on nothing: light ink then gets a black background. Any
    other transparency becomes white. An alpha channel that is 0 everywhere, as clipboards make it, is none.
    """
    image = _eight_bit(image)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3]
    lowest, highest, _, _ = cv2.minMaxLoc(alpha)
    image_bgr = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    if highest == 0 or lowest == 255:
        return image_bgr
    drawn_on_nothing = cv2.countNonZero(alpha) < alpha.size / 2
    light = np.mean(cv2.mean(image_bgr, mask=alpha)[:3]) > 127
    background = 0 if drawn_on_nothing and light else 255
    for row in range(0, len(image_bgr), _STRIP_ROWS):
        strip_bgr = image_bgr[row : row + _STRIP_ROWS]
        opaque = alpha[row : row + _STRIP_ROWS, :, None].astype(np.uint16)
        strip_bgr[:] = (strip_bgr * opaque + background * (255 - opaque) + 127) // 255
    return image_bgr


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
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)  # the same for all frames, unlike in `_eight_bit`
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        return None  # not a picture but raw data, such as a depth camera's
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) if channels == 4 else image


def _eight_bit(image: np.ndarray) -> np.ndarray:
    """A uint16 image as uint8; other images unchanged. Values of 8, 10 or 12 bits only are a picture of that depth."""
    if image.dtype != np.uint16:
        return image
    bits = next(bits for bits in (8, 10, 12, 16) if image.max() < 1 << bits)
    return (image >> (bits - 8)).astype(np.uint8)


def _decode(data: np.ndarray, flags: int) -> tuple[np.ndarray | None, int]:
    """The decoded image, None if it is damaged or not supported, and the orientation that is still to be applied."""
    try:
        with muted_native_code():  # libjpeg, libpng and libtiff print what they find in a damaged file
            if flags == cv2.IMREAD_COLOR:  # applies the orientation
                return cv2.imdecode(data, flags), 1
            image, types, metadata = cv2.imdecodeWithMetadata(data, flags=flags)
    except cv2.error:  # for invalid headers, and sizes beyond OpenCV's limits
        return None, 1
    exif = next((part for kind, part in zip(types, metadata, strict=True) if kind == cv2.IMAGE_METADATA_EXIF), None)
    return image, 1 if exif is None else _orientation(exif.tobytes())


def _orientation(exif: bytes) -> int:
    """The orientation in Exif data; 1, upright, if there is none."""
    from PIL import Image

    parsed = Image.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            parsed.load(b"Exif\0\0" + exif.removeprefix(b"Exif\0\0"))
            return int(parsed.get(_ORIENTATION, 1))
    except Exception:  # damaged Exif data raises many types; the picture itself is intact
        return 1


def check_file(path: Path, kind: str) -> None:
    """Raises SourceError if a file cannot be read or is empty. `kind` is what the message asks for."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{path} is not there. Check its name and folder.") from error
    except OSError as error:  # in a folder that may not be entered, or with a name that is too long
        raise SourceError(f"{path} cannot be read: {error.strerror}. Check its name and permissions.") from error
    if path.is_dir():
        raise SourceError(f"{path} is a folder. Give {kind}.")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path} may not be read: no permission.")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty. Give {kind}.")


def silence_decoders() -> None:
    """Switch off the log lines of Pillow, and those of OpenCV and FFmpeg unless the user has set their log levels."""
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
