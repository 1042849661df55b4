"""Reads the arrays that a model stores next to its network."""

import zipfile
from pathlib import Path

import numpy as np

from recognizer.errors import ModelError


def read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """The arrays with these names in a model's .npz file. Raises ModelError if it is missing, damaged or lacks one."""
    try:
        with np.load(path) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error
