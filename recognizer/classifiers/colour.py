"""Classifies objects in the guide box by their colour image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.classifiers.classifier import Classifier
from recognizer.errors import ModelError
from recognizer.preprocess import pictures
from recognizer.values import Prediction


class ObjectClassifier:
    """Classifies colour crops with one model. Raises ModelError if a file in its folder is missing or damaged."""

    def __init__(self, folder: Path):
        self.classifier = Classifier(folder, pictures.COLOUR_VERSION)
        self.labels = self.classifier.labels
        side = self.classifier.card.input_side
        if side is None:
            raise ModelError(f"The card in {folder} holds no input shape. Retrain.")
        self.side = side

    def predict(self, crops: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One Prediction for each crop (h, w, 3) uint8 BGR, in the same order; its image is (side, side, 3) uint8."""
        return tuple(self.predict_one(crop) for crop in crops)

    def predict_one(self, crop: np.ndarray) -> Prediction:
        """The Prediction for one crop (h, w, 3) uint8 BGR."""
        return self.classifier.predict_one(pictures.colour_image(crop, self.side))
