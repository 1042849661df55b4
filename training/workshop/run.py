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

CONFIDENCE_Z = 1.96  # 95 % of a normal distribution is within this many standard deviations of its mean
METRICS, HISTORY, PREDICTIONS, NETWORK_FILE = "metrics.json", "history.csv", "predictions.npz", "network.keras"


class TrainingError(RecognizerError):
    """A training run failed."""


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def probabilities_of(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """The network's probabilities (N, classes) float32 for pictures (N, …) uint8."""
    outputs = model.predict(images.astype(np.float32), batch_size=256, verbose=0)
    if model.layers[-1].name != "logits":
        return outputs
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


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
            f"{run} is not a finished run ({error}). Train one: python -m recognizer workshop train --data mnist --network cnn"
        ) from error


def child_environment(**changed: str) -> dict[str, str]:
    """The environment in which a child process can run `python -m training` from any folder."""
    path = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **changed}


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a proportion (Wilson 1927), two numbers from 0 to 1."""
    share, z2 = right / total, CONFIDENCE_Z**2
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    half_width = CONFIDENCE_Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(0.0, center - half_width), min(1.0, center + half_width)
