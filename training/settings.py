"""What a training is to do: frozen, validated when it is made. What an option is when it is left out stands here."""

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
from training.publishing.card import KERAS_NETWORK

NETWORKS = ("linear", "dense-16", "dense-256", "dense-512", "mlp-512x2", "knn", "cnn", "cnn-bn", "vgg16")
TABLE_DATA = ("mnist", "fashion-mnist", "emnist-letters", "sign-mnist", "rps")  # of the workshop's table
TABLE = paths.ROOT / "training" / "RESULTS.md"
SIGNS_TABLE = paths.ROOT / "training" / "SIGNS.md"
BACKENDS = ("tensorflow", "torch")
GREY_SUBJECTS = [
    name for name, subject in SUBJECTS.items() if subject.in_grey() is subject
]  # how a picture becomes small and grey
SIGNS = ("letters", "rps")  # the shipped tasks of hand signs
SIGN_INPUTS = ("pose", "pixels", "fused")  # what a network of hand signs sees
JOINT_INPUTS = ("pose", "fused")  # those of KINDS that see joints
LIMITS = {  # of the numbers that a training can be tuned by
    "rate": (1e-12, float("inf")),  # what is too high shows in the loss
    "width": (0.05, 20.0),  # times as wide
    "augment": (0.0, 1.0),
    "keep": (0.01, 1.0),
}


@dataclass(frozen=True)
class LearnSettings:
    """A task's model, from the samples of the task."""

    task: str
    folder: Path | None = field(default=None, metadata={"option": "from"})  # label/picture files to add first
    subject: str | None = None  # of SUBJECTS, of a new task; None: found out from the pictures
    fine_tune: bool = False  # fine-tune the whole network
    network: str | None = None  # "vgg16": learn hands from their pictures
    backbone: str | None = None  # of keras.applications
    force: bool = False  # publish what did no better, too
    samples: Samples = field(default_factory=default_samples)
    models: ModelStore = field(default_factory=default_models)
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("subject", self.subject, [*SUBJECTS])
        _check_choice("network", self.network, ("vgg16",))

    @property
    def command(self) -> str:
        """What repeats the training."""
        return _command("learn", self.task, *options_of(self, "task", "samples", "models"))


@dataclass(frozen=True)
class DigitsSettings:
    """The network of digits that ships."""

    epochs: int = 30  # of all stages together
    scenes: int = 54000  # crops from drawn paper scenes
    start: Path | None = None  # a version to go on from with the later stages, and to mix with
    limit: int | None = None  # of MNIST's digits
    seed: int = 0
    models: ModelStore = field(default_factory=default_models)
    runs: Path = field(default_factory=paths.runs)

    def __post_init__(self) -> None:
        _check_counts({"epochs": self.epochs, "scenes": self.scenes, "limit": self.limit})
        if self.start and not (self.start / KERAS_NETWORK).is_file():
            raise SettingsError(f"--start {self.start} has no {KERAS_NETWORK}. Name a folder of models/digits.")

    @property
    def command(self) -> str:
        """What repeats the training."""
        return _command("train", "digits", *options_of(self, "models", "runs"))


@dataclass(frozen=True)
class SignsSettings:
    """The networks of letters, or of rock, paper, scissors, that ship. The numbers are None where the best known is taken."""

    task: str  # of SIGNS
    kind: str | None = None  # of KINDS; None: all, and the best becomes current
    rate: float | None = None  # the highest learning rate
    width: float | None = None  # hidden layers that many times as wide
    augment: float | None = None  # share of the hands that are shown changed
    keep: float | None = None  # share of right readings that get a label
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
                raise SettingsError(f"--{name} is of joints: add --kind pose or --kind fused.")

    @property
    def command(self) -> str:
        """What repeats the training."""
        return _command("train", self.task, *options_of(self, "task", "models", "runs"))


@dataclass(frozen=True)
class TrainSettings:
    """A run of the workshop: one network on one data set. None: as the network needs it."""

    data: str  # a data set's name, a folder of label/picture, or a CSV
    network: str  # of NETWORKS
    backend: str = "tensorflow"  # of BACKENDS
    epochs: int | None = None  # at most
    batch_size: int = 128
    rate: float | None = None
    width: float | None = None  # hidden layers that many times as wide
    keep: float | None = None  # share of held-out pictures that get a label
    limit: int | None = None  # pictures to learn from, and as many to test on
    augment: str | None = None  # of augment.LEVELS
    seed: int = 0
    subject: str = HAND.name  # of FRAMED
    backbone: str = "VGG16"  # this and what follows is of vgg16
    weights: str = "imagenet"  # or a file
    side: int = 48  # pixels that pictures are scaled to
    copies: int | None = None  # changed ones of each picture
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
                f"--width is of hidden layers, and {self.network} has none that could be wider. Leave it out."
            )

    @property
    def network_name(self) -> str:
        """As the run and the task are called."""
        return self.backbone.lower() if self.network == "vgg16" else self.network

    @property
    def command(self) -> str:
        """What repeats the run."""
        return _command("workshop", "train", *options_of(self, "models", "runs"))

    def run_folder(self, data: str) -> Path:
        """Where the run on the data set of that name is; a quick try leaves the whole run alone."""
        name = f"{data}-{self.network_name}-{self.seed}" + ("-torch" if self.backend == "torch" else "")
        return self.runs / (name + (f"-limit{self.limit}" if self.limit else ""))


@dataclass(frozen=True)
class TableSettings:
    """The workshop's whole table: runs of all networks on all data sets."""

    data: Sequence[str] = TABLE_DATA
    networks: Sequence[str] = NETWORKS
    seeds: Sequence[int] = (0,)  # a run of each
    limit: int | None = None
    epochs: int | None = None  # at most, for every network
    runs: Path = field(default_factory=paths.runs)
    models: ModelStore = field(default_factory=lambda: open_models(paths.runs() / "models"))
    results: Path = TABLE
    write: bool = False  # train nothing
    cluster: str | None = None  # a Ray head's address, "" for the one that runs here; None: without a cluster
    cpus: int | None = None  # cores of each run on the cluster; None: all of the smallest machine

    def __post_init__(self) -> None:
        for name in self.data:
            _check_choice("data", name, TABLE_DATA)
        for name in self.networks:
            _check_choice("networks", name, NETWORKS)
        _check_counts({"limit": self.limit, "epochs": self.epochs})


@dataclass(frozen=True)
class SweepSettings:
    """A search of a training's numbers."""

    task: str  # of SIGNS, "digits", a data set, a task with samples, or a folder of series/label/picture
    space: Path  # what is searched: TOML or JSON
    trials: int = 16  # at most
    network: str | None = None  # of a data set: one of plain.WORKSHOP
    kind: str = "pose"  # of OF_JOINTS, of hand signs
    epochs: int | None = None  # at most, of a data set's network
    limit: int | None = None
    seed: int = 0
    runs: Path = field(default_factory=paths.runs)
    cluster: str = ""  # a Ray head's address; "": the cluster that runs here, else this machine's cores
    cpus: int | None = None  # cores of each trial; None: all of the smallest machine

    def __post_init__(self) -> None:
        _check_choice("network", self.network, tuple(WORKSHOP))
        _check_choice("kind", self.kind, JOINT_INPUTS)
        _check_counts({"trials": self.trials, "epochs": self.epochs, "limit": self.limit})


@dataclass(frozen=True)
class EvaluateSettings:
    """A measurement of a published model."""

    task: str = "digits"
    folder: Path = Path()  # of photographs, or a video file
    shows: str = ""  # LABEL:FIRST-LAST,… of a video's frames
    mistakes: bool = False  # list the files that were read wrong
    each: int = 300  # drawn pictures of each kind
    seed: int = 1
    sheet: Path | None = None  # where a picture of the failures goes
    kind: str | None = None  # of KINDS, of hand signs; None: all
    every: int = 1  # each such test picture of the table of kinds
    results: Path = SIGNS_TABLE
    models: ModelStore = field(default_factory=default_models)
    runs: Path = field(default_factory=paths.runs)

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, SIGN_INPUTS)
        _check_counts({"each": self.each, "every": self.every})


def options_of(settings: Any, *without: str) -> list[str]:
    """The words that make these settings again, less the fields `without`: what differs from its default."""
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
    """Raises SettingsError where the number is out of the option's range."""
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
