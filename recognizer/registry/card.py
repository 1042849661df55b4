"""The card of a model version."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from recognizer.errors import ModelError

CARD = "card.json"
KEYS = {"subject": "region", "user_training": "taught"}  # of fields that have another name in the file
SHOWN_CHARACTERS = 60  # characters of a wrong value in an error line


@dataclass(frozen=True)
class Thresholds:
    """Between an input that gets a label and one that is rejected."""

    min_confidence: float  # 0 to 1, of the likeliest label
    max_distance: float  # Mahalanobis, of its features to the nearest label's


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What card.json says of a version. A field that it does not have is None."""

    task: str | None = None
    labels: tuple[str, ...]  # in the order of the outputs
    subject: str | None = None  # what the camera is shown: "paper", "hand", "box" …; "region" in the file
    kind: str | None = None  # "pose", "pixels", "fused" or "colour": what a network of hands or objects takes
    features: str | None = None  # "input": the input itself, without a network
    input: Mapping[str, Any] | None = None  # shape, dtype, range
    preprocess: str | None = None  # name of what makes the input
    outputs: Sequence[str] | None = None
    parameters: int | None = None
    rejection: Thresholds | None = None
    user_training: Mapping[str, Any] | None = (
        None  # the samples that a user trained it with, and the version it started from
    )
    data: Sequence[Mapping[str, Any]] | None = None
    metrics: Mapping[str, Any] | None = None
    start: Mapping[str, Any] | None = None  # the version that its training started from
    command: str | None = None
    git_commit: str | None = None
    versions: Mapping[str, str] | None = None  # of Python and libraries
    unknown_fields: Mapping[str, Any] = field(
        default_factory=dict
    )  # fields of another version of this program, as they are

    @classmethod
    def from_json(cls, content: object, where: str, remedy: str) -> "ModelCard":
        """The card in what was read as JSON `where`. Raises ModelError that names the field and ends with `remedy`."""
        if not isinstance(content, dict):
            raise ModelError(f"{where} holds {_shown(content)}, not an object with fields. {remedy}")
        name_of = {_key(one.name): one.name for one in fields(cls) if one.name != "unknown_fields"}
        found = {name: value for name, value in content.items() if name in name_of and value is not None}
        _check(found, where, remedy)
        found["labels"] = tuple(found["labels"])
        if "rejection" in found:
            found["rejection"] = Thresholds(*(float(found["rejection"][one.name]) for one in fields(Thresholds)))
        unknown_fields = {name: value for name, value in content.items() if name not in name_of}
        return cls(**{name_of[name]: value for name, value in found.items()}, unknown_fields=unknown_fields)

    def as_json(self) -> dict[str, Any]:
        """The object that card.json holds."""
        fields_json = {_key(one.name): getattr(self, one.name) for one in fields(self) if one.name != "unknown_fields"}
        fields_json["labels"] = list(self.labels)
        fields_json["rejection"] = asdict(self.rejection) if self.rejection else None
        return {name: value for name, value in fields_json.items() if value is not None} | dict(self.unknown_fields)

    @property
    def input_side(self) -> int | None:
        """Pixels of a side of the picture that it takes; None where the card names no such shape."""
        try:
            return int((self.input or {})["shape"][0])
        except (KeyError, TypeError, IndexError, ValueError):
            return None


def read_card(folder: Path) -> ModelCard:
    """The card of a version. Raises ModelError."""
    path, remedy = folder / CARD, retrain_advice(folder.parent.name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}). {remedy}") from error
    return ModelCard.from_json(content, str(path), remedy)


def write_card(card: ModelCard, folder: Path) -> None:
    text = json.dumps(card.as_json(), indent=1, ensure_ascii=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def _key(name: str) -> str:
    """The field's name in card.json."""
    return KEYS.get(name, name)


def retrain_advice(task: str) -> str:
    return f"Fetch the repository's models/ again, or run: python -m recognizer train {task}"


def _check(found: dict[str, Any], where: str, remedy: str) -> None:
    """Raises ModelError for the first field that is not as CHECKS has it, or for missing labels."""
    for name in ("labels", *found):
        fits, wanted = CHECKS.get(name, (_is_text, "a text"))
        if not fits(found.get(name)):
            actual = f"is {_shown(found[name])}" if name in found else "is missing"
            raise ModelError(f"{where}: {name} {actual}; it should be {wanted}. {remedy}")


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _are_thresholds(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(one.name), int | float) and not isinstance(value[one.name], bool)
        for one in fields(Thresholds)
    )


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {  # of a field's value, and what it should be
    "labels": (lambda value: _is_list_of(value, str), "a list of names"),
    "outputs": (lambda value: _is_list_of(value, str), "a list of texts"),
    "data": (lambda value: _is_list_of(value, dict), "a list of objects"),
    "parameters": (lambda value: isinstance(value, int), "a number"),
    "rejection": (_are_thresholds, "two numbers, min_confidence and max_distance"),
    **dict.fromkeys(("input", "taught", "metrics", "start", "versions"), (_is_object, "an object with fields")),
}
