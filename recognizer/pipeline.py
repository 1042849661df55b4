"""The road of a frame: region finder, preprocess, classifier, smoother."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from recognizer import preprocess, registry
from recognizer.errors import ModelError, SettingsError
from recognizer.samples import Samples
from recognizer.settings import TASKS
from recognizer.smoothing import Smoother
from recognizer.values import Frame, Observation, Prediction, Region
from recognizer.writing import Writing


class RegionFinder(Protocol):
    def find(self, frame: Frame) -> tuple[Region, ...]: ...


class Labeller(Protocol):
    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]: ...


class Reading(Protocol):
    """What differs between writing and hands, around the classifier."""

    def prepare(self, region: Region) -> Any:
        """The classifier's input."""

    def judge(
        self, frame: Frame, regions: Sequence[Region], predictions: Sequence[Prediction]
    ) -> tuple[tuple[Region, ...], tuple[Prediction, ...]]:
        """Regions and predictions without what the rest of the picture speaks against."""

    def text(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> str:
        """All that is known in one line."""


class Pipeline:
    """Turns frames into observations. Without a smoother each frame is judged by itself, as pictures are."""

    def __init__(
        self,
        task: str,
        finder: RegionFinder,
        classifier: Labeller,
        smoother: Smoother | None = None,
        reading: Reading | None = None,
        folder: Path | None = None,
    ):
        """`folder` is the model version that the classifier was read from."""
        self.task = task
        self.folder = folder
        self.finder = finder
        self.classifier = classifier
        self.smoother = smoother
        self.reading: Reading = reading or Writing()
        self.region = "paper" if isinstance(self.reading, Writing) else "hand"

    def step(self, frame: Frame) -> Observation:
        clock = _Clock()
        regions = self.finder.find(frame)
        clock.lap("find")
        inputs = [self.reading.prepare(region) for region in regions]
        clock.lap("prepare")
        predictions = self.classifier.predict(inputs)
        clock.lap("classify")
        regions, predictions = self.reading.judge(frame, regions, predictions)
        heed = getattr(self.finder, "heed", None)
        if heed is not None:
            regions, predictions = heed(regions, predictions)
        if self.smoother is not None:
            predictions = self.smoother.update(frame.time_s, regions, predictions)
            clock.lap("smooth")
        text = self.reading.text(regions, predictions)
        guide = getattr(self.finder, "guide_box", None)
        return Observation(frame, self.task, regions, predictions, text, clock.laps_ms, guide)

    def close(self) -> None:
        """Give back what the finder holds, such as MediaPipe's threads."""
        close = getattr(self.finder, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Untaught:
    """The classifier of a task that has samples to record and no model yet: it knows nothing."""

    def __init__(self, region: str):
        self._region = region

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        images = inputs if self._region == "paper" else [preprocess.hand_image(region.crop) for region in inputs]
        return tuple(Prediction(None, 0.0, (), image) for image in images)


def task_names(models: Path) -> list[str]:
    """The tasks that come with the program, then those that have a model in the folder or samples."""
    own = {*registry.tasks(models), *(task.name for task in Samples().tasks())}
    return [*TASKS, *sorted(own - set(TASKS))]


def open_pipeline(task: str, models: Path, *, smooth: bool) -> Pipeline:
    """The pipeline of a task with its current model; `smooth` for frames of one stream, not for single pictures.

    Raises SettingsError for an unknown task, ModelError, and AssetError where a hand's joints cannot be found.
    """
    if task not in task_names(models):
        raise SettingsError(f"There is no task {task!r}. Tasks: {', '.join(task_names(models))}.")
    folder = None if is_untaught(task, models) else registry.current(models, task)
    region = registry.read_card(folder).get("region") if folder else Samples().task(task).region
    smoother = Smoother() if smooth else None
    classifier: Labeller
    if region == "paper":
        from recognizer.classifier import Classifier
        from recognizer.regions.digits import DigitFinder

        classifier = Classifier(folder) if folder else Untaught(region)
        return Pipeline(task, DigitFinder(video=smooth), classifier, smoother, Writing(), folder)
    if region == "hand":
        from recognizer.assets import find_asset
        from recognizer.hand_signs import HandClassifier, Signs
        from recognizer.regions.hands import HandFinder

        classifier = HandClassifier(folder, stream=smooth) if folder else Untaught(region)
        finder = HandFinder(find_asset("hand_landmarker"), video=smooth, guide=smooth)
        return Pipeline(task, finder, classifier, smoother, Signs(), folder)
    raise ModelError(f"The task {task} has region {region!r}, and this program knows paper and hand. Retrain it.")


def is_untaught(task: str, models: Path) -> bool:
    """Whether a task of the user's own waits for its first model."""
    return not (models / task / registry.CURRENT).exists() and task in {own.name for own in Samples().tasks()}


class _Clock:
    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[stage] = 1000 * (now_s - self._last_s)
        self._last_s = now_s
