"""What every published version has: the network for both worlds, where its features lie, and a card."""

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
    """model.keras without the optimizer's state, model.tflite and features.npz."""
    whole.save(draft / KERAS_NETWORK)
    whole.export(draft / NETWORK, format="litert", verbose=False)
    statistics.save(draft / FEATURES)


def write_card_with_origin(card: ModelCard, command: str, draft: Path) -> None:
    """The card, with the command, code and libraries that made the version."""
    import keras

    card = replace(
        card,
        command=command,
        git_commit=git_commit(),
        versions={"python": platform.python_version(), "keras": keras.__version__, "numpy": np.__version__},
    )
    write_card(card, draft)


def git_commit() -> str:
    """The code's commit, or what the variable COMMIT names where the code came without its repository."""
    named = os.environ.get(COMMIT)
    if named:
        return named
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
