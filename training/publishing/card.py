"""Writes the files of a model version: the network for Keras and LiteRT, feature statistics, and the card."""

import contextlib
import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.network import NETWORK
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.errors import ModelError
from recognizer.registry.card import ModelCard, write_card
from recognizer.system import paths
from training.publishing.last_layer import KERAS_NETWORK, LAST_LAYER, last_layer_of

if TYPE_CHECKING:
    import keras

COMMIT = "RECOGNIZER_COMMIT"


def write_network(whole: "keras.Model", statistics: FeatureStatistics, draft: Path) -> None:
    """Write model.keras without the optimizer's state, its last layer, model.tflite and features.npz into `draft`."""
    whole.save(draft / KERAS_NETWORK)
    classes, size = (output.shape[-1] for output in whole.outputs)
    with contextlib.suppress(ModelError):  # another kind of network has no linear last layer
        last_layer_of(draft / KERAS_NETWORK, size, classes).save(draft / LAST_LAYER)
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
    if named or not paths.in_checkout():
        return named or "unknown"
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
