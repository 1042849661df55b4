"""Objects in the guide box. The colour image of the whole box is classified."""

from pathlib import Path

from recognizer.classifiers.colour import ObjectClassifier
from recognizer.finders.finder import RegionFinder
from recognizer.finders.guide_box import BoxFinder
from recognizer.subjects.hands import HAND
from recognizer.subjects.subject import Input, OpenFinder, Subject


class BoxSubject(Subject):
    """The guide box in the middle of the frame, as a single region."""

    name = "box"
    word = "object"
    description = "an object in the box"
    prompt = "hold something into the box"
    summary = "It classifies what the square in the middle of a picture shows."
    is_whole_picture = True
    input = Input.COLOUR

    def in_grey(self) -> Subject:
        """The hand subject, which also takes the whole crop: the classifier of objects needs colour."""
        return HAND

    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        return BoxFinder()

    def open_classifier(self, folder: Path, *, stream: bool = False) -> ObjectClassifier:
        """Raises ModelError if a file in `folder` is missing or damaged."""
        return ObjectClassifier(folder)


BOX = BoxSubject()
