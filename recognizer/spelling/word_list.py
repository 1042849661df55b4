"""Word lists with frequencies: English from symspellpy, further languages from wordfreq."""

import unicodedata
from collections.abc import Mapping
from importlib import resources
from importlib.util import find_spec

from recognizer.errors import SettingsError
from recognizer.system import packages

ENGLISH = "en"
ENGLISH_FILE = "frequency_dictionary_en_82_765.txt"
OWN_PACKAGE, OTHERS_PACKAGE = "symspellpy", "wordfreq"


def word_counts(language: str) -> Mapping[str, float]:
    """Words of a language with their counts or shares, in any order.

    Raises SettingsError if the language is unknown, or the package that has it is not installed.
    """
    if language == ENGLISH:
        return _english()
    return _others(language)


def _english() -> dict[str, float]:
    if find_spec(OWN_PACKAGE) is None:
        raise SettingsError(
            f"No words of {ENGLISH}: the package {OWN_PACKAGE} is missing. Run: {packages.install_command(packages.BASE)}"
        )
    text = (resources.files(OWN_PACKAGE) / ENGLISH_FILE).read_text(encoding="utf-8-sig")
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2}


def _others(language: str) -> dict[str, float]:
    if find_spec(OTHERS_PACKAGE) is None:
        raise SettingsError(
            f"No words of {language}: the package {OTHERS_PACKAGE} (57 MB) is missing. Run: "
            f"{packages.install_command(packages.LANGUAGES)}, or leave --language out for English."
        )
    import wordfreq

    known = wordfreq.available_languages("small")
    if language not in known:
        raise SettingsError(f"--language {language} is not known. Choose one of {', '.join(sorted(known))}.")
    return dict(wordfreq.get_frequency_dict(language, wordlist="small"))


def spelled(word: str) -> str:
    """The letters that spell a word with the hand: small, without accents, hyphens and apostrophes; "foto's" is "fotos"."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in parts if character.isalnum())
