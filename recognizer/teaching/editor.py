"""The list of a task, its labels and the trash in the window: each is renamed, merged, moved, deleted or brought back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.system.keyboard import ENTER, ESC, latin_key
from recognizer.tasks import TASKS
from recognizer.teaching import changes
from recognizer.teaching.changes import Deleted, LabelChange, What
from recognizer.teaching.history import History
from recognizer.teaching.text_field import TextField

RENAME_KEYS, DELETE_KEYS = ("F2", ENTER), ("Delete", "x")
YES_KEYS = ("y", ENTER)


class RowKind(StrEnum):
    """What a row of the list is."""

    TASK = "task"
    LABEL = "label"
    DELETED = "deleted"
    TRASH = "trash"


@dataclass(frozen=True)
class Row:
    """One row of the list."""

    kind: RowKind
    name: str  # of the task, label or entry of the trash; "" for the whole trash
    words: str  # as it is shown
    count: int  # of samples
    is_fixed: bool = False  # whether it came with the program and keeps its name


@dataclass(frozen=True)
class Question:
    """A question that one key answers, and what a yes does."""

    words: str
    yes: Callable[[], None]


class Editor:
    """The list, one row of which is chosen. Its methods may raise SamplesError and ModelError; then nothing has changed."""

    def __init__(
        self, task: str, history: History, models: ModelStore, samples: Samples, notify: Callable[[str], None]
    ) -> None:
        self.task = task
        self.rows: list[Row] = []
        self.index = 0
        self.field: TextField | None = None  # the new name, while it is typed
        self.question: Question | None = None
        self.is_waiting = False  # until the first frame of the task
        self.is_task_gone = False
        self._history = history
        self._models = models
        self._samples = samples
        self._notify = notify
        self.reload()
        self.index = min(1, len(self.rows) - 1)

    @property
    def chosen(self) -> Row:
        return self.rows[self.index]

    @property
    def labels(self) -> list[str]:
        return [row.name for row in self.rows if row.kind is RowKind.LABEL]

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The keys that work now, with what they do."""
        if self.question is not None:
            return (("y", "yes"), ("any other key", "no"))
        if self.field is not None:
            return (("Enter", "rename"), ("Insert", "paste"), ("Esc", "leave it"))
        own: tuple[tuple[str, str], ...] = {
            RowKind.TASK: (("Enter", "rename"), ("Delete", "delete")),
            RowKind.LABEL: (("Enter", "rename"), ("Delete", "delete"), ("Page Up/Down", "move")),
            RowKind.DELETED: (("Enter", "bring back"), ("Delete", "delete for good")),
            RowKind.TRASH: (("Enter", "empty it"),),
        }[self.chosen.kind]
        if self.chosen.is_fixed:
            own = (("Delete", "delete your samples"),) if self.chosen.kind is RowKind.TASK else ()
        return (("Up Down", "choose"), *own, ("Backspace", "take back"), ("Esc", "close"))

    def key(self, key: str) -> bool:
        """Handle a key. Return whether it was meant for the list. Esc and Backspace are the caller's."""
        if self.question is not None:
            self.answer(latin_key(key.lower()) in YES_KEYS)
        elif self.field is not None:
            self._type(self.field, key)
        elif key in ("Up", "Down"):
            self.choose(self.index + (1 if key == "Down" else -1))
        elif key in ("Page Up", "Page Down"):
            self.move(1 if key == "Page Down" else -1)
        elif key in RENAME_KEYS:
            self.change()
        elif key in DELETE_KEYS:
            self.delete()
        else:
            return False
        return True

    def choose(self, index: int) -> None:
        self.index = min(max(index, 0), len(self.rows) - 1)

    def reload(self) -> None:
        """Take the labels and the trash as they are stored now."""
        counts = self._samples.counts(self.task) if self.task in self._samples.task_names() else {}
        counts |= {label: 0 for label in changes.learned_labels(self._models, self.task) if label not in counts}
        fixed = changes.fixed_labels(self._models, self.task)
        self.rows = [Row(RowKind.TASK, self.task, self.task, sum(counts.values()), self.task in TASKS)]
        self.rows += [Row(RowKind.LABEL, label, label, count, label in fixed) for label, count in counts.items()]
        deleted = changes.trash(self._models, self._samples)[::-1]
        self.rows += [Row(RowKind.DELETED, one.name, deleted_words(one), one.samples) for one in deleted]
        if deleted:
            self.rows.append(Row(RowKind.TRASH, "", "empty the trash", sum(one.samples for one in deleted)))
        self.choose(self.index)

    def show(self, task: str) -> None:
        """Show a task, the same one as before by another name."""
        self.is_waiting = self.is_waiting or task != self.task
        self.task = task
        self.reload()

    def change(self) -> None:
        """Begin to rename the chosen task or label, bring back what is deleted, or ask whether to empty the trash."""
        row = self.chosen
        if row.kind is RowKind.DELETED:
            found = changes.restore(self._models, self._samples, row.name)
            again = ": train again (t)" if found.kind == "label" else ""
            self._notify(f"brought back {deleted_words(found)}{again}")
            self.reload()
        elif row.kind is RowKind.TRASH:
            self._ask_to_empty()
        elif row.is_fixed:
            self._notify(f"{row.name} came with the program and keeps its name")
        else:
            self.field = TextField(row.name, len(row.name))

    def delete(self) -> None:
        """Move the chosen label to the trash, or ask whether to delete the task or something in the trash."""
        row = self.chosen
        if row.kind is RowKind.LABEL and row.is_fixed:
            self._notify(f"{row.name} came with the program and stays: k deletes samples of it")
        elif row.kind is RowKind.LABEL:
            done = self._history.delete_label(self.task, row.name)
            self._say(done, f"{row.name} is in the trash with {done.samples}: Backspace brings it back")
            self.reload()
        elif row.kind is RowKind.TASK:
            what = "the samples of " if self.task in TASKS else ""
            self.question = Question(f"Delete {what}{self.task}, {row.count}? It goes to the trash.", self._delete_task)
        elif row.kind is RowKind.DELETED:
            self.question = Question(f"Delete {row.words} for good?", lambda: self._empty(row.name))
        else:
            self._ask_to_empty()

    def move(self, step: int) -> None:
        """Move the chosen label up or down in the order of the labels."""
        own = list(self._samples.task(self.task).labels) if self.task in self._samples.task_names() else []
        if self.chosen.kind is not RowKind.LABEL or self.chosen.name not in own:
            return
        place = own.index(self.chosen.name)
        to = min(max(place + step, 0), len(own) - 1)
        own.insert(to, own.pop(place))
        if to != place:
            self._history.reorder_labels(self.task, own)
            self.reload()
            self.choose(self.index + to - place)

    def ask_to_merge(self, label: str, into: str) -> None:
        """Ask whether to merge a label into another one."""
        counts = {row.name: row.count for row in self.rows if row.kind is RowKind.LABEL}
        words = f"Merge {label}, {counts.get(label, 0)}, into {into}, {counts.get(into, 0)}?"
        self.question = Question(words, lambda: self._rename_label(label, into))

    def answer(self, is_yes: bool) -> None:
        """Answer the question."""
        question, self.question = self.question, None
        if question is not None and is_yes:
            question.yes()

    def paste(self, words: str) -> None:
        if self.field is not None:
            self.field.insert(words)

    def _type(self, field: TextField, key: str) -> None:
        if key == ENTER:
            self.field = None
            self._rename(self.chosen, field.text.strip())
        elif key == ESC:
            self.field = None
        else:
            field.press(key)

    def _rename(self, row: Row, to: str) -> None:
        if to in ("", row.name):
            return
        if row.kind is RowKind.TASK:
            self.show(self._history.rename_task(self.task, to))
            self._notify(f"{row.name} is now {self.task}")
        elif to in self.labels:
            self.ask_to_merge(row.name, to)
        else:
            self._rename_label(row.name, to)

    def _rename_label(self, label: str, to: str) -> None:
        done = self._history.rename_label(self.task, label, to)
        self._say(done, f"{label} is now {to}")
        self.reload()
        self.choose(next((n for n, row in enumerate(self.rows) if row.name == to), self.index))

    def _say(self, done: LabelChange, words: str) -> None:
        self._notify(f"{words}. Train again (t), so that it is learned" if done.must_retrain else words)

    def _delete_task(self) -> None:
        if self.task in TASKS:
            self._history.delete_task(self.task, What.SAMPLES)
            self._notify(f"the samples of {self.task} are in the trash: Backspace brings them back")
            self.reload()
        else:
            self._history.delete_task(self.task)
            self._notify(f"{self.task} is in the trash: e shows it")
            self.is_task_gone = True

    def _ask_to_empty(self) -> None:
        words = f"Delete all in the trash, {self.rows[-1].count} samples, for good?"
        self.question = Question(words, self._empty)

    def _empty(self, name: str | None = None) -> None:
        changes.empty_trash(self._models, self._samples, None if name is None else [name])
        self._notify("the trash is empty" if name is None else "deleted for good")
        self.reload()


def deleted_words(deleted: Deleted) -> str:
    """An entry of the trash in words: what it is, of which task, and when it was deleted."""
    time = datetime.fromisoformat(deleted.time).astimezone() if deleted.time else None
    what = {
        "samples": f"samples of {', '.join(deleted.labels)}",
        "label": f"label {deleted.label}",
        "task": f"task {deleted.task}",
        "model": f"model of {deleted.task}",
    }[deleted.kind]
    place = f" in {deleted.task}" if deleted.kind in ("samples", "label") else ""
    return f"{what}{place}{f' · {time:%H:%M}' if time else ''}"
