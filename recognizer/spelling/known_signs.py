"""How the signs of a task are made: from a table for the shipped tasks, from the samples' joints for the user's own."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.errors import RecognizerError
from recognizer.samples.sample import NOTHING
from recognizer.samples.store import Samples
from recognizer.spelling.shapes import HandShape, KnownSign, known_sign, shape_of
from recognizer.studio.drawn_hands import bones_of_sign

TABLE = Path(__file__).with_name("known_signs.json")  # written by: python -m training shapes
DECIMALS = 3
FISTS = ("A", "S")  # letters whose thumb the joints' network puts inside the fist: the studio's own drawing is clearer
NEWEST = 100  # samples of a label: enough for a mean

Signs = Mapping[str, KnownSign]


def signs_of(task: str, samples: Samples) -> dict[str, KnownSign]:
    """Each label of a task whose sign is known; {} if there are none, as for paper."""
    return _signs_of_samples(task, samples) | shipped_signs().get(task, {})


def _signs_of_samples(task: str, samples: Samples) -> dict[str, KnownSign]:
    try:
        rows = samples.read(task)
    except RecognizerError:  # the task has no samples
        return {}
    hands: dict[str, list[HandShape]] = {}
    for sample in rows:
        if sample.hand is not None and sample.label != NOTHING:
            hands.setdefault(sample.label, []).append(shape_of(sample.hand))
    return {label: known_sign(shapes[-NEWEST:]) for label, shapes in hands.items()}


def shipped_signs() -> dict[str, dict[str, KnownSign]]:
    """The signs of the shipped tasks, by task and label."""
    content = json.loads(TABLE.read_text(encoding="utf-8"))
    tasks = {
        task: {label: _from_numbers(numbers) for label, numbers in signs.items()}
        for task, signs in content["tasks"].items()
    }
    letters = tasks.get("letters", {})
    drawn = {
        label: replace(letters[label], drawing=HandShape(*bones_of_sign(label))) for label in FISTS if label in letters
    }
    return {**tasks, "letters": {**letters, **drawn}}


def write_table(path: Path, about: str, tasks: Mapping[str, Signs]) -> None:
    """Write the signs of the shipped tasks, a line a sign. `about` says where they come from."""
    lines = []
    for task, signs in tasks.items():
        rows = ",\n".join(f"   {json.dumps(label)}: {json.dumps(_as_numbers(sign))}" for label, sign in signs.items())
        lines.append(f"  {json.dumps(task)}: {{\n{rows}\n  }}")
    text = f'{{\n "about": {json.dumps(about)},\n "tasks": {{\n' + ",\n".join(lines) + "\n }\n}\n"
    path.write_text(text, encoding="utf-8")


def _as_numbers(sign: KnownSign) -> dict[str, list[float]]:
    parts = {"bones": sign.shape.bones, "turn": sign.shape.turn, "spread": sign.spread}
    return {name: np.round(part, DECIMALS).ravel().tolist() for name, part in parts.items()}


def _from_numbers(numbers: Mapping[str, list[float]]) -> KnownSign:
    shape = HandShape(np.reshape(numbers["bones"], (5, 3, 3)), np.reshape(numbers["turn"], (3, 3)))
    return KnownSign(shape, np.array(numbers["spread"]))
