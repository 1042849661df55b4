"""A line of text that is typed, with a cursor."""

import unicodedata
from dataclasses import dataclass

from recognizer.system.keyboard import BACKSPACE


@dataclass
class TextField:
    """The text, and the cursor's place: the number of characters before it."""

    text: str = ""
    cursor: int = 0

    @property
    def before(self) -> str:
        """The text in front of the cursor."""
        return self.text[: self.cursor]

    @property
    def after(self) -> str:
        """The text behind the cursor."""
        return self.text[self.cursor :]

    def insert(self, words: str) -> None:
        """Inserts words at the cursor. Line ends become spaces, and what cannot be printed is left out."""
        line = "".join(one for one in " ".join(words.split("\n")) if one.isprintable())
        self.text = self.before + line + self.after
        self.cursor += len(line)

    def press(self, key: str) -> None:
        """Handles an editing key, or types a character."""
        if key == "Left":
            self.cursor = self._left()
        elif key == "Right":
            self.cursor = self._right()
        elif key == "Home":
            self.cursor = 0
        elif key == "End":
            self.cursor = len(self.text)
        elif key == BACKSPACE:
            start = self._left()
            self.text, self.cursor = self.text[:start] + self.after, start
        elif key == "Delete":
            self.text = self.before + self.text[self._right() :]
        elif len(key) == 1:  # longer ones are names, such as Up
            self.insert(key)

    def _left(self) -> int:
        """The place before the last character, with the marks that belong to it."""
        place = max(0, self.cursor - 1)
        while place and unicodedata.combining(self.text[place]):
            place -= 1
        return place

    def _right(self) -> int:
        place = min(len(self.text), self.cursor + 1)
        while place < len(self.text) and unicodedata.combining(self.text[place]):
            place += 1
        return place
