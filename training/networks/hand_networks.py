"""Networks for hand signs: from joints, or from joints and appearance features."""

from typing import TYPE_CHECKING

import numpy as np

from recognizer.preprocess import appearance, pose
from training.networks.image_networks import EMBEDDING

if TYPE_CHECKING:
    import keras

# lower limit in the normalisation: otherwise a feature that is almost always 0 would dominate when it is not 0. Joint features
# lie between -3 and 3, appearance features mostly between 0 and 3
MIN_STANDARD_DEVIATION = 0.05
LAST_LAYER = "decides"  # prefix of the names of the members' last layers


MEMBERS = 3  # of an ensemble of small networks, whose logits are averaged


FUSED_WIDTH = 128  # units of each of a member's two branches, joints and appearance features


def fused_network(classes: int, seed: int, typical: np.ndarray, width: float = 1.0) -> "keras.Model":
    """An ensemble of 2 × MEMBERS networks: inputs (pose.SIZE + appearance.SIZE,) to a list of `classes` logits each.

    The first MEMBERS see joints and appearance features, the others joints alone. `typical` (N, pose.SIZE + appearance.SIZE)
    are inputs from which the normalisation is computed. `width` scales the hidden layers.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pose.SIZE + appearance.SIZE,), name="pose_and_appearance")
    spread = np.maximum(typical.std(axis=0), MIN_STANDARD_DEVIATION)
    x = layers.Normalization(mean=typical.mean(axis=0), variance=spread**2)(inputs)
    joint_features, appearance_features = x[:, : pose.SIZE], x[:, pose.SIZE :]
    logits = []
    for member in range(MEMBERS):
        branches = [
            layers.Dropout(0.3)(
                layers.Dense(round(width * FUSED_WIDTH), activation="relu")(layers.Dropout(rate)(features))
            )
            for features, rate in ((joint_features, 0.1), (appearance_features, 0.4))
        ]
        embedding = layers.Concatenate(name=f"{EMBEDDING}_{member}")(branches)
        logits.append(layers.Dense(classes, name=f"{LAST_LAYER}_{member}")(embedding))
    logits += _pose_members(joint_features, classes, MEMBERS, width)
    return keras.Model(inputs, logits)


def pose_network(classes: int, seed: int, width: float = 1.0) -> tuple["keras.Model", "keras.layers.Normalization"]:
    """An ensemble of MEMBERS networks: inputs (pose.SIZE,) to a list of `classes` logits each; and its normalisation layer."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pose.SIZE,), name="pose")
    normalise = layers.Normalization()
    return keras.Model(inputs, _pose_members(normalise(inputs), classes, 0, width)), normalise


def _pose_members(
    joint_features: "keras.KerasTensor", classes: int, first: int, width: float
) -> "list[keras.KerasTensor]":
    """The logits of MEMBERS networks that see joints alone; their layers are numbered from `first`."""
    from keras import layers

    x = layers.Dropout(0.1)(joint_features)
    logits = []
    for member in range(first, first + MEMBERS):
        hidden = layers.Dropout(0.4)(layers.Dense(round(width * 256), activation="relu")(x))
        embedding = layers.Dense(round(width * 64), activation="relu", name=f"{EMBEDDING}_{member}")(hidden)
        logits.append(layers.Dense(classes, name=f"{LAST_LAYER}_{member}")(layers.Dropout(0.4)(embedding)))
    return logits
