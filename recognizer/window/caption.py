"""A sink that tells the overlay which task runs, what to do, and whether the picture is shown as in a mirror."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from recognizer.overlay.overlay import Overlay
from recognizer.sinks.sink import _ClosingSink
from recognizer.subjects.subject import Subject
from recognizer.values import Observation

TITLES = {"rps": "Rock, paper, scissors"}  # of tasks whose name is no word
NOT_LEARNED = "nothing learned yet: c records"


class Running(Protocol):
    """The part of a LivePipeline that a caption shows."""

    @property
    def subject(self) -> Subject: ...

    @property
    def folder(self) -> Path | None: ...


class Caption(_ClosingSink):
    """Sets the overlay's title, prompt and mirroring. Put it before the sinks that draw."""

    def __init__(self, overlay: Overlay, running: Running, is_mirrored: Callable[[Subject], bool]) -> None:
        """`is_mirrored` says whether a subject is shown as in a mirror; the window's key changes it until the next task."""
        self._overlay = overlay
        self._running = running
        self._is_mirrored = is_mirrored
        self._task = ""

    def write(self, observation: Observation) -> None:
        subject, has_model = self._running.subject, self._running.folder is not None
        if observation.task != self._task:
            self._task = observation.task
            self._overlay.mirror = self._is_mirrored(subject)
        self._overlay.title = TITLES.get(observation.task, observation.task[:1].upper() + observation.task[1:])
        self._overlay.prompt = subject.prompt if has_model else NOT_LEARNED

    def close(self) -> None:
        """Nothing is open."""
