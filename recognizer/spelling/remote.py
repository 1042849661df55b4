"""Spelling for a client elsewhere, such as the page: it sends words for what it does, and gets the line as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from recognizer.spelling.dictionary import SUGGESTIONS
from recognizer.spelling.speller import Speller
from recognizer.spelling.words import Words
from recognizer.values import Observation

START, STOP = "start", "stop"
TAKES = tuple(str(number + 1) for number in range(SUGGESTIONS))
ACTIONS = (START, STOP, "space", "delete", "clear", *TAKES)


class RemoteSpelling:
    """The line of one client. It is off until the client starts it; the line stays while it is off."""

    def __init__(self, notify: Callable[[str], None], language: str = "en") -> None:
        """`notify` gets one line for the user if there are no words; it is called in another thread."""
        self.is_on = False
        self._words = Words(language, notify)
        self._speller = Speller(lambda: self._words.dictionary)

    def act(self, action: str) -> None:
        """Do one of ACTIONS."""
        if action in (START, STOP):
            self.is_on = action == START
        elif action in TAKES:
            self._speller.take(TAKES.index(action))
        else:
            {"space": self._speller.space, "delete": self._speller.delete, "clear": self._speller.clear}[action]()

    def step(self, observation: Observation, labels: Sequence[str]) -> dict[str, Any]:
        """The line after this frame, as JSON. `labels` are those of the task."""
        self._words.load(labels)
        self._speller.step(observation)
        line = self._speller.line
        return {
            "text": line.text,
            "finished": line.finished,
            "word": line.word,
            "suggestions": list(line.suggestions),
            "held": line.held,
            "progress": round(line.progress, 2),
        }
