"""Practice: a sign is asked for, the hand is compared with it, and what succeeds is counted and timed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.spelling.corrections import Correction, correction
from recognizer.spelling.known_signs import Signs
from recognizer.spelling.shapes import HandShape, shape_of
from recognizer.spelling.shown import shown_in
from recognizer.spelling.word_list import spelled
from recognizer.values import Observation, Region

HOLD_S = 0.5  # for which a sign has to be recognized
CHEER_S = 0.9  # for which a success is shown, before the next sign is asked for
NEW_S = 4.0  # a sign that was not made yet is asked for as often as one that takes so long
SMOOTH = 0.35  # share of the newest frame in the hand that is compared, so that the words do not flicker
COMMON_WORDS = 400  # the most frequent ones that the task can show
WORD_LENGTHS = range(3, 7)


@dataclass(frozen=True)
class Success:
    """A sign that was made."""

    label: str
    time_s: float  # from when it was asked for


class Practice:
    """Asks for one sign after the other. Signs that take long are asked for more often.

    With `words` it asks for words, letter by letter.
    """

    def __init__(self, signs: Signs, rng: np.random.Generator, words: Sequence[str] = ()) -> None:
        """`signs` is not empty. `words` are those to choose from; the asked ones use only letters of `signs`."""
        self._signs = signs
        self._rng = rng
        self._letters = {label.casefold(): label for label in signs if len(label) == 1}
        self._words = [word for word in words if word and all(letter in self._letters for letter in word)]
        self._queue: list[str] = []  # the labels of the word that are still to come, the asked one first
        self._began_s: float | None = None
        self._held_s = 0.0
        self._now_s = 0.0
        self._shape: HandShape | None = None
        self._cheer_until_s = 0.0
        self.asks_words = False
        self.word = ""  # the word that is asked for; "" while single signs are
        self.successes: list[Success] = []
        self.correction = Correction()
        self.has_hand = False
        self._next()

    @property
    def label(self) -> str:
        """The sign that is asked for."""
        return self._queue[0]

    @property
    def drawing(self) -> HandShape:
        """How it is made, to be drawn."""
        sign = self._signs[self.label]
        return sign.drawing or sign.shape

    @property
    def place(self) -> int:
        """The place of the asked letter in the word."""
        return len(self.word) - len(self._queue) if self.word else 0

    @property
    def is_cheering(self) -> bool:
        """Whether the last sign has just been made."""
        return self._now_s < self._cheer_until_s

    @property
    def progress(self) -> float:
        """How much of its time the sign was held, 0 to 1."""
        return min(1.0, self._held_s / HOLD_S)

    @property
    def has_words(self) -> bool:
        return bool(self._words)

    def toggle_words(self) -> None:
        """Ask for words, or for single signs again."""
        self.asks_words = not self.asks_words and self.has_words
        self._queue, self.word = [], ""
        self._next()

    def skip(self) -> None:
        """Ask for the next sign; in a word, for the next word."""
        self._queue = []
        self._next()

    def step(self, observation: Observation) -> None:
        """Compare the largest hand with the sign. Call it with every frame."""
        elapsed_s = max(0.0, min(0.5, observation.frame.time_s - self._now_s))
        self._now_s = observation.frame.time_s
        if self._cheer_until_s:
            if self.is_cheering:
                return
            self._cheer_until_s = 0.0
            self._queue.pop(0)
            self._next()
        if self._began_s is None or self._began_s > self._now_s:
            self._began_s = self._now_s
        self._compare([region for region in observation.regions if region.hand is not None])
        shown = shown_in(observation)
        is_right = shown is not None and shown.is_sure and shown.text == self.label
        self._held_s = self._held_s + elapsed_s if is_right else 0.0
        if is_right:
            self.correction = Correction()
        if self._held_s >= HOLD_S:
            self.successes.append(Success(self.label, self._now_s - self._began_s))
            self._cheer_until_s = self._now_s + CHEER_S

    def _compare(self, regions: Sequence[Region]) -> None:
        self.has_hand = bool(regions)
        largest = max(regions, key=lambda region: region.box.area, default=None)
        if largest is None or largest.hand is None:
            self._shape, self.correction = None, Correction()
            return
        shape = shape_of(largest.hand)
        if self._shape is not None:
            shape = HandShape(
                *(_mixed(*parts) for parts in ((self._shape.bones, shape.bones), (self._shape.turn, shape.turn)))
            )
        self._shape = shape
        self.correction = correction(shape, self._signs[self.label])

    def _next(self) -> None:
        self._held_s, self._began_s, self.correction = 0.0, None, Correction()
        if self._queue:
            return
        self.word = ""
        if self.asks_words:
            self.word = str(self._rng.choice([word for word in self._words if word != self.word]))
            self._queue = [self._letters[letter] for letter in self.word]
        else:
            self._queue = [self._chosen()]

    def _chosen(self) -> str:
        """A sign, more often one that takes long, and not the last one again."""
        last = self.successes[-1].label if self.successes else None
        labels = [label for label in self._signs if label != last] or list(self._signs)
        times = mean_times(self.successes)
        weights = np.array([times.get(label, NEW_S) for label in labels])
        return str(self._rng.choice(labels, p=weights / weights.sum()))


def mean_times(successes: Sequence[Success]) -> dict[str, float]:
    """Seconds that each label took on average."""
    of_label: dict[str, list[float]] = {}
    for success in successes:
        of_label.setdefault(success.label, []).append(success.time_s)
    return {label: float(np.mean(times)) for label, times in of_label.items()}


def common_words(
    counts: Mapping[str, float], labels: Sequence[str], lengths: range = WORD_LENGTHS, limit: int = COMMON_WORDS
) -> list[str]:
    """The most frequent words of these lengths that the labels can spell, as they are spelled."""
    letters = {label.casefold() for label in labels if len(label) == 1}
    fitting = [word for word in counts if len(word) in lengths and set(word) <= letters and word == spelled(word)]
    return sorted(fitting, key=lambda word: (-counts[word], word))[:limit]


def _mixed(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """A running mean of unit vectors: the rows of (5, 3, 3) bones, or the columns of a (3, 3) rotation."""
    mixed = (1 - SMOOTH) * before + SMOOTH * now
    return mixed / np.maximum(np.linalg.norm(mixed, axis=-1 if mixed.shape[0] == 5 else 0, keepdims=True), 1e-6)
