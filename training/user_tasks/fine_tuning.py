"""Fine-tunes the whole network on the samples before the linear head is fitted. This takes minutes instead of seconds.

The digits network is fine-tuned on MNIST and drawn scenes together with the samples, so that it keeps its accuracy on digits.
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
from recognizer.system.environment import complete
from training.datasets.mnist import has_mnist, load_mnist
from training.finders import crops
from training.networks import transfer
from training.networks.backbones import find_weights
from training.networks.image_networks import EMBEDDING
from training.networks.litert import as_litert
from training.networks.tensorflow import configure_tensorflow
from training.publishing.calibration import SUB_CLUSTERS, max_distance_of
from training.publishing.last_layer import KERAS_NETWORK
from training.user_tasks import linear_head
from training.user_tasks.feature_replay import FeatureDistributions
from training.user_tasks.sample_inputs import SampleInputs, features_of
from training.user_tasks.starting_point import DIGITS, ReportProgress, StartingPoint, mnist_features
from training.user_tasks.training_run import label_names
from training.user_tasks.validation import split

if TYPE_CHECKING:
    import keras

EPOCHS = 3
RATE = 2e-4
BATCH = 64
REAL_DIGITS = 6000  # of MNIST's 60,000: the network was trained on all of them, so a part prevents forgetting
SCENE_CROPS = 1500  # crops of drawn scenes; half of them are background
COPIES_EACH = 200  # augmented copies of the rarest label's samples
BACKBONE_COPIES = 200  # augmented copies of all samples together
HEAD_EPOCHS = 30
HEAD_RATE = 1e-3
BLOCK_EPOCHS = 8  # epochs for the last block together with the head


@contextmanager
def fine_tuned_start(
    start: StartingPoint, task: Task, sample_inputs: SampleInputs, seed: int, report_progress: ReportProgress
) -> Iterator[StartingPoint]:
    """The starting point with its network fine-tuned on the training samples; its files are deleted when the block ends.

    The held-out samples are not used. Raises SettingsError if the input has no network to fine-tune, or if the data of the
    labels that the starting point recognizes is missing.
    """
    fine_tune = FINE_TUNING_OF_INPUT.get(sample_inputs.input_kind)
    if fine_tune is None:
        raise SettingsError(
            "--fine-tune needs a network that reads pictures, and this task uses hand joints: joints have none. "
            "Add --network vgg16."
        )
    complete(lambda line: report_progress(line, 0.0))
    configure_tensorflow()
    names, rng = label_names(task, sample_inputs, start), np.random.default_rng(seed)
    rows, _ = split(sample_inputs.samples)
    classes = np.array([names.index(row.label) for row in sample_inputs.samples])
    images, image_classes = _augmented_samples(sample_inputs, classes, rows, rng, report_progress)
    with tempfile.TemporaryDirectory() as folder:
        yield fine_tune(start, images, image_classes, len(names), rng, Path(folder), report_progress)


def _augmented_samples(
    sample_inputs: SampleInputs,
    classes: np.ndarray,
    rows: np.ndarray,
    rng: np.random.Generator,
    report_progress: ReportProgress,
) -> tuple[np.ndarray, np.ndarray]:
    """The training samples with their augmented copies, (M, …) uint8, and their classes (M,).

    The rarest label gets about COPIES_EACH copies.
    """
    rarest = int(np.bincount(classes[rows])[np.unique(classes[rows])].min())
    rounds = max(1, BACKBONE_COPIES // len(rows) if sample_inputs.input_kind == "colour" else COPIES_EACH // rarest)
    images = [np.stack(sample_inputs.inputs())[rows]]
    for number in range(rounds):
        report_progress("computing features", 0.1 * number / rounds)
        images.append(np.stack(sample_inputs.augmented(rng))[rows])
    return np.concatenate(images), np.tile(classes[rows], 1 + rounds)


def _fine_tune_digits(
    start: StartingPoint,
    images: np.ndarray,
    classes: np.ndarray,
    count: int,
    rng: np.random.Generator,
    folder: Path,
    report_progress: ReportProgress,
) -> StartingPoint:
    """The digits network, fine-tuned on the samples; on MNIST and drawn scenes too if the starting point has the digits."""
    import keras

    assert start.file is not None, "a starting point for ink has a network"
    assert start.network is not None, "a starting point for ink has a network"
    if start.labels and (list(start.labels) != DIGITS or not has_mnist()):
        raise SettingsError(
            f"--fine-tune would forget {', '.join(start.labels)}, because their training data is missing. "
            "Put mnist.npz into data/, or leave out --fine-tune."
        )
    network = _keras_network(start.file.with_name(KERAS_NETWORK))
    embedding = network.get_layer(EMBEDDING).output
    output_layer = keras.layers.Dense(count, name="tuned")
    model = keras.Model(network.inputs, output_layer(embedding))
    known_before = None
    # index of each class of the starting point among the new classes
    new_indices = np.array([*range(len(start.labels)), count - 1])
    mnist_images, mnist_classes = images[:0], classes[:0]
    if start.head is not None:
        test_digits = mnist_features(start.network, test=True)
        if test_digits is not None:
            known_before = float((start.head.probabilities(test_digits[0]).argmax(axis=1) == test_digits[1]).mean())
        widened_head = linear_head.widened(start.head, count, new_indices)
        output_layer.set_weights([widened_head.kernel, widened_head.bias])
        mnist_images, mnist_classes = _real_digits(rng, report_progress)
    all_images = np.concatenate([mnist_images, images])[..., None].astype(np.float32)
    model.compile(keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    report_epoch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, _: report_progress(
            f"fine-tuning, epoch {epoch + 1} of {EPOCHS}", 0.2 + 0.3 * epoch / EPOCHS
        )
    )
    all_classes = np.concatenate([new_indices[mnist_classes], classes])
    model.fit(all_images, all_classes, epochs=EPOCHS, batch_size=BATCH, callbacks=[report_epoch], verbose=0)
    (folder / NETWORK).write_bytes(as_litert(keras.Model(network.inputs, embedding, name="tuned")))
    changed = replace(start, file=folder / NETWORK, network=Network(folder / NETWORK))
    if start.head is None or start.rejection is None:
        return changed
    kernel, bias = output_layer.get_weights()
    features = features_of(list(mnist_images), changed.network)
    known = mnist_classes < len(start.labels)
    statistics = FeatureStatistics.of_features(features[known], mnist_classes[known], len(start.labels), SUB_CLUSTERS)
    max_distance = max_distance_of(statistics.distances(features[known]))
    return replace(
        changed,
        head=Head(kernel[:, new_indices], bias[new_indices]),
        distributions=FeatureDistributions.of_features(features, mnist_classes, len(new_indices)),
        rejection=Rejection(statistics, replace(start.rejection.thresholds, max_distance=max_distance)),
        known_before=known_before,
    )


def _keras_network(path: Path) -> "keras.Model":
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is missing or damaged, and --fine-tune needs it. Fetch the model again.") from error


def _real_digits(rng: np.random.Generator, report_progress: ReportProgress) -> tuple[np.ndarray, np.ndarray]:
    """Some of MNIST's training digits and crops of drawn scenes, (N, 28, 28) uint8; classes (N,) 0 to 9, 10 for background."""
    report_progress("drawing scenes", 0.1)
    mnist = load_mnist()
    chosen = rng.permutation(len(mnist.train_labels))[:REAL_DIGITS]
    images, labels = mnist.train_images[chosen], mnist.train_labels[chosen]
    drawn, classes = crops.crops(images, labels, SCENE_CROPS, rng)
    return np.concatenate([images, drawn]), np.concatenate([labels, classes])


def _fine_tune_backbone(
    start: StartingPoint,
    images: np.ndarray,
    classes: np.ndarray,
    count: int,
    rng: np.random.Generator,
    folder: Path,
    report_progress: ReportProgress,
) -> StartingPoint:
    """The backbone with its last block fine-tuned together with a temporary head, which is discarded."""
    import keras

    name = start.input.get("backbone")
    if start.labels or name is None:
        raise SettingsError(
            "--fine-tune would forget labels that have no samples. Record some, or leave out --fine-tune."
        )
    if name not in transfer.LAST_FROZEN:
        raise SettingsError(
            f"--fine-tune works with {', '.join(transfer.LAST_FROZEN)}, and the backbone is {name}. Leave out --fine-tune."
        )
    weights = str(find_weights(name) or "imagenet")
    network_parts = transfer.build(count, images.shape[1:], name, weights, images.shape[1], int(rng.integers(1 << 31)))
    report_progress("computing features with the frozen layers", 0.1)
    frozen = network_parts.frozen.predict(images.astype(np.float32), batch_size=BATCH, verbose=0)
    report_progress("fitting a head", 0.3)
    network_parts.head.compile(keras.optimizers.Adam(HEAD_RATE), "sparse_categorical_crossentropy")
    pooled = network_parts.upper.predict(frozen, batch_size=BATCH, verbose=0)
    network_parts.head.fit(pooled, classes, epochs=HEAD_EPOCHS, batch_size=BATCH, verbose=0)
    report_progress("fine-tuning the last block", 0.35)
    block_input = keras.Input(frozen.shape[1:])
    block_and_head = keras.Model(block_input, network_parts.head(network_parts.upper(block_input, training=False)))
    block_and_head.compile(keras.optimizers.Adam(transfer.FINE_RATE), "sparse_categorical_crossentropy")
    block_and_head.fit(frozen, classes, epochs=BLOCK_EPOCHS, batch_size=BATCH, verbose=0)
    picture = network_parts.model.inputs[0]
    features = network_parts.upper(network_parts.frozen(picture, training=False), training=False)
    (folder / NETWORK).write_bytes(as_litert(keras.Model(picture, features, name=name.lower())))
    return replace(start, file=folder / NETWORK, network=Network(folder / NETWORK))


FINE_TUNING_OF_INPUT = {"colour": _fine_tune_backbone, None: _fine_tune_digits}  # by SampleInputs.input_kind
