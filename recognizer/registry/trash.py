"""The trash of the trained models: a deleted task's versions are kept in .trash/ENTRY/TASK/ until it is emptied.

A task's folder moves there, and back, in one step.
"""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from recognizer.errors import ModelError
from recognizer.system.names import is_safe

TRASH = ".trash"


@dataclass(frozen=True)
class DeletedModels:
    """The versions of a deleted task."""

    name: str  # of the entry, the same as that of the samples which were deleted with them
    task: str
    folder: Path  # with the versions


def entries(folder: Path) -> list[DeletedModels]:
    """What is in the trash of a folder of models, oldest first."""
    tasks = [path for path in folder.glob(f"{TRASH}/*/*") if path.is_dir() and not path.name.startswith(".")]
    return sorted((DeletedModels(path.parent.name, path.name, path) for path in tasks), key=lambda found: found.name)


def entry_named(folder: Path, name: str) -> DeletedModels:
    """The entry with this name. Raises ModelError if there is none."""
    found = next((entry for entry in entries(folder) if entry.name == name), None)
    if found is None:
        raise ModelError(f"There is no {name!a} in the trash of the models. See: python -m recognizer samples trash")
    return found


def move_in(folder: Path, task: str, name: str) -> None:
    """Move a task's folder to the trash. Raises OSError."""
    if not is_safe(name):
        raise ModelError(f"{name!a} cannot be the name of an entry of the trash. Use letters, digits and -.")
    (folder / TRASH / name).mkdir(parents=True)
    os.rename(folder / task, folder / TRASH / name / task)


def move_out(folder: Path, entry: DeletedModels) -> None:
    """Move a task's folder back. Raises OSError."""
    os.rename(entry.folder, folder / entry.task)
    with contextlib.suppress(OSError):
        entry.folder.parent.rmdir()


def remove(entry: DeletedModels) -> None:
    """Delete an entry for good. Raises OSError."""
    shutil.rmtree(entry.folder)
    with contextlib.suppress(OSError):
        entry.folder.parent.rmdir()
