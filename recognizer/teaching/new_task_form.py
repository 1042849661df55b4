"""The form for a new task: its name, what is shown, and the labels."""

from dataclasses import dataclass, field
from enum import StrEnum

from recognizer.subjects.catalogue import SUBJECTS
from recognizer.system.keyboard import TAB, latin_key
from recognizer.teaching.text_field import TextField

NEXT, BACK = (TAB, "Down"), "Up"


class FormLine(StrEnum):
    """The lines of the form for a new task, in order."""

    NAME = "name"
    SUBJECT = "subject"
    LABELS = "labels"


QUESTIONS = {
    FormLine.NAME: "What is it called?",
    FormLine.SUBJECT: "What do you show?",
    FormLine.LABELS: "Which labels? Put commas between them.",
}


@dataclass
class NewTaskForm:
    """The form that creates a task or adds labels to one. Enter goes to the next line."""

    fields: dict[FormLine, TextField] = field(default_factory=lambda: {line: TextField() for line in FormLine})
    line: FormLine = FormLine.NAME
    error: str = ""  # why Enter was not accepted

    @property
    def name(self) -> str:
        return self.fields[FormLine.NAME].text.strip()

    @property
    def subject(self) -> str:
        """The name of one of SUBJECTS; empty until it is chosen."""
        return self.fields[FormLine.SUBJECT].text

    @property
    def labels(self) -> str:
        return self.fields[FormLine.LABELS].text

    @property
    def is_last(self) -> bool:
        return self.line == [*FormLine][-1]

    def press(self, key: str) -> None:
        """Handles a key other than Enter and Esc."""
        self.error = ""
        if key in NEXT and self.fields[self.line].text.strip():
            self.go(1)
        elif key == BACK:
            self.go(-1)
        elif self.line == FormLine.SUBJECT:
            chosen = [subject.name for subject in SUBJECTS.values() if subject.key == latin_key(key.lower())]
            self.fields[self.line].text = chosen[0] if chosen else self.subject
        elif key not in NEXT:
            self.fields[self.line].press(key)

    def paste(self, words: str) -> None:
        if self.line != FormLine.SUBJECT:
            self.fields[self.line].insert(words)

    def go(self, steps: int) -> None:
        """Goes some lines down, or up if negative."""
        lines = [*FormLine]
        self.line = lines[min(max(lines.index(self.line) + steps, 0), len(lines) - 1)]
