"""MNIST, read from a data folder or downloaded with a checksum, and readers of its file formats."""

import gzip
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from recognizer.errors import AssetError, DataError, DownloadError
from recognizer.system import paths
from recognizer.system.download import download
from training.datasets.dataset import Images, sha256_of

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"  # Keras' own file
MNIST_IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def has_mnist() -> bool:
    """Whether MNIST is in a data folder. Downloads nothing."""
    folders = paths.data_folders()
    return any((f / "mnist.npz").is_file() or all((f / name).is_file() for name in MNIST_IDX) for f in folders)


def load_mnist(*, url: str = MNIST_URL, sha256: str = MNIST_SHA256) -> Images:
    """MNIST: 60,000 training and 10,000 test digits, from `mnist.npz` or four IDX files, else downloaded.

    Raises DataError.
    """
    for folder in paths.data_folders():
        if (folder / "mnist.npz").is_file():
            return read_mnist_npz(folder / "mnist.npz")
        if all((folder / name).is_file() for name in MNIST_IDX):
            return read_mnist_idx(folder)
    return read_mnist_npz(fetch(url, paths.data() / "mnist.npz", f"sha256:{sha256}"))


def fetch(url: str, path: Path, checksum: str) -> Path:
    """Download a file of a data set to `path`, verify its checksum and return it. Raises DataError."""
    try:
        return download(url, path, checksum)
    except DownloadError as error:
        raise DataError(f"{error} Try again when online, or put {path.name} into {path.parent}.") from error
    except AssetError as error:
        raise DataError(str(error)) from error


def read_mnist_npz(path: Path) -> Images:
    """Read MNIST from an npz in Keras' layout: x_train, y_train, x_test, y_test. Raises DataError."""
    try:
        with np.load(path) as arrays:
            parts = [arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not MNIST in Keras' layout ({error}). Delete it to download it again.") from error
    return _checked(parts, str(path), [path])


def read_mnist_idx(folder: Path) -> Images:
    """Read MNIST from the four gzipped IDX files of the original distribution. Raises DataError."""
    files = [folder / name for name in MNIST_IDX]
    train_images, train_labels, test_images, test_labels = (read_idx(file) for file in files)
    return _checked([train_images, train_labels, test_images, test_labels], str(folder), files)


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file (LeCun et al.): uint8 of any rank. Raises DataError."""
    try:
        with gzip.open(path) as file:
            content = file.read()
        zero, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        if zero != 0 or kind != 0x08:
            raise ValueError("no IDX header")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is not a complete gzipped IDX file ({error}). Download it again.") from error


def _checked(parts: list[np.ndarray], source: str, files: list[Path]) -> Images:
    expected = [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    found = [part.shape for part in parts]
    if found != expected:
        raise DataError(f"{source} is not MNIST: it holds arrays of {found}, not {expected}. Download its files again.")
    train_images, train_labels, test_images, test_labels = parts
    digest = sha256_of(files)
    return Images(
        train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64), source, digest
    )
