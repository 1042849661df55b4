"""The base of all kinds of actions, and what an action gets when it fires."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from recognizer.errors import RecognizerError
from recognizer.event_detection.event import Event, Phase

NO_LABEL = "none"  # the value of {state} while no label is in view
VALUES = ("label", "text", "confidence", "hand", "task", "event", "state")
LONGEST_TIMEOUT_S = 3600.0
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}")  # {{ and }} stand for a brace


class ActionError(RecognizerError):
    """A file of actions, or one of its values, that cannot be used."""


class ActionFailed(RecognizerError):
    """An action that failed. It is not tried again."""


class Unreachable(RecognizerError):
    """A broker, port or address that cannot be reached now. The action is tried again after a pause."""


@dataclass(frozen=True)
class Firing:
    """One event, for which an action fires."""

    event: Event
    state: str = NO_LABEL  # the label that is in view after the event: of several, the one that appeared last
    fired_s: float = field(default_factory=time.monotonic)

    def fill(self, text: str) -> str:
        """The text with its placeholders replaced, such as "{label} {confidence}" by "rock 0.97"."""
        return self._filled(text, lambda value: value)

    def fill_address(self, address: str) -> str:
        """The same for an address: no value can change which place it leads to."""
        return self._filled(address, lambda value: quote(value, safe=""))

    def _filled(self, text: str, escaped: Callable[[str], str]) -> str:
        event = self.event
        values = {
            "label": event.label,
            "text": event.text,
            "confidence": f"{event.confidence:.2f}",
            "hand": event.hand or "",
            "task": event.task,
            "event": str(event.phase),
            "state": self.state,
        }
        return PLACEHOLDER.sub(lambda found: _replaced(found, values, escaped), text)


def _replaced(found: re.Match[str], values: Mapping[str, str], escaped: Callable[[str], str]) -> str:
    """What stands in place of a placeholder. One that has no value stays: only files are checked for such."""
    name = found[1]
    if name is None:
        return found[0][0]
    return escaped(values[name]) if name in values else found[0]


class Action(ABC):
    """What one block of a file does. Each kind is a frozen dataclass, whose fields are the keys of its blocks.

    A field is a str, int, float, bool, tuple[str, ...] or dict[str, object]; one without a default must be given. Texts may
    contain the placeholders in VALUES.
    """

    phases: ClassVar[tuple[Phase, ...]] = (Phase.APPEARED,)  # when it fires, if its block does not say

    def check(self) -> None:  # noqa: B027  # most kinds have nothing to check
        """Raise ActionError if a value is not allowed; the message begins with the name of the key."""

    @abstractmethod
    def describe(self) -> str:
        """What it does, such as "press ctrl+s"."""

    @contextmanager
    def opened(self, task: str) -> Iterator[Callable[[Firing], None]]:
        """What fires the action, from the start of the run to its end. Default: `run`.

        A kind with a connection opens it here and closes it afterwards. It raises Unreachable if it cannot be opened; then it
        is opened again after a pause.
        """
        yield self.run

    def run(self, firing: Firing) -> None:
        """Do it. May take its time: each action has a thread. Raises ActionFailed, or Unreachable to be tried again."""
        raise NotImplementedError


def check_timeout(timeout_s: float) -> None:
    """Raises ActionError if it is no time that somebody would wait."""
    if not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise ActionError(f"timeout_s: {timeout_s:g} is not above 0 and at most {LONGEST_TIMEOUT_S:g}.")


def check_placeholders(text: str) -> None:
    """Raises ActionError if the text has a placeholder that is none of VALUES."""
    for found in PLACEHOLDER.finditer(text):
        if found[1] and found[1] not in VALUES:
            values = ", ".join(f"{{{value}}}" for value in VALUES)
            raise ActionError(f"{found[0]} is no value. Values: {values}. Write {{{{{found[1]}}}}} for the braces.")
