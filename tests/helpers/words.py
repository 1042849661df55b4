"""The words in a drawn picture."""

from collections.abc import Callable
from typing import Any

import pytest

from recognizer.overlay import drawing, labels, overlay
from recognizer.window import (
    chips,
    editor_panel,
    help_strip,
    practice_panel,
    score_board,
    spell_panel,
    strip,
    teach_panel,
)

MODULES = (
    labels,
    overlay,
    help_strip,
    practice_panel,
    score_board,
    spell_panel,
    strip,
    teach_panel,
    chips,
    editor_panel,
)


def words_drawn(monkeypatch: pytest.MonkeyPatch, draw: Callable[[], Any]) -> list[str]:
    """All texts that `draw` draws, in that order."""
    return [text for text, _, _ in places_drawn(monkeypatch, draw)]


def places_drawn(monkeypatch: pytest.MonkeyPatch, draw: Callable[[], Any]) -> list[tuple[str, int, int]]:
    """All texts that `draw` draws, in that order, with x of their left edge and y of their middle."""
    words: list[tuple[str, int, int]] = []

    def record(picture: Any, text: str, x: int, y: int, *rest: Any) -> None:
        words.append((text, x, y))
        drawing.draw_text(picture, text, x, y, *rest)

    with monkeypatch.context() as patched:
        for module in MODULES:
            patched.setattr(module, "draw_text", record)
        draw()
    return words
