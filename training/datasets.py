"""The data sets, found where the user keeps them or downloaded with a checksum."""

import contextlib
import gzip
import hashlib
import http.client
import os
import struct
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import DataError

ROOT = Path(__file__).resolve().parent.parent


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


def data_folders() -> list[Path]:
    """Where data sets are looked for: the folder that RECOGNIZER_DATA names, then data/."""
    named = os.environ.get("RECOGNIZER_DATA")
    return ([Path(named)] if named else []) + [ROOT / "data"]


def load_mnist(*, url: str = MNIST_URL, sha256: str = MNIST_SHA256) -> Images:
    """MNIST: 60,000 training and 10,000 test digits. Looks for `mnist.npz` or the four IDX files, else downloads."""
    for folder in data_folders():
        if (folder / "mnist.npz").is_file():
            return read_mnist_npz(folder / "mnist.npz")
        if all((folder / name).is_file() for name in MNIST_IDX):
            return read_mnist_idx(folder)
    path = ROOT / "data" / "mnist.npz"
    download(url, path, sha256)
    return read_mnist_npz(path)


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
    paths = [folder / name for name in MNIST_IDX]
    train_images, train_labels, test_images, test_labels = (read_idx(path) for path in paths)
    return _checked([train_images, train_labels, test_images, test_labels], str(folder), paths)


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


def _checked(parts: list[np.ndarray], source: str, paths: list[Path]) -> Images:
    expected = [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    found = [part.shape for part in parts]
    if found != expected:
        raise DataError(f"{source} is not MNIST: it holds arrays of {found}, and {expected} was expected.")
    train_images, train_labels, test_images, test_labels = parts
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    return Images(
        train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64), source, digest
    )


def download(url: str, path: Path, sha256: str) -> None:
    """Fetch a file with progress; it appears under `path` only when it is whole and its checksum is right."""
    part = path.with_name(path.name + ".part")
    print(f"Downloading {url}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with urllib.request.urlopen(url, timeout=30) as response, part.open("wb") as file:
            total = int(response.headers.get("Content-Length") or 0)
            done = 0
            while chunk := response.read(1 << 18):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                print(f"\r  {done / 1e6:.1f} of {total / 1e6:.1f} MB", end="", flush=True)
        print()
        if total and done != total:
            raise DataError(f"{url} broke off after {done} of {total} bytes. Try again.")
        if digest.hexdigest() != sha256:
            raise DataError(
                f"{url} has SHA-256 {digest.hexdigest()[:12]}…, and {sha256[:12]}… was expected. "
                f"Put a good {path.name} into {path.parent}."
            )
        part.replace(path)
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise DataError(
            f"{url} could not be downloaded ({error}). Connect to the internet, or put {path.name} into {path.parent}."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
