"""The dictionary of a running program, which takes a second to load: in the background, and once for all who spell."""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from recognizer.errors import RecognizerError, SettingsError
from recognizer.motion.classifier import FILE as MOTION_FILE
from recognizer.motion.classifier import MotionClassifier
from recognizer.registry import card
from recognizer.spelling.dictionary import Dictionary
from recognizer.spelling.word_list import word_counts

LOADED = 3  # dictionaries that stay in memory, of 15 MB each


class Words:
    """The dictionary for the task that runs. Until it is loaded, and if it cannot be, nothing is suggested."""

    def __init__(self, language: str, notify: Callable[[str], None]) -> None:
        """`notify` gets one line for the user if there are no words; it is called in another thread."""
        self.language = language
        self.dictionary: Dictionary | None = None
        self._notify = notify
        self._labels: tuple[str, ...] | None = None

    def load(self, labels: Sequence[str]) -> None:
        """Load the words for a task that can show these labels, unless they are those from before."""
        if tuple(labels) == self._labels:
            return
        self._labels = tuple(labels)
        threading.Thread(target=self._load, args=(self._labels,), name="words", daemon=True).start()

    def _load(self, labels: tuple[str, ...]) -> None:
        try:
            dictionary = _dictionary(self.language, frozenset(label for label in labels if len(label) == 1))
        except SettingsError as error:
            self._notify(str(error))
        else:
            if labels == self._labels:
                self.dictionary = dictionary


@lru_cache(maxsize=LOADED)
def _dictionary(language: str, shown: frozenset[str]) -> Dictionary:
    return Dictionary(word_counts(language), shown)


@lru_cache(maxsize=LOADED)
def labels_of(folder: Path | None) -> tuple[str, ...]:
    """The labels that a model version can show, also those of movements; () for None, and if it was deleted meanwhile."""
    if folder is None:
        return ()
    try:
        moving = MotionClassifier.load(folder / MOTION_FILE).labels if (folder / MOTION_FILE).is_file() else ()
        return (*card.read_card(folder).labels, *moving)
    except RecognizerError:
        return ()
