"""The starting point of a training run: a model version whose labels the new model also recognizes, or a feature extractor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import INPUT, Head
from recognizer.classifiers.label_changes import KNOWLEDGE
from recognizer.classifiers.network import NETWORK, Network
from recognizer.classifiers.rejection import Rejection
from recognizer.errors import ModelError, SettingsError
from recognizer.preprocess import appearance, pose
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import Task
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from recognizer.system.names import path_inside
from training.datasets.mnist import has_mnist, load_mnist
from training.networks.backbones import SIDE, backbone_file
from training.settings import LearnSettings
from training.user_tasks import hand_feature_extractor, linear_head
from training.user_tasks.feature_replay import FeatureDistributions
from training.user_tasks.sample_inputs import SampleInputs, features_of

REAL = 2000  # MNIST digits, if MNIST is installed: all of them would take longer than the training
DIGITS = [*"0123456789"]

ReportProgress = Callable[..., None]


@dataclass(frozen=True, eq=False)
class StartingPoint:
    """Feature extractor, head and statistics from which the new head is fitted."""

    input: Mapping[str, Any]  # the card's description of the input
    file: Path | None = None  # the feature extractor; None: the inputs are the features
    network: Classifier | Network | None = None
    folder: Path | None = None  # the version whose labels are kept; None for a new task
    labels: Sequence[str] = ()
    head: Head | None = None  # over these labels
    distributions: FeatureDistributions | None = None
    rejection: Rejection | None = None
    known_before: float | None = None  # accuracy on its labels before the network was fine-tuned


def current_version(models: ModelStore, task: Task) -> Path | None:
    """The folder of the task's current version, None if it has none. Raises ModelError if it has another subject."""
    if task.name not in models.tasks():
        return None
    folder = models.current(task.name)
    subject = card.read_card(folder).subject
    if subject != task.subject:
        raise ModelError(
            f"The model of {task.name} reads the subject {subject}, and its samples show the subject {task.subject}. "
            "Record the samples in another task."
        )
    return folder


def uses_colour_pictures(task: Task, current: Path | None, settings: LearnSettings) -> bool:
    """Whether the task is trained on its colour pictures. Raises SettingsError if this is requested for ink."""
    subject = subject_of(task.subject)
    requested = settings.network is not None or settings.backbone is not None
    if requested and subject.input is Input.INK:
        raise SettingsError(f"{task.name} shows ink on paper, which has no colour: leave out --network and --backbone.")
    was_before = current is not None and card.read_card(current).kind == "colour"
    return requested or was_before or subject.input is Input.COLOUR


def starting_point_of(
    settings: LearnSettings,
    task: Task,
    sample_inputs: SampleInputs,
    current: Path | None,
    report_progress: ReportProgress = lambda *_: None,
) -> StartingPoint:
    """The starting point of the new head. Raises SettingsError and ModelError.

    This is the task's version before user training if the samples cover the labels added since then, else its current
    version, else a feature extractor.
    """
    version = _version_to_extend(settings.models, task, sample_inputs, current)
    if version is not None:
        return _start_from_version(version, sample_inputs)
    return STARTING_POINT_OF_INPUT[sample_inputs.input_kind](settings, task, sample_inputs, report_progress)


def _backbone(
    settings: LearnSettings, task: Task, sample_inputs: SampleInputs, report_progress: ReportProgress
) -> StartingPoint:
    """A backbone that was trained on ImageNet."""
    name, path = backbone_file(settings.backbone, settings.models, lambda line: report_progress(line, 0.0))
    shape = {"shape": [SIDE, SIDE, 3], "dtype": "float32", "range": [0, 255], "colours": "BGR"}
    return StartingPoint({**shape, "backbone": name}, path, Network(path))


def _new_signs(
    settings: LearnSettings, task: Task, sample_inputs: SampleInputs, report_progress: ReportProgress
) -> StartingPoint:
    """The feature extractor for new hand tasks. Raises ModelError if it is missing."""
    extractor = hand_feature_extractor.newest(settings.models)
    if extractor is None:
        raise ModelError(
            f"{settings.models.folder / hand_feature_extractor.TASK} has no {hand_feature_extractor.FILE}. "
            f"Train it: {hand_feature_extractor.TRAIN}"
        )
    card.read_checked_card(extractor.parent)
    return StartingPoint({"shape": [pose.SIZE + appearance.SIZE], "dtype": "float32"}, extractor, Network(extractor))


def _joints(
    settings: LearnSettings, task: Task, sample_inputs: SampleInputs, report_progress: ReportProgress
) -> StartingPoint:
    """No feature extractor: the joints are the features."""
    return StartingPoint({"shape": [pose.SIZE], "dtype": "float32"})


def _shipped_network(
    settings: LearnSettings, task: Task, sample_inputs: SampleInputs, report_progress: ReportProgress
) -> StartingPoint:
    """The feature extractor of the subject's shipped task, without its labels."""
    shipped = subject_of(task.subject).starting_task
    assert shipped is not None, "a subject with ink as input names a shipped task"
    folder = settings.models.current(shipped)
    network = Classifier(folder, sample_inputs.preprocess)
    return StartingPoint(network.card.input or {}, folder / NETWORK, network)


STARTING_POINT_OF_INPUT: dict[
    str | None, Callable[[LearnSettings, Task, SampleInputs, ReportProgress], StartingPoint]
] = {  # by SampleInputs.input_kind, for a task without labels to keep
    "colour": _backbone,
    "fused": _new_signs,
    "pose": _joints,
    None: _shipped_network,
}


def _version_to_extend(
    models: ModelStore, task: Task, sample_inputs: SampleInputs, current: Path | None
) -> Path | None:
    """The version whose labels are kept, None if there is none. Raises SettingsError if labels would be lost."""
    if current is None:
        return None
    current_card, recorded = card.read_card(current), {row.label for row in sample_inputs.samples}
    if sample_inputs.input_kind == "colour" and current_card.kind != "colour":
        missing = set(current_card.labels) - recorded
        if missing:
            raise SettingsError(
                f"--network and --backbone train {task.name} on pictures alone, and {', '.join(sorted(missing))} has no "
                "samples. Record some, or leave out --network and --backbone."
            )
        return None
    origin_info = current_card.user_training
    if not origin_info:
        return current
    origin = None
    if origin_info.get("from"):
        path_inside(models.folder / task.name, origin_info["from"])  # the card may come from elsewhere
        origin = models.folder_of(task.name, origin_info["from"])
    origin_labels = card.read_card(origin).labels if origin and origin.is_dir() else ()
    if set(current_card.labels) <= recorded.union(origin_labels):
        return origin if origin_labels else None
    return current


def _start_from_version(folder: Path, sample_inputs: SampleInputs) -> StartingPoint:
    kind = card.read_card(folder).kind
    if kind not in (None, "pose", "fused", "colour"):
        raise ModelError(
            f"{folder} reads {kind}, and user training needs a model that reads hand joints. Choose another version."
        )
    network = Classifier(folder, sample_inputs.preprocess)
    has_extractor = network.card.features != INPUT
    file = folder / NETWORK if has_extractor else None
    distributions = (
        FeatureDistributions.load(folder)
        if (folder / KNOWLEDGE).exists()
        else FeatureDistributions.of_statistics(network.rejection.statistics, len(network.labels))
    )
    head = linear_head.head_of(folder, network, sample_inputs.inputs()[:5])
    stored = network.labels, head, distributions, network.rejection
    return StartingPoint(network.card.input or {}, file, network if has_extractor else None, folder, *stored)


def mnist_features(network: Classifier | Network, *, test: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Features (REAL, D) float32 and labels (REAL,) of some of MNIST's test or training digits; None without MNIST."""
    if not has_mnist():
        return None
    mnist = load_mnist()
    images, labels = (mnist.test_images, mnist.test_labels) if test else (mnist.train_images, mnist.train_labels)
    chosen = slice(None, None, len(labels) // REAL)
    return features_of(list(images[chosen]), network), labels[chosen]
