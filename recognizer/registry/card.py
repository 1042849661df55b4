"""The card of a model version, and the arrays beside it."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import ModelError


def read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of a model's .npz file. Raises ModelError where it is missing, damaged or lacks one."""
    try:
        with np.load(path) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error


CARD = "card.json"


@dataclass(frozen=True)
class Thresholds:
    """Between an input that gets a label and one that is rejected."""

    min_confidence: float  # 0 to 1, of the likeliest label
    max_distance: float  # Mahalanobis, of its features to the nearest label's


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a version: labels in output order, input, preprocess version, data, command, metrics."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}). {retrain_advice(folder.parent.name)}") from error
    if not isinstance(card, dict) or not isinstance(card.get("labels"), list):
        raise ModelError(f"{path} holds no list of labels. {retrain_advice(folder.parent.name)}")
    return card


def retrain_advice(task: str) -> str:
    return f"Fetch the repository's models/ again, or run: python -m recognizer train {task}"
