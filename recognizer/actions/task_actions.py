"""Which actions a task has: those in a file that the user named, or in the file beside the task, once the user allowed it."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from recognizer.actions.action import ActionError
from recognizer.actions.action_file import Rule, parse_actions
from recognizer.errors import RecognizerError, printable
from recognizer.registry.card import read_card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.subjects.paper import PAPER
from recognizer.system import files, paths

FILE_NAME = "actions.toml"
ALLOWED_NAME = "allowed-actions.json"


def actions_path(samples: Samples, task: str) -> Path:
    """The file of actions beside a task's samples, which need not exist."""
    return samples.folder / task / FILE_NAME


def move_actions(samples: Samples, task: str, to: str) -> None:
    """Move the file of actions, if there is one, to the new name of its task. Raises ActionError."""
    path, target = actions_path(samples, task), actions_path(samples, to)
    if not path.is_file() or target.exists():
        return
    try:
        files.replace(path, target)
    except OSError as error:
        raise ActionError(f"{path} cannot be moved to {target}: {error.strerror}. Move it yourself.") from error


def labels_of(task: str, models: ModelStore, samples: Samples) -> tuple[tuple[str, ...], bool]:
    """The labels of a task, and whether they are joined to numbers when they stand next to each other.

    Raises RecognizerError if there is no such task.
    """
    if models.has(task):
        card = read_card(models.current(task))
        return tuple(card.labels), card.subject == PAPER.name
    stored = samples.task(task)
    return tuple(stored.labels), stored.subject == PAPER.name


class AllowedFiles:
    """The files of actions that the user has looked at and allowed, by the SHA-256 of their content."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or paths.data() / ALLOWED_NAME

    def has(self, data: bytes) -> bool:
        return _digest(data) in self._digests()

    def add(self, data: bytes) -> None:
        """Raises ActionError if it cannot be stored."""
        content = json.dumps(sorted({*self._digests(), _digest(data)}), indent=0)
        try:
            with files.atomic_file(self._path, mode=0o600) as file:
                file.write(content.encode())
        except OSError as error:
            raise ActionError(f"{self._path} cannot be written: {error.strerror}. Free some space.") from error

    def _digests(self) -> list[str]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):  # none is allowed
            return []
        return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else []


class TaskActions:
    """Finds the actions of each task."""

    def __init__(
        self, models: ModelStore, samples: Samples, named: Path | None = None, allowed: AllowedFiles | None = None
    ) -> None:
        """`named` is the file that the user named. It holds for all tasks, and is used without a question."""
        self._models = models
        self._samples = samples
        self._named = named
        self._allowed = allowed or AllowedFiles()

    def rules(self, task: str) -> tuple[Rule, ...]:
        """The actions of a task; () if it has none. Raises RecognizerError if its file is damaged or not allowed."""
        data = self._data(task)
        if data is None:
            return ()
        rules = self._parsed(task, data)
        if self._named is None and not self._allowed.has(data):
            raise ActionError(
                f"{self._path(task)} is new, and its actions are not used. Look at it and allow it: "
                f"python -m recognizer actions allow {task}"
            )
        return rules

    def ask(self, task: str, answer: Callable[[str], str] | None = None) -> None:
        """Show the file beside the task if the user has not allowed it yet, and ask about it.

        `answer` takes a question and returns the answer; None asks in the terminal, if there is one. Raises RecognizerError
        if the file is damaged.
        """
        data = self._data(task)
        if data is None:
            return
        rules = self._parsed(task, data)
        if self._named is not None or self._allowed.has(data):
            return
        if answer is None and not (sys.stdin is not None and sys.stdin.isatty()):
            return
        print(f"{self._path(task)} is new, or has changed:\n")
        print("\n".join(f"    {printable(line)}" for line in data.decode().splitlines()))
        print("\nIts actions:")
        print("\n".join(f"    {printable(rule.describe())}" for rule in rules))
        try:
            answered = (answer or input)("\nUse them on this computer? y/N ")
        except EOFError:
            answered = ""
        if answered.strip().lower() in ("y", "yes"):
            self._allowed.add(data)

    def allow(self, task: str) -> tuple[Rule, ...]:
        """Allow the file beside the task. Returns its actions. Raises RecognizerError if there is none or it is damaged."""
        data = self._data(task)
        if data is None:
            raise ActionError(
                f"{task} has no file of actions. Make one: python -m recognizer actions example {task} --save"
            )
        rules = self._parsed(task, data)
        self._allowed.add(data)
        return rules

    def _path(self, task: str) -> Path:
        return actions_path(self._samples, task)

    def _data(self, task: str) -> bytes | None:
        """The bytes of the task's file; None if it has none. Raises ActionError."""
        path = self._named or self._path(task)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            if self._named is None:
                return None
            raise ActionError(f"{path} is not there. Check its name and folder.") from None
        except OSError as error:
            raise ActionError(f"{path} cannot be read: {error.strerror}. Check its name and folder.") from error

    def _parsed(self, task: str, data: bytes) -> tuple[Rule, ...]:
        try:
            labels, joined = labels_of(task, self._models, self._samples)
        except RecognizerError:  # of an unknown or damaged task: whoever opens it says so
            labels, joined = None, False
        return parse_actions(data, str(self._named or self._path(task)), labels, joined=joined)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
