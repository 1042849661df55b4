"""The line of text that somebody spells: letters become words, and words are taken from the suggestions."""

from collections.abc import Callable
from dataclasses import dataclass

from recognizer.spelling.dictionary import Dictionary
from recognizer.spelling.holding import Letter, SignTaker, Taken, Typed
from recognizer.spelling.shown import shown_in
from recognizer.values import Observation

SHOWN_CHARACTERS = 400  # of the line; what is before was sent or is forgotten


@dataclass(frozen=True)
class Line:
    """The line as it is shown: what is finished, the word that is spelled, and the words that it may become."""

    finished: str = ""  # ends with a space, unless it is empty
    word: str = ""
    suggestions: tuple[str, ...] = ()  # the space takes the first
    held: str = ""  # the sign that is being held
    progress: float = 0.0  # of its time, 0 to 1

    @property
    def text(self) -> str:
        """All that was spelled. A word that is not finished is as it would be finished now."""
        return (self.finished + (self.suggestions[0] if self.suggestions else self.word)).strip()


@dataclass(frozen=True)
class _Finished:
    """A word that was taken, so that it can be opened again."""

    letters: tuple[Letter, ...]
    text: str  # what it added to the line, with its space


class Speller:
    """Takes held signs and keys, and keeps the line.

    `dictionary` returns the words for the suggestions; None: there are none, and words stay as they were spelled.
    """

    def __init__(self, dictionary: Callable[[], Dictionary | None] = lambda: None) -> None:
        self._dictionary = dictionary
        self._taker = SignTaker()
        self._finished: list[_Finished] = []
        self._letters: list[Letter] = []
        self._is_literal = False  # the word was opened again: the space leaves it as it was spelled
        self._suggestions: tuple[str, ...] | None = ()  # None: not computed since the word has changed

    @property
    def line(self) -> Line:
        finished = "".join(one.text for one in self._finished)[-SHOWN_CHARACTERS:]
        word = "".join(letter.text for letter in self._letters)
        return Line(finished, word, self.suggestions, self._taker.held, self._taker.progress)

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What the word may become, the best first."""
        if self._suggestions is None:
            self._suggestions = self._suggest()
        return self._suggestions

    def step(self, observation: Observation) -> Taken | None:
        """Take the sign that this frame completes. Return what it typed, or None."""
        taken = self._taker.step(observation.frame.time_s, shown_in(observation))
        if taken is not None:
            self.type(taken)
        return taken

    def add(self, letter: Letter) -> None:
        """Append a letter, or a number, to the word."""
        self._letters.append(letter)
        self._suggestions = None

    def space(self) -> None:
        """Finish the word with the first suggestion. Does nothing between two words."""
        self.take(0)

    def take(self, number: int) -> bool:
        """Finish the word with this suggestion, counted from 0. Return whether there is one."""
        if not self._letters or number >= len(self.suggestions):
            return False
        self._finished.append(_Finished(tuple(self._letters), self.suggestions[number] + " "))
        self._start_word()
        return True

    def delete(self) -> None:
        """Delete the last letter; after a space, open the word again as it was spelled."""
        if self._letters:
            self._letters.pop()
            self._suggestions = None
        elif self._finished:
            self._letters = list(self._finished.pop().letters)
            self._is_literal = True
            self._suggestions = None

    def clear(self) -> None:
        self._finished.clear()
        self._start_word()

    def type(self, taken: Taken) -> None:
        """Do what a held sign does."""
        if taken.kind is Typed.DELETE:
            self.delete()
        elif taken.kind is Typed.SPACE:
            self.space()
        elif taken.letter is not None and taken.kind is Typed.WORD:
            self.space()
            self._finished.append(_Finished((taken.letter,), taken.letter.text + " "))
        elif taken.letter is not None:
            self.add(taken.letter)

    def _start_word(self) -> None:
        self._letters, self._is_literal, self._suggestions = [], False, ()

    def _suggest(self) -> tuple[str, ...]:
        word = "".join(letter.text for letter in self._letters)
        if not word:
            return ()
        dictionary = self._dictionary()
        words = tuple(one.word for one in dictionary.suggest(self._letters)) if dictionary else (word,)
        return tuple(dict.fromkeys((word, *words)))[: max(1, len(words))] if self._is_literal else words
