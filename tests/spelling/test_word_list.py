"""The word lists of languages."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import SettingsError
from recognizer.motion.classifier import FILE as MOTION_FILE
from recognizer.motion.classifier import MotionClassifier
from recognizer.registry.synced import default_models
from recognizer.spelling import word_list
from recognizer.spelling.dictionary import Dictionary
from recognizer.spelling.holding import Letter
from recognizer.spelling.words import labels_of
from tests.helpers.movements import a_movement, wave


def test_english_words_are_there() -> None:
    english = word_list.word_counts("en")
    assert len(english) > 80_000
    words = Dictionary(english, "ABCDEFGHIKLMNOPQRSTUVWXY")
    assert words.suggest([Letter.of(letter) for letter in "helo"])[0].word == "hello"
    assert words.suggest([Letter.of(letter) for letter in "ust"])[0].word == "just"


@pytest.mark.skipif(
    importlib.util.find_spec("wordfreq") is None, reason="needs wordfreq (pip install -r requirements-languages.txt)"
)
def test_dutch_words_are_there_and_an_unknown_language_is_named() -> None:
    dutch = Dictionary(word_list.word_counts("nl"))
    assert dutch.suggest([Letter.of(letter) for letter in "fietz"])[0].word == "fiets"
    with pytest.raises(SettingsError, match=r"^--language xx is not known\. Choose one of ar, .*nl, "):
        word_list.word_counts("xx")


def test_a_missing_package_is_one_line_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_list, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"^No words of en: the package symspellpy is missing\."):
        word_list.word_counts("en")
    with pytest.raises(
        SettingsError, match=r"^No words of nl: the package wordfreq \(57 MB\) is missing\. Run: python -m pip install"
    ):
        word_list.word_counts("nl")


@pytest.mark.parametrize(
    ("word", "letters"), [("foto's", "fotos"), ("Café", "cafe"), ("co-op", "coop"), ("reünie", "reunie")]
)
def test_words_are_spelled_without_accents_and_signs(word: str, letters: str) -> None:
    assert word_list.spelled(word) == letters


def test_the_labels_of_a_version_are_those_of_still_and_of_moving_signs(tmp_path: Path) -> None:
    version = default_models().current("letters")
    assert set("ABCDEFGHIKLMNOPQRSTUVWXY") <= set(labels_of(version))
    assert labels_of(None) == labels_of(tmp_path / "deleted") == ()
    shutil.copytree(version, tmp_path / "version")
    shown = MotionClassifier.fit([a_movement(wave)], ["wave"], np.random.default_rng(0))
    shown.save(tmp_path / "version" / MOTION_FILE)
    assert labels_of(tmp_path / "version")[-1] == "wave"
