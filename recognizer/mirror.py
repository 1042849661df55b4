"""Samples and models at an fsspec URL, such as s3://bucket/models: a folder of this machine that follows it.

The rest of the program knows folders only. `folder_of` gives the folder for a URL; what it holds is fetched before it is
first looked at and every PULL_S while a program goes on looking, and what is changed in it is sent before the change
returns. What is sent is never overwritten by others:

    pictures/NAME.png, rows/NAME-N-HASH.csv, tasks/HASH-N-HASH.json     captured samples; N counts the changes
    TASK/VERSION/…, TASK/current.json                                   models, as in models/

A picture is sent before its row, a version's files before its card and that before current.json, and each of these small
files appears in one step, so that nobody meets half a sample or half a model. Two writers lose nothing: names are unique,
and of two labels for one sample, or two versions made current at once, one wins and the other stays or can be gone back to.
"""

import contextlib
import hashlib
import json
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.errors import MirrorError
from recognizer.system import files, paths

if TYPE_CHECKING:
    from recognizer.samples import Sample, Samples

STATE = ".mirror.json"  # in a folder that follows a URL
PULL_S = 2.0  # a listing of some thousand names takes a tenth of that
URL = re.compile(r"[A-Za-z][\w+.-]+://.*")
CARD, CURRENT = "card.json", "current.json"
MARK = "recognizer.txt"  # at a URL that has been written to: what is there may all be deleted, but not this

_turn = threading.Lock()
_pulled_s: dict[Path, float] = {}  # of this process
_pulling: dict[Path, threading.Thread] = {}


def folder_of(text: str, home: Path | None = None) -> Path:
    """The folder that a path or a URL names; that of a URL lies below `home`, RECOGNIZER_MIRRORS or runs/mirrors/.

    Raises MirrorError where it cannot be made. Nothing is fetched yet.
    """
    if not URL.fullmatch(text):
        return Path(text)
    home = home or paths.mirrors()
    url = text.rstrip("/")
    folder = home / f"{re.sub(r'[^A-Za-z0-9]+', '-', url)[-40:].strip('-')}-{_digest(url.encode())}"
    if not (folder / STATE).is_file():
        try:
            _write_state(folder, {"url": url, "known": [], "current": {}})
        except OSError as error:
            raise MirrorError(
                f"{folder}, for what {url} holds, cannot be written ({error}). Free some space."
            ) from error
    return folder


def is_mirror(folder: Path) -> bool:
    """Whether the folder follows a URL."""
    return (folder / STATE).is_file()


def url_of(folder: Path) -> str:
    """The URL that the folder follows. Raises MirrorError."""
    return str(_read_state(folder)["url"])


def fresh(folder: Path, pull: Callable[[Path], None]) -> None:
    """Have `pull` fetch what is new: at once when this process looks for the first time, later on beside it."""
    if not is_mirror(folder):
        return
    now_s = time.monotonic()
    with _turn:
        before = _pulling.get(folder)
        first = folder not in _pulled_s
        if not first and (now_s - _pulled_s[folder] < PULL_S or (before and before.is_alive())):
            return
        _pulled_s[folder] = now_s
        if not first:
            _pulling[folder] = threading.Thread(target=_quietly, args=(pull, folder), name="mirror", daemon=True)
            _pulling[folder].start()
            return
    try:
        pull(folder)
    except MirrorError:
        _pulled_s.pop(folder, None)
        raise


def _quietly(pull: Callable[[Path], None], folder: Path) -> None:
    with contextlib.suppress(MirrorError):  # what is here goes on; the next look tries again
        pull(folder)


class Remote:
    """What a URL holds. Whatever its file system says against it becomes a MirrorError."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._telling():
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(url, **({"auto_mkdir": True} if "file" in url[:5] else {}))

    def names(self, *folders: str) -> set[str]:
        """Paths of all files in the folders, from the URL on, without those that are on their way in."""
        with self._telling():
            self._files.invalidate_cache()
            found: set[str] = set()
            for folder in folders:
                whole = f"{self._root}/{folder}".rstrip("/")
                if self._files.exists(whole):
                    found.update(self._files.find(whole))
            start = len(self._root.rstrip("/")) + 1
            return {path[start:] for path in found if not path.endswith(".part")}

    def get(self, name: str) -> bytes | None:
        """The file's bytes; None where it is gone."""
        with self._telling():
            try:
                return bytes(self._files.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                return None

    def put(self, name: str, data: bytes) -> None:
        """Write a file that appears in one step."""
        with self._telling():
            part = f"{self._root}/{name}.{secrets.token_hex(4)}.part"
            self._files.pipe_file(part, data)
            self._files.mv(part, f"{self._root}/{name}")

    def remove(self, name: str) -> None:
        with self._telling(), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each file system raises what its library raises
            said = " ".join(str(error).split()) or type(error).__name__
            raise MirrorError(
                f"{self.url} cannot be used ({said}). See that it can be reached, and try again."
            ) from error


# models


def pull_models(folder: Path) -> None:
    """Fetch versions that are new, drop those that were deleted there, and follow current.json."""
    from recognizer import registry

    state = _read_state(folder)
    remote = Remote(state["url"])
    names = remote.names("")
    there = {name.removesuffix(f"/{CARD}") for name in names if name.count("/") == 2 and name.endswith(f"/{CARD}")}
    known = set(state["known"])
    _check_not_emptied(remote, known, there)
    here = _versions(folder)
    for version in sorted(there - known - here):
        _fetch_version(remote, folder, version, [name for name in names if name.startswith(f"{version}/")])
    for version in (known - there) & here:
        gone = folder / f"{Path(version).parent}/.deleted-{Path(version).name}"
        with contextlib.suppress(OSError):
            (folder / version).rename(gone)
            shutil.rmtree(gone)
    for name in sorted(names):
        if name.count("/") != 1 or not name.endswith(f"/{CURRENT}"):
            continue
        told = remote.get(name)
        if told is None or told.decode(errors="replace") == state["current"].get(name):
            continue
        if not (folder / Path(name).parent / _version_in(told)).is_dir():
            continue  # published since the listing: the next look fetches it
        with files.locked(folder / registry.LOCK, registry.LOCK_WAIT_S), files.new_file(folder / name) as file:
            file.write(told)
        state["current"][name] = told.decode(errors="replace")
    _write_state(folder, {**state, "known": sorted(_versions(folder) & there)})


def push_models(folder: Path) -> None:
    """Send versions that are new, remove those that were deleted here, then send what current.json says now."""
    if not is_mirror(folder):
        return
    state = _read_state(folder)
    remote = Remote(state["url"])
    here, known = _versions(folder), set(state["known"])
    _mark(remote, known)
    for version in sorted(here - known):
        whole = [path for path in (folder / version).rglob("*") if path.is_file()]
        for path in sorted(whole, key=lambda path: path.name == CARD):
            remote.put(path.relative_to(folder).as_posix(), path.read_bytes())
    for version in sorted(known - here):
        for name in sorted(remote.names(version), key=lambda name: not name.endswith(f"/{CARD}")):
            remote.remove(name)
    for path in sorted(folder.glob(f"*/{CURRENT}")):
        name, said = path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
        if said == state["current"].get(name):
            continue
        there = (remote.get(name) or b"").decode(errors="replace")
        if there and there != state["current"].get(name):
            said = _after(there, said)  # another machine has published meanwhile: one can go back to that
            with files.new_file(path) as file:
                file.write(said.encode())
        remote.put(name, said.encode())
        state["current"][name] = said
    _write_state(folder, {**state, "known": sorted(here)})


def _versions(folder: Path) -> set[str]:
    cards = folder.glob(f"*/*/{CARD}")
    return {card.parent.relative_to(folder).as_posix() for card in cards if not card.parent.name.startswith(".")}


def _fetch_version(remote: Remote, folder: Path, version: str, names: list[str]) -> None:
    """Whole or not at all."""
    home = (folder / version).parent
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home))
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


# samples


def pull_samples(folder: Path) -> None:
    """Fetch samples and tasks that are new or were changed there, and drop those that were deleted."""
    from recognizer.samples import Samples, Task, parsed_table, read_card

    state = _read_state(folder)
    remote = Remote(state["url"])
    everything = remote.names("rows", "tasks")
    known = set(state["known"])
    _check_not_emptied(remote, known, everything)
    there = _latest(everything)
    for key in everything - there:
        remote.remove(key)  # what came before it
    store = Samples(folder, alone=True)
    here = _items(store, known | there)
    new = sorted(there - here.keys())

    told: dict[str, Task] = {}
    changed = {_parts(key)[0] for key in new}
    for key in sorted(key for key in there if key.startswith("tasks/") and _parts(key)[0] in changed):
        if (data := here.get(key) or remote.get(key)) is not None:
            task = read_card(json.loads(data)["name"], data, f"{remote.url}/{key}")
            twice = told.get(task.name, task)  # two machines have changed it at once
            told[task.name] = replace(task, labels=tuple(dict.fromkeys([*twice.labels, *task.labels])))
    rows: dict[str, Sample] = {}
    for key in (key for key in new if key.startswith("rows/")):
        found = parsed_table(remote.get(key) or b"")
        if found and not isinstance(found[0], str):
            rows[_parts(key)[0]] = found[0]
    local = {_parts(key)[0] for key in here}
    lost = {_parts(key)[0] for key in known} - {_parts(key)[0] for key in there}
    taken = sorted(rows.items(), key=lambda item: item[1].time)
    pictures = [(row, remote.get(f"pictures/{name}.png")) for name, row in taken if name not in local]
    store.follow(
        [*told.values()],
        [(row, png) for row, png in pictures if png is not None],
        {name: row for name, row in rows.items() if name in local},
        lost,
        [task.name for task in store.tasks() if _digest(task.name.encode()) in lost],
    )
    _write_state(folder, {**state, "known": sorted(_items(store, known | there).keys() & there)})


def push_samples(store: "Samples") -> None:
    """Send what is new here, and remove what was deleted. Call it under the store's lock."""
    state = _read_state(store.folder)
    remote = Remote(state["url"])
    known = set(state["known"])
    here = _items(store, known)
    _mark(remote, known)
    sent = {_parts(key)[0] for key in known}
    pictures = {file_stem(sample.path): sample.path for sample in store.read()}
    for key in sorted(here.keys() - known):
        name = _parts(key)[0]
        if name in pictures and name not in sent:
            with contextlib.suppress(FileNotFoundError):  # a row may have lost its picture
                remote.put(f"pictures/{name}.png", (store.folder / pictures[name]).read_bytes())
        remote.put(key, here[key])
    for key in sorted(known - here.keys()):
        remote.remove(key)
        if key.startswith("rows/") and _parts(key)[0] not in pictures:
            remote.remove(f"pictures/{_parts(key)[0]}.png")
    _write_state(store.folder, {**state, "known": sorted(here)})


def file_stem(path: str) -> str:
    """The name of a sample's picture without .png."""
    return path.rsplit("/", 1)[-1].removesuffix(".png")


def _items(store: "Samples", keys: set[str]) -> dict[str, bytes]:
    """What a store holds as small files; those that `keys` names have not changed, others count one up from there."""
    from recognizer.samples import as_card, as_table

    named = {(name, digest): key for key in sorted(keys) for name, _, digest in [_parts(key)]}
    counts: dict[str, int] = {}
    for key in keys:
        name, count, _ = _parts(key)
        counts[name] = max(count, counts.get(name, 0))
    content = {(f"rows/{file_stem(sample.path)}", "csv"): as_table([sample]) for sample in store.read()}
    content |= {(f"tasks/{_digest(task.name.encode())}", "json"): as_card(task) for task in store.tasks()}
    found = {}
    for (path, kind), data in content.items():
        name, digest = path.partition("/")[2], _digest(data)
        found[named.get((name, digest)) or f"{path}-{counts.get(name, -1) + 1}-{digest}.{kind}"] = data
    return found


def _latest(keys: set[str]) -> set[str]:
    """Of each sample the one row that counts, of each task its last cards: two where two machines changed it at once."""
    highest: dict[str, tuple[int, str]] = {}
    for key in keys:
        name, count, digest = _parts(key)
        highest[name] = max((count, digest), highest.get(name, (count, digest)))
    return {
        key for key in keys for name, count, digest in [_parts(key)]
        if (count, digest) == highest[name] or (key.startswith("tasks/") and count == highest[name][0])
    }  # fmt: skip


def _parts(key: str) -> tuple[str, int, str]:
    """Name, count of changes and digest of content, in the path of a small file."""
    name, count, digest = key.partition("/")[2].rpartition(".")[0].rsplit("-", 2)
    return name, int(count), digest


def _mark(remote: Remote, known: set[str]) -> None:
    if not known:
        remote.put(MARK, b"Samples or models of the webcam recognizer.\n")


def _check_not_emptied(remote: Remote, known: set[str], there: set[str]) -> None:
    if known and not there and remote.get(MARK) is None:
        raise MirrorError(
            f"{remote.url} holds nothing any more, and {len(known)} files came from it: nothing is deleted here. "
            "See whether it is the right address."
        )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return {"url": str(state["url"]), "known": list(state["known"]), "current": dict(state["current"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MirrorError(f"{folder / STATE} is damaged ({error}). Delete {folder}: it is fetched again.") from error


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    with files.new_file(folder / STATE) as file:
        file.write((json.dumps(state, indent=1, ensure_ascii=False) + "\n").encode())
