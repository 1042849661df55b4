"""Handles Ctrl-C even where a native library swallows KeyboardInterrupt."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from recognizer.values import Frame


def was_pressed(error: BaseException) -> bool:
    """Whether Ctrl-C caused the error. During the import of a native library it becomes an ImportError."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, KeyboardInterrupt):
        found = found.__cause__ or found.__context__
    return found is not None


@contextmanager
def held_back() -> Iterator[None]:
    """Start Python programs in this block: Ctrl-C reaches them once they call `let_through`, not while they import.

    On Windows it reaches them at once.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """Let Ctrl-C reach this thread. Raises KeyboardInterrupt if it was pressed while it was held back."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class CtrlC:
    """Records Ctrl-C while the context is open, in the main thread.

    Python ignores a KeyboardInterrupt that is raised inside a destructor or a callback of a native library.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._watches = False

    def frames(self, source: Iterable["Frame"]) -> Iterator["Frame"]:
        """Yield the source's frames. Raises KeyboardInterrupt before the next frame if Ctrl-C was pressed and ignored."""
        for frame in source:
            if self._pressed:
                raise KeyboardInterrupt
            yield frame

    def _remember(self, number: int, at: FrameType | None) -> None:
        self._pressed = True
        signal.default_int_handler(number, at)

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        self._watches = is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._watches:
            signal.signal(signal.SIGINT, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        if self._watches:
            signal.signal(signal.SIGINT, signal.default_int_handler)
