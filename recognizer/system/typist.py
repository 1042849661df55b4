"""Types text into the window in front, with pynput."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

from recognizer.errors import SettingsError
from recognizer.system import packages

PACKAGE = "pynput"
ECHO_S = 1.0  # within which the own window gets a key that was typed


class Keys(Protocol):
    """Types into the window in front."""

    def backspace(self, count: int) -> None: ...

    def type(self, text: str) -> None: ...


class SystemKeys:
    """Presses keys of the operating system."""

    def __init__(self) -> None:
        """Raises SettingsError if pynput is missing, or cannot reach a screen."""
        if find_spec(PACKAGE) is None:
            raise SettingsError(
                f"--type needs the package {PACKAGE}. Run: {packages.install_command(packages.ACTIONS)}"
            )
        try:
            from pynput import keyboard
        except ImportError as error:  # without an X server
            reason = str(error).split("\n", 1)[0]
            raise SettingsError(f"--type cannot press keys here: {reason}. Leave it out.") from error
        self._keyboard = keyboard.Controller()
        self._backspace = keyboard.Key.backspace

    def backspace(self, count: int) -> None:
        for _ in range(count):
            self._keyboard.tap(self._backspace)

    def type(self, text: str) -> None:
        self._keyboard.type(text)


class Typewriter:
    """Keeps the text of another window equal to a line: it deletes what has changed, and types the rest.

    If the recognizer's own window is in front, the keys come back to it. `is_echo` recognizes them, and the text is typed
    again with the next change.
    """

    def __init__(
        self, keys: Keys, on_echo: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._on_echo = on_echo
        self._clock = clock
        self._typed = self._typed_before = ""
        self._expected: list[str] = []  # keys that come back if the own window is in front …
        self._until_s = 0.0  # … until then

    def update(self, text: str) -> None:
        """Make the other window's text end like `text`, given that it ends with what was typed before."""
        if text == self._typed:
            return
        pairs = enumerate(zip(text, self._typed, strict=False))
        same = next((place for place, (new, old) in pairs if new != old), min(len(text), len(self._typed)))
        deleted, added = len(self._typed) - same, text[same:]
        self._typed_before, self._typed = self._typed, text
        self._expected, self._until_s = ["\b"] * deleted + list(added), self._clock() + ECHO_S
        if deleted:
            self._keys.backspace(deleted)
        if added:
            self._keys.type(added)

    def is_echo(self, key: str) -> bool:
        """Whether a key of the own window is one that was just typed, and not one of the user."""
        if not self._expected or self._clock() > self._until_s or key != self._expected[0]:
            return False
        self._expected.pop(0)
        self._typed = self._typed_before
        self._on_echo()
        return True
