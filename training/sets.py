"""Every data set of the workshop in one shape: pictures, labels, and a test set that no fit sees."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from recognizer import preprocess
from recognizer.errors import DataError, SourceError
from recognizer.samples import Samples
from recognizer.sources import PICTURE_SUFFIXES, read_image
from recognizer.system import files, paths
from training import datasets
from training.datasets import LETTERS, SIGN_OF_LETTER, Images, fetch, read_idx

SIDE = 28  # pixels of the small pictures
TEST_SHARE = 0.2  # of a folder or a table that says nothing about which pictures are for testing
DIGITS = [*"0123456789"]
FINDER_CODE = (  # what decides which writing is found, and how it is cut out
    "recognizer/regions/characters.py",
    "recognizer/regions/digits.py",
    "recognizer/regions/ink.py",
    "recognizer/regions/lines.py",
    "recognizer/regions/networks/characters.tflite",
    "recognizer/regions/networks/ink.tflite",
    "recognizer/regions/networks/verifier.tflite",
    "recognizer/regions/points.py",
    "recognizer/regions/verifier.py",
    "recognizer/regions/writing.py",
)
CLOTHES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
CAPITALS = [chr(code) for code in range(ord("A"), ord("Z") + 1)]  # EMNIST letters: both cases of a letter are one class
FASHION_PLACES = ("fashion-mnist", "fashion_mnist")  # in a data folder, where MNIST's files have the same names
SYSTEM_FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
FASHION_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
FASHION_FILES = {  # with the SHA-256 of their content: Debian packs it anew
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
EMNIST_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"
EMNIST_ARCHIVE = "emnist-gzip.zip"
EMNIST_FILES = tuple(
    f"emnist-letters-{part}-{kind}-ubyte.gz" for part in ("train", "test") for kind in ("images-idx3", "labels-idx1")
)
EMNIST_PLACES = (".", "emnist", "emnist-letters", "gzip")
ONE_CHANNEL = (SIDE, SIDE, 1)
KEPT = "{}.set.npz"  # a data set of that name as it is in memory, in a data folder


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled pictures. Small ones are grey (28, 28, 1), those for larger networks colour (side, side, 3) in BGR."""

    name: str
    labels: list[str]
    region: str  # where the camera finds such pictures: "paper" or "hand"
    train_images: np.ndarray  # (N, side, side, channels) uint8
    train_labels: np.ndarray  # (N,) int64, places in labels
    test_images: np.ndarray  # (M, side, side, channels) uint8
    test_labels: np.ndarray  # (M,) int64
    source: str  # the file or folder that it was read from
    sha256: str
    # (N,) int64, by person, series or session; empty where nothing says whose a picture is
    train_series: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels


def load(name: str, colour_side: int | None = None, region: str = "hand") -> DataSet:
    """The data set of that name: one of NAMES, captures/TASK, a folder of label/picture, or a CSV in Kaggle's layout.

    With `colour_side`, pictures of folders and captures come in colour at that many pixels a side. `region` says how
    a folder's pictures are framed: "hand" takes each whole, "paper" looks for the largest writing in it. Raises DataError.
    """
    if name in _LOADERS:
        kept = next((path for folder in paths.data_folders() if (path := folder / KEPT.format(name)).is_file()), None)
        data = read_kept(kept) if kept else _LOADERS[name]()
    elif name == "captures" or name.startswith("captures/"):
        data = load_captures(name.partition("/")[2], colour_side)
    elif Path(name).is_dir():
        data = load_folder(Path(name), colour_side, region)
    elif Path(name).is_file():
        data = load_csv(Path(name))
    else:
        raise DataError(
            f"{name} is no data set, folder or file. Data sets: {', '.join(NAMES)}; or give a folder of label/picture, "
            "or a CSV whose columns are label,pixel1,…,pixel784."
        )
    if len(data.labels) < 2:
        found = data.labels[0] if data.labels else "nothing"
        raise DataError(f"{data.source} shows {found} only, and a network needs two labels to tell apart. Add another.")
    return data


def keep(data: DataSet, folder: Path) -> Path:
    """Write a whole data set into a data folder, where `load` finds it by its name before all others."""
    path = folder / KEPT.format(data.name)
    arrays: dict[str, Any] = {one.name: np.asarray(getattr(data, one.name)) for one in fields(data)}
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def read_kept(path: Path) -> DataSet:
    """What `keep` wrote. Raises DataError."""
    try:
        with np.load(path) as arrays:
            found = {one.name: arrays[one.name] for one in fields(DataSet)}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is no data set that was kept whole ({error}). Delete it.") from error
    return DataSet(**{name: value if value.ndim > 1 or value.dtype == np.int64 else value.tolist()
                      for name, value in found.items()})  # fmt: skip


def limited(data: DataSet, limit: int | None, seed: int) -> DataSet:
    """At most `limit` pictures to learn from and as many to test on, chosen at random, for a quick try."""
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


def load_fashion_mnist() -> DataSet:
    """Fashion-MNIST: 60,000 and 10,000 pieces of clothing (Xiao et al. 2017). Found, or downloaded into data/."""
    for folder in paths.data_folders():
        for name in ("fashion-mnist.npz", "fashion_mnist.npz"):
            if (folder / name).is_file():
                return _of("fashion-mnist", CLOTHES, datasets.read_mnist_npz(folder / name))
    own = paths.data() / "fashion-mnist"
    places = [folder / place for folder in paths.data_folders() for place in FASHION_PLACES]
    for folder in [*places, SYSTEM_FASHION]:
        if all((folder / name).is_file() for name in FASHION_FILES):
            return _of("fashion-mnist", CLOTHES, datasets.read_mnist_idx(folder))
    for name, sha256 in FASHION_FILES.items():
        if not (own / name).is_file():
            fetch(FASHION_URL + name, own / name, f"gunzipped:{sha256}")
    return _of("fashion-mnist", CLOTHES, datasets.read_mnist_idx(own))


def load_emnist_letters() -> DataSet:
    """EMNIST letters: 124,800 and 20,800 handwritten letters (Cohen et al. 2017), upright again. Found or downloaded."""
    places = [folder / place for folder in paths.data_folders() for place in EMNIST_PLACES]
    folder = next((place for place in places if all((place / name).is_file() for name in EMNIST_FILES)), None)
    if folder is None:
        folder = paths.data() / "emnist"
        archives = [place / name for place in places for name in (EMNIST_ARCHIVE, "gzip.zip")]
        archive = next((path for path in archives if path.is_file()), None)
        _unpack_emnist(archive or fetch(EMNIST_URL, folder / EMNIST_ARCHIVE, f"md5:{EMNIST_MD5}"), folder)
    train_images, train_labels, test_images, test_labels = (read_idx(folder / name) for name in EMNIST_FILES)
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != (len(images),) or not len(images):
            raise DataError(f"{folder} holds arrays of {images.shape} and {labels.shape}, not (N, 28, 28) and (N,).")
        if labels.min() < 1 or labels.max() > 26:
            raise DataError(f"{folder} has labels {labels.min()} to {labels.max()}, and 1 to 26 were expected.")
    return DataSet(
        "emnist-letters", CAPITALS, "paper",
        train_images.transpose(0, 2, 1)[..., None], train_labels.astype(np.int64) - 1,
        test_images.transpose(0, 2, 1)[..., None], test_labels.astype(np.int64) - 1,
        str(folder), _digest(*(folder / name for name in EMNIST_FILES)),
    )  # fmt: skip


def _unpack_emnist(archive: Path, folder: Path) -> None:
    """Take the letters out of NIST's archive of all EMNIST sets."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for name in EMNIST_FILES:
                with files.new_file(folder / name) as file:
                    file.write(packed.read(f"gzip/{name}"))
    except (OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{archive} is not NIST's archive of EMNIST ({error}). Delete it to download it again."
        ) from error


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
    test = _stratified(classes)
    return _divided(_stem(path), [str(label) for label in known], "paper", images, classes, test, str(path))


def load_folder(folder: Path, colour_side: int | None = None, region: str = "hand") -> DataSet:
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
    return _of_pictures(folder.name, rows, folder, colour_side, region)


def load_captures(task: str, colour_side: int | None = None) -> DataSet:
    """What the user recorded: the last session is kept for testing where there are several."""
    store = Samples()
    names = [one.name for one in store.tasks()]
    if not names or (task and task not in names) or (not task and len(names) > 1):
        found = f"There are {', '.join('captures/' + name for name in names)}" if names else "Nothing is recorded yet"
        raise DataError(f"{'captures/' + task if task else 'captures'} names no task of recorded samples. {found}.")
    name = task or names[0]
    region = "paper" if store.task(name).region == "paper" else "hand"
    rows = [(sample, sample.label, sample.session) for sample in store.read(name)]
    return _of_pictures(name, rows, Path(f"captures/{name}"), colour_side, region, store.picture)


def _of_pictures(
    name: str,
    rows: list[tuple[Any, str, str]],
    source: Path,
    colour_side: int | None,
    region: str,
    read: Callable[[Any], np.ndarray] = read_image,
) -> DataSet:
    """From (picture, label, series) rows; `read` gives the pixels (h, w, 3) uint8 BGR of a picture."""
    if not rows:
        raise DataError(f"{source} holds no pictures in folders named by label, such as {source / 'seven'}.")
    labels = sorted({label for _, label, _ in rows})
    classes = np.array([labels.index(label) for _, label, _ in rows], np.int64)
    series = [name for _, _, name in rows]
    frame = framing(region, colour_side)
    try:
        images = np.stack([frame(read(picture)) for picture, _, _ in rows])
    except SourceError as error:
        raise DataError(str(error)) from error
    several = len(set(series)) > 1
    test = np.array([one == max(series) for one in series]) if several else _stratified(classes)
    if several and set(classes[~test]) != set(range(len(labels))):
        test = _stratified(classes)  # a series of other labels tests nothing
    names = sorted(set(series) - {""})
    places = np.array([names.index(one) for one in series] if "" not in series else [], np.int64)
    return _divided(name, labels, region, images, classes, test, str(source), places)


def framing(region: str, colour_side: int | None) -> Callable[[np.ndarray], np.ndarray]:
    """How a picture (h, w, 3) uint8 BGR becomes a network's input, (28, 28, 1) or (side, side, 3) uint8."""
    if colour_side:
        return lambda picture: preprocess.colour_image(picture, colour_side)
    if region == "paper":
        return lambda picture: largest_writing(picture)[..., None]
    return lambda picture: preprocess.hand_image(preprocess.colour_image(picture, max(SIDE, min(picture.shape[:2]))))[
        ..., None
    ]


def largest_writing(picture: np.ndarray) -> np.ndarray:
    """The largest character found in a picture (h, w, 3) BGR, framed (28, 28) uint8 as MNIST's; black where none is."""
    from recognizer.regions.writing import writing_in

    regions = writing_in(picture)
    if not regions:
        return np.zeros((SIDE, SIDE), np.uint8)
    return preprocess.mnist_image(max(regions, key=lambda region: region.box.area).crop)


def _stratified(classes: np.ndarray) -> np.ndarray:
    """Which samples (N,) bool are for testing: TEST_SHARE of each class, always the same ones."""
    rng = np.random.default_rng(0)
    test = np.zeros(len(classes), bool)
    for index in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == index))
        test[members[: max(1, round(TEST_SHARE * len(members)))]] = len(members) > 1
    return test


def _divided(
    name: str,
    labels: list[str],
    region: str,
    images: np.ndarray,
    classes: np.ndarray,
    test: np.ndarray,
    source: str,
    series: np.ndarray | None = None,
) -> DataSet:
    if not test.any():
        raise DataError(f"{source} has one picture a label: nothing is left to test on. Add more.")
    digest = hashlib.sha256(images.tobytes() + classes.tobytes()).hexdigest()
    return DataSet(
        name, labels, region, images[~test], classes[~test].astype(np.int64),
        images[test], classes[test].astype(np.int64), source, digest,
        np.zeros(0, np.int64) if series is None or not len(series) else series[~test],
    )  # fmt: skip


def _of(name: str, labels: list[str], images: Images, region: str = "paper") -> DataSet:
    return DataSet(
        name, labels, region, images.train_images[..., None], images.train_labels,
        images.test_images[..., None], images.test_labels, images.source, images.sha256,
    )  # fmt: skip


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _digest(*sources: Path) -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


_LOADERS: dict[str, Callable[[], DataSet]] = {
    "mnist": lambda: _of("mnist", DIGITS, datasets.load_mnist()),
    "fashion-mnist": load_fashion_mnist,
    "emnist-letters": load_emnist_letters,
    "sign-mnist": lambda: _of("sign-mnist", LETTERS, datasets.load_sign_mnist(), "hand"),
    "rps": lambda: _of("rps", [*SIGN_OF_LETTER.values()], datasets.rps_subset(datasets.load_sign_mnist()), "hand"),
}
NAMES = (*_LOADERS, "captures")
