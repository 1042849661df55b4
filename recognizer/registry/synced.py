"""Models at a URL: pulled into a local folder, pushed from it."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

from recognizer.errors import MirrorError
from recognizer.registry.card import CARD
from recognizer.registry.store import CURRENT, DELETED, DRAFT, LOCK, LOCK_WAIT_S, ModelStore
from recognizer.system import files, paths
from recognizer.system import remote as system_remote
from recognizer.system.remote import Remote, check_not_emptied, fresh, is_mirror, mark_as_ours, read_state, write_state


class SyncedModels(ModelStore):
    """Models at a URL, in a folder that follows it: fetched before they are looked at, sent when they are changed."""

    alone = False

    def refresh(self) -> None:
        fresh(self.folder, self.pull)

    def pull(self) -> None:
        """Fetch versions that are new, drop those that were deleted there, and follow current.json."""
        state = read_state(self.folder)
        remote = Remote(state["url"])
        names = remote.names("")
        there = {name.removesuffix(f"/{CARD}") for name in names if name.count("/") == 2 and name.endswith(f"/{CARD}")}
        known = set(state["known"])
        check_not_emptied(remote, known, there)
        here = _versions(self.folder)
        for version in sorted(there - known - here):
            _fetch_version(remote, self.folder, version, [name for name in names if name.startswith(f"{version}/")])
        for version in (known - there) & here:
            gone = self.folder / f"{Path(version).parent}/{DELETED}{Path(version).name}"
            with contextlib.suppress(OSError):
                (self.folder / version).rename(gone)
                shutil.rmtree(gone)
        for name in sorted(names):
            if name.count("/") != 1 or not name.endswith(f"/{CURRENT}"):
                continue
            told = remote.get(name)
            if told is None or told.decode(errors="replace") == state["current"].get(name):
                continue
            if not (self.folder / Path(name).parent / _version_in(told)).is_dir():
                continue  # published since the listing: the next look fetches it
            with files.locked(self.folder / LOCK, LOCK_WAIT_S), files.new_file(self.folder / name) as file:
                file.write(told)
            state["current"][name] = told.decode(errors="replace")
        write_state(self.folder, {**state, "known": sorted(_versions(self.folder) & there)})

    def push(self) -> None:
        """Send versions that are new, remove those that were deleted here, then send what current.json says now."""
        state = read_state(self.folder)
        remote = Remote(state["url"])
        here, known = _versions(self.folder), set(state["known"])
        mark_as_ours(remote, known)
        for version in sorted(here - known):
            whole = [path for path in (self.folder / version).rglob("*") if path.is_file()]
            for path in sorted(whole, key=lambda path: path.name == CARD):
                remote.put(path.relative_to(self.folder).as_posix(), path.read_bytes())
        for version in sorted(known - here):
            for name in sorted(remote.names(version), key=lambda name: not name.endswith(f"/{CARD}")):
                remote.remove(name)
        for path in sorted(self.folder.glob(f"*/{CURRENT}")):
            name, said = path.relative_to(self.folder).as_posix(), path.read_text(encoding="utf-8")
            if said == state["current"].get(name):
                continue
            there = (remote.get(name) or b"").decode(errors="replace")
            if there and there != state["current"].get(name):
                said = _after(there, said)  # another machine has published meanwhile: one can go back to that
                with files.new_file(path) as file:
                    file.write(said.encode())
            remote.put(name, said.encode())
            state["current"][name] = said
        write_state(self.folder, {**state, "known": sorted(here)})


def open_models(folder: Path) -> ModelStore:
    """The models of a folder, which may follow a URL."""
    return SyncedModels(folder) if is_mirror(folder) else ModelStore(folder)


def _versions(folder: Path) -> set[str]:
    cards = folder.glob(f"*/*/{CARD}")
    return {card.parent.relative_to(folder).as_posix() for card in cards if not card.parent.name.startswith(".")}


def _fetch_version(remote: Remote, folder: Path, version: str, names: list[str]) -> None:
    """Whole or not at all."""
    home = (folder / version).parent
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=home))
    try:
        for name in names:
            data = remote.get(name)
            if data is None:
                return  # it is being deleted
            path = draft / name.removeprefix(f"{version}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_whole(path, data)
        draft.chmod(0o755)
        with contextlib.suppress(FileExistsError):  # another program of this machine was faster
            draft.rename(folder / version)
    except OSError as error:
        raise MirrorError(f"{folder / version} cannot be written ({error}). Free some space.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _version_in(said: bytes) -> str:
    try:
        return str(json.loads(said)["version"])
    except (ValueError, KeyError, TypeError):
        return "?"


def _after(there: str, said: str) -> str:
    """What current.json says here, with the version that it names there as the one before."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        other, own = json.loads(there), json.loads(said)
        if other["version"] != own["version"]:
            return json.dumps({**own, "previous": [*other.get("previous", []), other["version"]]}, indent=1) + "\n"
    return said


def models_folder() -> Path:
    """The folder that RECOGNIZER_MODELS names, or that follows the URL there; else models/ beside the package."""
    return system_remote.folder_of(paths.models())
