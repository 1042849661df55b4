"""Keeps native libraries from writing on the terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_stderr() -> Iterator[None]:
    """LiteRT and MediaPipe greet each start with lines of their own, written past Python and without a switch."""
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
