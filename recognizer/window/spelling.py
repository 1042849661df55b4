"""Opens spelling for the window: where its line goes, and which labels the task can show."""

from collections.abc import Callable

from recognizer.errors import RecognizerError
from recognizer.hot_swap import LivePipeline
from recognizer.registry import card
from recognizer.settings import Settings
from recognizer.system.clipboard import copy_text
from recognizer.system.typist import SystemKeys, Typewriter
from recognizer.system.voice import say_in_background
from recognizer.window.spell_panel import Outlets, SpellPanel

OWN_WINDOW = "Click into the window that is to get the text"


def open_spelling(settings: Settings, pipeline: LivePipeline, is_busy: Callable[[], bool]) -> SpellPanel:
    """The spelling of a window, on if the settings say so. Raises SettingsError if no keys can be pressed for --type."""

    def notify(line: str) -> None:
        panel.notify(line)

    keys = SystemKeys() if settings.type_words else None
    outlets = Outlets(
        speak=lambda text: say_in_background(text, settings.language, notify),
        copy=copy_text,
        typewriter=None if keys is None else Typewriter(keys, lambda: notify(OWN_WINDOW)),
    )
    panel = SpellPanel(outlets, settings.language, labels=lambda: _labels(pipeline), is_busy=is_busy)
    if settings.spell:
        panel.toggle()
    return panel


def _labels(pipeline: LivePipeline) -> tuple[str, ...]:
    """The labels of the model in use; () if there is none."""
    if pipeline.folder is None:
        return ()
    try:
        return tuple(card.read_card(pipeline.folder).labels)
    except RecognizerError:  # it was deleted meanwhile
        return ()
