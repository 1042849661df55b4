"""Reads the arrays that a model stores next to its network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.errors import ModelError
from recognizer.system.text import one_line


def read_arrays(path: Path, *names: str, dims: Sequence[int] = ()) -> list[np.ndarray]:
    """The numeric or text arrays with these names in a model's .npz file; `dims` are their numbers of dimensions.

    Raises ModelError if the file is missing or damaged, lacks an array, or has one of another shape.
    """
    try:
        with np.load(path) as arrays:
            found = [arrays[name] for name in names]
        if dims and tuple(array.ndim for array in found) != tuple(dims):
            raise ValueError(f"the shapes are {', '.join(str(array.shape) for array in found)}")
        if any(array.dtype.kind not in "fiubU" for array in found):
            raise ValueError("an array does not hold numbers")
        return found
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds, also MemoryError for a damaged shape
        raise ModelError(
            f"{path} is missing or damaged ({one_line(error)}). Fetch the model again or retrain."
        ) from error
