"""Trains a Keras network with early stopping."""

import math
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from training.datasets import augment
from training.datasets.dataset import DataSet, Split
from training.networks.hyperparameters import widened
from training.networks.image_networks import WORKSHOP
from training.settings import TrainSettings
from training.workshop.run import TrainingError, duration

if TYPE_CHECKING:
    import keras

PATIENCE = 6  # epochs without a lower validation loss before training stops
PLATEAU = 2  # epochs without a lower validation loss before the learning rate is halved
PEAK_RATE = 2e-3  # of the cosine schedule


def augmentation(settings: TrainSettings, data: str) -> str:
    """The augmentation level of the settings, else the network's default for the data set."""
    recipe = WORKSHOP.get(settings.network)
    return settings.augment or (recipe.augment_on.get(data, recipe.augment) if recipe else "light")


def fit(
    data: DataSet, split: Split, level: str, settings: TrainSettings
) -> tuple["keras.Model", dict[str, list[float]]]:
    """The network with the best weights by validation loss, and the history of each epoch."""
    import keras

    recipe = WORKSHOP[settings.network]
    epochs = settings.epochs or recipe.epochs_on.get(data.name, recipe.epochs)
    model = widened(recipe.build(len(data.labels), settings.seed), settings.width or 1, settings.seed)
    compiled = bool(model.compiled)
    if not compiled:
        compile_with_cosine(
            model, epochs * math.ceil(len(split.fitted) / settings.batch_size), settings.rate or PEAK_RATE
        )
    elif settings.rate:
        model.optimizer.learning_rate = settings.rate
    print(f"{model.name}: {model.count_params():,} parameters", flush=True)
    images, targets = data.train_images, targets_of(model, data.train_labels, len(data.labels))
    if level == "none":
        training_data: dict[str, Any] = {
            "x": images[split.fitted].astype(np.float32), "y": targets[split.fitted], "batch_size": settings.batch_size
        }  # fmt: skip
    else:
        generator = augment.generator(level, data.name, data.subject)
        training_data = {
            "x": generator.flow(images[split.fitted], targets[split.fitted], settings.batch_size, seed=settings.seed)
        }
    validation_data = images[split.held_out].astype(np.float32), targets[split.held_out]
    callbacks = [keras.callbacks.ReduceLROnPlateau("val_loss", 0.5, PLATEAU)] if compiled else []
    patience = PATIENCE if compiled else epochs  # with a cosine schedule the last epochs are the best
    return model, fit_with_early_stopping(model, training_data, validation_data, epochs, patience, callbacks)


def compile_with_cosine(model: "keras.Model", steps: int, peak_rate: float) -> None:
    """Compile a network with logits: AdamW, with a warm-up over 5 % of the steps and cosine decay to 0."""
    import keras

    warmup = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        peak_rate / 10, max(1, steps - warmup), warmup_target=peak_rate, warmup_steps=warmup
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss, metrics=["accuracy"])


def targets_of(model: "keras.Model", labels: np.ndarray, classes: int) -> np.ndarray:
    """Targets for the model's loss: class indices (N,), or one-hot rows (N, classes)."""
    sparse = not isinstance(model.loss, str) or model.loss.startswith("sparse")
    return labels if sparse else np.eye(classes, dtype=np.float32)[labels]


def fit_with_early_stopping(
    model: "keras.Model",
    fed: dict[str, Any],
    check: tuple[np.ndarray, np.ndarray],
    epochs: int,
    patience: int,
    callbacks: "list[keras.callbacks.Callback]",
) -> dict[str, list[float]]:
    """Train until the validation loss no longer falls, and restore the best weights.

    `fed` holds the training data as keyword arguments of `model.fit`, `check` the validation inputs and targets. Ctrl-C ends
    the training and keeps the best weights so far. Returns loss, accuracy, val_loss and val_accuracy, each a list with one
    value per epoch. Raises TrainingError if the loss becomes NaN.
    """
    import keras

    history: dict[str, list[float]] = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    began_s = time.perf_counter()

    def check_loss(batch: int, logs: dict[str, Any] | None = None) -> None:
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            raise TrainingError(
                f"The loss became NaN in epoch {len(history['loss']) + 1}, batch {batch + 1}, so nothing is published. "
                "Try a lower --rate."
            )

    def record_epoch(epoch: int, logs: dict[str, Any]) -> None:
        for name, values in history.items():
            values.append(float(logs[name]))
        left_s = (time.perf_counter() - began_s) / (epoch + 1) * (epochs - epoch - 1)
        if left_s > 1:
            print(f"  at most {duration(left_s)} left", flush=True)

    recorder = keras.callbacks.LambdaCallback(on_train_batch_end=check_loss, on_epoch_end=record_epoch)
    try:
        model.fit(
            **fed, epochs=epochs, validation_data=check, callbacks=[recorder, best, *callbacks],
            verbose=1 if sys.stdout.isatty() else 2,  # a progress bar, or one line per epoch in a log
        )  # fmt: skip
    except KeyboardInterrupt:
        if best.best_weights is None:
            raise
        print("\nStopped: keeping the best weights so far.", flush=True)
        model.set_weights(best.best_weights)
    return history
