"""Transfer learning: a backbone pretrained on ImageNet, and a small head for the labels.

The frozen layers run once over all pictures and their output is cached on disk, so that the head trains in seconds. Then
the last block is unfrozen and fine-tuned together with the head, at a low and falling learning rate.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import SettingsError
from training.networks.image_networks import EMBEDDING, PREPARE, PROBABILITIES

if TYPE_CHECKING:
    import keras

LAST_FROZEN = {"VGG16": "block4_pool", "VGG19": "block4_pool"}  # other backbones stay frozen


FINE_RATE = 1e-5  # learning rate of fine-tuning


MIN_SIDE, MAX_SIDE = 32, 224  # pixels of the input


@dataclass(frozen=True)
class Parts:
    """A network split in a frozen part and the part that is fine-tuned; the parts share their layers."""

    model: "keras.Model"  # pictures to probabilities
    frozen: "keras.Model"  # pictures to the output of the last frozen layer
    upper: "keras.Model"  # from there to the pooled features; without trainable layers for most backbones
    head: "keras.Model"  # pooled features to probabilities


def build(classes: int, input_shape: tuple[int, int, int], backbone: str, weights: str, side: int, seed: int) -> Parts:
    """Build the network and its parts. Raises SettingsError for a backbone, weights or side that Keras does not support."""
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
    output_layer = layers.Dense(classes, activation="softmax", name=PROBABILITIES)
    head = keras.Model(pooled, output_layer(drop(hidden(pooled))), name="head")

    picture = keras.Input(input_shape, name="image")
    sized = picture if input_shape[:2] == (side, side) else layers.Resizing(side, side)(picture)
    frozen_features = lower(preprocessing_layer(preprocess_input, input_shape[2])(sized), training=False)
    probabilities = output_layer(drop(hidden(upper(frozen_features, training=False))))
    model = keras.Model(picture, probabilities, name=backbone.lower())
    return Parts(model, keras.Model(picture, frozen_features), upper, head)


def pretrained(backbone: str, weights: str, side: int) -> tuple["keras.Model", Any]:
    """A network of keras.applications without its top, and its preprocessing function for RGB pictures.

    Raises SettingsError for an unknown backbone, and for weights that do not fit or cannot be fetched.
    """
    import keras

    known = {name: value for name, value in vars(keras.applications).items() if name[:1].isupper() and callable(value)}
    if backbone not in known:
        raise SettingsError(f"Keras has no backbone {backbone}. It has {', '.join(sorted(known))}.")
    if weights != "imagenet" and not Path(weights).is_file():
        raise SettingsError(
            f"{weights} is not a file. Give a file of weights, or --weights imagenet, which Keras downloads."
        )
    options: dict[str, Any] = {"alpha": 0.35} if "mobilenet_v2_0.35" in Path(weights).name else {}
    try:
        base = known[backbone](weights=weights, include_top=False, input_shape=(side, side, 3), **options)
    except (ValueError, OSError) as error:  # h5py raises OSError for a damaged file
        raise SettingsError(f"{backbone} does not take {weights} at {side} pixels: {_first_line(error)}") from error
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise SettingsError(
            f"The weights of {backbone} could not be fetched ({_first_line(error)}). Try again when online, or name a "
            "file of weights without the top: --weights FILE"
        ) from error
    return base, sys.modules[known[backbone].__module__].preprocess_input


def preprocessing_layer(preprocess_input: Any, channels: int) -> "keras.layers.Layer":
    """The preprocessing as a fixed 1×1 convolution on grey or BGR 0 to 255, so that it is part of the model.

    Every preprocessing of keras.applications is affine in the channels, so its values for four colours determine it.
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
