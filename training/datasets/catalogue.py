"""Load any data set by name as a DataSet: images, labels and a separate test set."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError
from recognizer.samples.store import Samples
from recognizer.subjects.hands import HAND
from recognizer.system import paths
from training.datasets import mnist, sign_mnist
from training.datasets.dataset import DataSet, grayscale_data_set
from training.datasets.emnist import load_emnist_letters
from training.datasets.fashion_mnist import load_fashion_mnist
from training.datasets.own_pictures import load_captures, load_csv, load_folder
from training.datasets.sign_mnist import LETTERS, SIGN_OF_LETTER

DIGITS = [*"0123456789"]
FINDER_CODE = (  # the files that determine which characters are found and how they are cropped
    "recognizer/finders/characters.py",
    "recognizer/finders/contrast.py",
    "recognizer/finders/ink.py",
    "recognizer/finders/paper_lines.py",
    "recognizer/finders/networks/characters.tflite",
    "recognizer/finders/networks/ink.tflite",
    "recognizer/finders/networks/verifier.tflite",
    "recognizer/finders/points.py",
    "recognizer/finders/verifier.py",
    "recognizer/finders/writing.py",
)


STORED_FIELD_NAMES = {"subject": "region"}  # fields that have another name in the stored file
STORED_FILE = "{}.set.npz"  # file name, in a data folder, of a stored data set of that name


def load(name: str, samples: Samples, colour_side: int | None = None, subject: str = HAND.name) -> DataSet:
    """Load the data set `name`: one of NAMES, captures/TASK, a folder of label/picture, or a table; see `read_table`.

    `samples` holds the recorded samples. With `colour_side`, images of folders and captures are BGR with that many pixels a
    side; otherwise they are grey, 28x28. `subject` is what a folder's pictures show; it selects the preprocessing.
    Raises DataError if the data is missing, unreadable or has fewer than two labels.
    """
    data = _read(name, samples, colour_side, subject)
    if len(data.labels) < 2:
        found = data.labels[0] if data.labels else "nothing"
        raise DataError(f"{data.source} has one label only ({found}). Training needs two or more. Add another label.")
    return data


def _read(name: str, samples: Samples, colour_side: int | None, subject: str) -> DataSet:
    if name in _LOADERS:
        stored = next(
            (path for folder in paths.data_folders() if (path := folder / STORED_FILE.format(name)).is_file()), None
        )
        return read_stored(stored) if stored else _LOADERS[name]()
    if name == "captures" or name.startswith("captures/"):
        return load_captures(samples, name.partition("/")[2], colour_side)
    if Path(name).is_dir():
        return load_folder(Path(name), colour_side, subject)
    if Path(name).is_file():
        return load_csv(Path(name))
    raise DataError(
        f"{name} is not a data set, folder or file. Data sets: {', '.join(NAMES)}; or give a folder of label/picture, "
        "or a CSV whose columns are label,pixel1,…,pixel784."
    )


def store(data: DataSet, folder: Path) -> Path:
    """Write a data set into a data folder and return the file. `load` prefers this file to the original source."""
    path = folder / STORED_FILE.format(data.name)
    arrays: dict[str, Any] = {
        STORED_FIELD_NAMES.get(one.name, one.name): np.asarray(getattr(data, one.name)) for one in fields(data)
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def read_stored(path: Path) -> DataSet:
    """Read a data set that `store` wrote. Raises DataError if the file is damaged."""
    try:
        with np.load(path) as arrays:
            found = {one.name: arrays[STORED_FIELD_NAMES.get(one.name, one.name)] for one in fields(DataSet)}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or incomplete ({error}). Delete it.") from error
    return DataSet(**{name: value if value.ndim > 1 or value.dtype == np.int64 else value.tolist()
                      for name, value in found.items()})  # fmt: skip


_LOADERS: dict[str, Callable[[], DataSet]] = {
    "mnist": lambda: grayscale_data_set("mnist", DIGITS, mnist.load_mnist()),
    "fashion-mnist": load_fashion_mnist,
    "emnist-letters": load_emnist_letters,
    "sign-mnist": lambda: grayscale_data_set("sign-mnist", LETTERS, sign_mnist.load_sign_mnist(), HAND.name),
    "rps": lambda: grayscale_data_set(
        "rps", [*SIGN_OF_LETTER.values()], sign_mnist.rps_subset(sign_mnist.load_sign_mnist()), HAND.name
    ),
}
NAMES = (*_LOADERS, "captures")
