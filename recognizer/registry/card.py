"""The model card of a model version: card.json, with the checksums of the version's files."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from recognizer.errors import ModelError
from recognizer.system import files
from recognizer.system.names import is_safe
from recognizer.system.urls import text_without_secrets

CARD = "card.json"
KEYS = {"subject": "region", "user_training": "taught"}  # attributes whose field in card.json has another name
LARGEST = 1e300  # of a threshold: JSON allows integers that no float can hold
CARD_LIMIT = 1 << 24  # bytes of a card: others may write to a URL of models
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # in no text of a card; a tab or a new line may be
SHOWN_CHARACTERS = 60  # characters of a wrong value in an error line


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of rejection: an input outside either of them gets no label."""

    min_confidence: float  # 0 to 1, of the most probable label
    max_distance: float  # Mahalanobis distance of the features to the nearest label


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The content of card.json. Missing fields are None."""

    task: str | None = None
    labels: tuple[str, ...]  # in the order of the network's outputs; those that only move are in `moving`
    subject: str | None = None  # a key of SUBJECTS: "paper", "hand", "box" …; "region" in card.json
    kind: str | None = None  # input of a model of hands or objects: "pose", "pixels", "fused" or "colour"
    features: str | None = None  # "input": the classifier takes the input itself, no feature extractor
    input: Mapping[str, Any] | None = None  # shape, dtype, range
    preprocess: str | None = None  # name of the function that prepares the input
    outputs: Sequence[str] | None = None
    parameters: int | None = None
    rejection: Thresholds | None = None
    moving: Mapping[str, Any] | None = None  # signs that move: "labels", and the version of their "features"
    sides: Mapping[str, Any] | None = None  # of each label, the hands that mean it; None if both mean the same
    user_training: Mapping[str, Any] | None = None  # number of samples and starting point; "taught" in card.json
    data: Sequence[Mapping[str, Any]] | None = None
    metrics: Mapping[str, Any] | None = None
    start: Mapping[str, Any] | None = None  # the version from which training started
    command: str | None = None
    git_commit: str | None = None
    versions: Mapping[str, str] | None = None  # of Python and libraries
    files: Mapping[str, str] | None = None  # SHA-256 of each other file of the version, by its path in the folder
    # from another version of this program; written back unchanged
    unknown_fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: object, where: str, remedy: str) -> "ModelCard":
        """Parse a card. `where` names the file in errors. Raises ModelError that names the field and ends with `remedy`."""
        if not isinstance(content, dict):
            raise ModelError(f"{where} contains {_shown(content)}, not a JSON object. {remedy}")
        name_of = {_key(each.name): each.name for each in fields(cls) if each.name != "unknown_fields"}
        found = {name: value for name, value in content.items() if name in name_of and value is not None}
        _check(found, where, remedy)
        found["labels"] = tuple(found["labels"])
        if "rejection" in found:
            found["rejection"] = Thresholds(*(float(found["rejection"][each.name]) for each in fields(Thresholds)))
        unknown_fields = {name: value for name, value in content.items() if name not in name_of}
        return cls(**{name_of[name]: value for name, value in found.items()}, unknown_fields=unknown_fields)

    def as_json(self) -> dict[str, Any]:
        """The card as the JSON object in card.json."""
        fields_json = {
            _key(each.name): getattr(self, each.name) for each in fields(self) if each.name != "unknown_fields"
        }
        fields_json["labels"] = list(self.labels)
        fields_json["rejection"] = asdict(self.rejection) if self.rejection else None
        return {name: value for name, value in fields_json.items() if value is not None} | dict(self.unknown_fields)

    @property
    def moving_labels(self) -> tuple[str, ...]:
        """The labels of signs that move."""
        return tuple((self.moving or {}).get("labels", ()))

    @property
    def all_labels(self) -> tuple[str, ...]:
        """The labels of still signs, then those that only move."""
        return tuple(dict.fromkeys([*self.labels, *self.moving_labels]))

    @property
    def input_side(self) -> int | None:
        """The side of the input image in pixels; None if the card has no input shape."""
        try:
            return int((self.input or {})["shape"][0])
        except (KeyError, TypeError, IndexError, ValueError, OverflowError):
            return None


def read_card(folder: Path) -> ModelCard:
    """Read the card in a version's folder. Raises ModelError."""
    path, remedy = folder / CARD, retrain_advice(folder.parent.name)
    try:
        if path.stat().st_size > CARD_LIMIT:
            raise ValueError(f"it has more than {CARD_LIMIT >> 20} MB")
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # a text that is no Unicode cannot be shown or written
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}). {remedy}") from error
    if any(CONTROLS.search(text) for text in _texts_in(content)):
        raise ModelError(f"{path} has control characters, which a terminal would obey. {remedy}")
    return ModelCard.from_json(content, str(path), remedy)


def write_card(card: ModelCard, folder: Path) -> None:
    """Write the card into a version's folder. URLs in its command lose their passwords, since others see the card."""
    if card.command:
        card = replace(card, command=text_without_secrets(card.command))
    _write_json(card.as_json(), folder)


def write_checksums(folder: Path) -> None:
    """Add the SHA-256 of each file in a version's folder to its card. A card that is no JSON object is left as it is.

    Raises OSError.
    """
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        sums = {name: _sha256(folder / name) for name in file_names(folder)}
        others = {name: value for name, value in content.items() if name != "files"}
        _write_json(others | ({"files": sums} if sums else {}), folder)


def check_files(card: ModelCard, folder: Path) -> None:
    """Raise ModelError if a file of the version is missing or differs from the card. Older cards have no checksums.

    A file that has not changed since the last call is not read again.
    """
    for name, expected in (card.files or {}).items():
        path = folder / name
        try:
            status = path.stat()
            found = _known_sha256(path, status.st_size, status.st_mtime_ns, status.st_ino)
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"{path} cannot be read ({reason}). {retrain_advice(folder.parent.name)}") from error
        if found != expected:
            raise ModelError(
                f"{path} is damaged: its SHA-256 is {found[:12]}…, and the card says {expected[:12]}…. "
                f"{retrain_advice(folder.parent.name)}"
            )


def read_checked_card(folder: Path) -> ModelCard:
    """Read the card in a version's folder and check the files that it names. Raises ModelError."""
    card = read_card(folder)
    check_files(card, folder)
    return card


def _write_json(content: Mapping[str, Any], folder: Path) -> None:
    with files.atomic_file(folder / CARD) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def file_names(folder: Path) -> list[str]:
    """Paths of a version's files in its folder, without the card and hidden files."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if name != CARD and is_safe(name))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1000)
def _known_sha256(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    return _sha256(path)


def _key(name: str) -> str:
    """The field's name in card.json."""
    return KEYS.get(name, name)


def retrain_advice(task: str) -> str:
    return f"Check out the repository's models/ again, or run: python -m recognizer train {task}"


def _texts_in(content: object) -> Iterator[str]:
    """All texts in a JSON value, the names of fields too."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


def _check(found: dict[str, Any], where: str, remedy: str) -> None:
    """Raise ModelError for missing labels, or for the first field that fails its check in CHECKS."""
    for name in ("labels", *found):
        is_valid, expected = CHECKS.get(name, (_is_text, "a string"))
        if not is_valid(found.get(name)):
            actual = f"is {_shown(found[name])}" if name in found else "is missing"
            raise ModelError(f"{where}: {name} {actual}; it should be {expected}. {remedy}")


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _are_thresholds(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(number := value.get(each.name), int | float)
        and not isinstance(number, bool)
        and (abs(number) <= LARGEST or number == math.inf)  # comparisons with NaN are false
        for each in fields(Thresholds)
    )


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_user_training(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("from"), str | None):
        return False
    samples = value.get("samples")
    return samples is None or (isinstance(samples, dict) and all(isinstance(count, int) for count in samples.values()))


def _is_moving(value: object) -> bool:
    return isinstance(value, dict) and _is_list_of(value.get("labels"), str)


def _are_sides(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_list_of(sides, str) and set(sides) <= {"left", "right"} for sides in value.values()
    )


def _are_checksums(value: object) -> bool:
    return isinstance(value, dict) and all(is_safe(name) and isinstance(value[name], str) for name in value)


# for each field: a check of its value, and the expected type in words
CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "labels": (lambda value: _is_list_of(value, str), "a list of strings"),
    "outputs": (lambda value: _is_list_of(value, str), "a list of strings"),
    "data": (lambda value: _is_list_of(value, dict), "a list of objects"),
    "parameters": (lambda value: isinstance(value, int), "a number"),
    "rejection": (_are_thresholds, "two numbers, min_confidence and max_distance"),
    "files": (_are_checksums, "the SHA-256 of each file by its name"),
    "taught": (_is_user_training, "an object with the number of samples of each label"),
    "moving": (_is_moving, "an object with a list of labels"),
    "sides": (_are_sides, "for each label a list of left and right"),
    **dict.fromkeys(("input", "metrics", "start", "versions"), (_is_object, "a JSON object")),
}
