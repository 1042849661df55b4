"""Keeps native libraries from writing on the terminal, and the terminal's language from them."""

import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_stderr() -> Iterator[None]:
    """LiteRT and MediaPipe greet each start with lines of their own, written past Python and without a switch.

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
