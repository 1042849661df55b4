"""Trained models on disk: models/<task>/<version>/ with the network and its card, and current.json naming one.

A version appears whole or not at all, and current.json is replaced in one step, so that a reader never meets half a
model, whatever is stopped when.
"""

import contextlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from recognizer.errors import ModelError
from recognizer.registry.card import CARD, read_card, retrain_advice
from recognizer.system import files

CURRENT = "current.json"


LOCK = ".lock"
LOCK_WAIT_S = 10.0  # to name a version and replace a pointer takes milliseconds
DRAFT, DELETED = ".draft-", ".deleted-"  # what a version is called before it is whole, and after
STALE_AFTER_S = 24 * 3600.0  # nothing is written or deleted for that long: what is older was left by a killed program


class ModelStore:
    """The trained models in a folder of this machine."""

    def __init__(self, folder: Path):
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where the models are on this machine."""
        return self._folder

    def refresh(self) -> None:
        """Called before each read; a store that other machines share pulls here."""

    def push(self) -> None:
        """Called after each change; a store that other machines share sends it here."""

    def version_suffix(self) -> str:
        """What a new version's name ends with; a store that other machines share makes it unique."""
        return ""

    def tasks(self) -> list[str]:
        """Names of the tasks that have a current model, sorted."""
        self.refresh()
        return sorted(path.parent.name for path in self.folder.glob(f"*/{CURRENT}"))

    def has(self, task: str) -> bool:
        """Whether the task has a current model in the folder, without a refresh."""
        return (self.folder / task / CURRENT).exists()

    def current(self, task: str) -> Path:
        """The folder of the task's current version."""
        self.refresh()
        pointer = self.folder / task / CURRENT
        version = _read_pointer(pointer)["version"]
        folder = self.folder / task / version
        if not folder.is_dir():
            raise ModelError(f"{pointer} names version {version}, which is not there. {retrain_advice(task)}")
        return folder

    @contextmanager
    def publishing(self, task: str) -> Iterator[Path]:
        """A folder to write a new version into: it is published when the block ends, and removed when it raises."""
        home = self.folder / task
        folder: Path | None = None
        with _write_errors(home):
            home.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(home)
            draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=home))
            try:
                yield draft
                if not (draft / CARD).is_file():
                    raise ModelError(f"A model without {CARD} is not published.")
                draft.chmod(0o755)
                with self._locked():
                    folder = home / _new_version(home, self.version_suffix())
                    draft.rename(folder)
                    _write_current(home / CURRENT, folder.name)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                if folder is not None and _version_named(home / CURRENT) != folder.name:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            self.push()

    def set_current(self, task: str, version: str) -> None:
        """Make `version` the current one; the one before is remembered for `rollback`. Raises ModelError."""
        with _write_errors(self.folder / task), self._locked():
            _write_current(self.folder / task / CURRENT, version)
        self.push()

    def rollback(self, task: str) -> str:
        """Return to the version before the current one, and say which. Raises ModelError."""
        pointer = self.folder / task / CURRENT
        _read_pointer(pointer)
        with _write_errors(self.folder / task), self._locked():
            now = _read_pointer(pointer)
            previous = list(now.get("previous", []))
            while previous:
                version = previous.pop()
                if (self.folder / task / version).is_dir():
                    _write_pointer(pointer, {"version": version, "previous": previous})
                    break
            else:
                raise ModelError(
                    f"{pointer} names no earlier version of {task} that is still there: nothing to go back to."
                )
        self.push()
        return version

    def versions(self, task: str) -> list[str]:
        """Names of the task's whole versions, sorted: oldest first, as they are named by their time. Raises ModelError."""
        self.refresh()
        _read_pointer(self.folder / task / CURRENT)
        return sorted(
            path.parent.name for path in (self.folder / task).glob(f"*/{CARD}") if not path.parent.name.startswith(".")
        )

    def newest_version(self, task: str, kind: str) -> Path | None:
        """The folder of the task's newest version whose card names that kind of network; None where there is none."""
        for card in sorted((self.folder / task).glob(f"*/{CARD}"), reverse=True):
            with contextlib.suppress(ModelError):
                if not card.parent.name.startswith(".") and read_card(card.parent).kind == kind:
                    return card.parent
        return None

    def version_folder(self, task: str, version: str | None = None) -> Path:
        """The folder of one of the task's versions, of the current one where none is named. Raises ModelError."""
        if version is None:
            return self.current(task)
        there = self.versions(task)
        if version not in there:
            raise ModelError(f"{task} has no version {version}. It has: {', '.join(there)}.")
        return self.folder / task / version

    def delete(self, task: str, version: str) -> None:
        """Remove a version that does not run. Raises ModelError."""
        folder = self.version_folder(task, version)
        if folder == self.current(task):
            raise ModelError(
                f"{version} is what {task} runs with. Go back first: python -m recognizer models rollback {task}"
            )
        gone = folder.with_name(f"{DELETED}{version}")
        try:
            folder.rename(gone)  # in one step: half a version is none
            shutil.rmtree(gone)
        except OSError as error:
            raise ModelError(f"{folder} cannot be removed ({error.strerror or error}). Make it writable.") from error
        self.push()

    def export(self, task: str, path: Path, version: str | None = None) -> Path:
        """Write a version as a zip of <task>/<version>/, whole or not at all, and return its folder. Raises ModelError."""
        folder = self.version_folder(task, version)
        try:
            with files.atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for part in sorted(folder.rglob("*")):
                    archive.write(part, f"{task}/{folder.name}/{part.relative_to(folder).as_posix()}")
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"Cannot write {path}: {reason}. Choose another folder or free some space.") from error
        return folder

    def _locked(self) -> AbstractContextManager[None]:
        """One program at a time names versions and replaces pointers: else one would forget what another published."""
        return files.locked(self.folder / LOCK, LOCK_WAIT_S)


def _remove_leftovers(home: Path) -> None:
    """Remove what killed programs left of versions and pointers that were not finished, or half deleted."""
    for path in home.glob(".*-*"):
        with contextlib.suppress(OSError):  # another program sweeps too
            changed_s = max(max(part.stat().st_mtime, part.stat().st_ctime) for part in (path, *path.rglob("*")))
            if not path.name.startswith((DRAFT, DELETED, f".{CURRENT}-")) or time.time() - changed_s < STALE_AFTER_S:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _write_current(pointer: Path, version: str) -> None:
    try:
        before = _read_pointer(pointer)
        previous = [*before.get("previous", []), before["version"]]
    except ModelError:
        previous = []
    _write_pointer(pointer, {"version": version, "previous": previous})


@contextmanager
def _write_errors(home: Path) -> Iterator[None]:
    """An OSError becomes a ModelError, one line with a remedy."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{home} cannot be written ({error}). Free some space, or choose another folder with --models."
        ) from error


def _version_named(pointer: Path) -> str | None:
    try:
        return str(_read_pointer(pointer)["version"])
    except ModelError:
        return None


def _new_version(home: Path, suffix: str) -> str:
    """A name of now that no version in `home` has."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + suffix
    names = [stamp, *(f"{stamp}-{count}" for count in range(2, 1000))]
    return next(name for name in names if not (home / name).exists())


def _read_pointer(pointer: Path) -> dict[str, Any]:
    task = pointer.parent.name
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"No model for the task {task}: {pointer} is not there. {retrain_advice(task)}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{pointer} cannot be read as JSON ({error}). {retrain_advice(task)}") from error
    if not isinstance(content, dict) or not isinstance(content.get("version"), str):
        raise ModelError(f"{pointer} names no version. {retrain_advice(task)}")
    if not isinstance(content.get("previous", []), list):
        del content["previous"]
    return content


def _write_pointer(pointer: Path, content: dict[str, Any]) -> None:
    with files.atomic_file(pointer) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())
