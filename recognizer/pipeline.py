"""The road of a frame: region finder, preprocess, classifier, smoother."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from recognizer import preprocess, registry
from recognizer.errors import ModelError, SettingsError
from recognizer.samples import REGIONS, Samples
from recognizer.settings import TASKS
from recognizer.smoothing import Smoother
from recognizer.values import Frame, Observation, Prediction, Region
from recognizer.writing import Writing

if TYPE_CHECKING:
    from recognizer.regions.hands import HandFinder
    from recognizer.regions.held import Finder


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


class Untaught:
    """The classifier of a task that has samples to record and no model yet: it knows nothing."""

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        """Inputs are pictures, (h, w) or (h, w, 3) uint8, or regions with one."""
        images = [preprocess.hand_image(one.crop if isinstance(one, Region) else one) for one in inputs]
        return tuple(Prediction(None, 0.0, (), image) for image in images)


def task_names(models: Path) -> list[str]:
    """The tasks that come with the program, then those that have a model in the folder or samples."""
    return _named(models, [task.name for task in Samples().tasks()])


def _named(models: Path, own: Iterable[str]) -> list[str]:
    return [*TASKS, *sorted({*registry.tasks(models), *own} - set(TASKS))]


def _has_model(models: Path, task: str) -> bool:
    return (models / task / registry.CURRENT).exists()


def open_pipeline(task: str, models: Path, *, smooth: bool, hands: "Callable[[], Finder] | None" = None) -> Pipeline:
    """The pipeline of a task with its current model; `smooth` for frames of one stream, not for single pictures.

    `hands` is asked for what finds hands in the stream, where the task is of hands.

    Raises SettingsError for an unknown task, ModelError, and AssetError where a hand's joints cannot be found.
    """
    own = {one.name: one for one in Samples().tasks()}
    if task not in (names := _named(models, own)):
        raise SettingsError(f"There is no task {task!r}. Tasks: {', '.join(names)}.")
    folder = None if task in own and not _has_model(models, task) else registry.current(models, task)
    region = registry.read_card(folder).get("region") if folder else own[task].region
    classifier: Labeller
    reading: Reading
    if region == "paper":
        from recognizer.classifier import Classifier

        classifier = Classifier(folder) if folder else Untaught()
        reading = Writing(classifier if folder else None)
    elif region == "hand":
        from recognizer.hand_signs import HandClassifier, Signs

        classifier, reading = HandClassifier(folder, stream=smooth) if folder else Untaught(), Signs()
    elif region == "box":
        from recognizer.things import ThingClassifier, Things

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


def open_finder(region: str, *, stream: bool, hands: "Callable[[], Finder] | None" = None) -> RegionFinder:
    """What finds a task's regions; `stream` for frames that follow each other. It may have a `close`. Raises AssetError."""
    if region == "paper":
        from recognizer.regions.writing import WritingFinder

        return WritingFinder(video=stream)
    if region == "box":
        from recognizer.regions.box import BoxFinder

        return BoxFinder()
    from recognizer.regions.held import HeldFinder

    return HeldFinder((hands or open_hands)()) if stream else open_hands(stream=False)


def open_hands(*, stream: bool = True) -> "HandFinder":
    """What finds hands by their joints. Raises AssetError."""
    from recognizer.assets import find_asset
    from recognizer.regions.hands import HandFinder

    return HandFinder(find_asset("hand_landmarker"), video=stream, guide=stream)


@contextmanager
def finding(region: str, *, stream: bool) -> Iterator[RegionFinder]:
    """The same for as long as the block lasts."""
    finder = open_finder(region, stream=stream)
    try:
        yield finder
    finally:
        close_finder(finder)


@contextmanager
def picture_finder(region: str) -> Iterator[Callable[[Frame], tuple[Region, ...]] | None]:
    """What looks for a task's regions in single pictures; None for boxes, which are whole pictures. Raises AssetError."""
    if region == "box":
        yield None
        return
    with finding(region, stream=False) as finder:
        yield finder.find


def close_finder(finder: RegionFinder) -> None:
    """Give back what a finder holds, such as MediaPipe's threads."""
    close = getattr(finder, "close", None)
    if close is not None:
        close()


def is_untaught(task: str, models: Path) -> bool:
    """Whether a task of the user's own waits for its first model."""
    return not _has_model(models, task) and task in {own.name for own in Samples().tasks()}


class _Clock:
    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[stage] = 1000 * (now_s - self._last_s)
        self._last_s = now_s
