"""State of the look at the recorded samples: one label at a time, with one sample chosen."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from recognizer.samples.sample import Sample
from recognizer.teaching.recording import shown_picture


@dataclass
class Review:
    """The samples of a task, one label at a time."""

    task: str
    keys: dict[str, str]  # from key to label
    labels: list[str]
    load: Callable[[Sample], np.ndarray]
    samples: list[Sample]
    label: str
    index: int = 0  # of the chosen sample among those of the label
    _pictures: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def shown(self) -> list[Sample]:
        """The samples of the label."""
        return [sample for sample in self.samples if sample.label == self.label]

    @property
    def chosen(self) -> Sample | None:
        shown = self.shown
        return shown[self.index] if self.index < len(shown) else None

    def choose(self, index: int) -> None:
        """Chooses a sample; the nearest one if there is none at that index."""
        self.index = min(max(index, 0), max(0, len(self.shown) - 1))

    def turn(self, steps: int) -> None:
        """Goes to another label, around the end to the first one."""
        self.label = self.labels[(self.labels.index(self.label) + steps) % len(self.labels)]
        self.index = 0

    def renew(self, samples: list[Sample]) -> None:
        """Takes the samples as they are now stored."""
        self.samples = samples
        self.choose(self.index)

    def picture(self, sample: Sample) -> np.ndarray:
        """The sample's picture, (64, 64, 3) uint8 BGR. Raises SamplesError."""
        if sample.id not in self._pictures:
            self._pictures[sample.id] = shown_picture(self.load(sample))
        return self._pictures[sample.id]
