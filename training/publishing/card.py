"""Writes the files of a model version: the network for Keras and LiteRT, feature statistics, and the card."""

import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.network import NETWORK
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.registry.card import ModelCard, write_card
from recognizer.system import paths

if TYPE_CHECKING:
    import keras

KERAS_NETWORK = "model.keras"  # the same network as NETWORK, for Keras
COMMIT = "RECOGNIZER_COMMIT"


def write_network(whole: "keras.Model", statistics: FeatureStatistics, draft: Path) -> None:
    """Write model.keras without the optimizer's state, model.tflite and features.npz into the folder `draft`."""
    whole.save(draft / KERAS_NETWORK)
    whole.export(draft / NETWORK, format="litert", verbose=False)
    statistics.save(draft / FEATURES)


def write_card_with_origin(card: ModelCard, command: str, draft: Path) -> None:
    """Write the card with the command, the commit and the versions of the libraries."""
    import keras

    card = replace(
        card,
        command=command,
        git_commit=git_commit(),
        versions={"python": platform.python_version(), "keras": keras.__version__, "numpy": np.__version__},
    )
    write_card(card, draft)


def git_commit() -> str:
    """The commit of the code; RECOGNIZER_COMMIT overrides it, for code without a git repository."""
    named = os.environ.get(COMMIT)
    if named:
        return named
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
