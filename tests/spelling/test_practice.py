"""Practice: known signs, what to change on a hand, and the score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer.samples.store import Samples
from recognizer.spelling.corrections import correction
from recognizer.spelling.known_signs import shipped_signs, signs_of, write_table
from recognizer.spelling.practice import CHEER_S, Practice, common_words
from recognizer.spelling.shapes import (
    HandShape,
    KnownSign,
    finger_distances,
    known_sign,
    mean_shape,
    shape_of,
    turn_distance,
)
from tests.helpers import signs as recorded
from tests.helpers.practising import LETTERS, Learner, hand_of

UPWARDS = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # a quarter turn in the picture


def with_finger(sign: KnownSign, finger: int, other: KnownSign) -> HandShape:
    """The sign with a finger of another one."""
    bones = sign.shape.bones.copy()
    bones[finger] = other.shape.bones[finger]
    return replace(sign.shape, bones=bones)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("label", ["A", "C", "H", "P", "V", "Y"])
def test_a_drawn_sign_has_the_shape_that_was_drawn(label: str, side: str) -> None:
    sign = LETTERS[label]
    shape = shape_of(hand_of(sign.shape, side))
    assert finger_distances(shape, sign.shape).max() < 0.25  # perspective
    assert turn_distance(shape, sign.shape) < 0.25
    assert correction(shape, sign).words == ""


def test_all_letters_that_do_not_move_are_known_and_differ() -> None:
    assert "".join(LETTERS) == "ABCDEFGHIKLMNOPQRSTUVWXY"
    assert set(shipped_signs()["rps"]) == {"rock", "paper", "scissors"}
    u, v, h = (LETTERS[label].shape for label in "UVH")
    assert finger_distances(u, v)[1:3].max() > 0.1
    assert turn_distance(u, h) > 0.8


@pytest.mark.parametrize(
    ("shape", "asked", "words"),
    [
        (with_finger(LETTERS["V"], 2, LETTERS["S"]), "V", "middle finger: straighten it"),
        (with_finger(LETTERS["L"], 4, LETTERS["Y"]), "L", "little finger: bend it more"),
        (with_finger(LETTERS["B"], 0, LETTERS["L"]), "B", "thumb: further in"),
        (with_finger(LETTERS["Y"], 0, LETTERS["I"]), "Y", "thumb: further out"),
        (replace(LETTERS["H"].shape, turn=UPWARDS @ LETTERS["H"].shape.turn), "H", "point the hand sideways"),
        (
            replace(LETTERS["B"].shape, turn=LETTERS["B"].shape.turn @ np.diag([-1, 1, -1])),
            "B",
            "turn the palm to the camera",
        ),
        (replace(LETTERS["B"].shape, turn=LETTERS["B"].shape.turn @ np.diag([-1, -1, 1])), "B", "point the hand up"),
        (LETTERS["B"].shape, "B", ""),
    ],
)
def test_the_worst_finger_is_named_and_which_way_it_has_to_go(shape: HandShape, asked: str, words: str) -> None:
    assert correction(shape, LETTERS[asked]).words == words


def test_a_finger_that_is_too_far_aside_goes_back() -> None:
    bones = LETTERS["B"].shape.bones.copy()
    for angle, words in ((0.6, "index finger: away from the thumb"), (-0.6, "index finger: towards the thumb")):
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        aside = bones.copy()
        aside[1] = bones[1] @ turn.T
        assert correction(replace(LETTERS["B"].shape, bones=aside), LETTERS["B"]).words == words


def test_the_mean_of_hands_is_a_hand() -> None:
    rng = np.random.default_rng(0)
    shapes = [shape_of(recorded.a_hand("two", rng)) for _ in range(8)]
    mean = mean_shape(shapes)
    np.testing.assert_allclose(np.linalg.norm(mean.bones, axis=2), 1, atol=1e-6)
    np.testing.assert_allclose(mean.turn @ mean.turn.T, np.eye(3), atol=1e-6)
    assert max(finger_distances(shape, mean).max() for shape in shapes) < 0.5
    assert known_sign(shapes).spread.min() > 0


def test_a_sign_that_is_turned_in_two_ways_is_turned_as_most_hands_are() -> None:
    right, left = LETTERS["P"].shape, replace(LETTERS["P"].shape, turn=np.diag([-1, 1, -1]) @ LETTERS["P"].shape.turn)
    assert turn_distance(mean_shape([right, left, right, right, left]), right) < 0.1


def test_own_signs_come_from_the_joints_of_the_samples(tmp_path: Path) -> None:
    samples = recorded.record(tmp_path, {"fist": 4, "five": 4, "nothing": 2}, shown={"nothing": "one"})
    own = signs_of("signs", samples)
    assert set(own) == {"fist", "five"}
    made = shape_of(recorded.a_hand("fist", np.random.default_rng(5)))
    assert correction(made, own["fist"]).words == ""
    assert correction(made, own["five"]).words != ""
    assert signs_of("unknown", Samples(tmp_path / "empty")) == {}
    assert set(signs_of("letters", samples)) == set(LETTERS)


def test_a_written_table_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path / "signs.json", 'by "us"', {"letters": {"A": LETTERS["A"]}, "mine": {"ä": LETTERS["B"]}})
    monkeypatch.setattr("recognizer.spelling.known_signs.TABLE", tmp_path / "signs.json")
    again = shipped_signs()
    np.testing.assert_allclose(again["mine"]["ä"].shape.bones, LETTERS["B"].shape.bones)
    np.testing.assert_allclose(again["letters"]["A"].spread, LETTERS["A"].spread)


def test_a_sign_that_is_held_is_counted_timed_and_followed_by_another() -> None:
    practice = Practice({label: LETTERS[label] for label in "BV"}, np.random.default_rng(1))
    learner = Learner(practice)
    asked = practice.label
    other = "V" if asked == "B" else "B"
    learner.shows(None, 1.0)
    assert not practice.has_hand
    learner.shows(other, 1.0)
    assert practice.successes == []
    assert practice.correction.words
    learner.shows(asked, 0.3)
    assert 0 < practice.progress < 1
    assert practice.correction.words == ""
    learner.shows(asked, 0.4)
    assert practice.is_cheering
    (success,) = practice.successes
    assert success.label == asked
    assert success.time_s == pytest.approx(2.5, abs=0.15)
    learner.shows(asked, CHEER_S + 1.0)
    assert practice.label == other, "it is not asked for twice"
    assert len(practice.successes) == 1
    practice.skip()
    assert not practice.is_cheering


def test_slow_signs_are_asked_for_more_often() -> None:
    practice = Practice({label: LETTERS[label] for label in "ABCD"}, np.random.default_rng(0))
    learner = Learner(practice)
    asked: list[str] = []
    for _ in range(12):
        asked.append(practice.label)
        if practice.label == "A":
            learner.shows(None, 8.0)
        learner.shows(practice.label, 0.6)
        learner.shows(None, CHEER_S + 0.1)
    assert len(practice.successes) == 12
    assert asked.count("A") == max(asked.count(label) for label in "ABCD")


def test_words_are_asked_for_letter_by_letter() -> None:
    practice = Practice({label: LETTERS[label] for label in "BADT"}, np.random.default_rng(0), ["bad", "jazz"])
    assert practice.has_words
    practice.toggle_words()
    learner = Learner(practice)
    assert practice.word == "bad", "the task has no J"
    for place, letter in enumerate("BAD"):
        assert (practice.label, practice.place) == (letter, place)
        learner.shows(letter, 0.6)
        learner.shows(None, CHEER_S + 0.1)
    assert practice.word == "bad"
    assert practice.place == 0
    practice.toggle_words()
    assert practice.word == ""


def test_words_for_practice_are_frequent_and_can_be_spelled() -> None:
    counts = {"the": 9.0, "and": 8.0, "just": 7.0, "foto's": 6.0, "a": 5.0, "thousands": 4.0, "hand": 3.0}
    assert common_words(counts, ["T", "H", "E", "A", "N", "D"]) == ["the", "and", "hand"]
    assert common_words(counts, ["thumbs up"]) == []
