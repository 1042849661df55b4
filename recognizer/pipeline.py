"""The road of a frame: region finder, preprocess, classifier, smoother."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.colour import ThingClassifier
from recognizer.classifiers.hands import HandClassifier
from recognizer.errors import ModelError, SettingsError
from recognizer.finders.still_hand import Finder
from recognizer.registry import card
from recognizer.registry.synced import open_models
from recognizer.samples.sample import REGIONS
from recognizer.samples.store import Samples
from recognizer.smoothing import Smoother
from recognizer.subjects.box import Things
from recognizer.subjects.catalogue import Untaught, close_finder, open_finder
from recognizer.subjects.hands import Signs
from recognizer.subjects.paper import Writing
from recognizer.subjects.subject import Labeller, Reading, RegionFinder
from recognizer.tasks import has_model, shipped_and_own
from recognizer.values import Frame, Observation


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
        self.region = self.reading.region

    def step(self, frame: Frame) -> Observation:
        clock = _Clock()
        regions = self.finder.find(frame)
        clock.lap("find")
        inputs = [self.reading.prepare(region) for region in regions]
        clock.lap("prepare")
        predictions = self.classifier.predict(inputs)
        clock.lap("classify")
        regions, predictions = self.reading.judge(frame, regions, predictions)
        if self.smoother is not None:
            predictions = self.smoother.update(frame.time_s, regions, predictions)
            clock.lap("smooth")
        text = self.reading.text(regions, predictions)
        guide = getattr(self.finder, "guide_box", None)
        return Observation(frame, self.task, regions, predictions, text, clock.laps_ms, guide)

    def close(self) -> None:
        close_finder(self.finder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_pipeline(task: str, models: Path, *, smooth: bool, hands: "Callable[[], Finder] | None" = None) -> Pipeline:
    """The pipeline of a task with its current model; `smooth` for frames of one stream, not for single pictures.

    `hands` is asked for what finds hands in the stream, where the task is of hands.

    Raises SettingsError for an unknown task, ModelError, and AssetError where a hand's joints cannot be found.
    """
    own = {one.name: one for one in Samples().tasks()}
    if task not in (names := shipped_and_own(models, own)):
        raise SettingsError(f"There is no task {task!r}. Tasks: {', '.join(names)}.")
    folder = None if task in own and not has_model(models, task) else open_models(models).current(task)
    region = card.read_card(folder).region if folder else own[task].region
    classifier: Labeller
    reading: Reading
    if region == "paper":
        classifier = Classifier(folder) if folder else Untaught()
        reading = Writing(classifier if folder else None)
    elif region == "hand":
        classifier, reading = HandClassifier(folder, stream=smooth) if folder else Untaught(), Signs()
    elif region == "box":
        classifier, reading = ThingClassifier(folder) if folder else Untaught(), Things()
    else:
        raise ModelError(f"The task {task} has region {region!r}; this program knows {', '.join(REGIONS)}. Retrain it.")
    return Pipeline(
        task,
        open_finder(region, stream=smooth, hands=hands),
        classifier,
        Smoother() if smooth else None,
        reading,
        folder,
    )


class _Clock:
    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[stage] = 1000 * (now_s - self._last_s)
        self._last_s = now_s
