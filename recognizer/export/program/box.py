"""Reads what is held into the guide box, the square in the middle of the picture."""

from collections.abc import Sequence

from recognizer.export.program.model import Model
from recognizer.finders.guide_box import BoxFinder
from recognizer.preprocess.pictures import colour_image
from recognizer.values import Frame, Observation, Prediction, Region


class Reader:
    """Reads pictures with the model of an export. `stream` makes no difference here."""

    def __init__(self, model: Model, *, stream: bool = False):
        self.model = model
        self._finder = BoxFinder()

    def read(self, frame: Frame) -> Observation:
        """What the guide box in the middle of a frame shows."""
        regions = self._finder.find(frame)
        predictions = self.classify(regions)
        text = " ".join(one.label for one in predictions if one.label is not None)
        return Observation(frame, self.model.json["task"], regions, predictions, text)

    def classify(self, regions: Sequence[Region]) -> tuple[Prediction, ...]:
        """The prediction for each region."""
        side = self.model.json["preprocessing"]["side"]
        return self.model.predict([colour_image(region.crop, side) for region in regions])
