"""Sign Language MNIST and its rock-paper-scissors subset."""

import gzip
import zipfile
import zlib
from pathlib import Path

import numpy as np

from recognizer.errors import DataError
from recognizer.system import paths
from training.datasets.dataset import Images, sha256_of

SIGN_MNIST_URL = "https://www.kaggle.com/datasets/datamunge/sign-language-mnist"
SIGN_MNIST_SPLITS = ("sign_mnist_train", "sign_mnist_test")
SIGN_MNIST_SIZES = (27455, 7172)
LETTERS = [*"ABCDEFGHIKLMNOPQRSTUVWXY"]  # J and Z need movement
LETTER_CODES = [code for code in range(25) if code != 9]  # label in Sign Language MNIST of each of LETTERS; 9 is J
SIGN_OF_LETTER = {"A": "rock", "B": "paper", "V": "scissors"}


def load_sign_mnist() -> Images:
    """Sign Language MNIST: 27,455 training and 7,172 test hands. Labels are indices into LETTERS.

    Read from two CSV files in Kaggle's layout (plain, .gz or .zip) or from Kaggle's archive.zip. Raises DataError.
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
                    f"Sign Language MNIST in {folder} has {counts} rows, not {SIGN_MNIST_SIZES}. "
                    f"Download it again from {SIGN_MNIST_URL}"
                )
            return Images(*parts[0], *parts[1], str(folder), sha256_of(list(dict.fromkeys(files))))
    raise DataError(
        f"Sign Language MNIST is not in {' or '.join(map(str, folders))}. Put sign_mnist_train.csv and "
        f"sign_mnist_test.csv (or the archive.zip that holds them) there. Download: {SIGN_MNIST_URL}"
    )


def rps_subset(signs: Images) -> Images:
    """The A, B and V of Sign Language MNIST, relabelled 0, 1 and 2: rock, paper and scissors."""
    chosen = [LETTERS.index(letter) for letter in SIGN_OF_LETTER]

    def part(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        is_chosen = np.isin(labels, chosen)
        return images[is_chosen], np.searchsorted(chosen, labels[is_chosen]).astype(np.int64)

    return Images(
        *part(signs.train_images, signs.train_labels),
        *part(signs.test_images, signs.test_labels),
        signs.source,
        signs.sha256,
    )


def read_sign_mnist(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a CSV in Kaggle's layout: images (N, 28, 28) uint8 and labels (N,) int64, indices into LETTERS.

    Raises DataError.
    """
    try:
        lines = _csv_lines(path, f"{split}.csv")[1:]  # the first line names the columns
        if not lines:
            raise ValueError("no rows")
        rows = np.loadtxt(lines, np.int64, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is not Sign Language MNIST in Kaggle's layout ({error}). Download it again."
        ) from error
    if rows.shape[1] != 785 or not np.isin(rows[:, 0], LETTER_CODES).all() or rows.min() < 0 or rows.max() > 255:
        raise DataError(
            f"{path} is not Sign Language MNIST: each row has a label from 0 to 24 without 9, then 784 grey levels "
            "from 0 to 255. Download it again."
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
