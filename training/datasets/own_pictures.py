"""The user's own data sets: a CSV file, a folder of pictures, or recorded samples."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import DataError, SamplesError, SourceError
from recognizer.preprocess import pictures as preprocess_pictures
from recognizer.samples.store import Samples
from recognizer.sources.decoding import read_image
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.system.terminal import print_messages
from recognizer.teaching.label_folders import read_label_folders
from training.datasets.dataset import DataSet, split_data_set, stem_of, stratified
from training.datasets.tables import read_table

Row = tuple[Any, str, str, bool]  # a picture, its label, its series, and whether it is for testing


def load_csv(path: Path) -> DataSet:
    """Read a table of labels and 784 grey levels; see `read_table`. TEST_SHARE of each label becomes the test set.

    Raises DataError.
    """
    texts, images = read_table(path)
    labels = sorted(set(texts), key=_numbers_first)
    classes = np.array([labels.index(text) for text in texts], np.int64)
    return split_data_set(stem_of(path), labels, PAPER.name, images[..., None], classes, stratified(classes), str(path))


def _numbers_first(label: str) -> tuple[bool, int, str]:
    """Sorts labels: 2 before 10, and both before words."""
    is_number = label.isascii() and label.isdecimal()
    return not is_number, int(label) if is_number else 0, label


def load_folder(folder: Path, colour_side: int | None = None, subject: str = HAND.name) -> DataSet:
    """Read the pictures in a folder's label folders; see `read_label_folders`.

    The pictures in test/ or validation/ become the test set; without such folders the last series by name. Damaged
    pictures are left out. What is left out is reported on stderr. Raises DataError.
    """
    try:
        found = read_label_folders(folder)
    except SamplesError as error:
        raise DataError(str(error)) from error
    print_messages(found.notes)
    rows = [(picture.path, picture.label, picture.series, picture.for_testing) for picture in found.pictures]
    return _of_pictures(folder.name, rows, folder, colour_side, subject)


def load_captures(store: Samples, task: str, colour_side: int | None = None) -> DataSet:
    """Read the recorded samples of a task. With several sessions, the last one becomes the test set. Raises DataError."""
    name = _task_named(task, [one.name for one in store.tasks()])
    subject = subject_of(store.task(name).subject).in_grey().name
    rows = [(sample, sample.label, sample.session, False) for sample in store.read(name)]
    return _of_pictures(name, rows, Path(f"captures/{name}"), colour_side, subject, store.picture)


def _task_named(task: str, names: list[str]) -> str:
    """`task`, or the only recorded task if it is "". Raises DataError if there is no such task."""
    if task in names:
        return task
    if not task and len(names) == 1:
        return names[0]
    found = f"There are {', '.join('captures/' + name for name in names)}" if names else "Nothing is recorded yet"
    raise DataError(f"{'captures/' + task if task else 'captures'} is not a task with recorded samples. {found}.")


def _of_pictures(
    name: str,
    rows: list[Row],
    source: Path,
    colour_side: int | None,
    subject: str,
    read: Callable[[Any], np.ndarray] = read_image,
) -> DataSet:
    """Build a data set from rows; `read` loads a picture as (h, w, 3) uint8 BGR. Damaged pictures are left out."""
    images, rows = _readable(rows, read, framing(subject, colour_side))
    if not rows:
        raise DataError(f"{source} has no pictures in folders named after labels, such as {source / 'seven'}.")
    labels = sorted({label for _, label, _, _ in rows})
    classes = np.array([labels.index(label) for _, label, _, _ in rows], np.int64)
    series = [name for _, _, name, _ in rows]
    test = np.array([for_testing for _, _, _, for_testing in rows])
    if not 0 < test.sum() < len(test):
        test = _test_rows(series, classes)
    names = sorted(set(series) - {""})
    indices = np.array([names.index(one) for one in series] if "" not in series else [], np.int64)
    return split_data_set(name, labels, subject, np.stack(images), classes, test, str(source), indices)


def _readable(
    rows: list[Row], read: Callable[[Any], np.ndarray], preprocess: Callable[[np.ndarray], np.ndarray]
) -> tuple[list[np.ndarray], list[Row]]:
    """The network inputs of the pictures that can be read, and their rows. The others are reported on stderr."""
    images, kept, notes = [], [], []
    for row in rows:
        try:
            images.append(preprocess(read(row[0])))
        except (SourceError, SamplesError) as error:
            notes.append(f"Left out: {error}")
            continue
        kept.append(row)
    print_messages(notes)
    return images, kept


def _test_rows(series: list[str], classes: np.ndarray) -> np.ndarray:
    """Test mask (N,) bool: the last series, or TEST_SHARE of each label if the other series lack a label."""
    last = np.array([one == max(series) for one in series])
    return last if set(classes[~last]) == set(classes) else stratified(classes)


def framing(subject: str, colour_side: int | None) -> Callable[[np.ndarray], np.ndarray]:
    """The function from a picture (h, w, 3) uint8 BGR to a network input: (28, 28, 1) grey or (side, side, 3) BGR, uint8."""
    if colour_side:
        return lambda picture: preprocess_pictures.colour_image(picture, colour_side)
    return lambda picture: subject_of(subject).grey_image(picture)[..., None]
