"""Settings of each command: frozen dataclasses that validate their values and hold the defaults of the options."""

import shlex
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from recognizer.errors import SettingsError
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.subjects.hands import HAND
from recognizer.system import paths
from training.datasets.augment import LEVELS
from training.networks.image_networks import WORKSHOP
from training.publishing.last_layer import KERAS_NETWORK

NETWORKS = ("linear", "dense-16", "dense-256", "dense-512", "mlp-512x2", "knn", "cnn", "cnn-bn", "vgg16")
TABLE_DATA = ("mnist", "fashion-mnist", "emnist-letters", "sign-mnist", "rps")  # data sets of the workshop's table
TABLE = paths.home() / "training" / "RESULTS.md"
SIGNS_TABLE = paths.home() / "training" / "SIGNS.md"
BACKENDS = ("tensorflow", "torch")
GREY_SUBJECTS = [
    name for name, subject in SUBJECTS.items() if subject.in_grey() is subject
]  # subjects that have grey 28×28 pictures
SIGNS = ("letters", "rps")  # the shipped tasks of hand signs
SIGN_INPUTS = ("pose", "pixels", "fused")  # inputs of a network for hand signs
JOINT_INPUTS = ("pose", "fused")  # those of SIGN_INPUTS with hand joints
LIMITS = {  # lowest and highest value of each hyperparameter
    "rate": (1e-12, float("inf")),  # no upper limit: the loss shows a rate that is too high
    "width": (0.05, 20.0),  # factor
    "augment": (0.0, 1.0),
    "keep": (0.01, 1.0),
}


@dataclass(frozen=True)
class LearnSettings:
    """`learn`: train a task's model on the samples of the task."""

    task: str
    folder: Path | None = field(default=None, metadata={"option": "from"})  # pictures in label/ to import first
    subject: str | None = None  # of SUBJECTS, for a new task; None: detected from the pictures
    fine_tune: bool = False  # fine-tune the whole network
    network: str | None = None  # "vgg16": train hands on their pictures
    backbone: str | None = None  # of keras.applications
    force: bool = False  # publish even if validation rejects the model
    samples: Samples = field(default_factory=default_samples)
    models: ModelStore = field(default_factory=default_models)
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("subject", self.subject, [*SUBJECTS])
        _check_choice("network", self.network, ("vgg16",))

    @property
    def command(self) -> str:
        """The command line that repeats the training."""
        return _command("learn", self.task, *options_of(self, "task", "samples", "models"))


@dataclass(frozen=True)
class DigitsSettings:
    """`train digits`: the shipped digits network."""

    epochs: int = 30  # of all stages together
    scenes: int = 54000  # crops from drawn paper scenes
    start: Path | None = None  # version to fine-tune with the later stages, and to average the weights with
    limit: int | None = None  # number of MNIST's digits
    seed: int = 0
    models: ModelStore = field(default_factory=default_models)
    runs: Path = field(default_factory=paths.runs)

    def __post_init__(self) -> None:
        _check_counts({"epochs": self.epochs, "scenes": self.scenes, "limit": self.limit})
        if self.start and not (self.start / KERAS_NETWORK).is_file():
            raise SettingsError(f"--start {self.start} has no {KERAS_NETWORK}. Name a folder of models/digits.")

    @property
    def command(self) -> str:
        """The command line that repeats the training."""
        return _command("train", "digits", *options_of(self, "models", "runs"))


@dataclass(frozen=True)
class SignsSettings:
    """`train letters` and `train rps`: the shipped hand signs. None for a hyperparameter: the best known value."""

    task: str  # of SIGNS
    kind: str | None = None  # of SIGN_INPUTS; None: all, and the best becomes the current model
    rate: float | None = None  # the highest learning rate
    width: float | None = None  # factor on the width of hidden layers
    augment: float | None = None  # share of the hands that are augmented
    keep: float | None = None  # coverage: share of the right predictions that get a label
    seed: int = 0
    models: ModelStore = field(default_factory=default_models)
    runs: Path = field(default_factory=paths.runs)

    def __post_init__(self) -> None:
        _check_choice("task", self.task, SIGNS)
        _check_choice("kind", self.kind, SIGN_INPUTS)
        tuned = {"rate": self.rate, "width": self.width, "augment": self.augment}
        _check_numbers({**tuned, "keep": self.keep})
        for name, value in tuned.items():
            if value is not None and self.kind not in JOINT_INPUTS:
                raise SettingsError(f"--{name} is for networks that read joints. Add --kind pose or --kind fused.")

    @property
    def command(self) -> str:
        """The command line that repeats the training."""
        return _command("train", self.task, *options_of(self, "task", "models", "runs"))


@dataclass(frozen=True)
class TrainSettings:
    """`workshop train`: one network on one data set. None: the network's default."""

    data: str  # name of a data set, folder of label/picture, or CSV file
    network: str  # of NETWORKS
    backend: str = "tensorflow"  # of BACKENDS
    epochs: int | None = None  # at most
    batch_size: int = 128
    rate: float | None = None
    width: float | None = None  # factor on the width of hidden layers
    keep: float | None = None  # coverage: share of the held-out pictures that get a label
    limit: int | None = None  # number of training pictures, and of test pictures
    augment: str | None = None  # of augment.LEVELS
    seed: int = 0
    subject: str = HAND.name  # of GREY_SUBJECTS
    backbone: str = "VGG16"  # this and the next four are for vgg16
    weights: str = "imagenet"  # or a file
    side: int = 48  # pixels that pictures are scaled to
    copies: int | None = None  # augmented copies of each picture
    fine_tune: int | None = None  # epochs with the last block unfrozen
    models: ModelStore = field(default_factory=default_models)
    runs: Path = field(default_factory=paths.runs)

    def __post_init__(self) -> None:
        _check_choice("network", self.network, NETWORKS)
        _check_choice("backend", self.backend, BACKENDS)
        _check_choice("augment", self.augment, [*LEVELS])
        _check_choice("subject", self.subject, GREY_SUBJECTS)
        _check_counts({"epochs": self.epochs, "batch-size": self.batch_size, "limit": self.limit})
        _check_counts({"copies": self.copies, "fine-tune": self.fine_tune}, least=0)
        _check_numbers({"rate": self.rate, "width": self.width, "keep": self.keep})
        if self.network != "vgg16":
            given = options_of(self)
            for option in ("--backbone", "--weights", "--side", "--copies", "--fine-tune"):
                if option in given:
                    raise SettingsError(f"{option} is for vgg16, and --network is {self.network}.")
        if self.width is not None and self.network not in WORKSHOP:
            raise SettingsError(
                f"--width scales hidden layers, and {self.network} has none that it can scale. Leave it out."
            )

    @property
    def network_name(self) -> str:
        """The name of the network in the names of the run and of its task."""
        return self.backbone.lower() if self.network == "vgg16" else self.network

    @property
    def command(self) -> str:
        """The command line that repeats the run."""
        return _command("workshop", "train", *options_of(self, "models", "runs"))

    def run_folder(self, data: str) -> Path:
        """The run's folder for a data set of that name; a run with --limit has a folder of its own."""
        name = f"{data}-{self.network_name}-{self.seed}" + ("-torch" if self.backend == "torch" else "")
        return self.runs / (name + (f"-limit{self.limit}" if self.limit else ""))


@dataclass(frozen=True)
class TableSettings:
    """`workshop table`: all networks on all data sets."""

    data: Sequence[str] = TABLE_DATA
    networks: Sequence[str] = NETWORKS
    seeds: Sequence[int] = (0,)  # one run per seed
    limit: int | None = None
    epochs: int | None = None  # at most, for every network
    runs: Path = field(default_factory=paths.runs)
    models: ModelStore = field(default_factory=lambda: open_models(paths.runs() / "models"))
    results: Path = TABLE
    write: bool = False  # only write the table from finished runs
    cluster: str | None = None  # address of a Ray head; "": the cluster on this machine; None: no cluster
    cpus: int | None = None  # cores of each run on the cluster; None: all of the smallest machine

    def __post_init__(self) -> None:
        for name in self.data:
            _check_choice("data", name, TABLE_DATA)
        for name in self.networks:
            _check_choice("networks", name, NETWORKS)
        _check_counts({"limit": self.limit, "epochs": self.epochs})


@dataclass(frozen=True)
class SweepSettings:
    """`workshop sweep`: a hyperparameter search."""

    task: str  # of SIGNS, "digits", a data set, a task with samples, or a folder of series/label/picture
    space: Path  # TOML or JSON file with the search space
    trials: int = 16  # at most
    network: str | None = None  # for a data set: one of WORKSHOP
    kind: str = "pose"  # of JOINT_INPUTS, for hand signs
    epochs: int | None = None  # at most, for a data set's network
    limit: int | None = None
    seed: int = 0
    runs: Path = field(default_factory=paths.runs)
    cluster: str = ""  # address of a Ray head; "": the cluster on this machine, else this machine's cores
    cpus: int | None = None  # cores of each trial; None: all of the smallest machine

    def __post_init__(self) -> None:
        _check_choice("network", self.network, tuple(WORKSHOP))
        _check_choice("kind", self.kind, JOINT_INPUTS)
        _check_counts({"trials": self.trials, "epochs": self.epochs, "limit": self.limit})


@dataclass(frozen=True)
class EvaluateSettings:
    """`evaluate`: measure a published model."""

    task: str = "digits"
    folder: Path = Path()  # of photographs, or a video file
    shows: str = ""  # LABEL:FIRST-LAST,… of a video's frames
    mistakes: bool = False  # list the files with a wrong prediction
    each: int = 300  # drawn pictures per category
    seed: int = 1
    sheet: Path | None = None  # file for a contact sheet of the failures
    kind: str | None = None  # of SIGN_INPUTS, for hand signs; None: all
    every: int = 1  # every Nth test picture in the comparison of inputs
    results: Path = SIGNS_TABLE
    models: ModelStore = field(default_factory=default_models)
    runs: Path = field(default_factory=paths.runs)

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, SIGN_INPUTS)
        _check_counts({"each": self.each, "every": self.every})


def options_of(settings: Any, *without: str) -> list[str]:
    """Command-line options for these settings: fields that differ from their default, without the fields `without`."""
    words = []
    for one in fields(settings):
        value = vars(settings)[one.name]
        if one.name in without or (one.default is not MISSING and value == one.default):
            continue
        words.append(f"--{one.metadata.get('option', one.name.replace('_', '-'))}")
        if value is not True:
            words.append(str(value))
    return words


def check_number(name: str, value: float) -> None:
    """Raise SettingsError if the hyperparameter is out of its range."""
    low, high = LIMITS[name]
    if not low <= value <= high:
        raise SettingsError(f"{name} {value:g} is not between {low:g} and {high:g}")


def _command(*words: str) -> str:
    return shlex.join(["python", "-m", "recognizer", *words])


def _check_choice(name: str, value: str | None, choices: Sequence[str]) -> None:
    if value is not None and value not in choices:
        raise SettingsError(f"--{name} {value} is not one of {', '.join(choices)}.")


def _check_counts(counts: dict[str, int | None], least: int = 1) -> None:
    for name, value in counts.items():
        if value is not None and value < least:
            raise SettingsError(f"--{name} {value} is not at least {least}.")


def _check_numbers(numbers: dict[str, float | None]) -> None:
    for name, value in numbers.items():
        if value is not None:
            try:
                check_number(name, value)
            except SettingsError as error:
                raise SettingsError(f"--{error}.") from error
