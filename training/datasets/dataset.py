"""A data set with its split into training, validation and test."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recognizer.errors import DataError
from recognizer.subjects.paper import PAPER


@dataclass(frozen=True, eq=False)
class Images:
    """A labelled data set with its official test set."""

    train_images: np.ndarray  # (N, 28, 28) uint8
    train_labels: np.ndarray  # (N,) int64
    test_images: np.ndarray  # (M, 28, 28) uint8
    test_labels: np.ndarray  # (M,) int64
    source: str  # the file or files that it was read from
    sha256: str  # of that file, or of the files, concatenated in order


def sha256_of(files: list[Path]) -> str:
    """SHA-256, hex, of the files' contents, concatenated in order."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


VALIDATION_SHARE = 0.1  # of the training images, held out to choose the best weights


@dataclass(frozen=True, eq=False)
class Split:
    """Indices, int64, into a data set's training images: those to fit on, and those held out for validation."""

    fitted: np.ndarray
    held_out: np.ndarray


SIDE = 28  # pixels, of grey images
TEST_SHARE = 0.2  # of a folder or table without a test set of its own


ONE_CHANNEL = (SIDE, SIDE, 1)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled images, 0 to 255: grey (28, 28, 1), or BGR (side, side, 3) for larger networks."""

    name: str
    labels: list[str]
    subject: str  # the name of one of SUBJECTS
    train_images: np.ndarray  # (N, side, side, channels) uint8
    train_labels: np.ndarray  # (N,) int64, indices into labels
    test_images: np.ndarray  # (M, side, side, channels) uint8
    test_labels: np.ndarray  # (M,) int64
    source: str  # the file or folder that it was read from
    sha256: str  # of the source's files, or of the images and labels
    # (N,) int64, the person, series or session of each training image; empty if unknown
    train_series: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels


def split_of(data: DataSet, seed: int) -> Split:
    """Hold out VALIDATION_SHARE of the training images of each label. Raises DataError if a label has fewer than two."""
    rng = np.random.default_rng(seed)
    held_out = []
    for index, label in enumerate(data.labels):
        members = rng.permutation(np.flatnonzero(data.train_labels == index))
        if len(members) < 2:
            raise DataError(
                f"{data.name} has {len(data.train_labels)} training pictures for {len(data.labels)} labels, "
                f"{len(members)} of them for {label}. Each label needs two: one for training, one for validation. "
                "Record more, or give a higher --limit."
            )
        held_out.append(members[: max(1, round(VALIDATION_SHARE * len(members)))])
    held_out_rows = np.sort(np.concatenate(held_out))
    return Split(np.setdiff1d(np.arange(len(data.train_labels)), held_out_rows), held_out_rows)


def limited(data: DataSet, limit: int | None, seed: int) -> DataSet:
    """A random subset of at most `limit` training and `limit` test images; all of them if `limit` is None."""
    if limit is None:
        return data
    rng = np.random.default_rng(seed)
    train = rng.permutation(len(data.train_labels))[:limit]
    test = rng.permutation(len(data.test_labels))[:limit]
    return replace(
        data, train_images=data.train_images[train], train_labels=data.train_labels[train],
        test_images=data.test_images[test], test_labels=data.test_labels[test],
        train_series=data.train_series[train] if len(data.train_series) else data.train_series,
    )  # fmt: skip


def stratified(classes: np.ndarray) -> np.ndarray:
    """Test mask (N,) bool: TEST_SHARE of the samples of each class. The same input gives the same mask."""
    rng = np.random.default_rng(0)
    test = np.zeros(len(classes), bool)
    for index in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == index))
        test[members[: max(1, round(TEST_SHARE * len(members)))]] = len(members) > 1
    return test


def split_data_set(
    name: str,
    labels: list[str],
    subject: str,
    images: np.ndarray,
    classes: np.ndarray,
    test: np.ndarray,
    source: str,
    series: np.ndarray | None = None,
) -> DataSet:
    """A data set of images (N, side, side, channels) uint8, whose rows in the mask `test` (N,) bool become the test set.

    `classes` (N,) are indices into `labels`. Raises DataError if the mask selects no image.
    """
    if not test.any():
        raise DataError(f"{source} has one picture for each label, so none is left for testing. Add more.")
    digest = hashlib.sha256(images.tobytes() + classes.tobytes()).hexdigest()
    return DataSet(
        name, labels, subject, images[~test], classes[~test].astype(np.int64),
        images[test], classes[test].astype(np.int64), source, digest,
        np.zeros(0, np.int64) if series is None or not len(series) else series[~test],
    )  # fmt: skip


def grayscale_data_set(name: str, labels: list[str], images: Images, subject: str = PAPER.name) -> DataSet:
    """The grey images as a data set, with a channel axis."""
    return DataSet(
        name, labels, subject, images.train_images[..., None], images.train_labels,
        images.test_images[..., None], images.test_labels, images.source, images.sha256,
    )  # fmt: skip


def stem_of(path: Path) -> str:
    """The file name without its suffixes, such as .csv.gz."""
    return path.name.split(".")[0]
