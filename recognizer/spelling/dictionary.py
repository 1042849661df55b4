"""Which words somebody meant, given how probable each letter is.

A noisy channel (Kernighan, Church and Gale 1990): the probability of a word is that in the language, times that of what the
network saw for each of its letters. The dynamic programming of the edit distance allows for a letter that was not taken, and
for one too many. It runs over all words at once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.spelling.holding import Letter
from recognizer.spelling.word_list import spelled

SUGGESTIONS = 3
FLOOR = 0.004  # probability of each letter that is not among the shown ones: any hand may be misread
MISSED = 0.05  # probability that a letter of the word was not taken …
MISSED_DOUBLE = 0.1  # … that is the same as the one before it: the release was too short
MISSED_MOVING = 0.5  # … that the task cannot show, as J and Z, which move
EXTRA = 0.003  # probability that a letter was taken on the way between two signs
PRIOR_WEIGHT = 0.7  # of the language: what the hand shows counts more
UNLISTED = 1e-4  # probability of a word that is not in the list, such as a name; each of its letters is one of 26
COMPLETION = 0.05  # factor of a longer word that only begins like this
LONGER = 2  # letters that a word may have more than were taken; those of a completion do not count
NEVER = -1e9


@dataclass(frozen=True)
class Suggestion:
    """A word that may be meant. `log_score` compares the suggestions of one call."""

    word: str
    log_score: float
    is_completion: bool = False  # longer than what was spelled


class Dictionary:
    """The words of a language, and their probabilities."""

    def __init__(self, counts: Mapping[str, float], shown: Collection[str] = ()) -> None:
        """`counts` of each word; `shown` are the letters that the task can show; () if it shows all."""
        best: dict[str, tuple[str, float]] = {}
        for word, count in counts.items():
            letters = spelled(word)
            if letters.isalpha() and count > best.get(letters, ("", 0.0))[1]:
                best[letters] = word, count
        ordered = sorted(best, key=len)
        self.words = [best[letters][0] for letters in ordered]
        alphabet = sorted({character for letters in ordered for character in letters})
        self._index = {character: place for place, character in enumerate(alphabet)}
        self._lengths = np.array([len(letters) for letters in ordered], np.int64)
        self._codes = np.full((int(self._lengths.max(initial=0)), len(ordered)), -1, np.int16)  # (place, word)
        for row, letters in enumerate(ordered):
            self._codes[: len(letters), row] = [self._index[character] for character in letters]
        total = sum(count for _, count in best.values())
        self._log_prior = PRIOR_WEIGHT * np.log([best[letters][1] / total for letters in ordered])
        showable = {letter.casefold() for letter in shown}
        moving = [bool(showable) and character not in showable for character in alphabet]
        self._log_missed = np.log(np.where(moving, MISSED_MOVING, MISSED))

    def suggest(self, letters: Sequence[Letter], count: int = SUGGESTIONS) -> tuple[Suggestion, ...]:
        """The most probable words, best first; the first is as long as what was spelled, if any is.

        What was spelled is one of them if it is not in the list but more probable than the others, as a name.
        """
        as_spelled = Suggestion("".join(letter.text for letter in letters), _unlisted(letters))
        if not letters or not all(len(letter.text) == 1 and letter.text in self._index for letter in letters):
            return (as_spelled,) if letters else ()
        rows = np.flatnonzero(self._lengths >= len(letters) - 1)
        whole, begun = self._log_likelihoods(letters, rows)
        prior = self._log_prior[rows]
        finished, completed = whole + prior, begun + prior + np.log(COMPLETION)
        found = [Suggestion(self.words[rows[row]], float(finished[row])) for row in _best(finished, count)]
        found += [Suggestion(self.words[rows[row]], float(completed[row]), True) for row in _best(completed, count)]
        if as_spelled.word not in [one.word for one in found]:
            found.append(as_spelled)
        found.sort(key=lambda one: (-one.log_score, one.word))
        first = next(one for one in found if not one.is_completion)
        others = {one.word: one for one in reversed(found) if one.word != first.word}
        return (first, *sorted(others.values(), key=lambda one: -one.log_score))[:count]

    def _log_likelihoods(self, letters: Sequence[Letter], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log probabilities (N,) of the taken letters, given each word in `rows`; and given that only its beginning was
        spelled. NEVER where the word's length does not fit.
        """
        count, longest = len(letters), min(len(letters) + LONGER, len(self._codes))
        codes, lengths = self._codes[:longest, rows], self._lengths[rows]
        seen = self._log_shares(letters)
        before = np.full(
            (longest + 1, len(rows)), NEVER, np.float32
        )  # best log probability up to each letter of the word
        before[0] = 0.0
        missed = [self._log_missed_at(codes, place) for place in range(longest)]
        for place in range(longest):
            before[place + 1] = before[place] + missed[place]
        for number in range(count):
            now = before + np.float32(np.log(EXTRA))
            for place in range(longest):
                now[place + 1] = np.maximum(now[place + 1], before[place] + seen[number][codes[place]])
                now[place + 1] = np.maximum(now[place + 1], now[place] + missed[place])
            before = now
        fits = lengths <= longest
        whole = np.where(fits, before[np.minimum(lengths, longest), np.arange(len(rows))], NEVER)
        begun = np.where(lengths > count, before[min(count, longest)], NEVER)
        return whole, begun

    def _log_missed_at(self, codes: np.ndarray, place: int) -> np.ndarray:
        """Log probability (N,) that the letter at this place of each word was not taken; NEVER behind the word's end."""
        here = codes[place]
        missed = self._log_missed[here]
        if place:
            missed = np.where(here == codes[place - 1], np.log(MISSED_DOUBLE), missed)
        return np.where(here < 0, NEVER, missed).astype(np.float32)

    def _log_shares(self, letters: Sequence[Letter]) -> np.ndarray:
        """(letters, alphabet + 1) float32: log probability of each letter; NEVER in the last column, behind a word's end."""
        shares = np.full((len(letters), len(self._index) + 1), FLOOR)
        for row, letter in enumerate(letters):
            for text, share in letter.shares:
                if text in self._index:
                    shares[row, self._index[text]] += share
        shares[:, -1] = 1.0
        logs = np.log(shares / shares[:, :-1].sum(axis=1, keepdims=True))
        logs[:, -1] = NEVER
        return logs.astype(np.float32)


def _unlisted(letters: Sequence[Letter]) -> float:
    """Log score of the letters as they were taken."""
    shares = [letter.shares[0][1] for letter in letters]
    return float(PRIOR_WEIGHT * (np.log(UNLISTED) - len(letters) * np.log(26)) + np.log(shares).sum())


def _best(scores: np.ndarray, count: int) -> list[int]:
    """The places of the highest scores, best first; without those that are NEVER."""
    places = np.argpartition(-scores, min(count, len(scores) - 1))[:count] if len(scores) else np.zeros(0, int)
    return [int(place) for place in places[np.argsort(-scores[places], kind="stable")] if scores[place] > NEVER / 2]
