"""Which networks the workshop trains on which data sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recognizer.errors import DataError
from recognizer.system import paths
from training.settings import TableSettings, TrainSettings
from training.workshop.run import read_metrics

TRANSFER = ("sign-mnist", "rps")  # data sets for VGG16; the others are too large for it without a GPU
ON_TORCH = (("mnist", "cnn"),)  # (data set, network) that is also trained on PyTorch, as an example
GOALS = {  # accuracy on the test set, %
    ("mnist", "linear"): 91.5, ("mnist", "dense-16"): 93, ("mnist", "dense-256"): 97.5, ("mnist", "dense-512"): 98,
    ("mnist", "mlp-512x2"): 98, ("mnist", "knn"): 97, ("fashion-mnist", "knn"): 85, ("mnist", "cnn"): 99.2,
    ("fashion-mnist", "cnn"): 91, ("mnist", "cnn-bn"): 99.7, ("fashion-mnist", "cnn-bn"): 93.5,
    ("sign-mnist", "cnn-bn"): 99.9, ("rps", "cnn-bn"): 100, ("sign-mnist", "vgg16"): 99.5, ("rps", "vgg16"): 100,
}  # fmt: skip
EXTRA_SETTINGS: dict[tuple[str, str], dict[str, Any]] = {  # further settings of a run
    # 48 pixels do not show the thumb's position; copies help to recognize the hands of other people
    ("sign-mnist", "vgg16"): {"side": 64, "copies": 3, "fine_tune": 4},
}
VGG16_FILE = "vgg16_imagenet_notop.weights.h5"  # in a data folder; if it is missing, Keras downloads the weights


@dataclass(frozen=True)
class Cell:
    """One run of the table."""

    settings: TrainSettings
    run: Path  # its folder on this machine


def cells_of(names: Iterable[str], table: TableSettings) -> list[Cell]:
    """Every run of the table on these data sets, in the table's order."""
    runs = [
        _settings(name, network, backend, seed, table)
        for name in names
        for seed in table.seeds
        for network, backend in plan(name, table.networks)
    ]
    return [Cell(settings, settings.run_folder(settings.data)) for settings in runs]


def plan(data: str, networks: Sequence[str]) -> list[tuple[str, str]]:
    """(network, backend) of the rows of a data set."""
    rows = [(name, "tensorflow") for name in networks if name != "vgg16" or data in TRANSFER]
    if find_spec("torch"):
        rows += [(network, "torch") for on, network in ON_TORCH if on == data and network in networks]
    return rows


def is_done(run: Path) -> bool:
    try:
        read_metrics(run)
    except DataError:
        return False
    return True


def _settings(data: str, network: str, backend: str, seed: int, table: TableSettings) -> TrainSettings:
    extra = dict(EXTRA_SETTINGS.get((data, network), {}))
    weights = next((folder / VGG16_FILE for folder in paths.data_folders() if (folder / VGG16_FILE).is_file()), None)
    if network == "vgg16" and weights:
        extra["weights"] = str(weights)
    return TrainSettings(
        data,
        network,
        backend,
        epochs=table.epochs,
        limit=table.limit,
        seed=seed,
        models=table.models,
        runs=table.runs,
        **extra,
    )
