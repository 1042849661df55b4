"""The data sets, found where the user keeps them or downloaded with a checksum."""

import gzip
import hashlib
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import AssetError, DataError, DownloadError
from recognizer.system import paths
from recognizer.system.download import download


@dataclass(frozen=True, eq=False)
class Images:
    """A labelled data set with its official test set."""

    train_images: np.ndarray  # (N, 28, 28) uint8
    train_labels: np.ndarray  # (N,) int64
    test_images: np.ndarray  # (M, 28, 28) uint8
    test_labels: np.ndarray  # (M,) int64
    source: str  # the file or files that it was read from
    sha256: str  # of that file, or of the files in order


MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"  # Keras' own file
MNIST_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def has_mnist() -> bool:
    """Whether MNIST is at hand, without fetching it."""
    folders = paths.data_folders()
    return any((f / "mnist.npz").is_file() or all((f / name).is_file() for name in MNIST_IDX) for f in folders)


def load_mnist(*, url: str = MNIST_URL, sha256: str = MNIST_SHA256) -> Images:
    """MNIST: 60,000 training and 10,000 test digits. Looks for `mnist.npz` or the four IDX files, else downloads."""
    for folder in paths.data_folders():
        if (folder / "mnist.npz").is_file():
            return read_mnist_npz(folder / "mnist.npz")
        if all((folder / name).is_file() for name in MNIST_IDX):
            return read_mnist_idx(folder)
    return read_mnist_npz(fetch(url, paths.data() / "mnist.npz", f"sha256:{sha256}"))


def fetch(url: str, path: Path, checksum: str) -> Path:
    """Download a file of a data set, as `download` does. Raises DataError."""
    try:
        return download(url, path, checksum)
    except DownloadError as error:
        raise DataError(f"{error} Try again when online, or put {path.name} into {path.parent}.") from error
    except AssetError as error:
        raise DataError(str(error)) from error


def read_mnist_npz(path: Path) -> Images:
    """Keras' layout: x_train, y_train, x_test, y_test."""
    try:
        with np.load(path) as arrays:
            parts = [arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not MNIST in Keras' layout ({error}). Delete it to download it again.") from error
    return _checked(parts, str(path), [path])


def read_mnist_idx(folder: Path) -> Images:
    """The four gzipped IDX files of the original distribution."""
    files = [folder / name for name in MNIST_IDX]
    train_images, train_labels, test_images, test_labels = (read_idx(file) for file in files)
    return _checked([train_images, train_labels, test_images, test_labels], str(folder), files)


def read_idx(path: Path) -> np.ndarray:
    """An array in IDX format (LeCun et al.), gzipped: uint8 of any rank."""
    try:
        with gzip.open(path) as file:
            content = file.read()
        zero, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        if zero != 0 or kind != 0x08:
            raise ValueError("no IDX header")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzipped IDX file ({error}). Fetch it again.") from error


def _checked(parts: list[np.ndarray], source: str, files: list[Path]) -> Images:
    expected = [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    found = [part.shape for part in parts]
    if found != expected:
        raise DataError(f"{source} is not MNIST: it holds arrays of {found}, and {expected} was expected.")
    train_images, train_labels, test_images, test_labels = parts
    digest = _sha256_of(files)
    return Images(
        train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64), source, digest
    )


SIGN_MNIST_URL = "https://www.kaggle.com/datasets/datamunge/sign-language-mnist"
SIGN_MNIST_SPLITS = ("sign_mnist_train", "sign_mnist_test")
SIGN_MNIST_SIZES = (27455, 7172)
LETTERS = [*"ABCDEFGHIKLMNOPQRSTUVWXY"]  # J and Z need movement
LETTER_CODES = [code for code in range(25) if code != 9]  # Sign Language MNIST's numbers of LETTERS: 9 would be J
SIGN_OF_LETTER = {"A": "rock", "B": "paper", "V": "scissors"}


def load_sign_mnist() -> Images:
    """Sign Language MNIST: 27,455 and 7,172 hands that sign one of LETTERS, the labels being places in LETTERS.

    Each half is a CSV in Kaggle's layout, plain, as .gz or as .zip, or both lie in Kaggle's own archive.zip.
    """
    folders = paths.data_folders()
    for folder in folders:
        found = [_sign_mnist_file(folder, split) for split in SIGN_MNIST_SPLITS]
        if all(found):
            files = [file for file in found if file]
            parts = [read_sign_mnist(file, split) for file, split in zip(files, SIGN_MNIST_SPLITS, strict=True)]
            counts = tuple(len(labels) for _, labels in parts)
            if counts != SIGN_MNIST_SIZES:
                raise DataError(
                    f"Sign Language MNIST in {folder} has {counts} rows, and {SIGN_MNIST_SIZES} were expected. "
                    f"Fetch it again from {SIGN_MNIST_URL}"
                )
            return Images(*parts[0], *parts[1], str(folder), _sha256_of(list(dict.fromkeys(files))))
    raise DataError(
        f"Sign Language MNIST is not in {' or '.join(map(str, folders))}. Put sign_mnist_train.csv and "
        f"sign_mnist_test.csv (or the archive.zip that holds them) there; they are at {SIGN_MNIST_URL}"
    )


def rps_subset(signs: Images) -> Images:
    """The letters A, B and V of Sign Language MNIST as rock, paper and scissors: labels 0, 1 and 2."""
    chosen = [LETTERS.index(letter) for letter in SIGN_OF_LETTER]

    def part(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = np.isin(labels, chosen)
        return images[kept], np.searchsorted(chosen, labels[kept]).astype(np.int64)

    return Images(
        *part(signs.train_images, signs.train_labels),
        *part(signs.test_images, signs.test_labels),
        signs.source,
        signs.sha256,
    )


def read_sign_mnist(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and labels (N,) int64, places in LETTERS, of one half in Kaggle's layout."""
    try:
        lines = _csv_lines(path, f"{split}.csv")[1:]  # without the names of the columns
        if not lines:
            raise ValueError("no rows")
        rows = np.loadtxt(lines, np.int64, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not Sign Language MNIST in Kaggle's layout ({error}). Fetch it again.") from error
    if rows.shape[1] != 785 or not np.isin(rows[:, 0], LETTER_CODES).all() or rows.min() < 0 or rows.max() > 255:
        raise DataError(
            f"{path} is not Sign Language MNIST: each row has a label from 0 to 24 without 9, then 784 grey levels "
            "from 0 to 255. Fetch it again."
        )
    labels = np.searchsorted(LETTER_CODES, rows[:, 0]).astype(np.int64)
    return rows[:, 1:].astype(np.uint8).reshape(-1, 28, 28), labels


def _sign_mnist_file(folder: Path, split: str) -> Path | None:
    names = [f"{split}.csv", f"{split}.csv.gz", f"{split}.csv.zip", f"{split}.zip", "archive.zip"]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _csv_lines(path: Path, name: str) -> list[str]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            inside = next((entry for entry in archive.namelist() if entry.rsplit("/", 1)[-1] == name), None)
            if inside is None:
                raise ValueError(f"no {name} in it")
            content = archive.read(inside)
    else:
        content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return content.decode("utf-8").splitlines()


def _sha256_of(files: list[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
