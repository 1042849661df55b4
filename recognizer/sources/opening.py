"""Opens a source of frames: webcam, stream, video file, pictures or the studio. All are iterated in the same way.

with open_source("0") as source:
    for frame in source:
        ...
"""

import os
from pathlib import Path

import cv2

from recognizer.errors import SourceError
from recognizer.sources import kinds
from recognizer.sources.decoding import PICTURE_SUFFIXES, silence_decoders
from recognizer.sources.pictures import ImageFolder
from recognizer.sources.source import OpenCapture, Source
from recognizer.sources.stream import open_stream
from recognizer.sources.studio import StudioSource
from recognizer.sources.video import VideoFile
from recognizer.sources.webcam import open_webcam, webcams
from recognizer.system.terminal import print_messages

VALID_SOURCES = (
    "a camera number (0), a video file, a picture, a folder of pictures, "
    "an rtsp:// or http:// address, studio or studio:SCENE"
)


_STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https")


def open_source(
    spec: str,
    *,
    size_wh: tuple[int, int] = (1280, 720),
    fps: float = 30.0,
    paced: bool = False,
    open_capture: OpenCapture = cv2.VideoCapture,
) -> Source:
    """The source that `spec` names; see VALID_SOURCES.

    `size_wh` and `fps` are requested from a camera, which may choose others. The studio uses them as given. `paced` makes
    files and the studio run in real time instead of as fast as possible. Raises SourceError if the source cannot be
    opened, and SettingsError for a scene that the studio does not have.
    """
    silence_decoders()
    scheme = spec.partition("://")[0].lower() if "://" in spec else ""
    if spec.isascii() and spec.isdecimal():
        file_of_that_name = _file_of_that_name(spec)
        try:
            source = open_webcam(int(spec), size_wh=size_wh, fps=fps, open_capture=open_capture)
        except SourceError as error:
            raise SourceError(f"{error}{file_of_that_name}") from error
        if file_of_that_name:
            print_messages([f"This is camera {spec}.{file_of_that_name}"])
        return source
    if spec == "studio" or spec.startswith("studio:"):
        if file_of_that_name := _file_of_that_name(spec):
            print_messages([f"This is the drawn studio.{file_of_that_name}"])
        return StudioSource(spec.partition(":")[2] or "digits", size_wh, fps, paced=paced)
    if scheme in _STREAM_SCHEMES:
        return open_stream(spec, fps=fps, paced=paced, open_capture=open_capture)
    path = Path(os.path.expanduser(spec))
    if not spec or scheme or not os.path.exists(path):
        problem = f"{scheme}:// addresses are not supported" if scheme else f"There is no file or folder {spec!r}"
        raise SourceError(f"{problem}. A source is {VALID_SOURCES}.")
    if path.is_dir() or _holds_pictures(path):
        return ImageFolder(path, paced=paced)
    return VideoFile(path, fps=fps, paced=paced, open_capture=open_capture)


def _file_of_that_name(spec: str) -> str:
    """A sentence on how to open the file or folder that is named like a camera. "" if there is none."""
    if not os.path.exists(spec):
        return ""
    return f" For the {'folder' if os.path.isdir(spec) else 'file'} {spec} give ./{spec}."


def _holds_pictures(path: Path) -> bool:
    """Whether a file is a picture by its first bytes. Where they tell nothing, its suffix decides."""
    try:
        kind = kinds.kind_of_file(path) if path.is_file() else kinds.UNKNOWN  # a named pipe may be a video
    except OSError:
        kind = kinds.UNKNOWN  # opening it will say why it cannot be read
    if kind == kinds.UNKNOWN:
        return path.suffix.lower() in PICTURE_SUFFIXES
    return kind != kinds.VIDEO  # reading a file of a kind such as PDF as a picture says what to do


def default_source(open_capture: OpenCapture = cv2.VideoCapture) -> tuple[str, str]:
    """The first camera and "", or the studio and a message that no camera was found."""
    index = next(webcams(open_capture), None)
    if index is not None:
        return str(index), ""
    return (
        "studio",
        "No camera found: showing the built-in studio scene. For details run `python -m recognizer doctor`.",
    )
