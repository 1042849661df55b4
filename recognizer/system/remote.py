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
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recognizer.errors import MirrorError
from recognizer.system import files, paths

STATE = ".mirror.json"  # in a folder that follows a URL
PULL_S = 2.0  # a listing of some thousand names takes a tenth of that
URL = re.compile(r"[A-Za-z][\w+.-]+://.*")


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
    folder = home / f"{re.sub(r'[^A-Za-z0-9]+', '-', url)[-40:].strip('-')}-{short_digest(url.encode())}"
    if not (folder / STATE).is_file():
        try:
            write_state(folder, {"url": url, "known": [], "current": {}})
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
    return str(read_state(folder)["url"])


def fresh(folder: Path, pull: Callable[[], None]) -> None:
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
            _pulling[folder] = threading.Thread(target=_quietly, args=(pull,), name="mirror", daemon=True)
            _pulling[folder].start()
            return
    try:
        pull()
    except MirrorError:
        _pulled_s.pop(folder, None)
        raise


def _quietly(pull: Callable[[], None]) -> None:
    with contextlib.suppress(MirrorError):  # what is here goes on; the next look tries again
        pull()


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


def mark_as_ours(remote: Remote, known: set[str]) -> None:
    if not known:
        remote.put(MARK, b"Samples or models of the webcam recognizer.\n")


def check_not_emptied(remote: Remote, known: set[str], there: set[str]) -> None:
    if known and not there and remote.get(MARK) is None:
        raise MirrorError(
            f"{remote.url} holds nothing any more, and {len(known)} files came from it: nothing is deleted here. "
            "See whether it is the right address."
        )


def short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return {"url": str(state["url"]), "known": list(state["known"]), "current": dict(state["current"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MirrorError(f"{folder / STATE} is damaged ({error}). Delete {folder}: it is fetched again.") from error


def write_state(folder: Path, state: dict[str, Any]) -> None:
    with files.new_file(folder / STATE) as file:
        file.write((json.dumps(state, indent=1, ensure_ascii=False) + "\n").encode())
