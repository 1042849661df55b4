"""Reads the files of an export of samples: a zip archive, also one zipped again, or the folder that it was unpacked to."""

import contextlib
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from recognizer.errors import SamplesError
from recognizer.samples.store import HEAD_BYTES
from recognizer.samples.table import TABLE, as_written, is_header
from recognizer.system.zip_files import COMPRESSIONS

ZIP_LIMIT = 1 << 33  # bytes unpacked: about 100,000 crops; guards against zip bombs
FILES_LIMIT = 200_000
DEPTH_LIMIT = 3  # folders above samples.csv, such as the one that a file manager adds
STEP = 1 << 16  # bytes that are unpacked at once


@dataclass
class ExportedFiles:
    """The files of an export, by their path below the folder that holds samples.csv."""

    source: Path  # the zip archive or folder, named in errors
    opened: Mapping[str, Callable[[], IO[bytes]]]
    by_name: Mapping[str, str] = field(init=False)  # from file name to path, of names that only one file has
    left: int = field(default_factory=lambda: ZIP_LIMIT)  # bytes that may still be unpacked

    def __post_init__(self) -> None:
        counts = Counter(path.rsplit("/", 1)[-1] for path in self.opened)
        self.by_name = {name: path for path in self.opened if counts[name := path.rsplit("/", 1)[-1]] == 1}

    def find(self, path: str) -> str | None:
        """The path of a file. A file manager may have changed the folders' names, so its own name is enough."""
        return path if path in self.opened else self.by_name.get(path.rsplit("/", 1)[-1])

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file. Raises SamplesError if more than `limit` bytes come out of it, whatever its entry states."""
        parts, size = [], 0
        with self.opened[path]() as file:
            while part := file.read(STEP):
                parts.append(part)
                size += len(part)
                self.left -= len(part)
                if self.left < 0:
                    raise self.too_large()
                if size > limit:
                    raise SamplesError(f"{path!r} in {self.source} unpacks to more than {limit >> 20} MiB, the limit.")
        return b"".join(parts)

    def too_large(self) -> SamplesError:
        return SamplesError(
            f"{self.source} unpacks to more than {ZIP_LIMIT >> 30} GiB, the limit. Export fewer tasks at a time."
        )


def is_unpacked_export(folder: Path) -> bool:
    """Whether the folder, or one in it, holds a samples.csv of this program."""
    try:
        root = _root(_names(folder))
        if root is None:
            return False
        with open(folder / root / TABLE, "rb") as file:
            return is_header(as_written(file.read(HEAD_BYTES)).partition(b"\n")[0].removesuffix(b"\r"))
    except OSError:
        return False


@contextmanager
def open_export(source: Path) -> Iterator[ExportedFiles]:
    """Open a zip archive or folder. Raises SamplesError if it holds no samples.csv or is too large, and zipfile's errors."""
    with contextlib.ExitStack() as stack:
        if source.is_dir():
            members: dict[str, Callable[[], IO[bytes]]] = {
                _plain(name): _file(source / name) for name in _names(source)
            }
            sizes = 0
        else:
            archive = stack.enter_context(zipfile.ZipFile(source))
            members = {
                _plain(info.filename): _member(archive, info) for info in archive.infolist() if not info.is_dir()
            }
            sizes = sum(info.file_size for info in archive.infolist())
        root = _root(members)
        if root is None:
            raise SamplesError(
                f"{source} contains no {TABLE}, so it is not an export of samples. Unpack it and import the folder: "
                "python -m recognizer samples import TASK DIR"
            )
        if len(members) > FILES_LIMIT:
            raise SamplesError(
                f"{source} holds {len(members)} files, the limit is {FILES_LIMIT}. Export fewer tasks at a time."
            )
        below = {name[len(root) :]: opened for name, opened in members.items() if name.startswith(root)}
        exported = ExportedFiles(source, below)
        if sizes > ZIP_LIMIT:
            raise exported.too_large()
        yield exported


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        if info.compress_type not in COMPRESSIONS:
            raise SamplesError(
                f"{info.filename!r} in {archive.filename} is compressed in a way that has no limit. "
                "Zip the folder again, with Deflate."
            )
        return archive.open(info)

    return opened


def _file(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _names(folder: Path) -> list[str]:
    """Paths of the files below the folder, with "/". Links are left out: they may lead anywhere."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.relative_to(folder).as_posix() for path in paths]


def _plain(name: str) -> str:
    """The name of a zip's member, as this program writes it: some programs write "\\\\", and macOS decomposes letters."""
    return unicodedata.normalize("NFC", name.replace("\\", "/").removeprefix("./"))


def _root(names: Iterable[str]) -> str | None:
    """The folder with samples.csv, as a prefix: "" or such as "signs/"; None if there is none."""
    tables = [name for name in names if name.rsplit("/", 1)[-1] == TABLE and name.count("/") <= DEPTH_LIMIT]
    shown = [name for name in tables if not name.startswith(("__MACOSX/", ".")) and "/." not in name]
    return min(shown, key=lambda name: (name.count("/"), name)).removesuffix(TABLE) if shown else None
