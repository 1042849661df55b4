"""A source of picture files."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from recognizer.errors import SourceError
from recognizer.sources import kinds
from recognizer.sources.decoding import PICTURE_SUFFIXES, Picture, heic_remedy, read_pictures
from recognizer.sources.source import Source
from recognizer.system.terminal import print_messages
from recognizer.values import Frame

PICTURE_S = 1.0  # duration of each picture: long enough to see it, and longer than the smoother's memory
_Shown = tuple[Path, Picture]  # a picture and its file
SYSTEM_FILES = ("thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r")
SYSTEM_FOLDERS = ("__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found")


class ImageFolder(Source):
    """The pictures of a folder in natural order (2.png before 10.png), or of one file. A frame's name is its file's path.

    A moving picture (animated GIF, PNG, WebP, or a TIFF of several pages) gives all of its pictures. `paced` shows each
    for its own time, or for PICTURE_S seconds. In a folder, an unreadable picture is skipped with a line on stderr.
    Raises SourceError for a single picture that is unreadable, and for a folder without a readable picture.
    """

    def __init__(self, path: str | Path, *, paced: bool = False) -> None:
        super().__init__(str(path), live=False)
        path = Path(path)
        self._paced = paced
        pictures: Iterator[_Shown]
        if not path.is_dir():
            pictures = ((path, picture) for picture in read_pictures(path))
            first = next(pictures, None)
            self.fps = 1 / first[1].shown_s if first and first[1].shown_s else None
        else:
            pictures = _readable(picture_files(path, report=True))
            first = next(pictures, None)
        if first is None:
            remedy = "Put JPEG or PNG files into it"
            if path.is_dir() and any(inside.is_dir() for inside in path.iterdir()):
                remedy += ", or name one of the folders inside, which are not entered"
            raise SourceError(f"{path} holds no picture that can be read. {remedy}.")
        self._pictures: Iterator[_Shown] = itertools.chain([first], pictures)

    def __iter__(self) -> Iterator[Frame]:
        time_s = 0.0
        last_shown_s = 0.0
        for index, (path, picture) in enumerate(self._pictures_so_far()):
            time_s += last_shown_s
            if self._paced and index:
                self._stopping.wait(last_shown_s)
            if self._stopping.is_set():
                return
            yield Frame(picture.image_bgr, index, time_s, str(path))
            if self._stopping.is_set():
                return
            last_shown_s = picture.shown_s or PICTURE_S

    def _pictures_so_far(self) -> Iterator[_Shown]:
        """The pictures; a file that is damaged after its first picture ends there, with a line on stderr."""
        try:
            yield from self._pictures
        except SourceError as error:
            print_messages([f"{self.name} ends early: {error}"])


def _readable(paths: list[Path]) -> Iterator[_Shown]:
    """The readable pictures with their paths. The others are reported on stderr."""
    for path in paths:
        try:
            for picture in read_pictures(path):
                yield path, picture
        except SourceError as error:
            print_messages([f"Skipped: {error}"])


def picture_files(folder: Path, *, report: bool = False) -> list[Path]:
    """The folder's picture files in natural order, without hidden ones. Raises SourceError if it cannot be read.

    `report` prints how many files of which kinds are left out.
    """
    try:
        files = [path for path in folder.iterdir() if not is_system_file(path) and not path.is_dir()]
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror or error}.") from error
    reasons = {path: why_not_a_picture(path) for path in files}
    left_out = [reason for reason in reasons.values() if reason]
    if report and left_out:
        print_messages([left_out_line(left_out, str(folder))])
    return in_natural_order(path for path, reason in reasons.items() if not reason)


def is_system_file(path: Path) -> bool:
    """Whether the file or folder was put there by a system, not by a person: hidden ones, thumbnails, trash."""
    name = path.name.lower()
    return name.startswith(".") or name in SYSTEM_FILES or name in SYSTEM_FOLDERS


def why_not_a_picture(path: Path) -> str:
    """The kind of a file that is not taken as a picture, in a word. "" if it is taken.

    A file named as a picture whose kind is unknown is taken: reading it then says what is wrong with it.
    """
    if not path.is_file():
        return "no regular file"  # opening a named pipe would wait for ever
    try:
        kind = kinds.kind_of_file(path)
    except OSError:
        kind = kinds.UNKNOWN
    suffix = path.suffix.lower()
    if kinds.is_picture(kind) or (kind == kinds.UNKNOWN and suffix in PICTURE_SUFFIXES):
        return ""
    return kind or suffix.removeprefix(".").upper() or "no suffix"


def left_out_line(reasons: Iterable[str], where: str) -> str:
    """One line on the files of a folder that are not taken, from the kind of each."""
    counts = Counter(reasons)
    kinds_found = ", ".join(kind if len(counts) == 1 else f"{kind} ×{count}" for kind, count in sorted(counts.items()))
    files = "1 file" if counts.total() == 1 else f"{counts.total()} files"
    remedy = f". {heic_remedy()}" if kinds.HEIC in counts else ""
    return f"{files} of {where} {'was' if counts.total() == 1 else 'were'} left out: {kinds_found}{remedy}"


def in_natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted by name, 2.png before 10.png."""

    def natural(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())]

    return sorted(paths, key=natural)
