"""What only things held into the guide box need: a classifier of pictures in colour, and their reading."""

from collections.abc import Sequence

import numpy as np

from recognizer.values import Frame, Prediction, Region


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
