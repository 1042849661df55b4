"""Keeps native libraries from writing on the terminal, from its language, and from holding memory back."""

import ctypes
import gc
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_ARENA_MAX = -8  # of mallopt(3)
ARENAS = 1  # threads that allocate at once are few


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Silences what LiteRT and MediaPipe write at each start, past Python and without a switch.

    Where the system's language is Turkish, I is not the capital of i, and MediaPipe does not find its own parts: for as
    long as the block lasts letters are those of English.
    """
    letters = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:  # not on every system
        locale.setlocale(locale.LC_CTYPE, "C")
    try:
        with _silent():
            yield
    finally:
        locale.setlocale(locale.LC_CTYPE, letters)


@contextmanager
def _silent() -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # no stderr, as in a program started without a console
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def use_one_arena() -> None:
    """Let all threads allocate from the same arena, as far as none has its own yet.

    On Linux C's own allocator keeps what a closed model held, in pieces that the next one does not fit into: with an arena
    for each thread, each model opened would add to them.
    """
    with suppress(OSError, AttributeError):  # other systems, and other C libraries
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, ARENAS)


def trim_memory() -> None:
    """Return to the system what nobody uses: what refers to itself, as MediaPipe's parts do, would wait for long."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
