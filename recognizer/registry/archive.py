"""Imports a model version from a zip archive that `ModelStore.export` wrote."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from recognizer.errors import ModelError
from recognizer.registry.card import CARD, read_card
from recognizer.registry.store import ModelStore

ZIP_LIMIT = 1 << 30  # bytes unpacked: ten times the largest network; guards against zip bombs
NETWORKS = ("model.tflite", "neighbours.npz")  # a version contains at least one of them


def import_zip(models: ModelStore, task: str, path: Path) -> str:
    """Import the version in the archive, make it the task's current version, and return its new name.

    Raises ModelError if the file is not such an archive, or if `task` is not a valid name; then nothing changes.
    """
    if not task or task.startswith((".", "-")) or set(task) & set("/\\:"):
        raise ModelError(f"{task!r} cannot be the name of a task. Use letters, digits, spaces, - and _.")
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = _members(archive)
        if sum(info.file_size for info in members.values()) > ZIP_LIMIT:
            raise ModelError(f"{path} unpacks to more than {ZIP_LIMIT >> 30} GiB, the limit. Give another file.")
        if CARD not in members or not any(name in members for name in NETWORKS):
            raise ModelError(
                f"{path} contains no {CARD} with a model. Give a file that was written by: python -m recognizer models export"
            )
        # read completely before anything is written
        contents = {name: archive.read(info) for name, info in members.items()}
    with models.publishing(task) as draft:
        for name, content in contents.items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        read_card(draft)  # raises if damaged, so that it is not published
    return models.current(task).name


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of <task>/<version>/ by their path in that folder. Raises ModelError for paths that lead out of it."""
    members: dict[str, zipfile.ZipInfo] = {}
    versions = set()
    for info in archive.infolist():
        if info.is_dir():
            continue
        parts = PurePosixPath(info.filename).parts
        if len(parts) < 3 or any(part in ("..", "/") or set(part) & set("\\:") for part in parts):
            raise ModelError(
                f"{archive.filename} contains {info.filename!r}, which is not part of a model version. Export it again."
            )
        versions.add(parts[:2])
        members["/".join(parts[2:])] = info
    if len(versions) > 1:
        raise ModelError(f"{archive.filename} contains {len(versions)} versions. Export and import them one by one.")
    return members


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors of reading the zip into ModelError."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}. Check its name and folder.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"{path} is not a readable zip file ({error}). Export it again.") from error
