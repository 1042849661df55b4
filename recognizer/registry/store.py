"""Trained models on disk: models/<task>/<version>/ with the model and its card; current.json names the current version.

A version's folder appears atomically, and current.json is replaced atomically. A reader never sees half a model, even
after a crash or a power cut: files, folder and current.json reach the disk in this order. If the current version is
damaged nevertheless, the one before it is used.
"""

import contextlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recognizer.errors import ModelError, ModelStorageError
from recognizer.registry import trash
from recognizer.registry.card import CARD, file_names, read_checked_card, retrain_advice, write_checksums
from recognizer.registry.trash import DeletedModels
from recognizer.system import files
from recognizer.system.names import PROGRAM_FOLDERS, is_safe, is_task_name
from recognizer.system.notices import warn_once
from recognizer.system.zip_files import new_entry

CURRENT = "current.json"


LOCK = ".lock"
LOCK_WAIT_S = 10.0  # programs hold the lock for milliseconds
DRAFT_LOCK = ".lock"  # suffix of the lock beside a draft
DRAFT, DELETED = ".draft-", ".deleted-"  # prefixes of a version's folder while it is written or deleted
STALE_AFTER_S = 24 * 3600.0  # older drafts were left by a killed program


STAMP = "%Y%m%d-%H%M%S"  # a version's name begins with this UTC time


@dataclass(frozen=True)
class Rewrite:
    """A change of the versions of a task's history: the contents of current.json before and after it."""

    task: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class ModelStore:
    """The trained models in a local folder.

    `shipped` is a second folder, of models that came with the program. It is only read: a task without a version in the
    first folder has that of the second, and the first version that is trained comes after it.
    """

    def __init__(self, folder: Path, shipped: Path | None = None):
        self._folder, self._shipped = folder, shipped

    @property
    def folder(self) -> Path:
        """The local folder of the models, to which new ones are written."""
        return self._folder

    @property
    def _folders(self) -> tuple[Path, ...]:
        return (self._folder,) if self._shipped is None else (self._folder, self._shipped)

    def refresh(self) -> None:
        """Called before each read. A store that is synced with a URL pulls here."""

    def push(self) -> None:
        """Called after each change. A store that is synced with a URL pushes here."""

    def note_deletion(self, task: str, version: str) -> None:
        """Called before a version, or a task's current.json, is deleted. A store that is synced with a URL notes what it may
        delete there.
        """

    def version_suffix(self) -> str:
        """Suffix of a new version's name. A store that is synced with a URL makes the name unique."""
        return ""

    def tasks(self) -> list[str]:
        """Names of the tasks that have a current model, sorted."""
        self.refresh()
        pointers = [path for folder in self._folders for path in folder.glob(f"*/{CURRENT}")]
        return sorted({name for path in pointers if is_task_folder_name(name := path.parent.name)})

    def has(self, task: str) -> bool:
        """Whether the task has a current model in the local folder. Does not pull."""
        return is_task_folder_name(task) and any((folder / task / CURRENT).exists() for folder in self._folders)

    def current(self, task: str) -> Path:
        """The folder of the task's current version; if that is damaged, of the newest one before it that is not.

        A line on stderr then says so. If all are damaged, it is the folder that current.json names. Raises ModelError.
        """
        self.refresh()
        folder, damage = self._current(task)
        if damage:
            warn_once(damage)
        return folder

    def damage(self, task: str) -> str:
        """Why `current` is an earlier version than current.json names, in one line; "" if it is not. Raises ModelError."""
        return self._current(task)[1]

    def _current(self, task: str) -> tuple[Path, str]:
        """The folder that `current` returns, and why it is not the version in current.json ("" if it is)."""
        content = self._pointer_content(task)
        named = self.folder_of(task, content["version"])
        reason = damage_of(named)
        if not reason:
            return named, ""
        for version in reversed(content["previous"]):
            earlier = self.folder_of(task, version)
            if not damage_of(earlier):
                return earlier, f"{title_of(earlier)}, is used: the version after it is damaged. {reason}"
        if not named.is_dir():
            pointer = self.pointer(task)
            raise ModelError(f"{pointer} names version {named.name}, which does not exist. {retrain_advice(task)}")
        return named, ""  # opening it says what is damaged

    def pointer(self, task: str) -> Path:
        """The current.json that names the task's current version. It may not exist. Raises ModelError for no task's name."""
        own = self._task_folder(task) / CURRENT
        if self._shipped is not None and not own.exists() and (shipped := self._shipped / task / CURRENT).exists():
            return shipped
        return own

    def folder_of(self, task: str, version: str) -> Path:
        """The folder of a version by its name. It may not exist. Raises ModelError for no task's name."""
        own = self._task_folder(task) / version
        if self._shipped is not None and not own.is_dir() and (shipped := self._shipped / task / version).is_dir():
            return shipped
        return own

    def _pointer_content(self, task: str) -> dict[str, Any]:
        """The names of the current version and of those before it, the shipped one included. Raises ModelError."""
        pointer = self.pointer(task)
        content = _read_pointer(pointer)
        if self._shipped is None or pointer.is_relative_to(self._shipped):
            return content
        with contextlib.suppress(ModelError):  # a task of the user's own
            shipped = _read_pointer(self._shipped / task / CURRENT)["version"]
            if shipped not in (content["version"], *content["previous"]):
                return {**content, "previous": [shipped, *content["previous"]]}
        return content

    def _task_folder(self, task: str) -> Path:
        """The folder of a task's versions. Raises ModelError for a name that is no folder's: it may come from a URL."""
        if not is_task_folder_name(task):
            raise ModelError(
                f"There is no model for the task {task!r}: that is not the name of a task. Check its name."
            )
        return self.folder / task

    @contextmanager
    def publishing(self, task: str) -> Iterator[Path]:
        """A folder to write a new version into. It is published when the block ends, and deleted if the block raises.

        Raises ModelError if it cannot be written or has no card.
        """
        if not is_task_name(task):
            raise ModelError(
                f"{task!r} cannot be the name of a task. Use letters, digits, spaces, - and _, and no name of a folder of "
                "this program, such as assets."
            )
        task_folder = self.folder / task
        folder: Path | None = None
        with _write_errors(task_folder):
            task_folder.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(task_folder)
            with draft_in(task_folder) as draft:
                try:
                    yield draft
                    if not (draft / CARD).is_file():
                        raise ModelError(
                            f"The new version of {task} has no {CARD}, so it was not published. Write the card first."
                        )
                    write_checksums(draft)
                    draft.chmod(0o755)
                    files.sync_tree(draft)
                    with self._locked():
                        folder = task_folder / _new_version(task_folder, self.version_suffix())
                        draft.rename(folder)
                        files.sync_folder(task_folder)
                        self._write_current(task, folder.name)
                except BaseException:
                    if folder is not None and _version_named(task_folder / CURRENT) != folder.name:
                        shutil.rmtree(folder, ignore_errors=True)
                    raise
            self.push()

    def set_current(self, task: str, version: str) -> None:
        """Make `version` the current version. `rollback` returns to the one before. Raises ModelError."""
        pointer = self._task_folder(task) / CURRENT
        if not is_version_name(version):
            raise ModelError(f"{task} has no version {version!r}. Give a name that models list prints.")
        with _write_errors(pointer.parent), self._locked():
            pointer.parent.mkdir(parents=True, exist_ok=True)
            self._write_current(task, version)
        self.push()

    def rollback(self, task: str) -> str:
        """Go back to the previous version and return its name. Raises ModelError."""
        pointer = self._task_folder(task) / CURRENT
        self._pointer_content(task)
        with _write_errors(pointer.parent), self._locked():
            previous = list(self._pointer_content(task)["previous"])
            while previous:
                version = previous.pop()
                if self.folder_of(task, version).is_dir():
                    _write_pointer(pointer, {"version": version, "previous": previous})
                    break
            else:
                raise ModelError(
                    f"{task} has no earlier version: there is nothing to go back to. Train it to get a new one."
                )
        self.push()
        return version

    def has_previous(self, task: str) -> bool:
        """Whether `rollback` finds a version to go back to. Raises ModelError."""
        return any(self.folder_of(task, version).is_dir() for version in self._pointer_content(task)["previous"])

    def versions(self, task: str) -> list[str]:
        """Names of the task's versions, oldest first: a name is the UTC time of publishing. Raises ModelError."""
        self.refresh()
        self._pointer_content(task)
        return sorted({card.parent.name for card in self._cards(task)})

    def _cards(self, task: str) -> list[Path]:
        """The cards of all versions of the task. Raises ModelError for no task's name."""
        self._task_folder(task)
        found = [card for folder in self._folders for card in (folder / task).glob(f"*/{CARD}")]
        return [card for card in found if not card.parent.name.startswith(".")]

    def newest_version(self, task: str, kind: str) -> Path | None:
        """The folder of the task's newest version whose card has this `kind` (input); None if there is none."""
        for card in sorted(self._cards(task), key=lambda card: card.parent.name, reverse=True):
            with contextlib.suppress(ModelError):
                if read_checked_card(card.parent).kind == kind:
                    return card.parent
        return None

    def newest_file(self, task: str, name: str) -> Path | None:
        """The file of this name in the task's newest version that has one; None if there is none."""
        found = [path for folder in self._folders for path in (folder / task).glob(f"*/{name}")]
        shown = [path for path in found if not path.parent.name.startswith(".")]
        return max(shown, key=lambda path: path.parent.name, default=None)

    def version_folder(self, task: str, version: str | None = None) -> Path:
        """The folder of a version of the task (default: the current one). Raises ModelError."""
        if version is None:
            return self.current(task)
        versions = self.versions(task)
        if version not in versions:
            raise ModelError(f"{task} has no version {version}. It has: {', '.join(versions)}.")
        return self.folder_of(task, version)

    def add_checksums(self, task: str, version: str) -> bool:
        """Write the SHA-256 of each file of a version into its card. Return False if it has them already.

        Raises ModelError if a file differs from the checksum that the card has.
        """
        folder = self.version_folder(task, version)
        if read_checked_card(folder).files:
            return False
        with _write_errors(folder):
            write_checksums(folder)
        return True

    def delete(self, task: str, version: str) -> None:
        """Delete a version that is not the current one. Raises ModelError."""
        folder = self.version_folder(task, version)
        if self._shipped is not None and folder.is_relative_to(self._shipped):
            raise ModelError(
                f"{version} of {task} came with the program and cannot be deleted. Train a version to replace it."
            )
        deleted = folder.with_name(f"{DELETED}{version}")
        try:
            with self._locked():  # nobody may make it the current version meanwhile
                if folder == self._current(task)[0]:
                    raise ModelError(f"{version} is the current version of {task}. {self._way_out(task)}")
                self.note_deletion(task, version)
                folder.rename(deleted)  # atomic: nobody sees half a version
            shutil.rmtree(deleted)
        except OSError as error:
            raise ModelStorageError(
                f"{folder} cannot be removed ({error.strerror or error}). Make it writable."
            ) from error
        self.push()

    def _way_out(self, task: str) -> str:
        """What to do instead of deleting the current version."""
        if self.has_previous(task):
            return f"Go back first: python -m recognizer models rollback {task}"
        if not read_checked_card(self._current(task)[0]).user_training:
            return "It came with the program and stays."
        return f"It is the only one to use. Delete the model: python -m recognizer tasks delete {task} --only model"

    def delete_task(self, task: str, entry: str) -> int:
        """Move all versions of a task to the trash, as the entry of this name. Return their number.

        Versions that came with the program stay in their own folder. Raises ModelError.
        """
        versions = self._own_versions(task)
        with _write_errors(self.folder / task), self._locked():
            self._note_deletions(task, versions)
            trash.move_in(self.folder, task, entry)
        self.push()
        return len(versions)

    def rename_task(self, task: str, to: str) -> None:
        """Rename a task: all of its versions. Raises ModelError."""
        self._check_new_name(to)
        versions = self._own_versions(task)
        with _write_errors(self.folder / task), self._locked():
            self._note_deletions(task, versions)
            (self.folder / task).rename(self.folder / to)
        self.push()

    def trash(self) -> list[DeletedModels]:
        """The deleted tasks in the trash of this folder, oldest first."""
        return trash.entries(self.folder)

    def restore(self, entry: str) -> str:
        """Bring back the versions of a deleted task. Return its name. Raises ModelError."""
        found = trash.entry_named(self.folder, entry)
        if (self.folder / found.task).exists():
            raise ModelError(f"There are models of {found.task} again. Rename that task first, then restore this one.")
        with _write_errors(self.folder / found.task), self._locked():
            trash.move_out(self.folder, found)
        self.push()
        return found.task

    def empty_trash(self, entries: Collection[str] | None = None) -> int:
        """Delete entries of the trash for good, by default all. Return their number. Raises ModelError."""
        chosen = [found for found in self.trash() if entries is None or found.name in entries]
        for found in chosen:
            with _write_errors(found.folder):
                trash.remove(found)
        return len(chosen)

    def rewrite(self, task: str, change: Callable[[Path], bool]) -> Rewrite | None:
        """Replace the current version and those that `rollback` goes back to by changed copies; None if none has changed.

        `change` gets the folder of a copy, and returns False if that needs no change. The versions from before stay where
        they are. All copies come into use at once. Raises ModelError.
        """
        content = self._pointer_content(task)
        new_names: dict[str, str] = {}
        task_folder = self._task_folder(task)
        with _write_errors(task_folder):
            task_folder.mkdir(parents=True, exist_ok=True)
            for version in (*content["previous"], content["version"]):
                if name := self._changed_copy(task, version, change):
                    new_names[version] = name
            if not new_names:
                return None
            files.sync_folder(task_folder)
            with self._locked():
                before = self._pointer_content(task)
                previous = [new_names.get(version, version) for version in before["previous"]]
                after = {"version": new_names.get(before["version"], before["version"]), "previous": previous}
                _write_pointer(task_folder / CURRENT, after)
        self.push()
        return Rewrite(task, before, after)

    def undo_rewrite(self, done: Rewrite) -> bool:
        """Return to the versions from before a `rewrite`. Return False if the models have changed since. Raises ModelError."""
        pointer = self._task_folder(done.task) / CURRENT
        with _write_errors(pointer.parent), self._locked():
            if self._pointer_content(done.task) != done.after:
                return False
            _write_pointer(pointer, dict(done.before))
        self.push()
        return True

    def _changed_copy(self, task: str, version: str, change: Callable[[Path], bool]) -> str:
        """The name of a version's copy that `change` has changed; "" if it needs no change, or there is no such version."""
        folder, task_folder = self.folder_of(task, version), self._task_folder(task)
        if not folder.is_dir():
            return ""
        with draft_in(task_folder) as draft:
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            if not change(draft):
                return ""
            write_checksums(draft)
            draft.chmod(0o755)
            files.sync_tree(draft)
            with self._locked():
                name = _copy_name(task_folder, version, self.version_suffix())
                draft.rename(task_folder / name)
        return name

    def _own_versions(self, task: str) -> list[str]:
        """The versions of a task in the local folder. Raises ModelError if there are none."""
        self.refresh()
        folder = self._task_folder(task)
        if not folder.is_dir():
            shipped = self._shipped is not None and (self._shipped / task).is_dir()
            raise ModelError(
                f"The models of {task} came with the program and stay."
                if shipped
                else f"There is no model for the task {task}. Check its name: models list"
            )
        return sorted(card.parent.name for card in folder.glob(f"*/{CARD}") if not card.parent.name.startswith("."))

    def _check_new_name(self, task: str) -> None:
        if not is_task_name(task):
            raise ModelError(f"{task!r} cannot be the name of a task. Use letters, digits, spaces, - and _.")
        taken = [path.name for folder in self._folders for path in folder.glob("*") if path.is_dir()]
        if other := next((name for name in taken if name.casefold() == task.casefold()), None):
            raise ModelError(f"There are models of {other} already. Choose another name.")

    def _note_deletions(self, task: str, versions: Collection[str]) -> None:
        for version in versions:
            self.note_deletion(task, version)
        self.note_deletion(task, CURRENT)

    def export(self, task: str, path: Path, version: str | None = None) -> Path:
        """Write a version (default: the current one) to a zip archive of <task>/<version>/. Return the version's folder.

        The archive appears at `path` only when it is complete. Raises ModelError.
        """
        folder = self.version_folder(task, version)
        try:
            with files.atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
                for name in (CARD, *file_names(folder)):
                    entry = new_entry(f"{task}/{folder.name}/{name}", zipfile.ZIP_DEFLATED)
                    archive.writestr(entry, (folder / name).read_bytes())
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"Cannot write {path}: {reason}. Choose another folder or free some space.") from error
        return folder

    def _write_current(self, task: str, version: str) -> None:
        try:
            content = self._pointer_content(task)
            previous = [*content["previous"], content["version"]]
        except ModelError:
            previous = []
        _write_pointer(self.folder / task / CURRENT, {"version": version, "previous": previous})

    def _locked(self) -> AbstractContextManager[None]:
        """The lock for naming versions and replacing current.json, so that programs do not overwrite each other."""
        return files.locked(self.folder / LOCK, LOCK_WAIT_S)


def is_task_folder_name(task: str) -> bool:
    """Whether a task of this name may be read: also one that this program would not create today."""
    return is_safe(task) and "/" not in task and task.casefold() not in PROGRAM_FOLDERS


def is_version_name(version: str) -> bool:
    """Whether a folder of this name, which may come from elsewhere, can hold a version beside current.json."""
    return is_safe(version) and not {"/", "."} & set(version)


def damage_of(folder: Path) -> str:
    """Why a version cannot be used, in one line; "" if its card can be read and its files are those of the card."""
    try:
        read_checked_card(folder)
    except ModelError as error:
        return str(error)
    return ""


@contextmanager
def draft_in(task_folder: Path) -> Iterator[Path]:
    """A new folder for a version. It is deleted at the end if it was not renamed. A lock beside it says that it is in use."""
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=task_folder))
    lock = draft.with_name(f"{draft.name}{DRAFT_LOCK}")
    try:
        with files.locked(lock, LOCK_WAIT_S):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        lock.unlink(missing_ok=True)


def _is_in_use(path: Path) -> bool:
    """Whether a program that runs is writing the draft: then it is not left over, whatever the clock says."""
    lock = path if path.name.endswith(DRAFT_LOCK) else path.with_name(f"{path.name}{DRAFT_LOCK}")
    if not lock.exists():
        return False
    try:
        with files.locked(lock, 0.0):
            return False
    except OSError:
        return True


def title_of(folder: Path) -> str:
    """A version's title for users, in local time: "digits, trained 27 Nov 2026 19:31:54"."""
    stamp = "-".join(folder.name.split("-")[:2])
    try:
        trained = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC).astimezone()
    except ValueError:  # a user renamed the folder
        return f"{folder.parent.name}, version {folder.name}"
    return f"{folder.parent.name}, trained {trained:%d %b %Y %H:%M:%S}"


def _remove_leftovers(task_folder: Path) -> None:
    """Delete unfinished and half-deleted versions that killed programs left behind."""
    for path in task_folder.glob(".*-*"):
        with contextlib.suppress(OSError):  # another program may delete it at the same time
            changed_s = max(max(part.stat().st_mtime, part.stat().st_ctime) for part in (path, *path.rglob("*")))
            if not path.name.startswith((DRAFT, DELETED, f".{CURRENT}-")) or time.time() - changed_s < STALE_AFTER_S:
                continue
            if _is_in_use(path):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError into a ModelError."""
    try:
        yield
    except OSError as error:
        raise ModelStorageError(
            f"{folder} cannot be written ({error}). Free some space, or choose another folder with --models."
        ) from error


def _version_named(pointer: Path) -> str | None:
    try:
        return str(_read_pointer(pointer)["version"])
    except ModelError:
        return None


def _new_version(task_folder: Path, suffix: str) -> str:
    """An unused version name in the task's folder, from the current UTC time."""
    stamp = time.strftime(STAMP, time.gmtime()) + suffix
    names = [stamp, *(f"{stamp}-{count}" for count in range(2, 1000))]
    return next(name for name in names if not (task_folder / name).exists())


def _copy_name(task_folder: Path, version: str, suffix: str) -> str:
    """An unused name for a copy of a version. It keeps the time of the training."""
    names = (f"{version}{suffix}-{count}" for count in range(2, 1000))
    return next(name for name in names if not (task_folder / name).exists())


def _read_pointer(pointer: Path) -> dict[str, Any]:
    """The content of a current.json: version and previous are names of folders beside it. Raises ModelError."""
    task = pointer.parent.name
    try:
        content = _parse_pointer(pointer.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no model for the task {task}: {pointer} does not exist. {retrain_advice(task)}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{pointer} cannot be read as JSON ({error}). {retrain_advice(task)}") from error
    if content is None:
        raise ModelError(f"{pointer} names no version. {retrain_advice(task)}")
    return content


def _parse_pointer(data: bytes) -> dict[str, Any] | None:
    """The content of a current.json; None if it names no version. Raises ValueError or RecursionError if it is not JSON."""
    content = json.loads(data.decode())
    if not isinstance(content, dict):
        return None
    version, previous = content.get("version"), content.get("previous")
    if not isinstance(version, str) or not is_version_name(version):
        return None
    if not isinstance(previous, list):
        previous = []
    return {**content, "previous": [name for name in previous if isinstance(name, str) and is_version_name(name)]}


def version_in(data: bytes) -> str | None:
    """The version that a current.json names; None if it is damaged."""
    try:
        content = _parse_pointer(data)
    except (ValueError, RecursionError):
        return None
    return None if content is None else content["version"]


def _write_pointer(pointer: Path, content: dict[str, Any]) -> None:
    with files.atomic_file(pointer) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())
    files.sync_folder(pointer.parent)
