"""The feature extractor for new hand tasks: hand joints, and a projection of the appearance features.

The projection is Fisher's linear discriminant over photographs of signed letters: directions in which different signs
lie far apart, compared with the variance of one person's samples of a sign.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.preprocess import appearance, pose
from recognizer.registry.store import ModelStore
from training.datasets.hand_photographs import Hands
from training.networks.hand_networks import MIN_STANDARD_DEVIATION

if TYPE_CHECKING:
    import keras

FILE = "new_signs.tflite"  # in a version of TASK; its inputs are those of FUSED_VERSION
TASK = "letters"
TRAIN = f"python -m recognizer train {TASK} --kind fused"
DIRECTIONS = 100
COMPONENTS = 400  # principal components to which the discriminant is fitted
SHRINKAGE = 0.1  # share of the mean within-sign variance that is added to each: few people do not show all variance
SHARE = 0.5  # standard deviation of the projected appearance features, relative to the joints' features


def newest(models: ModelStore) -> Path | None:
    """The feature extractor in the newest version of TASK that has one; None if there is none."""
    return models.newest_file(TASK, FILE)


def directions(hands: Hands) -> tuple[np.ndarray, np.ndarray]:
    """The projection of appearance features: kernel (appearance.SIZE, DIRECTIONS) and bias (DIRECTIONS,) float32.

    `hands` are signed letters of several people, all with joints.
    """
    from scipy.linalg import eigh
    from sklearn.decomposition import PCA

    appearance_features = hands.appearance_features[:, 0, 0].astype(np.float64)
    mean, deviations = (
        appearance_features.mean(axis=0),
        np.maximum(appearance_features.std(axis=0), MIN_STANDARD_DEVIATION),
    )
    components = PCA(min(COMPONENTS, len(appearance_features) - 1), svd_solver="randomized", random_state=0)
    projected = components.fit_transform((appearance_features - mean) / deviations)
    _, groups = np.unique(np.stack([hands.sources, hands.labels]), axis=1, return_inverse=True)
    means = np.stack([projected[groups == group].mean(axis=0) for group in range(groups.max() + 1)])
    within, between = np.cov((projected - means[groups]).T), np.cov(means.T)
    within += SHRINKAGE * np.trace(within) / appearance_features.shape[1] * np.eye(len(within))
    count = min(DIRECTIONS, len(within))
    _, discriminants = eigh(between, within, subset_by_index=[len(within) - count, len(within) - 1])
    kernel = (components.components_.T @ discriminants) / deviations[:, None]
    pose_features = pose.batch_features(hands.landmarks[:, 0], hands.left[:, 0])
    kernel *= SHARE * pose_features.std() / (appearance_features @ kernel).std(axis=0).mean()
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def network(hands: Hands) -> "keras.Model":
    """The extractor: inputs (pose.SIZE + appearance.SIZE,) float32 to features (pose.SIZE + DIRECTIONS,)."""
    import keras
    from keras import layers

    inputs = keras.Input((pose.SIZE + appearance.SIZE,), name="pose_and_appearance")
    kernel, bias = directions(hands)
    project = layers.Dense(len(bias), name="directions")
    features = layers.Concatenate()([inputs[:, : pose.SIZE], project(inputs[:, pose.SIZE :])])
    project.set_weights([kernel, bias])
    return keras.Model(inputs, features, name="new_signs")
