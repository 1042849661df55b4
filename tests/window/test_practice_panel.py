"""Practice in the window: the strip, its words and its keys."""

from collections.abc import Sequence

import numpy as np
import pytest

from recognizer.overlay.drawing import Scale
from recognizer.spelling.practice import Practice
from recognizer.system.keyboard import ESC
from recognizer.values import Frame, Observation
from recognizer.window.practice_panel import NO_SIGNS, PracticePanel, hand_tile
from recognizer.window.strip import draw_strip
from tests.helpers.practising import LETTERS, Learner
from tests.helpers.words import words_drawn

SIZES = [(120, 90), (230, 480), (384, 720), (480, 400)]


def begun(words: Sequence[str] = ()) -> Practice:
    return Practice({label: LETTERS[label] for label in "BA"}, np.random.default_rng(0), words)


def drawn(panel: PracticePanel, monkeypatch: pytest.MonkeyPatch, size_wh: tuple[int, int] = (384, 720)) -> list[str]:
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    return words_drawn(monkeypatch, lambda: draw_strip(picture, panel, Scale.of(1280, size_wh[1])))


def test_the_strip_says_what_to_show_what_to_change_and_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = PracticePanel(begun)
    panel.open()
    practice = panel.practice
    assert practice is not None
    learner, asked = Learner(practice), practice.label
    other = "A" if asked == "B" else "B"
    assert f"show {asked}" in drawn(panel, monkeypatch)
    learner.shows(other, 0.5)
    assert any(": " in words for words in drawn(panel, monkeypatch))
    learner.shows(asked, 0.3)
    assert "hold it" in drawn(panel, monkeypatch)
    learner.shows(asked, 0.4)
    words = drawn(panel, monkeypatch)
    (time_s,) = (round(success.time_s, 1) for success in practice.successes)
    assert f"Yes! {asked} in {time_s} s" in words
    assert f"1 made · {time_s} s each" in words


@pytest.mark.parametrize("size_wh", SIZES)
def test_strips_of_all_sizes_can_be_drawn(size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    panel = PracticePanel(lambda: begun(["abba"]), is_mirrored=lambda: True)
    panel.open()
    assert panel.practice is not None
    panel.practice.toggle_words()
    assert drawn(panel, monkeypatch, size_wh)


def test_keys_skip_change_to_words_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = PracticePanel(lambda: begun(["abba"]))
    panel.open()
    assert ("w", "words") in panel.keys
    assert panel.key("w")
    assert panel.practice is not None
    assert panel.practice.word == "abba"
    assert panel.key(" ")
    assert not panel.key("q"), "it is the window's"
    assert panel.key(ESC)
    assert not panel.is_open
    assert not panel.key(" ")


def test_without_known_signs_it_says_what_is_needed() -> None:
    notices: list[str] = []
    panel = PracticePanel(lambda: None, notify=notices.append)
    panel.open()
    assert not panel.is_open
    assert notices == [NO_SIGNS]


def test_another_task_begins_anew() -> None:
    started: list[Practice] = []

    def start() -> Practice:
        started.append(begun())
        return started[-1]

    panel = PracticePanel(start)
    panel.open()
    for task in ("letters", "letters", "rps"):
        panel.write(Observation(Frame(np.zeros((9, 9, 3), np.uint8), 0, 0.0, "drawn"), task))
    assert len(started) == 2
    assert panel.practice is started[-1]


def test_the_hand_is_a_mirror_image_in_a_mirror_and_the_finger_to_change_is_marked() -> None:
    shape = LETTERS["L"].shape
    right, left = (hand_tile(shape, side, 200, False, None, False) for side in ("right", "left"))
    mirrored = hand_tile(shape, "left", 200, True, None, False)
    off_plain, off_mirrored = (float(np.abs(right.astype(int) - other).mean()) for other in (left, mirrored))
    assert off_mirrored < off_plain / 3, "a left hand in a mirror looks like a right one, but for the light"
    marked = hand_tile(shape, "right", 200, False, 1, False)
    rows, columns = np.nonzero(np.abs(marked.astype(int) - right).sum(axis=2) > 60)
    assert rows.mean() < 110, "the index finger of an L points up"
    assert 60 < columns.mean() < 140
