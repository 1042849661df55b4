"""How signs that nobody has named yet are seen: joints, and those sides of a hand's looks that tell signs apart.

A new task of hands is learned over these features. They come from the photographs of letters, by Fisher's linear
discriminant: the directions in which different signs lie far apart, measured against how one person's same sign varies.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.preprocess import appearance, pose
from recognizer.registry.store import ModelStore
from training.datasets.hand_photographs import Hands
from training.networks.hand_networks import LEAST_SPREAD

if TYPE_CHECKING:
    import keras

FILE = "new_signs.tflite"  # of a version of TASK: inputs of FUSED_VERSION to these features
TASK = "letters"
TRAIN = f"python -m recognizer train {TASK} --kind fused"
DIRECTIONS = 100
COMPONENTS = 400  # principal ones, among which the directions are looked for
SHRUNK = 0.1  # of the mean variance within signs, added to each: few people do not tell all ways in which signs vary
SHARE = 0.5  # of the joints' spread is that of the looks


def newest(models: ModelStore) -> Path | None:
    """The network of the newest version that has one."""
    return max((models.folder / TASK).glob(f"*/{FILE}"), default=None)


def directions(hands: Hands) -> tuple[np.ndarray, np.ndarray]:
    """Of looks (appearance.SIZE,): kernel (appearance.SIZE, DIRECTIONS) and bias (DIRECTIONS,) float32.

    `hands` are letters of several people, with their joints found.
    """
    from scipy.linalg import eigh
    from sklearn.decomposition import PCA

    looks = hands.looks[:, 0, 0].astype(np.float64)
    mean, spread = looks.mean(axis=0), np.maximum(looks.std(axis=0), LEAST_SPREAD)
    components = PCA(min(COMPONENTS, len(looks) - 1), svd_solver="randomized", random_state=0)
    seen = components.fit_transform((looks - mean) / spread)
    _, groups = np.unique(np.stack([hands.sources, hands.labels]), axis=1, return_inverse=True)
    means = np.stack([seen[groups == group].mean(axis=0) for group in range(groups.max() + 1)])
    within, between = np.cov((seen - means[groups]).T), np.cov(means.T)
    within += SHRUNK * np.trace(within) / looks.shape[1] * np.eye(len(within))
    count = min(DIRECTIONS, len(within))
    _, found = eigh(between, within, subset_by_index=[len(within) - count, len(within) - 1])
    kernel = (components.components_.T @ found) / spread[:, None]
    posed = pose.batch_features(hands.landmarks[:, 0], hands.left[:, 0])
    kernel *= SHARE * posed.std() / (looks @ kernel).std(axis=0).mean()
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def network(hands: Hands) -> "keras.Model":
    """Inputs (pose.SIZE + appearance.SIZE,) to features (pose.SIZE + DIRECTIONS,)."""
    import keras
    from keras import layers

    inputs = keras.Input((pose.SIZE + appearance.SIZE,), name="pose_and_appearance")
    kernel, bias = directions(hands)
    tells = layers.Dense(len(bias), name="directions")
    features = layers.Concatenate()([inputs[:, : pose.SIZE], tells(inputs[:, pose.SIZE :])])
    tells.set_weights([kernel, bias])
    return keras.Model(inputs, features, name="new_signs")
