"""Files that outlive whatever stops a program: one writer at a time, whole files, whole lines."""

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

LOCK_POLL_S = 0.005  # a sample takes about as long to write
REPLACE_TRIES = 50  # Windows refuses to replace a file while another program reads it: a second of patience
REPLACE_PAUSE_S = 0.02
BINARY = getattr(os, "O_BINARY", 0)  # Windows would write two characters for a line's end


@contextmanager
def locked(path: Path, wait_s: float) -> Iterator[None]:
    """Holds the file's lock, which the system gives back when the program ends in whatever way.

    Other threads and programs wait. Raises TimeoutError after `wait_s` seconds, another OSError where the file cannot be
    opened for writing.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        give_up_s = time.monotonic() + wait_s
        while not _try_lock(handle):
            if time.monotonic() >= give_up_s:
                raise TimeoutError(errno.ETIMEDOUT, "another program has been writing there for long")
            time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(handle)  # gives the lock back


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
    """Adds the data in one write and brings it to the disk; where that fails, the file is as long as before.

    Raises OSError. Call it under the lock.
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
    """Writes a file that nobody reads yet, to the disk itself where `sync`; where that fails it is gone. Raises OSError."""
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
def atomic_file(path: Path) -> Iterator[BufferedRandom]:
    """A file to write that takes its name when the block ends, over what was there, and is gone when it raises.

    Makes the folder. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)  # mkstemp's files are private, and a shared folder is not
        replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def replace(source: Path, target: Path) -> None:
    """Moves a file to its place in one step, over what was there; makes the folder. Raises OSError."""
    for left in reversed(range(REPLACE_TRIES)):
        try:
            os.replace(source, target)
            return
        except FileNotFoundError:
            if target.parent.is_dir() or not left:
                raise
            target.parent.mkdir(parents=True, exist_ok=True)
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
            time.sleep(REPLACE_PAUSE_S)
