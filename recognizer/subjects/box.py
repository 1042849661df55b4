"""Any object held into the guide box: its whole colour picture is classified, and nothing else is looked at."""

from pathlib import Path

from recognizer.classifiers.colour import ObjectClassifier
from recognizer.finders.finder import RegionFinder
from recognizer.finders.guide_box import BoxFinder
from recognizer.subjects.hands import HAND
from recognizer.subjects.subject import Input, OpenFinder, Subject


class BoxSubject(Subject):
    """What is in the box in the middle of the frame, as one region."""

    name = "box"
    word = "thing"
    is_whole_picture = True
    input = Input.COLOUR

    def in_grey(self) -> Subject:
        """Hands, whose pictures are taken whole, too: its own classifier takes colour alone."""
        return HAND

    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        return BoxFinder()

    def open_classifier(self, folder: Path, *, stream: bool = False) -> ObjectClassifier:
        """Raises ModelError for a folder that is not whole."""
        return ObjectClassifier(folder)


BOX = BoxSubject()
