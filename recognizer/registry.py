"""Trained models on disk: models/<task>/<version>/ with the network and its card, and current.json naming one.

A version appears whole or not at all, and current.json is replaced in one step, so that a reader never meets half a
model, whatever is stopped when.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recognizer.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent
CURRENT = "current.json"
CARD = "card.json"


def models_folder() -> Path:
    """The folder that RECOGNIZER_MODELS names, else models/ beside the package."""
    named = os.environ.get("RECOGNIZER_MODELS")
    return Path(named) if named else ROOT / "models"


def tasks(models: Path) -> list[str]:
    """Names of the tasks that have a current model, sorted."""
    return sorted(path.parent.name for path in models.glob(f"*/{CURRENT}"))


def current(models: Path, task: str) -> Path:
    """The folder of the task's current version."""
    pointer = models / task / CURRENT
    version = _read_pointer(pointer)["version"]
    folder = models / task / version
    if not folder.is_dir():
        raise ModelError(f"{pointer} names version {version}, which is not there. {_retrain(task)}")
    return folder


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a version: labels in output order, input, preprocess version, data, command, metrics."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}). {_retrain(folder.parent.name)}") from error
    if not isinstance(card, dict) or not isinstance(card.get("labels"), list):
        raise ModelError(f"{path} holds no list of labels. {_retrain(folder.parent.name)}")
    return card


@contextmanager
def publishing(models: Path, task: str) -> Iterator[Path]:
    """A folder to write a new version into: it is published when the block ends, and removed when it raises."""
    home = models / task
    try:
        home.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home))
    except OSError as error:
        raise ModelError(f"{home} cannot be written ({error}). Choose another folder with --models.") from error
    try:
        yield draft
        if not (draft / CARD).is_file():
            raise ModelError(f"A model without {CARD} is not published.")
        draft.chmod(0o755)
        folder = home / _new_version(home)
        draft.rename(folder)
        point_to(models, task, folder.name)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def point_to(models: Path, task: str, version: str) -> None:
    """Make `version` the current one; the one before is remembered for `rollback`."""
    pointer = models / task / CURRENT
    try:
        before = _read_pointer(pointer)
        previous = [*before.get("previous", []), before["version"]]
    except ModelError:
        previous = []
    _write_pointer(pointer, {"version": version, "previous": previous})


def rollback(models: Path, task: str) -> str:
    """Return to the version before the current one, and say which."""
    pointer = models / task / CURRENT
    now = _read_pointer(pointer)
    previous = list(now.get("previous", []))
    while previous:
        version = previous.pop()
        if (models / task / version).is_dir():
            _write_pointer(pointer, {"version": version, "previous": previous})
            return version
    raise ModelError(f"{pointer} names no earlier version of {task} that is still there: nothing to go back to.")


def versions(models: Path, task: str) -> list[str]:
    """Names of the task's whole versions, sorted: oldest first, as they are named by their time. Raises ModelError."""
    _read_pointer(models / task / CURRENT)
    return sorted(
        path.parent.name for path in (models / task).glob(f"*/{CARD}") if not path.parent.name.startswith(".")
    )


def _new_version(home: Path) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = [stamp, *(f"{stamp}-{count}" for count in range(2, 1000))]
    return next(name for name in names if not (home / name).exists())


def _read_pointer(pointer: Path) -> dict[str, Any]:
    task = pointer.parent.name
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"No model for the task {task}: {pointer} is not there. {_retrain(task)}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{pointer} cannot be read as JSON ({error}). {_retrain(task)}") from error
    if not isinstance(content, dict) or not isinstance(content.get("version"), str):
        raise ModelError(f"{pointer} names no version. {_retrain(task)}")
    return content


def _write_pointer(pointer: Path, content: dict[str, Any]) -> None:
    handle, name = tempfile.mkstemp(prefix=".current-", dir=pointer.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp's files are private, and a shared model folder is not
        os.replace(name, pointer)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _retrain(task: str) -> str:
    return f"Fetch the repository's models/ again, or run: python -m training.train {task}"
