"""Writes a line a label to a serial port, such as that of an Arduino. pyserial opens it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.actions.action import Action, ActionError, Firing, Unreachable

if TYPE_CHECKING:
    from serial import Serial as Port

try:
    import termios

    PORT_ERRORS: tuple[type[Exception], ...] = (
        ValueError,
        OSError,
        termios.error,
    )  # the second if a board is pulled out
except ImportError:  # on Windows
    PORT_ERRORS = (ValueError, OSError)  # SerialException is an OSError

WRITE_S = 2.0  # for a line; a board that hangs takes none


@dataclass(frozen=True)
class Serial(Action):
    """Writes a line to a serial port."""

    port: str  # such as "/dev/ttyACM0" or "COM3"
    line: str = "{label}"
    baud: int = 9600
    settle_s: float = 2.0  # after opening: an Arduino starts again then, and loses what comes meanwhile

    def check(self) -> None:
        if self.baud < 1:
            raise ActionError("baud: give a number above 0, such as 9600.")
        if not 0 <= self.settle_s <= 60:
            raise ActionError("settle_s: give a number from 0 to 60.")

    def describe(self) -> str:
        return f"write {self.line!r} to {self.port}"

    @contextmanager
    def opened(self, task: str) -> Iterator[Callable[[Firing], None]]:
        """The port stays open until the end. Raises Unreachable."""
        import serial

        try:
            with serial.Serial(self.port, self.baud, write_timeout=WRITE_S) as port:
                time.sleep(self.settle_s)
                yield lambda firing: self._write(port, firing)
        except PORT_ERRORS as error:
            raise Unreachable(f"{self.port} cannot be opened ({error})") from error

    def _write(self, port: "Port", firing: Firing) -> None:
        try:
            port.write(f"{firing.fill(self.line)}\n".encode())
            port.flush()
        except PORT_ERRORS as error:
            raise Unreachable(f"{self.port} cannot be written ({error})") from error
