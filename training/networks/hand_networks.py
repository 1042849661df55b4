"""Networks that read hands: from joints, from pictures, from both."""

from typing import TYPE_CHECKING

import numpy as np

from recognizer.preprocess import appearance, pose
from training.networks.image_networks import EMBEDDING

if TYPE_CHECKING:
    import keras

# of a feature: one that hardly ever fires must not be blown up, or it would drown all others where it does; joints' features
# lie between -3 and 3, those of looks mostly between 0 and 3
MIN_STANDARD_DEVIATION = 0.05
LAST_LAYER = "decides"  # name of each member's last layer, before its number


MEMBERS = 3  # small networks whose answers are averaged: each errs in its own way


FUSED_WIDTH = 128  # of each member's two halves: joints, and how they look


def fused_network(classes: int, seed: int, typical: np.ndarray, width: float = 1.0) -> "keras.Model":
    """Small networks side by side, (pose.SIZE + appearance.SIZE,) to `classes` logits of each.

    MEMBERS of them see joints and looks, and as many joints alone. `typical` (N, pose.SIZE + appearance.SIZE) are inputs,
    from which the network takes its normalisation.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pose.SIZE + appearance.SIZE,), name="pose_and_appearance")
    spread = np.maximum(typical.std(axis=0), MIN_STANDARD_DEVIATION)
    x = layers.Normalization(mean=typical.mean(axis=0), variance=spread**2)(inputs)
    posed, seen = x[:, : pose.SIZE], x[:, pose.SIZE :]
    logits = []
    for member in range(MEMBERS):
        halves = [
            layers.Dropout(0.3)(
                layers.Dense(round(width * FUSED_WIDTH), activation="relu")(layers.Dropout(dropped)(half))
            )
            for half, dropped in ((posed, 0.1), (seen, 0.4))
        ]
        embedding = layers.Concatenate(name=f"{EMBEDDING}_{member}")(halves)
        logits.append(layers.Dense(classes, name=f"{LAST_LAYER}_{member}")(embedding))
    logits += _pose_members(posed, classes, MEMBERS, width)
    return keras.Model(inputs, logits)


def pose_network(classes: int, seed: int, width: float = 1.0) -> tuple["keras.Model", "keras.layers.Normalization"]:
    """MEMBERS small networks side by side, (pose.SIZE,) to a list of `classes` logits, and their normalisation."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pose.SIZE,), name="pose")
    normalise = layers.Normalization()
    return keras.Model(inputs, _pose_members(normalise(inputs), classes, 0, width)), normalise


def _pose_members(posed: "keras.KerasTensor", classes: int, first: int, width: float) -> "list[keras.KerasTensor]":
    """The logits of MEMBERS networks of joints alone, which are numbered from `first`."""
    from keras import layers

    x = layers.Dropout(0.1)(posed)
    logits = []
    for member in range(first, first + MEMBERS):
        hidden = layers.Dropout(0.4)(layers.Dense(round(width * 256), activation="relu")(x))
        embedding = layers.Dense(round(width * 64), activation="relu", name=f"{EMBEDDING}_{member}")(hidden)
        logits.append(layers.Dense(classes, name=f"{LAST_LAYER}_{member}")(layers.Dropout(0.4)(embedding)))
    return logits
