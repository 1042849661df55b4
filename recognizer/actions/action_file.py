"""Reads a file of actions. Each error is one line with its place in the file."""

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from recognizer.actions.action import Action, ActionError, check_placeholders
from recognizer.actions.catalogue import kind_names, kind_of
from recognizer.event_detection.event import Event, Phase
from recognizer.samples.sample import NOTHING

ANY = "*"  # every label
BLOCK = "action"  # each block begins with [[action]]
FILE_LIMIT = 1 << 20  # bytes
HANDS = ("left", "right", "both")
OF_RULES = frozenset({"do", "on", "when", "hand", "task"})  # keys that all kinds of actions have

Labels = Callable[[str], Collection[str]]  # the labels of a task


@dataclass(frozen=True)
class Rule:
    """One block of a file: what happens, and when."""

    action: Action
    on: tuple[str, ...]  # labels; ANY for all
    when: tuple[Phase, ...]
    hand: str | None = None  # only this hand of the person
    task: str | None = None  # only in this task
    line: int = 0  # of the block in the file

    def fits(self, event: Event) -> bool:
        """Whether the action fires at the event."""
        is_label = ANY in self.on or event.label in self.on
        return is_label and event.phase in self.when and self.hand in (None, event.hand) and self.is_for(event.task)

    def is_for(self, task: str) -> bool:
        return self.task in (None, task)

    def describe(self) -> str:
        """One line, such as "thumbs up, right hand, appeared: press space"."""
        words = ["any sign" if ANY in self.on else " or ".join(self.on)]
        words += [f"{self.hand} hand"] if self.hand else []
        words += [" or ".join(self.when)]
        words += [f"in {self.task}"] if self.task else []
        return f"{', '.join(words)}: {self.action.describe()}"


def read_actions(path: Path, labels: Collection[str] | None = None, *, joined: bool = False) -> tuple[Rule, ...]:
    """The rules in a file, in their order.

    `labels` are those of the task; None if the task is not known, so that labels are not checked. `joined` says that several
    labels next to each other are one, as digits are. Raises ActionError.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ActionError(f"{path} cannot be read: {error.strerror}. Check its name and folder.") from error
    return parse_actions(data, str(path), labels, joined=joined)


def parse_actions(
    data: bytes, name: str, labels: Collection[str] | None = None, *, joined: bool = False
) -> tuple[Rule, ...]:
    """The same from the bytes of a file; `name` is the file's, for errors."""
    if len(data) > FILE_LIMIT:
        raise ActionError(f"{name} has more than {FILE_LIMIT >> 20} MiB, so it is no file of actions.")
    try:
        text = data.decode()
        content = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ActionError(f"{name} is not in UTF-8, at byte {error.start + 1}. Save it as UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ActionError(f"{name} is not TOML: {error}. See: recognizer actions example") from error
    places = _Places(name, text)
    blocks = content.get(BLOCK, [])
    for key in content:
        if key != BLOCK:
            raise places.error(None, key, f"{key!r} is no block. Each block begins with [[{BLOCK}]].")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise places.error(None, BLOCK, f"Each block begins with [[{BLOCK}]], with two brackets.")
    if not blocks:
        raise ActionError(f"{name} has no block [[{BLOCK}]]. See: recognizer actions example")
    return tuple(_rule(block, number, places, labels, joined) for number, block in enumerate(blocks))


class _Places:
    """The lines of a file in which its blocks and keys are: tomllib does not say."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._lines = text.splitlines()
        header = re.compile(rf"\s*\[\[\s*{BLOCK}\s*\]\]")
        self._blocks = [number for number, line in enumerate(self._lines) if header.match(line)]

    def line(self, block: int | None, key: str = "") -> int:
        """The line, from 1, of the key in the block; of the block if the key is not found."""
        known = block is not None and block < len(self._blocks)
        first = self._blocks[block] if known and block is not None else 0
        last = self._blocks[block + 1] if known and block is not None and block + 1 < len(self._blocks) else None
        written = re.compile(rf"""\s*(\[+\s*)?["']?{re.escape(key)}["']?\s*[.=\]]""")
        inner = [number for number, line in enumerate(self._lines[first:last], first) if key and written.match(line)]
        return (inner[0] if inner else first) + 1

    def error(self, block: int | None, key: str, problem: str) -> ActionError:
        return ActionError(f"{self.name}, line {self.line(block, key)}: {problem}")


def _rule(block: Mapping[str, Any], number: int, places: _Places, labels: Collection[str] | None, joined: bool) -> Rule:
    def error(key: str, problem: str) -> ActionError:
        return places.error(number, key, problem)

    name = block.get("do")
    if not isinstance(name, str) or name not in kind_names():
        found = "do is missing" if name is None else f"there is no kind {name!r}"
        raise error("do", f"{found}.{_near(str(name), kind_names())} Kinds: {', '.join(kind_names())}.")
    try:
        kind = kind_of(name)
    except ActionError as problem:
        raise error("do", str(problem)) from problem
    on = _texts(block.get("on"))
    if not on:
        raise error("on", f'on is missing: name a label or a list of labels, or "{ANY}" for all.')
    task = block.get("task")
    if task is not None and not (isinstance(task, str) and task):
        raise error("task", "task is the name of a task.")
    if labels is not None and task is None:
        _check_labels(on, labels, joined, error)
    hand = block.get("hand")
    if hand not in (None, *HANDS):
        raise error("hand", f"hand is {hand!r}. Write left, right or both, or leave it out.")
    own = {key: value for key, value in block.items() if key not in OF_RULES}
    return Rule(_action(kind, name, own, error), on, _phases(block, kind, error), hand, task, places.line(number))


def _phases(
    block: Mapping[str, Any], kind: type[Action], error: Callable[[str, str], ActionError]
) -> tuple[Phase, ...]:
    if "when" not in block:
        return kind.phases
    names = _texts(block["when"])
    phases = {str(phase): phase for phase in Phase}
    if not names or not set(names) <= set(phases):
        raise error("when", f"when is {block['when']!r}. Write one or a list of {', '.join(phases)}.")
    return tuple(phases[name] for name in names)


def _check_labels(
    on: Sequence[str], labels: Collection[str], joined: bool, error: Callable[[str, str], ActionError]
) -> None:
    known = [label for label in labels if label != NOTHING]
    one = "|".join(re.escape(label) for label in sorted(known, key=len, reverse=True))
    pattern = re.compile(rf"({one})+" if joined else one)
    for label in on:
        if label == NOTHING:
            raise error("on", f'{NOTHING} never fires. Write the label that has gone, and when = "gone".')
        if label != ANY and not pattern.fullmatch(label):
            raise error("on", f"the task has no label {label!r}.{_near(label, known)} Labels: {', '.join(known)}.")


def _action(
    kind: type[Action], name: str, values: Mapping[str, Any], error: Callable[[str, str], ActionError]
) -> Action:
    types = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # each kind is a dataclass
    given = {}
    for key, value in values.items():
        if key not in known:
            keys = [*known, "on", "when", "hand", "task"]
            raise error(key, f'do = "{name}" has no key {key!r}.{_near(key, keys)} Keys: {", ".join(keys)}.')
        if str(types[key]) not in _TYPES:
            raise error(key, f"the plug-in's key {key} has a type that no file can give. It may be str, int, float, bool, "
                        "tuple[str, ...] or dict[str, object].")  # fmt: skip
        word, is_right, convert = _TYPES[str(types[key])]
        if not is_right(value):
            raise error(key, f"{key} is {value!r}, and should be {word}.")
        try:
            for text in _all_texts(value):
                check_placeholders(text)
        except ActionError as problem:
            raise error(key, f"{key}: {problem}") from problem
        given[key] = convert(value)
    for key, field in known.items():
        if key not in given and field.default is MISSING and field.default_factory is MISSING:
            raise error("do", f'do = "{name}" needs {key}: {_TYPES[str(types[key])][0]}.')
    action = kind(**given)
    try:
        action.check()
    except ActionError as problem:
        raise error(str(problem).partition(":")[0], str(problem)) from problem
    return action


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _as_is(value: Any) -> Any:
    return value


_TYPES: dict[str, tuple[str, Callable[[Any], bool], Callable[[Any], Any]]] = {  # type of a field: its values in TOML
    str(str): ("a text", lambda value: isinstance(value, str), _as_is),
    str(bool): ("true or false", lambda value: isinstance(value, bool), _as_is),
    str(int): ("a whole number", lambda value: type(value) is int, _as_is),
    str(float): ("a number", _is_number, float),
    str(tuple[str, ...]): (
        "a list of texts",
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
        tuple,
    ),
    str(dict[str, object]): ("a table", lambda value: isinstance(value, dict), _as_is),
}


def _texts(value: object) -> tuple[str, ...]:
    """The texts in a value that is one text or a list of them; () if it is neither."""
    values: list[Any] = value if isinstance(value, list) else [value]
    return tuple(values) if all(isinstance(one, str) and one for one in values) else ()


def _all_texts(value: object) -> list[str]:
    """All texts in a value of TOML."""
    match value:
        case str():
            return [value]
        case list():
            return [text for inner in value for text in _all_texts(inner)]
        case dict():
            return [text for inner in value.values() for text in _all_texts(inner)]
    return []


def _near(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f" Did you mean {near[0]}?" if near else ""
