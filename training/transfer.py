"""Transfer learning: a network that ImageNet taught to see, and a small head that learns the labels.

The frozen part runs once over all pictures and its answers stay on disk, so that the head trains in seconds. Then the
last block is unfrozen and goes on learning with the head, very slowly and ever slower, from what the block before it gave.
"""

import argparse
import hashlib
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import SettingsError
from recognizer.system import files
from training import augment
from training.fit import Split, fit_with_care
from training.networks import EMBEDDING, PREPARE, PROBABILITIES
from training.sets import DataSet

if TYPE_CHECKING:
    import keras

LAST_FROZEN = {"VGG16": "block4_pool", "VGG19": "block4_pool"}  # for other backbones only the head learns
HEAD_EPOCHS = 40
HEAD_RATE = 1e-3
FINE_EPOCHS = 12
HEAD_PATIENCE = 6
FINE_PATIENCE = 4
FINE_RATE = 1e-5
FINE_BATCH = 32
FEW = 6000  # pictures: smaller sets get more changed copies
MOST_COPIES = 8
FEATURES = "features"  # folder among the runs, of what the frozen part gave
CHUNK = 256  # pictures through the frozen part at once
MIN_SIDE, MAX_SIDE = 32, 224


@dataclass(frozen=True)
class Parts:
    """A network cut in two, where the answers of the first half are kept."""

    whole: "keras.Model"  # pictures to probabilities
    frozen: "keras.Model"  # pictures to what the last frozen layer gives
    upper: "keras.Model"  # from there to the pooled features; nothing to learn in it for most backbones
    head: "keras.Model"  # pooled features to probabilities


def fit_backbone(
    data: DataSet, split: Split, level: str, options: argparse.Namespace
) -> tuple["keras.Model", dict[str, list[float]]]:
    """Train the head, then the last block; the history has both, one behind the other."""
    import keras

    parts = build(len(data.labels), data.input_shape, options.backbone, options.weights, options.side, options.seed)
    print(f"{options.backbone}: {parts.whole.count_params():,} parameters", flush=True)
    learned, labels, judged = frozen_answers(parts.frozen, data, split, level, options)
    check_labels = data.train_labels[split.held_out]

    parts.head.compile(
        keras.optimizers.Adam(options.rate or HEAD_RATE), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    pooled = {"x": _in_chunks(parts.upper, learned), "y": labels, "batch_size": options.batch_size}
    check = _in_chunks(parts.upper, judged), check_labels
    print("The head learns; everything below is frozen.", flush=True)
    history = fit_with_care(parts.head, pooled, check, options.epochs or HEAD_EPOCHS, HEAD_PATIENCE, [])

    fine_epochs = FINE_EPOCHS if options.fine_tune is None else options.fine_tune
    if parts.upper.trainable_weights and fine_epochs:
        middle = keras.Input(learned.shape[1:])
        both = keras.Model(middle, parts.head(parts.upper(middle, training=False)))
        rate = keras.optimizers.schedules.CosineDecay(FINE_RATE, fine_epochs * math.ceil(len(learned) / FINE_BATCH))
        both.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        print(f"The last block learns too, at {FINE_RATE:g} and ever less.", flush=True)
        fed = {"x": learned, "y": labels, "batch_size": FINE_BATCH}
        more = fit_with_care(both, fed, (judged, check_labels), fine_epochs, FINE_PATIENCE, [])
        history = {name: values + more[name] for name, values in history.items()}
    return parts.whole, history


def frozen_answers(
    frozen: "keras.Model", data: DataSet, split: Split, level: str, options: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the frozen part gives of the pictures to learn from, their labels, and what it gives of those held out."""
    fitted, labels = with_copies(data, split, level, options.seed, options.copies)
    key = f"{options.backbone} {_weights_key(options.weights)} {options.side}"
    folder = options.runs / FEATURES
    learned = features(frozen, fitted, key, folder)
    return learned, labels, features(frozen, data.train_images[split.held_out], key, folder)


def build(classes: int, input_shape: tuple[int, int, int], backbone: str, weights: str, side: int, seed: int) -> Parts:
    """The whole network and its parts, which share their layers. Raises SettingsError for what Keras cannot give."""
    import keras
    from keras import layers

    if not MIN_SIDE <= side <= MAX_SIDE:
        raise SettingsError(f"--side {side} is not between {MIN_SIDE} and {MAX_SIDE} pixels.")
    keras.utils.set_random_seed(seed)
    base, preprocess_input = pretrained(backbone, weights, side)
    base.trainable = False
    cut = base.get_layer(LAST_FROZEN[backbone]) if backbone in LAST_FROZEN else None
    lower = keras.Model(base.inputs[0], cut.output if cut else base.outputs[0], name="frozen")
    upper_input = cut.output if cut else keras.Input(base.outputs[0].shape[1:])
    pool = layers.GlobalAveragePooling2D(name="pool")
    upper = keras.Model(upper_input, pool(base.outputs[0] if cut else upper_input), name="upper")
    for layer in upper.layers:
        layer.trainable = cut is not None

    pooled = keras.Input((upper.outputs[0].shape[-1],))
    hidden = layers.Dense(256, activation="relu", name=EMBEDDING)
    drop = layers.Dropout(0.4)
    decide = layers.Dense(classes, activation="softmax", name=PROBABILITIES)
    head = keras.Model(pooled, decide(drop(hidden(pooled))), name="head")

    picture = keras.Input(input_shape, name="image")
    sized = picture if input_shape[:2] == (side, side) else layers.Resizing(side, side)(picture)
    frozen_answers = lower(prepared(preprocess_input, input_shape[2])(sized), training=False)
    answers = decide(drop(hidden(upper(frozen_answers, training=False))))
    whole = keras.Model(picture, answers, name=backbone.lower())
    return Parts(whole, keras.Model(picture, frozen_answers), upper, head)


def pretrained(backbone: str, weights: str, side: int) -> tuple["keras.Model", Any]:
    """A network of keras.applications without its top, and the function that prepares RGB pictures for it."""
    import keras

    known = {name: value for name, value in vars(keras.applications).items() if name[:1].isupper() and callable(value)}
    if backbone not in known:
        raise SettingsError(f"Keras has no backbone {backbone}. It has {', '.join(sorted(known))}.")
    if weights != "imagenet" and not Path(weights).is_file():
        raise SettingsError(f"{weights} is no file of weights. Give one, or --weights imagenet, which Keras downloads.")
    options: dict[str, Any] = {"alpha": 0.35} if "mobilenet_v2_0.35" in Path(weights).name else {}
    try:
        base = known[backbone](weights=weights, include_top=False, input_shape=(side, side, 3), **options)
    except (ValueError, OSError) as error:  # OSError: what h5py says of a damaged file
        raise SettingsError(f"{backbone} does not take {weights} at {side} pixels: {_first_line(error)}") from error
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise SettingsError(
            f"The weights of {backbone} could not be fetched ({_first_line(error)}). Try again when online, or name a "
            "file of weights without the top: --weights FILE"
        ) from error
    return base, sys.modules[known[backbone].__module__].preprocess_input


def prepared(preprocess_input: Any, channels: int) -> "keras.layers.Layer":
    """The preparation as a fixed 1×1 convolution, from grey or BGR 0 to 255 as OpenCV gives it: the model carries it along.

    Every preparation of keras.applications weighs and adds channels, so that four colours tell what it does.
    """
    from keras import layers

    black = np.asarray(preprocess_input(np.zeros((1, 1, 1, 3), np.float32)), np.float32).reshape(3)
    rows = []
    for channel in range(3):
        colour = np.zeros((1, 1, 1, 3), np.float32)
        colour[..., channel] = 255
        rows.append((np.asarray(preprocess_input(colour), np.float32).reshape(3) - black) / 255)
    layer = layers.Conv2D(3, 1, name=PREPARE, trainable=False)
    layer.build((None, None, None, channels))
    weights = np.array(rows[::-1], np.float32)
    layer.set_weights([(weights if channels == 3 else weights.sum(axis=0, keepdims=True))[None, None], black])
    return layer


def with_copies(
    data: DataSet, split: Split, level: str, seed: int, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The pictures to learn from and their labels, behind them changed copies: the frozen part sees each only once."""
    images, labels = data.train_images[split.fitted], data.train_labels[split.fitted]
    if level == "none":
        count = 0
    elif count is None:
        count = max(1, min(MOST_COPIES, FEW // len(images)))
    changed = [
        np.stack(list(augment.copies(images, level, data.name, data.region, seed + number + 1)))
        for number in range(count)
    ]
    return np.concatenate([images, *changed]), np.tile(labels, count + 1)


def features(frozen: "keras.Model", images: np.ndarray, key: str, folder: Path) -> np.ndarray:
    """What the frozen part gives of (N, …) uint8 pictures, float16, kept on disk as long as the folder is."""
    digest = hashlib.sha256(key.encode() + str(images.shape).encode() + images.tobytes()).hexdigest()[:16]
    path = folder / f"{digest}.npy"
    if not path.is_file():
        header = {"descr": "<f2", "fortran_order": False, "shape": (len(images), *frozen.outputs[0].shape[1:])}
        with files.new_file(path) as file:
            np.lib.format.write_array_header_1_0(file, header)  # then part by part: all of them would fill the memory
            for start in range(0, len(images), CHUNK):
                answers = frozen.predict_on_batch(images[start : start + CHUNK].astype(np.float32))
                file.write(np.clip(np.asarray(answers), -65000, 65000).astype("<f2").tobytes())
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
