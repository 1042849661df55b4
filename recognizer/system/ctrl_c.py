"""Ctrl-C that no library can lose."""

import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from recognizer.values import Frame


def was_pressed(error: BaseException) -> bool:
    """Whether Ctrl-C is where the error comes from: importing a native library makes an ImportError of it."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, KeyboardInterrupt):
        found = found.__cause__ or found.__context__
    return found is not None


class CtrlC:
    """Remembers Ctrl-C while it is open, in the main thread.

    Python raises KeyboardInterrupt wherever it is; inside a destructor or what a native library calls, that is dropped.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._watches = False

    def frames(self, source: Iterable["Frame"]) -> Iterator["Frame"]:
        """The source's frames; raises KeyboardInterrupt before the next one where Ctrl-C was pressed and dropped."""
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
