"""A source of picture files."""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from recognizer.errors import SourceError
from recognizer.sources.decoding import PICTURE_SUFFIXES, read_image
from recognizer.sources.source import Source
from recognizer.values import Frame

PICTURE_S = 1.0  # duration of each picture: long enough to see it, and longer than the smoother's memory


class ImageFolder(Source):
    """The pictures of a folder in natural order (2.png before 10.png), or one picture. A frame's name is its file's path.

    `paced` makes each picture last PICTURE_S seconds. In a folder, an unreadable picture is skipped with a line on stderr.
    Raises SourceError for a single picture that is unreadable, and for a folder without a readable picture.
    """

    def __init__(self, path: str | Path, *, paced: bool = False) -> None:
        super().__init__(str(path), live=False)
        path = Path(path)
        self._paced = paced
        if not path.is_dir():
            self._pictures: Iterator[tuple[Path, np.ndarray]] = iter([(path, read_image(path))])
            return
        pictures = _readable(picture_files(path))
        first = next(pictures, None)
        if first is None:
            remedy = "Put JPEG or PNG files into it"
            if any(inside.is_dir() for inside in path.iterdir()):
                remedy += ", or name one of the folders inside, which are not entered"
            raise SourceError(f"{path} holds no picture that can be read. {remedy}.")
        self._pictures = itertools.chain([first], pictures)

    def __iter__(self) -> Iterator[Frame]:
        for index, (path, image_bgr) in enumerate(self._pictures):
            if self._paced and index:
                self._stopping.wait(PICTURE_S)
            if self._stopping.is_set():
                return
            yield Frame(image_bgr, index, index * PICTURE_S, str(path))
            if self._stopping.is_set():
                return


def _readable(paths: list[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    """The readable pictures with their paths. The others are reported on stderr."""
    for path in paths:
        try:
            image_bgr = read_image(path)
        except SourceError as error:
            print(f"Skipped: {error}", file=sys.stderr)
            continue
        yield path, image_bgr


def picture_files(folder: Path) -> list[Path]:
    """The folder's picture files in natural order, without hidden ones. Raises SourceError if it cannot be read."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return in_natural_order(path for path in paths if not path.name.startswith("."))


def in_natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted by name, 2.png before 10.png."""

    def natural(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())]

    return sorted(paths, key=natural)
