"""Reads and writes the folder of a workshop run: metrics, history, predictions."""

import csv
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import DataError, RecognizerError
from recognizer.system import paths
from training.publishing.markdown import write_text

if TYPE_CHECKING:
    import keras

CONFIDENCE_Z = 1.96  # standard deviations that hold 95 % of a normal distribution
METRICS, HISTORY, PREDICTIONS, NETWORK_FILE = "metrics.json", "history.csv", "predictions.npz", "network.keras"


class TrainingError(RecognizerError):
    """A training that failed."""


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def probabilities_of(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """The network's probabilities (N, classes) float32 for pictures (N, …) uint8."""
    answers = model.predict(images.astype(np.float32), batch_size=256, verbose=0)
    if model.layers[-1].name != "logits":
        return answers
    powers = np.exp(answers - answers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def write_history(history: dict[str, list[float]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        writer.writerows([number, *row] for number, row in enumerate(zip(*history.values(), strict=True), start=1))


def write_metrics(run: Path, metrics: dict[str, Any]) -> None:
    write_text(run / METRICS, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")


def read_metrics(run: Path) -> dict[str, Any]:
    """A run's metrics. Raises DataError for a folder that is not a finished run."""
    try:
        metrics = json.loads((run / METRICS).read_text(encoding="utf-8"))
        if isinstance(metrics, dict) and "accuracy" in metrics:
            return metrics
        raise ValueError("no accuracy in it")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{run} is not a finished run ({error}). Train one: python -m recognizer workshop train --data D --network N"
        ) from error


def child_environment(**changed: str) -> dict[str, str]:
    """The environment for `python -m training` from whatever folder this process was started in."""
    path = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **changed}


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a proportion (Wilson 1927), two numbers from 0 to 1."""
    share, z2 = right / total, CONFIDENCE_Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    reach = CONFIDENCE_Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(0.0, middle - reach), min(1.0, middle + reach)
