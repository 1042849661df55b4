"""A local folder that is synced with a URL.

The rest of the program reads and writes local folders only. `local_folder` gives the folder for a URL. The stores pull
before the first read, and then every PULL_S seconds as long as the program reads. They push each change before the method
that made it returns. Except for current.json, a pushed file is never overwritten:

    pictures/NAME.png, rows/NAME-N-HASH.csv, tasks/HASH-N-HASH.json     captured samples; N counts the changes of one sample
    TASK/VERSION/…, TASK/current.json                                   models, as in models/

A picture is pushed before its row, a version's files before its card, and the card before current.json. Each of these
files appears atomically, so nobody reads an incomplete sample or model. Concurrent writers lose nothing because names are
unique. If two machines relabel one sample at the same time, one of the labels is used. If they set the current version at the
same time, the last push wins, and a rollback restores the other.
"""

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from recognizer.errors import RecognizerError, SyncError
from recognizer.system import files, paths
from recognizer.system.remote import Remote
from recognizer.system.urls import is_url, text_without_secrets, without_secrets

STATE = ".mirror.json"  # the state file in a synced folder; its name is from an earlier version
STATE_LOCK = ".mirror.lock"
STATE_WAIT_S = 10.0  # programs hold the lock for milliseconds
PULL_S = 2.0  # listing some thousand names takes about 0.2 s


MARK = "recognizer.txt"  # marks a URL that has been written to; this file is never deleted

_turn = threading.Lock()
_pulled_s: dict[Path, float] = {}  # time.monotonic() of this process's last pull into each folder
_pulling: dict[Path, threading.Thread] = {}


@dataclass(frozen=True)
class SyncState:
    """What a folder and its URL had in common after the last pull or push."""

    url: str
    known: frozenset[str] = frozenset()  # names of samples and tasks, or of model versions
    current: Mapping[str, str] = field(default_factory=dict)  # the content of each current.json, by its name
    deleted: frozenset[str] = (
        frozenset()
    )  # names that this program deleted, and that are still to be deleted at the URL


def local_folder(text: str, home: Path | None = None) -> Path:
    """The local folder for a path or URL. That of a URL is below `home` (default: `paths.sync_folder()`).

    Pulls nothing yet. Raises SyncError if it is neither, or if the folder cannot be created.
    """
    if not is_url(text):
        if not text or (os.path.exists(text) and not os.path.isdir(text)):
            raise SyncError(
                f"{text or 'An empty name'} is no folder. Give a folder, or a URL such as s3://bucket/models."
            )
        return Path(text)
    if not text.partition("://")[2].strip("/"):
        raise SyncError(f"{text} names no place. Give a URL such as s3://bucket/models, or a folder.")
    home = home or paths.sync_folder()
    url = text.rstrip("/")
    folder, former = home / _folder_name(without_secrets(url), url), home / _folder_name(url, url)
    if former.is_dir() and not folder.exists():  # an earlier version wrote the password into the name
        with contextlib.suppress(OSError):
            former.rename(folder)
    if not is_synced(folder):
        try:
            write_state(folder, SyncState(url))
        except OSError as error:
            raise SyncError(
                f"{folder}, the local copy of {without_secrets(url)}, cannot be written ({error}). Free some space."
            ) from error
    return folder


def _folder_name(shown: str, url: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', shown)[-40:].strip('-')}-{short_digest(url.encode())}"


def is_synced(folder: Path) -> bool:
    """Whether the folder is synced with a URL."""
    return (folder / STATE).is_file()


def url_of(folder: Path) -> str:
    """The URL that the folder is synced with. Raises SyncError."""
    return read_state(folder).url


def pull_if_due(folder: Path, pull: Callable[[], None]) -> None:
    """Call `pull` if the last call is more than PULL_S seconds ago: the first time directly, later in a background thread."""
    now_s = time.monotonic()
    with _turn:
        running_pull = _pulling.get(folder)
        first = folder not in _pulled_s
        if not first and (now_s - _pulled_s[folder] < PULL_S or (running_pull and running_pull.is_alive())):
            return
        _pulled_s[folder] = now_s
        if not first:
            _pulling[folder] = threading.Thread(target=_pull_quietly, args=(folder, pull), name="pull", daemon=True)
            _pulling[folder].start()
            return
    try:
        with sync_errors(folder):
            pull()
    except RecognizerError:
        _pulled_s.pop(folder, None)
        raise


def _pull_quietly(folder: Path, pull: Callable[[], None]) -> None:
    # the local files stay in use; the next read tries again
    with contextlib.suppress(RecognizerError), sync_errors(folder):
        pull()


@contextmanager
def sync_errors(folder: Path) -> Iterator[None]:
    """Turn an error of writing the local copy, or of reading what others wrote to the URL, into a SyncError."""
    try:
        yield
    except RecognizerError:
        raise
    except OSError as error:
        raise SyncError(
            f"{folder}, the local copy of a URL, cannot be written ({error.strerror or error}). "
            "Free some space, or make it writable."
        ) from error
    except Exception as error:  # from parsing any content
        reason = text_without_secrets(" ".join(str(error).split()))
        raise SyncError(
            f"{folder} cannot be synced: its URL has a file that cannot be read ({type(error).__name__}: {reason}). "
            "Remove that file from the URL."
        ) from error


def write_marker(remote: Remote, known: frozenset[str]) -> None:
    """Before the first push, write a marker file to the URL. It distinguishes an emptied URL from a wrong one."""
    if not known:
        remote.put(MARK, b"Samples or models of the webcam recognizer.\n")


def check_not_emptied(remote: Remote, known: frozenset[str], names: set[str]) -> None:
    """Raise SyncError if the URL lacks the marker and all files that were synced before: it is probably the wrong URL."""
    if known and not names and remote.get(MARK) is None:
        raise SyncError(
            f"{remote.url} is empty, but {len(known)} files came from it. Nothing is deleted here. Check the address."
        )


def short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def read_state(folder: Path) -> SyncState:
    """The folder's state. Raises SyncError if its file is missing or damaged."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        texts = [*state["known"], *state.get("deleted", []), *state["current"].values()]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("a name is not a text")
        deleted = frozenset(state.get("deleted", []))
        return SyncState(str(state["url"]), frozenset(state["known"]), dict(state["current"]), deleted)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SyncError(f"{folder / STATE} is damaged ({error}). Delete {folder}; it is downloaded again.") from error


def write_state(folder: Path, state: SyncState) -> None:
    """Write the folder's state. Only the user may read it: the URL may contain a password. Raises OSError."""
    content = {
        "url": state.url,
        "known": sorted(state.known),
        "current": dict(state.current),
        "deleted": sorted(state.deleted),
    }
    with files.atomic_file(folder / STATE, mode=0o600) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())


def change_state(folder: Path, change: Callable[[SyncState], SyncState]) -> None:
    """Read the state, change it and write it back, while other threads and programs wait. Raises SyncError and OSError."""
    with files.locked(folder / STATE_LOCK, STATE_WAIT_S):
        write_state(folder, change(read_state(folder)))


def note_deletion(folder: Path, name: str) -> None:
    """Note that this program deletes a name here. Only what is noted is deleted at the URL, by the next push."""
    change_state(folder, lambda state: replace(state, deleted=state.deleted | {name}))
