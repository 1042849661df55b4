"""Works around native libraries: output on stderr, dependence on the locale, and memory that they do not release."""

import ctypes
import gc
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from recognizer.system.terminal import stderr_turn

M_ARENA_MAX = -8  # of mallopt(3)
ARENAS = 1  # few threads allocate at the same time


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Silence the messages that LiteRT and MediaPipe print on stderr from native code at startup.

    Also sets LC_CTYPE to C.UTF-8 inside the block: in the Turkish locale, where I is not the capital of i, MediaPipe does
    not find its own components.
    """
    previous_locale = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:  # not on every system
        locale.setlocale(locale.LC_CTYPE, "C")
    try:
        with muted_native_code():
            yield
    finally:
        locale.setlocale(locale.LC_CTYPE, previous_locale)


@contextmanager
def muted_native_code() -> Iterator[None]:
    """Drop what native code prints on stderr. Messages of other threads wait; see `print_messages`."""
    with stderr_turn:
        try:
            saved_stderr = os.dup(2)
        except OSError:  # no stderr, as in a program started without a console
            yield
            return
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        try:
            yield
        finally:
            os.dup2(saved_stderr, 2)
            os.close(saved_stderr)
            os.close(devnull)


def use_one_arena() -> None:
    """Limit glibc malloc to one arena. Has an effect only on threads that have no arena yet.

    glibc keeps the freed memory of a closed model in fragments that the next model does not fit into. With one arena per
    thread, memory would grow with each opened model.
    """
    with suppress(OSError, AttributeError):  # other systems, and other C libraries
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, ARENAS)


def trim_memory() -> None:
    """Return unused memory to the system. Collects reference cycles first: MediaPipe's objects form such cycles."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
