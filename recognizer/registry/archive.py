"""Imports a model version from a zip archive that `ModelStore.export` wrote, or that was unpacked and zipped again."""

import os
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from recognizer.errors import ModelError
from recognizer.registry.card import CARD, file_names, read_checked_card, retrain_advice
from recognizer.registry.store import ModelStore
from recognizer.system.names import is_safe, is_task_name, path_inside
from recognizer.system.zip_files import COMPRESSIONS, ZIP_ERRORS

ZIP_LIMIT = 1 << 30  # bytes unpacked: ten times the largest network; guards against zip bombs
FILES_LIMIT = 1000
CHUNK_BYTES = 1 << 20
NETWORKS = ("model.tflite", "neighbours.npz", "head.npz", "motion.npz")  # a version contains at least one of them


def import_zip(models: ModelStore, task: str, path: Path) -> str:
    """Import the version in the archive, make it the task's current version, and return its new name.

    Nothing in the archive is run or opened. Raises ModelError if the file is not such an archive, if a file differs from its
    checksum in the card, or if `task` is not a valid name; then nothing changes.
    """
    task = unicodedata.normalize("NFC", task)
    if not is_task_name(task):
        raise ModelError(f"{task!r} cannot be the name of a task. Use letters, digits, spaces, - and _.")
    with importing(models, task, path):
        pass
    return models.current(task).name


@contextmanager
def importing(models: ModelStore, task: str, path: Path) -> Iterator[None]:
    """Check the version in the archive, and publish it as the task's current version when the block ends.

    If the block raises, nothing changes. Raises ModelError as `import_zip` does, before the block.
    """
    contents = _contents(path)
    with models.publishing(task) as draft:
        for name, content in contents.items():
            target = path_inside(draft, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        _check(draft, path)
        yield


def is_current(models: ModelStore, task: str, path: Path) -> bool:
    """Whether the task's current version has the same files as the one in the archive. Raises ModelError."""
    if not models.has(task):
        return False
    folder = models.current(task)
    contents = {name: content for name, content in _contents(path).items() if name != CARD}
    return contents.keys() == {*file_names(folder)} and all(
        (folder / name).read_bytes() == content for name, content in contents.items()
    )


def _contents(path: Path) -> dict[str, bytes]:
    """The files of the version in the archive, which is read completely before anything is written. Raises ModelError."""
    contents = read_files(path, CARD)
    if not any(name in contents for name in NETWORKS):
        raise ModelError(_no_model_in(path))
    return contents


def read_files(path: Path, marker: str) -> dict[str, bytes]:
    """The files beside the one named `marker`, and below its folder, in a zip archive; by their path in that folder.

    All is read before anything is written. Raises ModelError if the file is no such archive, is too large, or has a file
    elsewhere.
    """
    contents, left_bytes = {}, ZIP_LIMIT
    with _reading(path), zipfile.ZipFile(path) as archive:
        for name, info in _members(archive, marker).items():
            contents[name] = _content(archive, info, left_bytes)
            left_bytes -= len(contents[name])
    return contents


def contains(path: Path, marker: str) -> bool:
    """Whether a zip archive has a file of this name. Raises ModelError if it cannot be read."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        return any(name.rpartition("/")[2] == marker for name in archive.namelist())


def _check(draft: Path, path: Path) -> None:
    """Raise ModelError, so that the version is not published, if its card or a file is damaged."""
    try:
        card = read_checked_card(draft)
    except ModelError as error:
        reason = str(error).removesuffix(retrain_advice(draft.parent.name)).replace(f"{draft}{os.sep}", "")
        raise ModelError(f"{path} is not imported: {reason}Export it again.") from error
    added = sorted(set(file_names(draft)) - set(card.files or {}))
    if card.files and added:
        raise ModelError(f"{path} contains {added[0]!r}, which its {CARD} does not name. Export it again.")


def _no_model_in(path: str | Path | None) -> str:
    return (
        f"{path} contains no {CARD} with a model. Give a file that was written by: python -m recognizer models export"
    )


def _members(archive: zipfile.ZipFile, marker: str) -> dict[str, zipfile.ZipInfo]:
    """The files of a version by their path in its folder, wherever that is in the archive. Raises ModelError."""
    infos = [info for info in archive.infolist() if not info.is_dir() and not _is_of_the_system(info.filename)]
    for info in infos:
        if not is_safe(info.filename):
            raise ModelError(_foreign(archive, info))
    if len(infos) > FILES_LIMIT:
        raise ModelError(f"{archive.filename} contains {len(infos)} files, and a version has few. Give another file.")
    cards = [info.filename for info in infos if info.filename.rpartition("/")[2] == marker]
    if not cards:
        raise ModelError(_no_model_in(archive.filename))
    roots = [name.removesuffix(marker) for name in cards]
    roots = [root for root in set(roots) if not any(root != other and root.startswith(other) for other in roots)]
    if len(roots) > 1:
        raise ModelError(f"{archive.filename} contains {len(roots)} versions. Export and import them one by one.")
    for info in infos:
        if not info.filename.startswith(roots[0]):
            raise ModelError(_foreign(archive, info))
    members = {info.filename.removeprefix(roots[0]): info for info in infos}
    if len(infos) > len(members) or _have_a_name_in_common(members):
        raise ModelError(f"{archive.filename} contains two files that some systems take for one. Export it again.")
    return members


def _have_a_name_in_common(names: Iterable[str]) -> bool:
    """Whether two files have the same name on a system that ignores case, or one is named like another one's folder."""
    paths = [PurePosixPath(unicodedata.normalize("NFC", name).casefold()) for name in names]
    taken = {*paths}
    return len(taken) < len(paths) or any(folder in taken for path in paths for folder in path.parents)


def _is_of_the_system(name: str) -> bool:
    """Whether a file manager added the file, such as .DS_Store, when an unpacked version was zipped again."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _foreign(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    return f"{archive.filename} contains {info.filename!r}, which is not part of a model version. Export it again."


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit_bytes: int) -> bytes:
    """The unpacked file, read in chunks: an entry may lie about its size. Raises ModelError."""
    if info.compress_type not in COMPRESSIONS:
        raise ModelError(f"{archive.filename} is compressed in a way that is not used here. Zip it without options.")
    content = bytearray()
    with archive.open(info) as file:
        while chunk := file.read(CHUNK_BYTES):
            content += chunk
            if len(content) > limit_bytes:
                raise ModelError(
                    f"{archive.filename} unpacks to more than {ZIP_LIMIT >> 30} GiB, the limit. Give another file."
                )
    return bytes(content)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors of reading the zip into ModelError."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}. Check its name and folder.") from error
    except ZIP_ERRORS as error:
        raise ModelError(f"{path} is not a readable zip file ({error}). Export it again.") from error
