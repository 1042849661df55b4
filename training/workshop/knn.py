"""The k-NN baseline.

scikit-learn is used to choose k and to test; the published model stores the same pictures for the live loop, which uses NumPy.
"""

from typing import Any

import numpy as np

from recognizer.classifiers.heads import Neighbours
from training.datasets.dataset import DataSet, Split

NEIGHBOURS = (1, 3, 4, 5, 7, 9)
MEASURES = ("euclidean", "cosine")
VALIDATION_PICTURES = 3000  # held-out pictures on which k and the measure are chosen


def choose(data: DataSet, split: Split) -> tuple[int, str]:
    """The k and the distance measure with the best accuracy on the held-out pictures."""
    held_out = split.held_out[:: max(1, -(-len(split.held_out) // VALIDATION_PICTURES))]
    max_k = min(max(NEIGHBOURS), len(split.fitted))
    best = (-1.0, 1, MEASURES[0])
    for measure in MEASURES:
        classifier = fitted(data, split.fitted, max_k, measure)
        nearest = classifier.kneighbors(flat(data.train_images[held_out]), return_distance=False)
        labels = data.train_labels[split.fitted][nearest]
        for k in (k for k in NEIGHBOURS if k <= max_k):
            votes = np.stack([(labels[:, :k] == index).sum(axis=1) for index in range(len(data.labels))], axis=1)
            accuracy = float((votes.argmax(axis=1) == data.train_labels[held_out]).mean())
            print(f"  k {k}, {measure}: {accuracy:.4f} of {len(held_out)} held-out pictures", flush=True)
            best = max(best, (accuracy, k, measure), key=lambda choice: choice[0])
    return best[1:]


def fitted(data: DataSet, chosen: np.ndarray, k: int, measure: str) -> Any:
    """A k-NN classifier over the training pictures at the indices `chosen`."""
    from sklearn.neighbors import KNeighborsClassifier

    classifier = KNeighborsClassifier(min(k, len(chosen)), metric=measure, algorithm="brute", n_jobs=-1)
    return classifier.fit(flat(data.train_images[chosen]), data.train_labels[chosen])


def predict_probabilities(classifier: Any, images: np.ndarray) -> np.ndarray:
    """Shares of the neighbours' votes for pictures (N, side, side, channels): (N, classes), summing to 1."""
    return classifier.predict_proba(flat(images))


def all_neighbours(data: DataSet, k: int, measure: str) -> Neighbours:
    """A NumPy k-NN classifier over all training pictures: the model that is published."""
    samples = data.train_images.reshape(len(data.train_images), -1)
    return Neighbours(samples, data.train_labels, k, measure, len(data.labels) + 1)


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32)
