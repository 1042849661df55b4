"""Errors of words that held-out people spell: letter by letter, without and with the dictionary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.registry.card import read_checked_card
from recognizer.registry.synced import default_models
from recognizer.spelling.dictionary import Dictionary
from recognizer.spelling.practice import common_words
from recognizer.spelling.speller import Speller
from recognizer.spelling.word_list import word_counts
from recognizer.system import paths
from recognizer.values import Frame, Observation
from training.evaluation.sign_streams import FPS, FRAMES_A_PHOTOGRAPH, HeldOutHands
from training.shipped import sign_data, sign_validation
from training.shipped.sign_data import SignData

TASK, KIND = "letters", "fused"
WORDS = 200
CHOSEN_FROM = 2000  # the most frequent words of these lengths
LENGTHS = range(3, 9)
PEOPLE_A_WORD = 3
LEAST_PEOPLE = (
    5  # of a fold that takes part: a fold is a training of minutes, and the other folds are single collections
)
LONGEST_S = 2.0  # for which a letter is held; a speller goes on as soon as it is taken
CHANGE_S, RELEASE_S, REST_S = 0.2, 0.4, 1.8  # without a hand: between letters, between equal ones, behind a word
EMPTY_FRAME = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class SpelledWord:
    """A word, and what was read."""

    word: str
    person: str
    letters: str  # as they were taken
    corrected: str  # by the dictionary


def report() -> str:
    """The section of the report. Uses cached predictions, and trains the missing folds. Raises RecognizerError."""
    thresholds = read_checked_card(default_models().current(TASK)).rejection
    assert thresholds is not None, "a published model has them"
    data = sign_data.load_sign_data(TASK, paths.runs(), 0)
    folds = [fold for fold in data.folds if len(fold) >= LEAST_PEOPLE]
    predictions = sign_validation.held_out_predictions(data, KIND, folds)
    spellers = sorted(person for fold in folds for person in fold)
    rng = np.random.default_rng(0)
    words = chosen_words(data.labels, rng)
    dictionary = Dictionary(word_counts("en"), data.labels)
    spelled = []
    for number, word in enumerate(words):
        for person in people_for(data, spellers, word, number):
            hands = HeldOutHands(data, predictions, thresholds)
            spelled.append(spell(word, person, data, hands, dictionary, rng))
    return section(spelled, len(words))


def chosen_words(labels: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Common words that the labels can spell."""
    common = common_words(word_counts("en"), labels, LENGTHS, CHOSEN_FROM)
    return sorted(rng.choice(common, WORDS, replace=False).tolist())


def people_for(data: SignData, people: Sequence[str], word: str, number: int) -> list[str]:
    """Those of the people who spell the word with this number: they follow in turn, and have all its letters."""
    first = number % len(people)
    return [
        person
        for person in (*people[first:], *people[:first])
        if all(len(_rows(data, person, letter)) for letter in word)
    ][:PEOPLE_A_WORD]


def spell(
    word: str, person: str, data: SignData, hands: HeldOutHands, dictionary: Dictionary, rng: np.random.Generator
) -> SpelledWord:
    """Show the photographs of the word's letters to the program, as somebody does who waits until each letter is taken."""
    plain, helped = Speller(), Speller(lambda: dictionary)
    count = 0

    def step(row: int | None) -> bool:
        """Show a photograph, or no hand, in one frame. Return whether something was typed."""
        nonlocal count
        regions, shown = hands.show(row)
        frame = Frame(EMPTY_FRAME, count, count / FPS, person)
        count += 1
        taken = plain.step(Observation(frame, TASK, regions, shown))
        if taken is not None:
            helped.type(taken)
        return taken is not None

    for place, letter in enumerate(word):
        is_double = place > 0 and letter == word[place - 1]
        for _ in range(round((RELEASE_S if is_double else CHANGE_S) * FPS)):
            step(None)
        rows = _rows(data, person, letter)
        start = int(rng.integers(len(rows)))
        for number in range(round(LONGEST_S * FPS)):
            if step(int(rows[(start + number // FRAMES_A_PHOTOGRAPH) % len(rows)])):
                break
    for _ in range(round(REST_S * FPS)):
        step(None)
    return SpelledWord(word, person, plain.line.text, helped.line.text)


def _rows(data: SignData, person: str, letter: str) -> np.ndarray:
    label = data.labels.index(letter.upper())
    return np.flatnonzero(data.evaluated & (data.hands.sources == person) & (data.classes == label))


def section(spelled: Sequence[SpelledWord], words: int) -> str:
    """The Markdown of the results."""
    people = sorted({one.person for one in spelled})
    rows = [(person, [one for one in spelled if one.person == person]) for person in people]
    rows.append(("all", list(spelled)))
    lines = [
        "## Words spelled with signs",
        "",
        f"{words} common English words of {LENGTHS[0]} to {LENGTHS[-1]} letters, without J and Z, each spelled by up to "
        f"{PEOPLE_A_WORD} people with their photographs; the network was trained on others. A letter is held until it is "
        f"taken, at most {LONGEST_S:g} s. Characters that are wrong, missing or too many, per character of the words:",
        "",
        "| person or collection | words | as taken | with the dictionary | words right as taken | with the dictionary |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in rows:
        before, after = (error_rate([(one.word, text(one)) for one in own]) for text in (_letters, _corrected))
        right_before, right_after = (np.mean([one.word == text(one) for one in own]) for text in (_letters, _corrected))
        shares = " | ".join(f"{100 * share:.1f} %" for share in (before, after, right_before, right_after))
        lines.append(f"| {name} | {len(own)} | {shares} |")
    before, after = (error_rate([(one.word, text(one)) for one in spelled]) for text in (_letters, _corrected))
    lines += ["", f"The dictionary leaves {after / before:.2f} of the errors.", ""]
    return "\n".join(lines)


def _letters(one: SpelledWord) -> str:
    return one.letters


def _corrected(one: SpelledWord) -> str:
    return one.corrected


def error_rate(pairs: Sequence[tuple[str, str]]) -> float:
    """Edit distance (Levenshtein 1966) per character of the first text of each pair."""
    return sum(edit_distance(*pair) for pair in pairs) / sum(len(wanted) for wanted, _ in pairs)


def edit_distance(wanted: str, text: str) -> int:
    row = list(range(len(text) + 1))
    for place, character in enumerate(wanted):
        above, row = row, [place + 1]
        for column, other in enumerate(text):
            row.append(min(above[column] + (character != other), above[column + 1] + 1, row[column] + 1))
    return row[-1]
