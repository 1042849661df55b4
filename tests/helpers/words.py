"""The words in a drawn picture."""

from collections.abc import Callable
from typing import Any

import pytest

from recognizer.overlay import drawing, labels, overlay
from recognizer.window import help_strip, practice_panel, score_board, spell_panel, strip, teach_panel

MODULES = (labels, overlay, help_strip, practice_panel, score_board, spell_panel, strip, teach_panel)


def words_drawn(monkeypatch: pytest.MonkeyPatch, draw: Callable[[], Any]) -> list[str]:
    """All texts that `draw` draws, in that order."""
    words: list[str] = []

    def record(picture: Any, text: str, *rest: Any) -> None:
        words.append(text)
        drawing.draw_text(picture, text, *rest)

    with monkeypatch.context() as patched:
        for module in MODULES:
            patched.setattr(module, "draw_text", record)
        draw()
    return words
