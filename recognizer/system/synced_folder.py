"""A local folder that is kept in sync with a URL.

The rest of the program reads and writes local folders only. `local_folder` gives the folder for a URL. The stores pull
into it before it is first read and every PULL_S while a program goes on reading, and push every change before the method
that made it returns. A pushed file is never overwritten by others:

    pictures/NAME.png, rows/NAME-N-HASH.csv, tasks/HASH-N-HASH.json     captured samples; N counts the changes
    TASK/VERSION/…, TASK/current.json                                   models, as in models/

A picture is pushed before its row, a version's files before its card and that before current.json, and each of these small
files appears in one step, so that nobody reads half a sample or half a model. Two writers lose nothing: names are unique,
and of two labels for one sample, or two versions made current at once, one wins and the other stays or can be restored.
"""

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recognizer.errors import SyncError
from recognizer.system import files, paths
from recognizer.system.remote import Remote, is_url

STATE = ".mirror.json"  # in a folder that is synced
PULL_S = 2.0  # a listing of some thousand names takes a tenth of that


MARK = "recognizer.txt"  # at a URL that has been written to: everything there may be deleted, but not this

_turn = threading.Lock()
_pulled_s: dict[Path, float] = {}  # when this process last pulled into each folder
_pulling: dict[Path, threading.Thread] = {}


@dataclass(frozen=True)
class SyncState:
    """What a folder has in common with its URL since the last pull or push."""

    url: str
    known: frozenset[str] = frozenset()  # names of samples and tasks, or of model versions
    current: Mapping[str, str] = field(default_factory=dict)  # the content of each current.json, by its name


def local_folder(text: str, home: Path | None = None) -> Path:
    """The folder that a path or a URL names; that of a URL lies below `home`, RECOGNIZER_SYNC or runs/sync/.

    Raises SyncError where it cannot be made. Nothing is pulled yet.
    """
    if not is_url(text):
        return Path(text)
    home = home or paths.sync_folder()
    url = text.rstrip("/")
    folder = home / f"{re.sub(r'[^A-Za-z0-9]+', '-', url)[-40:].strip('-')}-{short_digest(url.encode())}"
    if not is_synced(folder):
        try:
            write_state(folder, SyncState(url))
        except OSError as error:
            raise SyncError(f"{folder}, for what {url} holds, cannot be written ({error}). Free some space.") from error
    return folder


def is_synced(folder: Path) -> bool:
    """Whether the folder is kept in sync with a URL."""
    return (folder / STATE).is_file()


def url_of(folder: Path) -> str:
    """The URL that the folder is kept in sync with. Raises SyncError."""
    return read_state(folder).url


def pull_if_due(folder: Path, pull: Callable[[], None]) -> None:
    """Call `pull`: at once when this process reads the folder for the first time, later in a thread and every PULL_S."""
    now_s = time.monotonic()
    with _turn:
        before = _pulling.get(folder)
        first = folder not in _pulled_s
        if not first and (now_s - _pulled_s[folder] < PULL_S or (before and before.is_alive())):
            return
        _pulled_s[folder] = now_s
        if not first:
            _pulling[folder] = threading.Thread(target=_pull_quietly, args=(pull,), name="pull", daemon=True)
            _pulling[folder].start()
            return
    try:
        pull()
    except SyncError:
        _pulled_s.pop(folder, None)
        raise


def _pull_quietly(pull: Callable[[], None]) -> None:
    with contextlib.suppress(SyncError):  # the local files go on being used; the next read tries again
        pull()


def write_marker(remote: Remote, known: frozenset[str]) -> None:
    """Before the first push, leave a file at the URL by which an emptied place is told from a wrong address."""
    if not known:
        remote.put(MARK, b"Samples or models of the webcam recognizer.\n")


def check_not_emptied(remote: Remote, known: frozenset[str], names: set[str]) -> None:
    """Raises SyncError where all known files and the mark are gone: that is no deletion but another place."""
    if known and not names and remote.get(MARK) is None:
        raise SyncError(
            f"{remote.url} holds nothing any more, and {len(known)} files came from it: nothing is deleted here. "
            "See whether it is the right address."
        )


def short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def read_state(folder: Path) -> SyncState:
    """The folder's state. Raises SyncError where its file is damaged."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return SyncState(str(state["url"]), frozenset(state["known"]), dict(state["current"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SyncError(f"{folder / STATE} is damaged ({error}). Delete {folder}: it is pulled again.") from error


def write_state(folder: Path, state: SyncState) -> None:
    content = {"url": state.url, "known": sorted(state.known), "current": dict(state.current)}
    with files.atomic_file(folder / STATE) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
