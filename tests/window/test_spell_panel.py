"""Spelling in the window: the line, its keys, and where it goes."""

from collections.abc import Sequence

import numpy as np
import pytest

from recognizer.errors import SettingsError
from recognizer.overlay.drawing import Scale
from recognizer.spelling import words
from recognizer.spelling.speller import Line
from recognizer.system.keyboard import BACKSPACE, ENTER, ESC
from recognizer.system.typist import Typewriter
from recognizer.values import Box
from recognizer.window.spell_panel import Outlets, SpellPanel, draw_line
from tests.helpers.spelled import Camera
from tests.helpers.waiting import until
from tests.helpers.words import words_drawn

SIZES = [(160, 120), (640, 360), (480, 800), (1280, 720)]


class Outside:
    """Records what leaves the line."""

    def __init__(self, *, can_copy: bool = True) -> None:
        self.spoken: list[str] = []
        self.copied: list[str] = []
        self.sent: list[str] = []
        self.typed = ""
        self.can_copy = can_copy

    def copy(self, text: str) -> bool:
        self.copied.append(text)
        return self.can_copy

    def backspace(self, count: int) -> None:
        self.typed = self.typed[:-count]

    def type(self, text: str) -> None:
        self.typed += text

    def outlets(self) -> Outlets:
        return Outlets(self.spoken.append, self.copy, self.sent.append, typewriter=Typewriter(self))


def opened(outside: Outside, monkeypatch: pytest.MonkeyPatch, **more) -> tuple[SpellPanel, list[str]]:
    """A panel that spells, with two words, and the lines that it shows to the user."""
    words._dictionary.cache_clear()
    monkeypatch.setattr(words, "word_counts", lambda language: {"hello": 9.0, "help": 5.0})
    notices: list[str] = []
    panel = SpellPanel(outside.outlets(), notify=notices.append, labels=lambda: ["H", "E", "L", "O", "P"], **more)
    panel.toggle()
    until(lambda: panel._words.dictionary)
    return panel, notices


def spell(panel: SpellPanel, signs: Sequence[str], camera: Camera | None = None) -> None:
    for observation in (camera or Camera()).spells(signs):
        panel.write(observation)


def test_a_spelled_word_is_typed_spoken_copied_and_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside()
    panel, notices = opened(outside, monkeypatch)
    spell(panel, "HELO")
    assert panel.line.finished == outside.typed == "hello "
    for key in (ENTER, "c", "e"):
        assert panel.key(key)
    assert outside.spoken == outside.copied == outside.sent == ["hello"]
    assert notices == ["copied: hello", "sent: hello"]
    assert panel.key(BACKSPACE)
    assert outside.typed == ""
    assert panel.line.word == "helo"
    assert panel.key("2")
    assert outside.typed == "hello ", "behind the word as it was spelled"


def test_keys_take_words_and_escape_ends_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, _ = opened(Outside(), monkeypatch)
    camera = Camera()
    for observation in camera.shows(None, 0.1):
        panel.write(observation)
    assert not panel.key("q"), "it is the window's"
    assert panel.key("1"), "without a word it does nothing, and starts nothing else"
    assert ("Space", "take the first") in panel.key_line
    assert panel.key(ESC)
    assert not panel.is_on
    assert panel.key_line == ()
    assert not panel.key(" ")
    spell(panel, "HELP", camera)
    assert panel.line.text == ""


def test_nothing_is_taken_while_samples_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, _ = opened(Outside(), monkeypatch, is_busy=lambda: True)
    spell(panel, "HELP")
    assert panel.line.text == ""
    assert not panel.key("c")


def test_an_empty_line_and_a_missing_program_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, notices = opened(Outside(can_copy=False), monkeypatch)
    panel.key("c")
    spell(panel, "HELP")
    panel.key("c")
    assert notices == ["Nothing is spelled yet.", "No program can copy. Install one: apt install xclip"]


def test_without_a_word_list_letters_are_still_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(language: str) -> dict[str, float]:
        raise SettingsError("No words of xx.")

    monkeypatch.setattr(words, "word_counts", missing)
    notices: list[str] = []
    panel = SpellPanel(Outside().outlets(), "xx", notify=notices.append)
    panel.toggle()
    until(lambda: notices == ["No words of xx."])
    spell(panel, "HELO")
    assert panel.line.finished == "helo "


@pytest.mark.parametrize("size_wh", SIZES)
def test_the_line_is_drawn_inside_the_picture_and_above_the_keys(
    size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    width, height = size_wh
    picture = np.zeros((height, width, 3), np.uint8)
    keys = Box(0, height - 20, width, height)
    line = Line("many words " * 40, "helo", ("hello", "help", "held"), "P", 0.5)
    places: list[Box | None] = []
    texts = words_drawn(monkeypatch, lambda: places.append(draw_line(picture, line, Scale.of(width, height), [keys])))
    (place,) = places
    assert place is not None
    assert 0 <= place.y1 < place.y2 <= keys.y1
    assert "hello" in texts
    assert "helo|" in texts
    assert picture[: place.y1].max() == 0
