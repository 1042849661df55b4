"""What every subject has."""

from collections.abc import Sequence
from typing import Any, Protocol

from recognizer.values import Frame, Prediction, Region


class RegionFinder(Protocol):
    def find(self, frame: Frame) -> tuple[Region, ...]: ...


class Labeller(Protocol):
    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]: ...


class Reading(Protocol):
    """What differs between writing, hands and things, around the classifier."""

    region: str  # where the camera shows them: "paper", "hand" or "box"

    def prepare(self, region: Region) -> Any:
        """The classifier's input."""

    def judge(
        self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """Regions and predictions without what the rest of the picture speaks against."""

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """All that is known in one line."""
