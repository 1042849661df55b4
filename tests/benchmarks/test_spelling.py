"""The benchmark of spelled words, with hands whose predictions are given."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.spelling import SpelledWord, chosen_words, edit_distance, error_rate, people_for, section, spell
from recognizer.registry.card import Thresholds
from recognizer.spelling.dictionary import Dictionary
from training.datasets.hand_photographs import LABELS, Hands
from training.evaluation.sign_streams import HeldOutHands
from training.shipped.sign_data import Predictions, SignData

LETTERS = LABELS["letters"]
EACH = 3  # photographs of a letter and person
PEOPLE = ["anna", "ben"]
THRESHOLDS = Thresholds(0.6, 10.0)


def photographed(missing: str = "") -> SignData:
    """Photographs of all letters of all people; ben has none of `missing`. No hand is as the one before."""
    rows = [(person, letter) for person in PEOPLE for letter in LETTERS for _ in range(EACH)]
    rows = [row for row in rows if row[0] != "ben" or row[1] not in missing]
    count = len(rows)
    hands = Hands(
        np.array([person for person, _ in rows]),
        np.array([letter for _, letter in rows]),
        np.ones(count, bool),
        np.random.default_rng(0).uniform(100, 300, (count, 2, 21, 3)).astype(np.float32),
        np.zeros((count, 2), bool),
        np.zeros((count, 28, 28), np.uint8),
        np.zeros((count, 2, 1, 1), np.float16),
    )
    classes = np.array([LETTERS.index(letter) for _, letter in rows])
    return SignData("letters", hands, classes, np.ones(count, bool), np.zeros(count, bool), Path("runs"), 0)


def predicted(data: SignData, confused: dict[str, str]) -> Predictions:
    """Each letter with a probability of 0.9; a confused one with 0.4, and the other one with 0.5."""
    probabilities = np.full((len(data.classes), len(LETTERS) + 1), 0.002, np.float32)
    for row, letter in enumerate(data.hands.labels.tolist()):
        probabilities[row, data.classes[row]] = 0.4 if letter in confused else 0.9
        if letter in confused:
            probabilities[row, LETTERS.index(confused[letter])] = 0.5
    return Predictions(probabilities, np.zeros(len(data.classes), np.float32))


@pytest.mark.parametrize(
    ("word", "confused", "letters"),
    [("hello", {}, "hello"), ("man", {"M": "N"}, "nan"), ("past", {"S": "T", "T": "S"}, "pats")],
)
def test_words_are_spelled_letter_by_letter_and_corrected(word: str, confused: dict[str, str], letters: str) -> None:
    data = photographed()
    dictionary = Dictionary({"hello": 9.0, "man": 9.0, "past": 9.0, "hell": 1.0}, LETTERS)
    hands = HeldOutHands(data, predicted(data, confused), THRESHOLDS)
    spelled = spell(word, "anna", data, hands, dictionary, np.random.default_rng(0))
    assert spelled == SpelledWord(word, "anna", letters, word)


def test_only_people_with_all_letters_spell_a_word() -> None:
    data = photographed(missing="T")
    assert people_for(data, PEOPLE, "past", 1) == ["anna"]
    assert people_for(data, PEOPLE, "man", 1) == ["ben", "anna"]


def test_the_words_are_common_and_can_be_spelled() -> None:
    words = chosen_words(LETTERS, np.random.default_rng(0))
    assert len(set(words)) == len(words) == 200
    assert {len(word) for word in words} == set(range(3, 9))
    assert not set("jz") & set("".join(words))


@pytest.mark.parametrize(("text", "edits"), [("man", 0), ("nan", 1), ("mn", 1), ("maan", 1), ("", 3), ("m an", 1)])
def test_wrong_missing_and_further_characters_are_errors(text: str, edits: int) -> None:
    assert edit_distance("man", text) == edits
    assert error_rate([("man", text), ("men", "men")]) == edits / 6


def test_the_section_has_a_row_a_person_and_the_share_of_errors_that_is_left() -> None:
    words = [SpelledWord("past", "anna", "pats", "past"), SpelledWord("man", "ben", "nan", "nan")]
    lines = section(words, 2).splitlines()
    assert "| anna | 1 | 50.0 % | 0.0 % | 0.0 % | 100.0 % |" in lines
    assert "| all | 2 | 42.9 % | 14.3 % | 0.0 % | 50.0 % |" in lines
    assert "The dictionary leaves 0.33 of the errors." in lines
