"""Reads writing on paper: finds the characters, classifies each, and joins digits to numbers."""

from collections.abc import Sequence

from recognizer.export.program.model import Model
from recognizer.finders.writing import WritingFinder
from recognizer.preprocess.pictures import mnist_image
from recognizer.subjects.paper import WritingPostprocessor, text_of
from recognizer.values import Frame, Observation, Prediction, Region


class Reader:
    """Reads writing in pictures with the model of an export. `stream` says that they are the frames of one video."""

    def __init__(self, model: Model, *, stream: bool = False):
        self.model = model
        self._finder = WritingFinder(video=stream)
        self._postprocessor = WritingPostprocessor(model)

    def read(self, frame: Frame) -> Observation:
        """What is written in a frame."""
        found = self._finder.find(frame)
        regions, predictions = self._postprocessor.postprocess(frame, found, self.classify(found))
        return Observation(frame, self.model.json["task"], regions, predictions, text_of(regions, predictions))

    def classify(self, regions: Sequence[Region]) -> tuple[Prediction, ...]:
        """The prediction for each region, which has the ink of one character."""
        return self.model.predict([mnist_image(region.crop) for region in regions])
