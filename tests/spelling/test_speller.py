"""Held signs become letters, words and a line."""

from collections.abc import Sequence

import numpy as np
import pytest

from recognizer.spelling.dictionary import Dictionary
from recognizer.spelling.holding import Letter, SignTaker, Typed
from recognizer.spelling.shown import Shown, is_open_hand, shown_in
from recognizer.spelling.speller import Speller
from recognizer.values import Box, Frame, Hand, Observation, Prediction, Region
from tests.helpers.fakes import a_hand
from tests.helpers.spelled import FPS, REGION, Camera, prediction

WORDS = Dictionary(
    {"hello": 90, "help": 60, "man": 50, "nam": 1, "just": 40, "foto's": 9, "we": 30}, "ABCDEFGHIKLMNOPQRSTUVWXY"
)


def spelled(signs: Sequence[Prediction | str], words: Dictionary | None = None) -> Speller:
    speller = Speller(lambda: words)
    for observation in Camera().spells(signs):
        speller.step(observation)
    return speller


def test_held_letters_become_words_and_a_rest_makes_one_space() -> None:
    assert spelled("HI WE").line.finished == "hi we "


def test_a_double_letter_needs_a_release() -> None:
    assert spelled("HELLO").line.finished == "hello "
    camera, speller = Camera(), Speller()
    for observation in camera.shows(prediction("L"), 5.0):
        speller.step(observation)
    assert speller.line.word == "l", "held for long, it is one letter"


def test_a_sign_on_the_way_to_another_is_not_taken() -> None:
    camera, speller = Camera(), Speller()
    for label, duration_s in (("A", 0.8), ("S", 0.3), ("B", 0.8)):
        for observation in camera.shows(prediction(label), duration_s):
            speller.step(observation)
    assert speller.line.word == "ab"


def test_a_sign_that_is_lost_for_a_moment_is_still_held() -> None:
    camera, speller = Camera(), Speller()
    for shown, duration_s in ((prediction("A"), 0.4), (prediction(None), 0.1), (prediction("A"), 0.3)):
        for observation in camera.shows(shown, duration_s):
            speller.step(observation)
    assert speller.line.word == "a"


def test_progress_grows_while_a_sign_is_held_and_ends_when_it_is_taken() -> None:
    camera, speller = Camera(), Speller()
    seen = []
    for observation in camera.shows(prediction("A"), 0.8):
        speller.step(observation)
        seen.append(speller.line.progress)
    rising = seen[: seen.index(max(seen)) + 1]
    assert rising == sorted(rising)
    assert max(rising) > 0.8
    assert seen[-1] == 0


def test_a_stream_that_stalls_or_jumps_back_takes_nothing() -> None:
    taker = SignTaker()
    for time_s in (0.0, 5.0, 10.0, 2.0):
        assert taker.step(time_s, Shown("A", (("A", 1.0),))) is None


def test_a_hand_that_is_not_recognized_is_what_it_most_resembles_if_it_is_held_for_longer() -> None:
    doubtful = prediction(None, (("P", 0.4), ("K", 0.2)))
    camera, speller = Camera(), Speller()
    for shown, duration_s in ((prediction("U"), 0.8), (doubtful, 0.8), (prediction("U"), 0.8), (doubtful, 1.2)):
        for observation in camera.shows(shown, duration_s):
            speller.step(observation)
    assert speller.line.word == "uup", "0.8 s are too short for a doubtful sign, but release the one before"


def test_letters_that_the_network_cannot_tell_apart_are_told_apart_by_the_word() -> None:
    """M and N are rejected as one of the two; the word is "man", though N is more probable than M at its beginning."""
    doubtful = prediction(None, (("N", 0.48), ("M", 0.44), ("T", 0.05)))
    sure = prediction("A", (("A", 0.95),))
    last = prediction(None, (("N", 0.5), ("M", 0.4)))
    camera, speller = Camera(), Speller(lambda: WORDS)
    for shown, duration_s in ((doubtful, 1.3), (sure, 0.8), (last, 1.3), (None, 2.0)):
        for observation in camera.shows(shown, duration_s):
            speller.step(observation)
    assert speller.line.finished == "man "


def test_an_open_hand_makes_a_space_and_labels_of_commands_are_none_of_letters() -> None:
    hand = a_hand()
    size = np.float32([640, 640, 640])
    open_hand = Hand(hand.landmarks * size, "right", 0.9)
    assert is_open_hand(open_hand)
    region = Region(Box(0, 0, 90, 90), np.zeros((9, 9, 3), np.uint8), hand=open_hand)
    frame = Frame(np.zeros((9, 9, 3), np.uint8), 0, 0.0, "drawn")
    shown = shown_in(Observation(frame, "letters", (region,), (prediction(None),)))
    assert shown is not None
    assert shown.is_open
    assert shown.text is None
    fist = Hand(open_hand.landmarks * np.float32([0.2, 0.2, 1]), "right", 0.9)
    fist.landmarks[[8, 12, 16, 20]] = fist.landmarks[[5, 9, 13, 17]]
    assert not is_open_hand(fist)
    speller = spelled(["H", "I", prediction("space"), "O", "K", prediction("swipe left"), "H"])
    assert speller.line.finished == "hi oh "


def test_a_hand_that_moves_is_no_letter_and_the_label_of_its_movement_is_one() -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "drawn")
    doubtful, moved = prediction(None, (("P", 0.4), ("K", 0.2))), prediction("Z", (("Z", 0.9),))
    shown = [
        shown_in(Observation(frame, "letters", (REGION,), (one,), is_moving=is_moving))
        for one, is_moving in ((doubtful, False), (doubtful, True), (moved, True))
    ]
    assert [one.text for one in shown if one is not None] == ["P", None, "Z"]


def test_numbers_on_paper_are_typed_whole() -> None:
    taker_line = Speller()
    ink = Region(Box(0, 0, 30, 30), np.zeros((30, 30), np.uint8))
    frames = (Frame(np.zeros((40, 40, 3), np.uint8), n, n / FPS, "drawn") for n in range(60))
    for frame in frames:
        shown = Observation(frame, "digits", (ink, ink), (prediction("3"), prediction("7")), "37")
        taker_line.step(shown if frame.index < 20 else Observation(frame, "digits"))
    assert taker_line.line.finished == "37 "


def test_labels_of_several_letters_are_words_of_their_own() -> None:
    speller = spelled([prediction("thumbs up"), "O", "K"])
    assert speller.line.finished == "thumbs up ok "


def test_a_suggestion_is_taken_by_its_number_and_backspace_opens_the_word_as_it_was_spelled() -> None:
    speller = Speller(lambda: WORDS)
    for letter in "helo":
        speller.add(Letter.of(letter))
    assert speller.line.suggestions[:2] == ("hello", "help")
    assert speller.line.text == "hello"
    assert speller.take(1)
    assert speller.line.finished == "help "
    assert not speller.take(2), "there is no word"
    speller.delete()
    assert speller.line.word == "helo"
    assert speller.line.suggestions[0] == "helo", "the user did not want another word"
    speller.space()
    assert speller.line.finished == "helo "
    for _ in range(6):
        speller.delete()
    assert speller.line.text == ""


@pytest.mark.parametrize(
    ("letters", "word"), [("ust", "just"), ("helo", "hello"), ("fotos", "foto's"), ("qqq", "qqq"), ("h3", "h3")]
)
def test_the_dictionary_knows_missed_letters_and_leaves_unknown_words(letters: str, word: str) -> None:
    assert WORDS.suggest([Letter.of(letter) for letter in letters])[0].word == word


def test_longer_words_are_suggested_behind_the_first() -> None:
    first, *others = WORDS.suggest([Letter.of(letter) for letter in "hel"])
    assert not first.is_completion
    assert "hello" in {one.word for one in others if one.is_completion}
    assert WORDS.suggest([]) == ()


def test_what_was_held_keeps_the_probabilities_of_all_its_frames() -> None:
    taker = SignTaker()
    for number in range(20):
        shares = (("M", 0.7), ("N", 0.3)) if number % 2 else (("M", 0.5), ("N", 0.5))
        if taken := taker.step(number / FPS, Shown("M", shares)):
            break
    assert taken.kind is Typed.LETTER
    assert taken.letter.text == "m"
    assert dict(taken.letter.shares)["n"] == pytest.approx(0.4, abs=0.03)
