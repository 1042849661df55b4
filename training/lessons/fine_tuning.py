"""Fine-tuning of a whole network by samples, before its head is learned: minutes where the head alone takes seconds.

What was known is kept by its own data: MNIST's digits and drawn scenes are learned along with the samples.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.heads import Head
from recognizer.classifiers.network import NETWORK, Network
from recognizer.classifiers.rejection import FeatureStatistics, Rejection
from recognizer.errors import ModelError, SettingsError
from recognizer.samples.sample import Task
from training.datasets.mnist import has_mnist, load_mnist
from training.finders import crops
from training.lessons import heads
from training.lessons.knowledge import Knowledge
from training.lessons.lesson import names_of
from training.lessons.starting_point import DIGITS, Base, Tell, mnist_features
from training.lessons.verdict import split
from training.lessons.views import View, features_of
from training.networks import transfer
from training.networks.backbones import weights_at_hand
from training.networks.litert import as_litert
from training.networks.plain import EMBEDDING
from training.networks.tensorflow import settle_tensorflow
from training.publishing.calibration import SUB_CLUSTERS, max_distance_of
from training.publishing.card import KERAS_NETWORK

if TYPE_CHECKING:
    import keras

EPOCHS = 3  # over the real data
RATE = 2e-4
BATCH = 64
REAL_DIGITS = 6000  # of MNIST's 60,000: the network has seen them all, and is only to keep them in mind
SCENE_CROPS = 1500  # drawn and found anew; half of them show nothing known
COPIES_EACH = 200  # of a label's samples
BACKBONE_COPIES = 200  # of all samples
HEAD_EPOCHS = 30
HEAD_RATE = 1e-3
BLOCK_EPOCHS = 8  # of the last block, with the head


@contextmanager
def fine_tuned(base: Base, task: Task, view: View, seed: int, tell: Tell) -> Iterator[Base]:
    """The base with its network fine-tuned by the samples that no proof is made on; its files last as long as the block.

    Raises SettingsError where the data of what is known is not at hand.
    """
    tune = TUNE_OF_KIND.get(view.kind)
    if tune is None:
        raise SettingsError("--full fine-tunes networks of pictures, and joints have none: add --network vgg16.")
    settle_tensorflow()
    names, rng = names_of(task, view, base), np.random.default_rng(seed)
    rows, _ = split(view.samples)
    classes = np.array([names.index(row.label) for row in view.samples])
    images, meant = _copies(view, classes, rows, rng, tell)
    with tempfile.TemporaryDirectory() as folder:
        yield tune(base, images, meant, len(names), rng, Path(folder), tell)


def _copies(
    view: View, classes: np.ndarray, rows: np.ndarray, rng: np.random.Generator, tell: Tell
) -> tuple[np.ndarray, np.ndarray]:
    """The samples and changed copies of them, of the rarest label about COPIES_EACH, with their classes."""
    rarest = int(np.bincount(classes[rows])[np.unique(classes[rows])].min())
    rounds = max(1, BACKBONE_COPIES // len(rows) if view.kind == "colour" else COPIES_EACH // rarest)
    images = [np.stack(view.plain())[rows]]
    for number in range(rounds):
        tell("looking", 0.1 * number / rounds)
        images.append(np.stack(view.changed(rng))[rows])
    return np.concatenate(images), np.tile(classes[rows], 1 + rounds)


def _tuned_digits(
    base: Base,
    images: np.ndarray,
    classes: np.ndarray,
    count: int,
    rng: np.random.Generator,
    folder: Path,
    tell: Tell,
) -> Base:
    """The digit network with MNIST and drawn scenes beside the samples, where it is to keep the digits."""
    import keras

    assert base.file is not None, "ink is always seen by a network"
    assert base.network is not None, "ink is always seen by a network"
    if base.labels and (list(base.labels) != DIGITS or not has_mnist()):
        raise SettingsError(
            f"--full would forget {', '.join(base.labels)} without their own data. "
            "Put mnist.npz into data/, or leave out --full."
        )
    network = _keras_network(base.file.with_name(KERAS_NETWORK))
    embedding = network.get_layer(EMBEDDING).output
    decide = keras.layers.Dense(count, name="tuned")
    model = keras.Model(network.inputs, decide(embedding))
    known_before = None
    places = np.array([*range(len(base.labels)), count - 1])  # of what the base knows among all
    real, meant = images[:0], classes[:0]
    if base.head is not None:
        tested = mnist_features(base.network, test=True)
        if tested is not None:
            known_before = float((base.head.probabilities(tested[0]).argmax(axis=1) == tested[1]).mean())
        wide = heads.widened(base.head, count, places)
        decide.set_weights([wide.kernel, wide.bias])
        real, meant = _real_digits(rng, tell)
    everything = np.concatenate([real, images])[..., None].astype(np.float32)
    model.compile(keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    told = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, _: tell(f"fine-tuning, round {epoch + 1} of {EPOCHS}", 0.2 + 0.3 * epoch / EPOCHS)
    )
    told_classes = np.concatenate([places[meant], classes])
    model.fit(everything, told_classes, epochs=EPOCHS, batch_size=BATCH, callbacks=[told], verbose=0)
    (folder / NETWORK).write_bytes(as_litert(keras.Model(network.inputs, embedding, name="tuned")))
    changed = replace(base, file=folder / NETWORK, network=Network(folder / NETWORK))
    if base.head is None or base.rejection is None:
        return changed
    kernel, bias = decide.get_weights()
    features = features_of(list(real), changed.network)
    known = meant < len(base.labels)
    statistics = FeatureStatistics.of_features(features[known], meant[known], len(base.labels), SUB_CLUSTERS)
    max_distance = max_distance_of(statistics.distances(features[known]))
    return replace(
        changed,
        head=Head(kernel[:, places], bias[places]),
        knowledge=Knowledge.of_features(features, meant, len(places)),
        rejection=Rejection(statistics, replace(base.rejection.thresholds, max_distance=max_distance)),
        known_before=known_before,
    )


def _keras_network(path: Path) -> "keras.Model":
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is missing or damaged, and --full needs it. Fetch the model again.") from error


def _real_digits(rng: np.random.Generator, tell: Tell) -> tuple[np.ndarray, np.ndarray]:
    """Some of MNIST's training digits and crops of drawn scenes, (N, 28, 28) uint8; classes 0 to 9, or 10 for none."""
    tell("drawing scenes", 0.1)
    mnist = load_mnist()
    chosen = rng.permutation(len(mnist.train_labels))[:REAL_DIGITS]
    images, labels = mnist.train_images[chosen], mnist.train_labels[chosen]
    drawn, classes = crops.crops(images, labels, SCENE_CROPS, rng)
    return np.concatenate([images, drawn]), np.concatenate([labels, classes])


def _tuned_backbone(
    base: Base,
    images: np.ndarray,
    classes: np.ndarray,
    count: int,
    rng: np.random.Generator,
    folder: Path,
    tell: Tell,
) -> Base:
    """A backbone whose last block has learned along with a head, which is then thrown away."""
    import keras

    name = base.input.get("backbone")
    if base.labels or name is None:
        raise SettingsError("--full would forget labels without samples: record some, or leave out --full.")
    if name not in transfer.LAST_FROZEN:
        raise SettingsError(f"--full knows the blocks of {', '.join(transfer.LAST_FROZEN)}, not of {name}.")
    weights = str(weights_at_hand(name) or "imagenet")
    parts = transfer.build(count, images.shape[1:], name, weights, images.shape[1], int(rng.integers(1 << 31)))
    tell("looking with the frozen part", 0.1)
    frozen = parts.frozen.predict(images.astype(np.float32), batch_size=BATCH, verbose=0)
    tell("learning a head", 0.3)
    parts.head.compile(keras.optimizers.Adam(HEAD_RATE), "sparse_categorical_crossentropy")
    pooled = parts.upper.predict(frozen, batch_size=BATCH, verbose=0)
    parts.head.fit(pooled, classes, epochs=HEAD_EPOCHS, batch_size=BATCH, verbose=0)
    tell("fine-tuning the last block", 0.35)
    middle = keras.Input(frozen.shape[1:])
    both = keras.Model(middle, parts.head(parts.upper(middle, training=False)))
    both.compile(keras.optimizers.Adam(transfer.FINE_RATE), "sparse_categorical_crossentropy")
    both.fit(frozen, classes, epochs=BLOCK_EPOCHS, batch_size=BATCH, verbose=0)
    picture = parts.whole.inputs[0]
    seen = parts.upper(parts.frozen(picture, training=False), training=False)
    (folder / NETWORK).write_bytes(as_litert(keras.Model(picture, seen, name=name.lower())))
    return replace(base, file=folder / NETWORK, network=Network(folder / NETWORK))


TUNE_OF_KIND = {"colour": _tuned_backbone, None: _tuned_digits}  # of view
