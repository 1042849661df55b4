"""Which networks the workshop fits on which data."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from recognizer.errors import DataError
from recognizer.system import paths
from training.workshop.run import read_metrics


@dataclass(frozen=True)
class Cell:
    """One run of the table."""

    data: str
    network: str
    words: tuple[str, ...]  # for training.workshop.train
    run: Path  # its folder on this machine


def cells_of(names: list[str], options: argparse.Namespace) -> list[Cell]:
    """Every run of the table on these data sets, in its order."""
    cells = []
    for name in names:
        for seed in options.seeds:
            seeded = argparse.Namespace(**{**vars(options), "seed": seed})
            for network, backend in plan(name, options.networks):
                words = tuple(words_of(name, network, backend, seeded))
                cells.append(Cell(name, network, words, options.runs / folder_name(name, network, backend, seeded)))
    return cells


DATA = ("mnist", "fashion-mnist", "emnist-letters", "sign-mnist", "rps")
TRANSFER = ("sign-mnist", "rps")  # the others' pictures are too many for VGG16 on a machine without a GPU
ON_TORCH = (("mnist", "cnn"),)  # the row that shows the same script on PyTorch
GOALS = {  # %, on the test set
    ("mnist", "linear"): 91.5, ("mnist", "dense-16"): 93, ("mnist", "dense-256"): 97.5, ("mnist", "dense-512"): 98,
    ("mnist", "mlp-512x2"): 98, ("mnist", "knn"): 97, ("fashion-mnist", "knn"): 85, ("mnist", "cnn"): 99.2,
    ("fashion-mnist", "cnn"): 91, ("mnist", "cnn-bn"): 99.7, ("fashion-mnist", "cnn-bn"): 93.5,
    ("sign-mnist", "cnn-bn"): 99.9, ("rps", "cnn-bn"): 100, ("sign-mnist", "vgg16"): 99.5, ("rps", "vgg16"): 100,
}  # fmt: skip
TOLD = {  # further words to training.workshop.train
    # a thumb's place is lost at 48 pixels, and hands of other people are met by changing those that are there
    ("sign-mnist", "vgg16"): ("--side", "64", "--copies", "3", "--fine-tune", "4"),
}


VGG16_FILE = "vgg16_imagenet_notop.weights.h5"  # in a data folder; else Keras downloads them


def plan(data: str, networks: Sequence[str]) -> list[tuple[str, str]]:
    """(network, backend) of the rows of a data set."""
    rows = [(name, "tensorflow") for name in networks if name != "vgg16" or data in TRANSFER]
    if find_spec("torch"):
        rows += [(network, "torch") for on, network in ON_TORCH if on == data and network in networks]
    return rows


def folder_name(data: str, network: str, backend: str, options: argparse.Namespace) -> str:
    name = f"{data}-{network}-{options.seed}" + ("-torch" if backend == "torch" else "")
    return name + (f"-limit{options.limit}" if options.limit else "")


def is_done(run: Path) -> bool:
    try:
        read_metrics(run)
    except DataError:
        return False
    return True


def words_of(data: str, network: str, backend: str, options: argparse.Namespace) -> list[str]:
    """What training.workshop.train is told for one run."""
    words = ["--data", data, "--network", network, "--backend", backend, "--seed", str(options.seed)]
    words += ["--runs", str(options.runs), "--models", str(options.models), *TOLD.get((data, network), ())]
    for name in ("limit", "epochs"):
        if getattr(options, name):
            words += [f"--{name}", str(getattr(options, name))]
    weights = next((folder / VGG16_FILE for folder in paths.data_folders() if (folder / VGG16_FILE).is_file()), None)
    if network == "vgg16" and weights:
        words += ["--weights", str(weights)]
    return words
