"""What a lesson starts from: a version whose labels are kept, or a network that gives features and knows no label yet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import INPUT, Head
from recognizer.classifiers.network import NETWORK, Network
from recognizer.classifiers.rejection import Rejection
from recognizer.errors import ModelError, SettingsError
from recognizer.preprocess import appearance, pose
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import Task
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from training.datasets.mnist import has_mnist, load_mnist
from training.lessons import heads, new_signs
from training.lessons.knowledge import KNOWLEDGE, Knowledge
from training.lessons.views import View, features_of
from training.networks.backbones import SIDE, backbone_file
from training.settings import LearnSettings

REAL = 2000  # of MNIST's digits, where they are at hand: all of them would take longer than to learn
DIGITS = [*"0123456789"]

Tell = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Base:
    """What the new head starts from."""

    input: Mapping[str, Any]  # of the card
    file: Path | None = None  # the network that gives the features; None: they are the inputs
    network: Classifier | Network | None = None
    folder: Path | None = None  # the version whose labels are kept; None for a new task
    labels: Sequence[str] = ()
    head: Head | None = None  # over these labels
    knowledge: Knowledge | None = None
    rejection: Rejection | None = None
    known_before: float | None = None  # share of what it knew that it read right, before the network was fine-tuned


def current_version(models: ModelStore, task: Task) -> Path | None:
    """The task's current version; None where it has none. Raises ModelError for one that shows something else."""
    if task.name not in models.tasks():
        return None
    folder = models.current(task.name)
    subject = card.read_card(folder).subject
    if subject != task.subject:
        raise ModelError(f"The model of {task.name} looks at a {subject}, and its samples show a {task.subject}.")
    return folder


def sees_colours(task: Task, current: Path | None, settings: LearnSettings) -> bool:
    """Whether the task is learned from its pictures in colour. Raises SettingsError where it cannot be."""
    subject = subject_of(task.subject)
    asked = settings.network is not None or settings.backbone is not None
    if asked and subject.input is Input.INK:
        raise SettingsError(f"{task.name} shows ink on paper, which has no colour: leave out --network and --backbone.")
    was_before = current is not None and card.read_card(current).kind == "colour"
    return asked or was_before or subject.input is Input.COLOUR


def base_of(
    settings: LearnSettings, task: Task, view: View, current: Path | None, tell: Tell = lambda *_: None
) -> Base:
    """The version that the new head starts from: that which was not taught, as long as the samples make up for the rest."""
    version = _version_to_keep(settings.models, task, view, current)
    if version is not None:
        return _read_base(version, view)
    return START_OF_KIND[view.kind](settings, task, view, tell)


def _backbone(settings: LearnSettings, task: Task, view: View, tell: Tell) -> Base:
    """A network of many photographs."""
    name, path = backbone_file(settings.backbone, settings.models, lambda line: tell(line, 0.05))
    shape = {"shape": [SIDE, SIDE, 3], "dtype": "float32", "range": [0, 255], "colours": "BGR"}
    return Base({**shape, "backbone": name}, path, Network(path))


def _new_signs(settings: LearnSettings, task: Task, view: View, tell: Tell) -> Base:
    """The network of signs that nobody has named yet. Raises ModelError where it is missing."""
    seen = new_signs.newest(settings.models)
    if seen is None:
        raise ModelError(
            f"{settings.models.folder / new_signs.TASK} has no {new_signs.FILE}. Train it: {new_signs.TRAIN}"
        )
    return Base({"shape": [pose.SIZE + appearance.SIZE], "dtype": "float32"}, seen, Network(seen))


def _joints(settings: LearnSettings, task: Task, view: View, tell: Tell) -> Base:
    """No network: joints are the features."""
    return Base({"shape": [pose.SIZE], "dtype": "float32"})


def _shipped_network(settings: LearnSettings, task: Task, view: View, tell: Tell) -> Base:
    """The network of the subject's shipped task, without its labels."""
    shipped = subject_of(task.subject).starting_task
    assert shipped is not None, "a subject that is learned from ink names a shipped task"
    base = _read_base(settings.models.current(shipped), view)
    return Base(base.input, base.file, base.network)


START_OF_KIND: dict[
    str | None, Callable[[LearnSettings, Task, View, Tell], Base]
] = {  # of a task without labels to keep
    "colour": _backbone,
    "fused": _new_signs,
    "pose": _joints,
    None: _shipped_network,
}


def _version_to_keep(models: ModelStore, task: Task, view: View, current: Path | None) -> Path | None:
    """The version whose labels are kept, if there is one. Raises SettingsError where the samples cannot make up for it."""
    if current is None:
        return None
    about, recorded = card.read_card(current), {row.label for row in view.samples}
    if view.kind == "colour" and about.kind != "colour":
        missing = set(about.labels) - recorded
        if missing:
            raise SettingsError(
                f"{task.name} is learned from pictures alone with that, and {', '.join(sorted(missing))} has none. "
                "Record some, or leave out --network and --backbone."
            )
        return None
    lesson = about.user_training
    if not lesson:
        return current
    origin = models.folder / task.name / lesson["from"] if lesson.get("from") else None
    kept = card.read_card(origin).labels if origin and origin.is_dir() else ()
    if set(about.labels) <= recorded.union(kept):
        return origin if kept else None
    return current


def _read_base(folder: Path, view: View) -> Base:
    kind = card.read_card(folder).kind
    if kind not in (None, "pose", "fused", "colour"):
        raise ModelError(f"{folder} knows hands by their {kind}, and only joints can be taught in a moment.")
    network = Classifier(folder, view.prepared)
    embeds = network.card.features != INPUT
    file = folder / NETWORK if embeds else None
    knowledge = (
        Knowledge.load(folder)
        if (folder / KNOWLEDGE).exists()
        else Knowledge.of_statistics(network.rejection.statistics, len(network.labels))
    )
    head = heads.head_of(folder, network, view.plain()[:5])
    kept = network.labels, head, knowledge, network.rejection
    return Base(network.card.input or {}, file, network if embeds else None, folder, *kept)


def mnist_features(network: Classifier | Network, *, test: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Features (REAL, D) and labels of some of MNIST's test or training digits; None where MNIST is not at hand."""
    if not has_mnist():
        return None
    mnist = load_mnist()
    images, labels = (mnist.test_images, mnist.test_labels) if test else (mnist.train_images, mnist.train_labels)
    chosen = slice(None, None, len(labels) // REAL)
    return features_of(list(images[chosen]), network), labels[chosen]
