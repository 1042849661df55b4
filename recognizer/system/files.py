"""Crash-safe files: locks, atomic replacement and atomic appends."""

import contextlib
import errno
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

LOCK_POLL_S = 0.005  # writing a sample takes about as long
REPLACE_TRIES = 50  # Windows cannot replace a file that another program reads: retry for 1 s
REPLACE_PAUSE_S = 0.02
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network and FUSE file systems cannot flush a folder
BINARY = getattr(os, "O_BINARY", 0)  # without it, Windows writes CR LF at the end of a line


@contextmanager
def locked(path: Path, wait_s: float) -> Iterator[None]:
    """Hold an exclusive lock on the file. The system releases it when the process ends.

    Other threads and processes wait. Raises TimeoutError after `wait_s` seconds, and OSError if the file cannot be opened
    for writing.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        give_up_s = time.monotonic() + wait_s
        while not _try_lock(handle):
            if time.monotonic() >= give_up_s:
                raise TimeoutError(errno.ETIMEDOUT, "another program is still writing there")
            time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(handle)  # releases the lock


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def append(path: Path, data: bytes) -> None:
    """Append the data in one write and flush it to disk. On failure the file is truncated to its old length.

    Raises OSError. The caller must hold the lock.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | BINARY, 0o666)
    try:
        size = os.fstat(handle).st_size
        try:
            if os.write(handle, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def write_file(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file that nobody reads yet, and flush it to disk if `sync`. On failure it is deleted. Raises OSError."""
    try:
        with open(path, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o644) -> Iterator[BufferedRandom]:
    """A temporary file that replaces `path` atomically when the block ends, and is deleted if the block raises.

    Creates the folder. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)  # mkstemp makes it private; in a shared folder others must read it
        replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk, so that a file that was renamed there survives a power cut. Raises OSError."""
    if sys.platform == "win32":  # a folder cannot be opened there, and NTFS keeps a journal
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush all files in the folder, and the folders, to disk. Raises OSError."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        else:
            with open(path, "rb+" if sys.platform == "win32" else "rb") as file:  # a file may be read-only
                os.fsync(file.fileno())
    sync_folder(folder)


def replace(source: Path, target: Path) -> None:
    """Move a file atomically, replacing `target`, which is a file or does not exist. Creates the folder. Raises OSError."""
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(errno.EEXIST, "it is there and is no regular file", str(target))  # such as /dev/null
    for tries_left in reversed(range(REPLACE_TRIES)):
        try:
            os.replace(source, target)
            return
        except FileNotFoundError:
            if target.parent.is_dir() or not tries_left:
                raise
            target.parent.mkdir(parents=True, exist_ok=True)
        except PermissionError:
            if sys.platform != "win32" or not tries_left:
                raise
            time.sleep(REPLACE_PAUSE_S)
