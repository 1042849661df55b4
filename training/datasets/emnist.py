"""EMNIST letters."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from recognizer.errors import DataError
from recognizer.subjects.paper import PAPER
from recognizer.system import files, paths
from training.datasets.dataset import DataSet, sha256_of
from training.datasets.mnist import fetch, read_idx

CAPITALS = [chr(code) for code in range(ord("A"), ord("Z") + 1)]  # one class for both cases of a letter


EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
EMNIST_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"
EMNIST_ARCHIVE = "emnist-gzip.zip"
EMNIST_FILES = tuple(
    f"emnist-letters-{part}-{kind}-ubyte.gz" for part in ("train", "test") for kind in ("images-idx3", "labels-idx1")
)
EMNIST_PLACES = (".", "emnist", "emnist-letters", "gzip")


def load_emnist_letters() -> DataSet:
    """EMNIST letters (Cohen et al. 2017): 124,800 training and 20,800 test images, transposed to stand upright.

    Read from a data folder, or downloaded into one. Raises DataError.
    """
    folder = _folder()
    train_images, train_labels, test_images, test_labels = (read_idx(folder / name) for name in EMNIST_FILES)
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != (len(images),) or not len(images):
            raise DataError(
                f"{folder} is not EMNIST: its arrays are {images.shape} and {labels.shape}, not (N, 28, 28) and (N,)."
            )
        if labels.min() < 1 or labels.max() > 26:
            raise DataError(f"{folder} is not EMNIST: its labels are {labels.min()} to {labels.max()}, not 1 to 26.")
    return DataSet(
        "emnist-letters", CAPITALS, PAPER.name,
        train_images.transpose(0, 2, 1)[..., None], train_labels.astype(np.int64) - 1,
        test_images.transpose(0, 2, 1)[..., None], test_labels.astype(np.int64) - 1,
        str(folder), sha256_of([folder / name for name in EMNIST_FILES]),
    )  # fmt: skip


def _folder() -> Path:
    """The folder with EMNIST_FILES. Unpacks the archive if needed, and downloads it if there is none."""
    places = [folder / place for folder in paths.data_folders() for place in EMNIST_PLACES]
    for place in places:
        if all((place / name).is_file() for name in EMNIST_FILES):
            return place
    folder = paths.data() / "emnist"
    archives = [place / name for place in places for name in (EMNIST_ARCHIVE, "gzip.zip")]
    archive = next((path for path in archives if path.is_file()), None)
    _unpack_emnist(archive or fetch(EMNIST_URL, folder / EMNIST_ARCHIVE, f"md5:{EMNIST_MD5}"), folder)
    return folder


def _unpack_emnist(archive: Path, folder: Path) -> None:
    """Extract the letters from NIST's archive of all EMNIST sets. Raises DataError."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for name in EMNIST_FILES:
                with files.atomic_file(folder / name) as file:
                    file.write(packed.read(f"gzip/{name}"))
    except (OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{archive} is not NIST's archive of EMNIST ({error}). Delete it to download it again."
        ) from error
