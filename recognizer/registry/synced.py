"""Trained models that are synced with a URL."""

import contextlib
import json
import secrets
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from recognizer.errors import SyncError
from recognizer.registry.card import CARD
from recognizer.registry.store import CURRENT, DELETED, DRAFT, LOCK, LOCK_WAIT_S, ModelStore
from recognizer.system import files, paths
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import (
    check_not_emptied,
    is_synced,
    local_folder,
    pull_if_due,
    read_state,
    write_marker,
    write_state,
)


class SyncedModels(ModelStore):
    """Models in a local folder that is synced with a URL: pulled before reads, pushed after changes."""

    def refresh(self) -> None:
        pull_if_due(self.folder, self.pull)

    def version_suffix(self) -> str:
        return f"-{secrets.token_hex(3)}"

    def pull(self) -> None:
        """Download new versions, delete those that were deleted at the URL, and update current.json."""
        state = read_state(self.folder)
        remote, known, current = Remote(state.url), state.known, dict(state.current)
        names = remote.names("")
        remote_versions = {
            name.removesuffix(f"/{CARD}") for name in names if name.count("/") == 2 and name.endswith(f"/{CARD}")
        }
        check_not_emptied(remote, known, remote_versions)
        local_versions = _versions(self.folder)
        for version in sorted(remote_versions - known - local_versions):
            _fetch_version(remote, self.folder, version, [name for name in names if name.startswith(f"{version}/")])
        for version in (known - remote_versions) & local_versions:
            deleted = self.folder / f"{Path(version).parent}/{DELETED}{Path(version).name}"
            with contextlib.suppress(OSError):
                (self.folder / version).rename(deleted)
                shutil.rmtree(deleted)
        for name in sorted(names):
            if name.count("/") != 1 or not name.endswith(f"/{CURRENT}"):
                continue
            data = remote.get(name)
            if data is None or data.decode(errors="replace") == current.get(name):
                continue
            if not (self.folder / Path(name).parent / _version_in(data)).is_dir():
                continue  # published after the listing; the next pull downloads it
            with files.locked(self.folder / LOCK, LOCK_WAIT_S), files.atomic_file(self.folder / name) as file:
                file.write(data)
            current[name] = data.decode(errors="replace")
        write_state(
            self.folder, replace(state, known=frozenset(_versions(self.folder) & remote_versions), current=current)
        )

    def push(self) -> None:
        """Upload new versions, delete at the URL those that were deleted here, then upload each changed current.json."""
        state = read_state(self.folder)
        remote, known, current = Remote(state.url), state.known, dict(state.current)
        local_versions = _versions(self.folder)
        write_marker(remote, known)
        for version in sorted(local_versions - known):
            version_files = [path for path in (self.folder / version).rglob("*") if path.is_file()]
            for path in sorted(version_files, key=lambda path: path.name == CARD):
                remote.put(path.relative_to(self.folder).as_posix(), path.read_bytes())
        for version in sorted(known - local_versions):
            for name in sorted(remote.names(version), key=lambda name: not name.endswith(f"/{CARD}")):
                remote.remove(name)
        for path in sorted(self.folder.glob(f"*/{CURRENT}")):
            name, content = path.relative_to(self.folder).as_posix(), path.read_text(encoding="utf-8")
            if content == current.get(name):
                continue
            remote_content = (remote.get(name) or b"").decode(errors="replace")
            if remote_content and remote_content != current.get(name):
                # another machine has published meanwhile: rollback can return to its version
                content = _with_remote_as_previous(remote_content, content)
                with files.atomic_file(path) as file:
                    file.write(content.encode())
            remote.put(name, content.encode())
            current[name] = content
        write_state(self.folder, replace(state, known=frozenset(local_versions), current=current))


def open_models(place: str | Path) -> ModelStore:
    """Open the models in a folder or at a URL. Raises SyncError."""
    folder = local_folder(str(place))
    return SyncedModels(folder) if is_synced(folder) else ModelStore(folder)


def default_models() -> ModelStore:
    """Open the models in the folder or at the URL in RECOGNIZER_MODELS, else in models/. Raises SyncError."""
    return open_models(paths.models())


def _versions(folder: Path) -> set[str]:
    cards = folder.glob(f"*/*/{CARD}")
    return {card.parent.relative_to(folder).as_posix() for card in cards if not card.parent.name.startswith(".")}


def _fetch_version(remote: Remote, folder: Path, version: str, names: list[str]) -> None:
    """Download a version. Its folder appears only when it is complete."""
    task_folder = (folder / version).parent
    task_folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=task_folder))
    try:
        for name in names:
            data = remote.get(name)
            if data is None:
                return  # another machine is deleting it
            path = draft / name.removeprefix(f"{version}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_file(path, data)
        draft.chmod(0o755)
        with contextlib.suppress(FileExistsError):  # another program on this machine has downloaded it already
            draft.rename(folder / version)
    except OSError as error:
        raise SyncError(f"{folder / version} cannot be written ({error}). Free some space.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _version_in(pointer: bytes) -> str:
    """The version in the content of a current.json; "?" if it names none."""
    try:
        return str(json.loads(pointer)["version"])
    except (ValueError, KeyError, TypeError):
        return "?"


def _with_remote_as_previous(remote_content: str, local_content: str) -> str:
    """The local content of current.json, with the version that is current at the URL added as the previous one."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        remote, local = json.loads(remote_content), json.loads(local_content)
        if remote["version"] != local["version"]:
            previous = [*remote.get("previous", []), remote["version"]]
            return json.dumps({**local, "previous": previous}, indent=1) + "\n"
    return local_content
