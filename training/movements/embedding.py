"""Fits the embedding of movements on random movements of drawn hands."""

from pathlib import Path

import numpy as np

from recognizer.motion import embedding
from recognizer.motion.features import movement_features
from recognizer.system import files
from training.datasets.drawn_movements import performed, random_scripts

CLASSES, PEOPLE = 700, 10  # random movements, and the people who make each
SHRINKAGE = 0.2  # of the covariance within a class towards a multiple of the identity (Ledoit and Wolf 2004)
SEED = 1


def train_embedding(path: Path = embedding.PATH, classes: int = CLASSES) -> None:
    """Draws the movements, fits the embedding and writes it. Raises OSError."""
    features, labels = drawn_features(classes)
    mean, kernel = fitted(features, labels, embedding.SIZE)
    with files.atomic_file(path) as file:
        np.savez_compressed(
            file, version=np.array(embedding.VERSION), mean=mean.astype(np.float16), kernel=kernel.astype(np.float16)
        )
    print(f"Wrote {path}: {len(labels)} movements of {classes} classes")


def drawn_features(classes: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, features.SIZE) of random movements, PEOPLE of each class, and their classes (N,)."""
    rows, labels = [], []
    for number in range(classes):
        rng = np.random.default_rng([seed, number])
        scripts = random_scripts(rng)
        for _ in range(PEOPLE):
            movement = performed(scripts, rng)
            if movement is not None:
                rows.append(movement_features(movement))
                labels.append(number)
    return np.stack(rows), np.array(labels)


def fitted(features: np.ndarray, labels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and kernel (D, size) of linear discriminant analysis of features (N, D) with classes (N,).

    In the embedding, two members of a class are 1 apart: the root of their mean squared distance.
    """
    from scipy.linalg import eigh

    spread = features.std(axis=0) + 1e-6
    scaled = features / spread
    classes, rows = np.unique(labels, return_inverse=True)
    means = np.stack([scaled[rows == row].mean(axis=0) for row in range(len(classes))])
    centred = scaled - means[rows]
    within = centred.T @ centred / (len(scaled) - len(classes))
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    _, vectors = eigh(np.cov(means.T), within)  # ascending
    kernel = vectors[:, ::-1][:, :size] / spread[:, None]
    points = centred * spread @ kernel
    return features.mean(axis=0), kernel / np.sqrt(2 * (points**2).sum(axis=1).mean())
