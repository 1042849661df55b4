"""The road of a frame: region finder, preprocess, classifier, smoother."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from recognizer import preprocess, registry
from recognizer.classifier import Classifier
from recognizer.errors import SettingsError
from recognizer.regions.digits import DigitFinder, text_lines
from recognizer.settings import TASKS
from recognizer.smoothing import Smoother
from recognizer.values import Box, Frame, Observation, Prediction, Region

FAINT_SHARE = 0.35  # of the contrast of larger writing
FAINT_REACH = 1.5  # of the larger writing's height
MAX_OVERLAP = 0.5  # of the smaller box: slanting neighbours' boxes overlap by less, two readings of one thing by more


class RegionFinder(Protocol):
    def find(self, frame: Frame) -> tuple[Region, ...]: ...


class Labeller(Protocol):
    def predict(self, images: Sequence[np.ndarray]) -> tuple[Prediction, ...]: ...


class Pipeline:
    """Turns frames into observations. Without a smoother each frame is judged by itself, as pictures are."""

    def __init__(self, task: str, finder: RegionFinder, classifier: Labeller, smoother: Smoother | None = None):
        self.task = task
        self.finder = finder
        self.classifier = classifier
        self.smoother = smoother

    def step(self, frame: Frame) -> Observation:
        clock = _Clock()
        regions = self.finder.find(frame)
        clock.lap("find")
        images = [preprocess.mnist_image(region.crop) for region in regions]
        clock.lap("prepare")
        predictions = self.classifier.predict(images)
        clock.lap("classify")
        regions, predictions = without_overlaps(regions, without_outshone(regions, predictions))
        if self.smoother is not None:
            predictions = self.smoother.update(frame.time_s, regions, predictions)
            clock.lap("smooth")
        return Observation(frame, self.task, regions, predictions, read_text(regions, predictions), clock.laps_ms)


def open_pipeline(task: str, models: Path, *, smooth: bool) -> Pipeline:
    """The pipeline of a task with its current model. Raises SettingsError for an unknown task, ModelError."""
    if task not in TASKS:
        raise SettingsError(f"There is no task {task!r}. Tasks: {', '.join(TASKS)}.")
    classifier = Classifier(registry.current(models, task))
    return Pipeline(task, DigitFinder(), classifier, Smoother() if smooth else None)


def without_outshone(regions: Sequence[Region], predictions: Sequence[Prediction]) -> tuple[Prediction, ...]:
    """Predictions without the labels of what is much fainter than larger known writing nearby.

    That is show-through, dirt, dents and lines of the paper. Only what is known outshines: a dark room behind the
    sheet does not.
    """
    known = [region for region, prediction in zip(regions, predictions, strict=True) if prediction.label is not None]
    return tuple(
        replace(prediction, label=None) if any(_outshines(other, region) for other in known) else prediction
        for region, prediction in zip(regions, predictions, strict=True)
    )


def _outshines(other: Region, region: Region) -> bool:
    if other.box.height <= region.box.height or region.contrast >= FAINT_SHARE * other.contrast:
        return False
    across = max(0, max(other.box.x1, region.box.x1) - min(other.box.x2, region.box.x2))
    down = max(0, max(other.box.y1, region.box.y1) - min(other.box.y2, region.box.y2))
    return max(across, down) < FAINT_REACH * other.box.height


def without_overlaps(
    regions: Sequence[Region], predictions: Sequence[Prediction]
) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
    """Of regions that cover each other, the one that is known best, in the order given.

    The ground inside a 0 may be taken for light ink, and a table's edge may go around a whole sheet: which of two
    readings holds only the classifier can tell.
    """
    order = sorted(range(len(regions)), key=lambda i: (predictions[i].label is None, -predictions[i].confidence))
    kept: list[int] = []
    for index in order:
        if all(_overlap(regions[index].box, regions[other].box) < MAX_OVERLAP for other in kept):
            kept.append(index)
    kept.sort()
    return tuple(regions[i] for i in kept), tuple(predictions[i] for i in kept)


def _overlap(box: Box, other: Box) -> float:
    """Share of the smaller of two boxes that lies in the other."""
    across = min(box.x2, other.x2) - max(box.x1, other.x1)
    down = min(box.y2, other.y2) - max(box.y1, other.y1)
    smaller = min(box.width * box.height, other.width * other.height)
    return max(0, across) * max(0, down) / max(1, smaller)


def read_text(regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
    """The known labels in reading order: those of one line joined to a number, lines separated by a space."""
    labels = {id(region): prediction.label for region, prediction in zip(regions, predictions, strict=True)}
    known = [region for region in regions if labels[id(region)] is not None]
    return " ".join("".join(str(labels[id(region)]) for region in line) for line in text_lines(known))


class _Clock:
    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[stage] = 1000 * (now_s - self._last_s)
        self._last_s = now_s
