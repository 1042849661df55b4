"""Models as a user could have trained them, with a random head."""

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, Head
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.preprocess import pictures, pose
from recognizer.registry.card import ModelCard, Thresholds, write_card
from recognizer.registry.store import ModelStore

SIDE = 8  # pixels of the pictures that the model of objects takes


def publish_linear(models: ModelStore, task: str, *, hand: bool = False) -> None:
    """Publish a model of two labels of objects, or of hands. It has a linear head over its input, and no network."""
    rng, size = np.random.default_rng(0), pose.SIZE if hand else 3 * SIDE**2
    means = rng.normal(size=(2, size)).astype(np.float32)
    with models.publishing(task) as draft:
        Head(rng.normal(0, 1e-3, (size, 3)).astype(np.float32), np.zeros(3, np.float32)).save(draft / HEAD)
        FeatureStatistics(means, np.eye(size, dtype=np.float32)).save(draft / FEATURES)
        card = ModelCard(
            task=task,
            labels=("one", "two"),
            subject="hand" if hand else "box",
            kind="pose" if hand else "colour",
            features=INPUT,
            preprocess=pose.VERSION if hand else pictures.COLOUR_VERSION,
            input={"shape": [pose.SIZE] if hand else [SIDE, SIDE, 3]},
            rejection=Thresholds(0.1, float("inf")),
            sides={"one": ["left"]} if hand else None,
        )
        write_card(card, draft)
