"""What only things held into the guide box need: a classifier of pictures in colour, and their reading."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer import preprocess
from recognizer.classifier import Classifier
from recognizer.errors import ModelError
from recognizer.values import Frame, Prediction, Region


class ThingClassifier:
    """Labels crops in colour with one version of a model. Raises ModelError for a folder that is not whole."""

    def __init__(self, folder: Path):
        self.classifier = Classifier(folder, preprocess.COLOUR_VERSION)
        self.labels = self.classifier.labels
        try:
            self.side = int(self.classifier.card["input"]["shape"][0])
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ModelError(f"The card in {folder} holds no input shape ({error}). Retrain.") from error

    def predict(self, crops: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One Prediction for each crop (h, w, 3) uint8 BGR, in the same order; its image is (side, side, 3) uint8."""
        return tuple(self.predict_one(crop) for crop in crops)

    def predict_one(self, crop: np.ndarray) -> Prediction:
        return self.classifier.predict_one(preprocess.colour_image(crop, self.side))


class Things:
    """The reading of the one region that is the guide box."""

    region = "box"

    def prepare(self, region: Region) -> np.ndarray:
        """The region's crop, (h, w, 3) uint8 BGR."""
        return region.crop

    def judge(
        self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """Both as they are: nothing else in the picture speaks against them."""
        return tuple(regions), tuple(predictions)

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """The known labels."""
        return " ".join(prediction.label for prediction in predictions if prediction.label is not None)
