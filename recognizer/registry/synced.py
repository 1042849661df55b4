"""Trained models that are synced with a URL."""

import contextlib
import json
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from recognizer.errors import SyncError
from recognizer.registry.card import CARD
from recognizer.registry.store import (
    CURRENT,
    DELETED,
    LOCK,
    LOCK_WAIT_S,
    ModelStore,
    damage_of,
    draft_in,
    is_version_name,
    version_in,
)
from recognizer.system import files, paths
from recognizer.system.names import is_task_name, path_inside
from recognizer.system.notices import warn_once
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import (
    change_state,
    check_not_emptied,
    is_synced,
    local_folder,
    note_deletion,
    pull_if_due,
    read_state,
    sync_errors,
    write_marker,
)

_refused: set[tuple[Path, str]] = set()  # damaged versions at a URL: downloaded once in each process


class SyncedModels(ModelStore):
    """Models in a local folder that is synced with a URL: pulled before reads, pushed after changes."""

    def refresh(self) -> None:
        pull_if_due(self.folder, self.pull)

    def version_suffix(self) -> str:
        return f"-{secrets.token_hex(3)}"

    def note_deletion(self, task: str, version: str) -> None:
        note_deletion(self.folder, f"{task}/{version}")

    def pull(self) -> None:
        """Download new versions, update current.json, and delete the versions that were deleted at the URL.

        A version that is in use here is not deleted; the next push uploads it again.

        Names and files at the URL that are no version or current.json are passed over: others may write to it.
        """
        state = read_state(self.folder)
        remote, known, current = Remote(state.url), state.known, dict(state.current)
        names = remote.names("")
        remote_versions = {
            version for name in names if (version := name.removesuffix(f"/{CARD}")) != name and _is_version(version)
        }
        check_not_emptied(remote, known, remote_versions)
        local_versions = _versions(self.folder)
        for version in sorted(remote_versions - local_versions - state.deleted):
            _fetch_version(remote, self.folder, version, [name for name in names if name.startswith(f"{version}/")])
        for name in sorted(names):
            task, _, last = name.partition("/")
            if last == CURRENT and is_task_name(task):
                self._pull_current(remote, name, current)
        for name in sorted(current.keys() - names):
            self._forget_task(name, current, remote_versions)
        used = {f"{path.parent.name}/{version_in(path.read_bytes())}" for path in self.folder.glob(f"*/{CURRENT}")}
        for version in (known - remote_versions) & local_versions - used:
            deleted = self.folder / f"{Path(version).parent}/{DELETED}{Path(version).name}"
            with contextlib.suppress(OSError):
                (self.folder / version).rename(deleted)
                shutil.rmtree(deleted)
        versions = frozenset(_versions(self.folder) & remote_versions)
        change_state(self.folder, lambda state: replace(state, known=versions, current=current))

    def _pull_current(self, remote: Remote, name: str, current: dict[str, str]) -> None:
        """Update one current.json, unless it is unchanged, damaged, or names a version that is not here."""
        data = remote.get(name)
        if data is None or data.decode(errors="replace") == current.get(name):
            return
        version = version_in(data)
        if version is None:
            warn_once(f"{remote.url}/{name} is damaged and is ignored. Publish or roll back to replace it.")
            return
        task = name.partition("/")[0]
        is_refused = (self.folder, f"{task}/{version}") in _refused  # then the version before it is used
        if not (self.folder / task / version).is_dir() and not is_refused:
            return  # published after the listing; the next pull downloads it
        with files.locked(self.folder / LOCK, LOCK_WAIT_S), files.atomic_file(self.folder / name) as file:
            file.write(data)
        current[name] = data.decode(errors="replace")

    def _forget_task(self, name: str, current: dict[str, str], remote_versions: set[str]) -> None:
        """Delete a current.json that is unchanged since it came from the URL, where the whole task was deleted."""
        pointer = self.folder / name
        task = name.partition("/")[0]
        if any(version.startswith(f"{task}/") for version in remote_versions) or not pointer.exists():
            return
        if pointer.read_bytes().decode(errors="replace") == current[name]:
            with files.locked(self.folder / LOCK, LOCK_WAIT_S):
                pointer.unlink()
            del current[name]

    def push(self) -> None:
        """Upload new versions, delete at the URL those that this program deleted, then upload each changed current.json.

        A version that is missing here for another reason is not deleted there; the next pull downloads it again.
        """
        with sync_errors(self.folder):
            self._push()

    def _push(self) -> None:
        state = read_state(self.folder)
        remote, known, current = Remote(state.url), state.known, dict(state.current)
        local_versions = _versions(self.folder)
        write_marker(remote, known)
        for version in sorted(local_versions - known):
            version_files = [path for path in (self.folder / version).rglob("*") if path.is_file()]
            for path in sorted(version_files, key=lambda path: path.name == CARD):
                remote.put(path.relative_to(self.folder).as_posix(), path.read_bytes())
        pointers = {path.relative_to(self.folder).as_posix(): path for path in self.folder.glob(f"*/{CURRENT}")}
        deleted = state.deleted - local_versions - pointers.keys()  # a deletion that failed here does not count
        for name in sorted(name for name in deleted if name.endswith(f"/{CURRENT}")):
            remote.remove(name)
            current.pop(name, None)
        for version in sorted(deleted):
            for name in sorted(remote.names(version), key=lambda name: not name.endswith(f"/{CARD}")):
                remote.remove(name)
        for name, path in sorted(pointers.items()):
            _push_current(remote, path, name, current)
        versions = frozenset(local_versions | (known - state.deleted))
        change_state(
            self.folder,
            lambda now: replace(now, known=versions, current=current, deleted=now.deleted - state.deleted),
        )


def open_models(place: str | Path) -> ModelStore:
    """Open the models in a folder or at a URL. Raises SyncError.

    An installed package's default folder is opened together with the models in the package, whichever of both is named.
    """
    folder = local_folder(str(place))
    if is_synced(folder):
        return SyncedModels(folder)
    shipped = paths.shipped_models()
    if shipped is not None and folder in (shipped, paths.default_models()):
        return ModelStore(paths.default_models(), shipped)
    return ModelStore(folder)


def default_models() -> ModelStore:
    """Open the models in the folder or at the URL in RECOGNIZER_MODELS, else in models/. Raises SyncError."""
    return open_models(paths.models())


def _versions(folder: Path) -> set[str]:
    cards = folder.glob(f"*/*/{CARD}")
    return {card.parent.relative_to(folder).as_posix() for card in cards if not card.parent.name.startswith(".")}


def _fetch_version(remote: Remote, folder: Path, version: str, names: list[str]) -> None:
    """Download a version. Its folder appears only when it is complete, and its files are those of its card."""
    if (folder, version) in _refused:
        return
    task_folder = (folder / version).parent
    try:
        task_folder.mkdir(parents=True, exist_ok=True)
        with draft_in(task_folder) as draft:
            for name in names:
                data = remote.get(name)
                if data is None:
                    return  # another machine is deleting it
                path = path_inside(draft, name.removeprefix(f"{version}/"))
                path.parent.mkdir(parents=True, exist_ok=True)
                files.write_file(path, data)
            damage = damage_of(draft)
            if damage:
                _refused.add((folder, version))
                warn_once(f"{remote.url}/{version} is damaged and is ignored. {damage}")
                return
            draft.chmod(0o755)
            files.sync_tree(draft)
            with contextlib.suppress(FileExistsError):
                if not (folder / version).exists():  # another program on this machine may have downloaded it
                    draft.rename(folder / version)
                    files.sync_folder(task_folder)
    except OSError as error:
        raise SyncError(f"{folder / version} cannot be written ({error}). Free some space.") from error


def _is_version(name: str) -> bool:
    """Whether a name at a URL is TASK/VERSION."""
    task, _, version = name.partition("/")
    return is_task_name(task) and is_version_name(version)


def _push_current(remote: Remote, path: Path, name: str, current: dict[str, str]) -> None:
    """Upload one current.json if it has changed. A damaged one is not uploaded."""
    data = path.read_bytes()
    content = data.decode(errors="replace")
    if content == current.get(name) or version_in(data) is None:
        return
    remote_content = (remote.get(name) or b"").decode(errors="replace")
    if remote_content and remote_content != current.get(name):
        # another machine has published meanwhile: rollback can return to its version
        content = _with_remote_as_previous(remote_content, content)
        with files.atomic_file(path) as file:
            file.write(content.encode())
    remote.put(name, content.encode())
    current[name] = content


def _with_remote_as_previous(remote_content: str, local_content: str) -> str:
    """The local content of current.json, with the version that is current at the URL added as the previous one."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        remote, local = json.loads(remote_content), json.loads(local_content)
        if remote["version"] != local["version"]:
            previous = [*remote.get("previous", []), remote["version"]]
            return json.dumps({**local, "previous": previous}, indent=1) + "\n"
    return local_content
