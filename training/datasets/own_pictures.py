"""Data sets of the user's own: a CSV file, folders of pictures, captured samples."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError, SourceError
from recognizer.preprocess import pictures as preprocess_pictures
from recognizer.samples.store import Samples
from recognizer.sources.decoding import PICTURE_SUFFIXES, read_image
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from training.datasets.dataset import ONE_CHANNEL, SIDE, DataSet, split_data_set, stem_of, stratified


def load_csv(path: Path) -> DataSet:
    """A table in Kaggle's layout, plain, .gz or .zip: label, then 784 grey levels a row. A fifth is kept for testing."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as CSV ({' '.join(str(error).split())}).") from error
    pixels = table.columns[1:]
    if table.columns[0] != "label" or len(pixels) != SIDE * SIDE or not len(table):
        raise DataError(
            f"{path} has {len(table)} rows of {len(table.columns)} columns, the first named {table.columns[0]}; "
            "expected were label, then 784 grey levels."
        )
    try:
        grey = table[pixels].to_numpy(np.int64)
    except ValueError as error:
        raise DataError(f"{path} holds pixels that are no whole numbers ({error}).") from error
    if grey.min() < 0 or grey.max() > 255:
        raise DataError(f"{path} has pixels from {grey.min()} to {grey.max()}, and 0 to 255 were expected.")
    named = table["label"].to_numpy()
    known, classes = np.unique(named, return_inverse=True)
    images = grey.astype(np.uint8).reshape(-1, *ONE_CHANNEL)
    test = stratified(classes)
    return split_data_set(stem_of(path), [str(label) for label in known], PAPER.name, images, classes, test, str(path))


def load_folder(folder: Path, colour_side: int | None = None, subject: str = HAND.name) -> DataSet:
    """Pictures in label/, or in series/label/: then the last series, by name, is kept for testing.

    train/label/ and test/label/ are two such series.
    """
    pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    rows = []
    for path in pictures:
        parts = path.relative_to(folder).parts
        if len(parts) < 2:
            raise DataError(f"{path} is in no folder named by its label, such as {folder / 'seven' / path.name}.")
        rows.append((path, parts[-2], parts[-3] if len(parts) > 2 else ""))
    return _of_pictures(folder.name, rows, folder, colour_side, subject)


def load_captures(store: Samples, task: str, colour_side: int | None = None) -> DataSet:
    """What the user recorded: the last session is kept for testing where there are several."""
    name = _task_named(task, [one.name for one in store.tasks()])
    subject = subject_of(store.task(name).subject).in_grey().name
    rows = [(sample, sample.label, sample.session) for sample in store.read(name)]
    return _of_pictures(name, rows, Path(f"captures/{name}"), colour_side, subject, store.picture)


def _task_named(task: str, names: list[str]) -> str:
    """The task, or without a name the only one that there is. Raises DataError."""
    if task in names:
        return task
    if not task and len(names) == 1:
        return names[0]
    found = f"There are {', '.join('captures/' + name for name in names)}" if names else "Nothing is recorded yet"
    raise DataError(f"{'captures/' + task if task else 'captures'} names no task of recorded samples. {found}.")


def _of_pictures(
    name: str,
    rows: list[tuple[Any, str, str]],
    source: Path,
    colour_side: int | None,
    subject: str,
    read: Callable[[Any], np.ndarray] = read_image,
) -> DataSet:
    """From (picture, label, series) rows; `read` gives the pixels (h, w, 3) uint8 BGR of a picture."""
    if not rows:
        raise DataError(f"{source} holds no pictures in folders named by label, such as {source / 'seven'}.")
    labels = sorted({label for _, label, _ in rows})
    classes = np.array([labels.index(label) for _, label, _ in rows], np.int64)
    series = [name for _, _, name in rows]
    frame = framing(subject, colour_side)
    try:
        images = np.stack([frame(read(picture)) for picture, _, _ in rows])
    except SourceError as error:
        raise DataError(str(error)) from error
    test = _test_rows(series, classes)
    names = sorted(set(series) - {""})
    places = np.array([names.index(one) for one in series] if "" not in series else [], np.int64)
    return split_data_set(name, labels, subject, images, classes, test, str(source), places)


def _test_rows(series: list[str], classes: np.ndarray) -> np.ndarray:
    """Which pictures (N,) bool are for testing: the last series, or a share of all where the others lack one of the labels."""
    last = np.array([one == max(series) for one in series])
    return last if set(classes[~last]) == set(classes) else stratified(classes)


def framing(subject: str, colour_side: int | None) -> Callable[[np.ndarray], np.ndarray]:
    """How a picture (h, w, 3) uint8 BGR becomes a network's input, (28, 28, 1) or (side, side, 3) uint8."""
    if colour_side:
        return lambda picture: preprocess_pictures.colour_image(picture, colour_side)
    return lambda picture: subject_of(subject).grey_image(picture)[..., None]
