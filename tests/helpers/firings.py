"""Events and actions for tests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from recognizer.actions.action import Action, Firing
from recognizer.actions.worker import Worker
from recognizer.event_detection.event import Event, Phase

PAUSE_S = 0.02  # before the second try


def an_event(label: str = "rock", phase: Phase = Phase.APPEARED, number: int = 1, hand: str | None = "left") -> Event:
    return Event(phase, label, 0.97, hand, f"{label} and more", (1, 2, 3, 4), "rps", 2.5, 0.3, number, 1_800_000_000.0)


def a_firing(label: str = "rock", phase: Phase = Phase.APPEARED) -> Firing:
    return Firing(an_event(label, phase), label if phase is not Phase.GONE else "none")


@dataclass(frozen=True)
class Recorded(Action):
    """Records its firings. `before` is called with each of them, and may raise."""

    done: list[Firing] = field(default_factory=list)
    before: Callable[[Firing], None] = lambda firing: None

    def describe(self) -> str:
        return "record"

    def run(self, firing: Firing) -> None:
        self.before(firing)
        self.done.append(firing)


@contextmanager
def working(action: Action, task: str = "rps") -> Iterator[tuple[Worker, list[str]]]:
    """A worker of the action, and the lines that it reports. At the end all that is queued is done."""
    lines: list[str] = []
    worker = Worker(action, task, lines.append, first_pause_s=PAUSE_S)
    try:
        yield worker, lines
    finally:
        worker.end()
        worker.join(threading.TIMEOUT_MAX)
