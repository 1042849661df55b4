"""Trains a head on a frozen backbone, then fine-tunes the backbone's last block."""

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.system import files
from training.datasets import augment
from training.datasets.dataset import DataSet, Split
from training.networks.transfer import FINE_RATE, build
from training.settings import TrainSettings
from training.workshop.fitting import fit_with_early_stopping

if TYPE_CHECKING:
    import keras

HEAD_EPOCHS = 40
HEAD_RATE = 1e-3
FINE_EPOCHS = 12
HEAD_PATIENCE = 6
FINE_PATIENCE = 4


FINE_BATCH = 32
FEW = 6000  # training pictures; smaller data sets get more augmented copies per picture
MAX_COPIES = 8
FEATURES = "features"  # subfolder of the runs' folder for the cached features of frozen layers
CHUNK = 256  # pictures per inference


def fit_backbone(
    data: DataSet, split: Split, level: str, settings: TrainSettings
) -> tuple["keras.Model", dict[str, list[float]]]:
    """Train the head, then the last block with it. Returns the network and the history of both phases in sequence."""
    import keras

    network_parts = build(
        len(data.labels), data.input_shape, settings.backbone, settings.weights, settings.side, settings.seed
    )
    print(f"{settings.backbone}: {network_parts.model.count_params():,} parameters", flush=True)
    training_features, labels, held_out_features = frozen_features(network_parts.frozen, data, split, level, settings)
    check_labels = data.train_labels[split.held_out]

    network_parts.head.compile(
        keras.optimizers.Adam(settings.rate or HEAD_RATE), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    head_data = {
        "x": _in_chunks(network_parts.upper, training_features),
        "y": labels,
        "batch_size": settings.batch_size,
    }
    check = _in_chunks(network_parts.upper, held_out_features), check_labels
    print("Training the head; the backbone is frozen.", flush=True)
    history = fit_with_early_stopping(
        network_parts.head, head_data, check, settings.epochs or HEAD_EPOCHS, HEAD_PATIENCE, []
    )

    fine_epochs = FINE_EPOCHS if settings.fine_tune is None else settings.fine_tune
    if network_parts.upper.trainable_weights and fine_epochs:
        block_input = keras.Input(training_features.shape[1:])
        block_and_head = keras.Model(block_input, network_parts.head(network_parts.upper(block_input, training=False)))
        rate = keras.optimizers.schedules.CosineDecay(
            FINE_RATE, fine_epochs * math.ceil(len(training_features) / FINE_BATCH)
        )
        block_and_head.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        print(f"Fine-tuning the last block, at a learning rate of {FINE_RATE:g} and falling.", flush=True)
        block_data = {"x": training_features, "y": labels, "batch_size": FINE_BATCH}
        fine_history = fit_with_early_stopping(
            block_and_head, block_data, (held_out_features, check_labels), fine_epochs, FINE_PATIENCE, []
        )
        history = {name: values + fine_history[name] for name, values in history.items()}
    return network_parts.model, history


def frozen_features(
    frozen: "keras.Model", data: DataSet, split: Split, level: str, settings: TrainSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frozen features of the training pictures and copies, their labels, and frozen features of the held-out pictures."""
    images, labels = with_augmented_copies(data, split, level, settings.seed, settings.copies)
    key = f"{settings.backbone} {_weights_key(settings.weights)} {settings.side}"
    folder = settings.runs / FEATURES
    training_features = features(frozen, images, key, folder)
    return training_features, labels, features(frozen, data.train_images[split.held_out], key, folder)


def with_augmented_copies(
    data: DataSet, split: Split, level: str, seed: int, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The training pictures followed by augmented copies, and their labels.

    Each epoch uses the same copies, so that frozen features can be cached.
    """
    images, labels = data.train_images[split.fitted], data.train_labels[split.fitted]
    if level == "none":
        count = 0
    elif count is None:
        count = max(1, min(MAX_COPIES, FEW // len(images)))
    changed = [
        np.stack(list(augment.copies(images, level, data.name, data.subject, seed + number + 1)))
        for number in range(count)
    ]
    return np.concatenate([images, *changed]), np.tile(labels, count + 1)


def features(frozen: "keras.Model", images: np.ndarray, key: str, folder: Path) -> np.ndarray:
    """Output of the frozen layers for pictures (N, …) uint8, float32; cached in the folder as float16."""
    digest = hashlib.sha256(key.encode() + str(images.shape).encode() + images.tobytes()).hexdigest()[:16]
    path = folder / f"{digest}.npy"
    if not path.is_file():
        header = {"descr": "<f2", "fortran_order": False, "shape": (len(images), *frozen.outputs[0].shape[1:])}
        with files.atomic_file(path) as file:
            np.lib.format.write_array_header_1_0(file, header)
            # in chunks, because the outputs for all pictures would fill the memory
            for start in range(0, len(images), CHUNK):
                outputs = frozen.predict_on_batch(images[start : start + CHUNK].astype(np.float32))
                file.write(np.clip(np.asarray(outputs), -65000, 65000).astype("<f2").tobytes())
                done = min(start + CHUNK, len(images))
                print(f"\r  frozen features: {done:,} of {len(images):,}", end="", flush=True)
        print()
    return np.load(path).astype(np.float32)


def _in_chunks(model: "keras.Model", values: np.ndarray) -> np.ndarray:
    return model.predict(values, batch_size=CHUNK, verbose=0)


def _weights_key(weights: str) -> str:
    if weights == "imagenet":
        return weights
    with Path(weights).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
