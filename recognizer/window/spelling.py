"""Opens spelling and practice for the window: where the line goes, and which signs the task knows."""

import sys
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from recognizer.actions.action import ActionFailed
from recognizer.actions.kinds.programs import say
from recognizer.errors import SettingsError
from recognizer.event_detection.event import Event, Phase
from recognizer.hot_swap import LivePipeline
from recognizer.samples.store import Samples
from recognizer.settings import Settings
from recognizer.spelling.known_signs import signs_of
from recognizer.spelling.practice import Practice, common_words
from recognizer.spelling.word_list import word_counts
from recognizer.spelling.words import labels_of
from recognizer.system.clipboard import copy_text
from recognizer.system.typist import SystemKeys, Typewriter
from recognizer.window.practice_panel import NO_SIGNS, PracticePanel
from recognizer.window.spell_panel import Outlets, SpellPanel

OWN_WINDOW = "Click into the window that is to get the text"


def open_practice(
    settings: Settings, pipeline: LivePipeline, samples: Samples, is_mirrored: Callable[[], bool]
) -> PracticePanel:
    """The practice of a window, begun if the settings say so. `is_mirrored` says whether it shows the picture as in a mirror.

    Raises SettingsError if it is to begin, and the task's signs are not known.
    """

    def start() -> Practice | None:
        labels = labels_of(pipeline.folder)
        signs = {label: sign for label, sign in signs_of(pipeline.task, samples).items() if label in labels}
        if not signs:
            return None
        return Practice(signs, np.random.default_rng(), _words(settings.language, tuple(signs)))

    panel = PracticePanel(start, is_mirrored=is_mirrored)
    if settings.practice:
        panel.open()
        if not panel.is_open:
            raise SettingsError(f"{NO_SIGNS}. Add --task letters.")
    return panel


def _words(language: str, labels: Sequence[str]) -> list[str]:
    """The words to practise; none if there is no list of them."""
    if not any(len(label) == 1 for label in labels):
        return []
    try:
        return common_words(word_counts(language), labels)
    except SettingsError:
        return []


def open_spelling(
    settings: Settings,
    pipeline: LivePipeline,
    emit: Callable[[Event], None],
    practise: Callable[[], None],
    is_busy: Callable[[], bool],
) -> SpellPanel:
    """The spelling of a window, on if the settings say so. Key `e` sends the line with `emit`, `p` calls `practise`.

    Raises SettingsError if no keys can be pressed for --type.
    """

    def notify(line: str) -> None:
        panel.notify(line)

    keys = SystemKeys() if settings.type_words else None
    outlets = Outlets(
        speak=lambda text: _say_in_background(text, settings.language, notify),
        copy=copy_text,
        send=lambda text: emit(Event(Phase.WRITTEN, text, 1.0, text=text, task=pipeline.task, unix_s=time.time())),
        practise=practise,
        typewriter=None if keys is None else Typewriter(keys, lambda: notify(OWN_WINDOW)),
    )
    panel = SpellPanel(outlets, settings.language, labels=lambda: labels_of(pipeline.folder), is_busy=is_busy)
    if settings.spell:
        panel.toggle()
    return panel


def _say_in_background(text: str, language: str, notify: Callable[[str], None]) -> None:
    """Say the text without waiting. `notify` gets the reason if it fails, in another thread."""

    def speak() -> None:
        try:
            say(text, language if sys.platform.startswith("linux") else "")  # elsewhere a voice has a person's name
        except ActionFailed as error:
            notify(str(error))

    threading.Thread(target=speak, name="voice", daemon=True).start()
