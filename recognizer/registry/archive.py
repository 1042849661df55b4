"""A model version out of a zip that `ModelStore.export` wrote."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from recognizer.errors import ModelError
from recognizer.registry.card import CARD, read_card
from recognizer.registry.store import ModelStore

ZIP_LIMIT = 1 << 30  # bytes unpacked: ten times the largest network that can be taken; more is a bomb
NETWORKS = ("model.tflite", "neighbours.npz")  # one of them is what answers


def import_zip(models: ModelStore, task: str, path: Path) -> str:
    """Add the version in the zip to the task, whole or not at all, make it the current one, and return its new name.

    Raises ModelError for what is no such zip, and for what cannot be the name of a task.
    """
    if not task or task.startswith((".", "-")) or set(task) & set("/\\:"):
        raise ModelError(f"{task!r} cannot be the name of a task. Use letters, digits, spaces, - and _.")
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = _members(archive)
        if sum(info.file_size for info in members.values()) > ZIP_LIMIT:
            raise ModelError(f"{path} unpacks to more than {ZIP_LIMIT >> 30} GiB and is not imported.")
        if CARD not in members or not any(name in members for name in NETWORKS):
            raise ModelError(
                f"{path} holds no {CARD} with a network. Give a zip of: python -m recognizer models export"
            )
        contents = {name: archive.read(info) for name, info in members.items()}  # all of it, before anything is written
    with models.publishing(task) as draft:
        for name, content in contents.items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        read_card(draft)  # a damaged one is not published
    return models.current(task).name


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of <task>/<version>/ by their names in that folder. Raises ModelError for one that would leave it."""
    members: dict[str, zipfile.ZipInfo] = {}
    homes = set()
    for info in archive.infolist():
        if info.is_dir():
            continue
        parts = PurePosixPath(info.filename).parts
        if len(parts) < 3 or any(part in ("..", "/") or set(part) & set("\\:") for part in parts):
            raise ModelError(
                f"{archive.filename} holds {info.filename!r}, which is no file of a version. Export it again."
            )
        homes.add(parts[:2])
        members["/".join(parts[2:])] = info
    if len(homes) > 1:
        raise ModelError(f"{archive.filename} holds {len(homes)} versions. Import them one by one.")
    return members


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What is wrong with the zip, as one line with a remedy."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}. Check its name and folder.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"{path} is no zip that can be read ({error}). Export it again.") from error
