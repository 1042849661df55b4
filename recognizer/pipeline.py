"""The pipeline of a frame: region finder, preprocessing, classifier, smoother."""

import time
from pathlib import Path
from typing import Self

from recognizer.errors import ModelError, SettingsError, SubjectError
from recognizer.finders.finder import RegionFinder
from recognizer.motion.movement import Movement
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.smoothing import Smoother
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import OpenFinder, Predictor, Subject, UntrainedClassifier, WithMotion
from recognizer.tasks import all_task_names
from recognizer.values import Frame, Observation, Prediction


class Pipeline:
    """Turns frames into observations. Without a smoother each frame is independent, as single pictures are."""

    def __init__(
        self,
        task: str,
        subject: Subject,
        finder: RegionFinder,
        classifier: Predictor,
        smoother: Smoother | None = None,
        folder: Path | None = None,
    ):
        """`folder` is the model version of the classifier; None for a task without a model."""
        self.task = task
        self.subject = subject
        self.finder = finder
        self.classifier = classifier
        self.smoother = smoother
        self.folder = folder
        self._postprocessor = subject.open_postprocessor(classifier if folder else None)
        self._motion = subject.open_motion(folder)

    def step(self, frame: Frame) -> Observation:
        """The observation of one frame, with the duration of each stage."""
        clock = _StageTimer()
        regions = self.finder.find(frame)
        clock.lap("find")
        inputs = [self.subject.prepare(region) for region in regions]
        clock.lap("prepare")
        predictions = self.classifier.predict(inputs)
        clock.lap("classify")
        regions, predictions = self._postprocessor.postprocess(frame, regions, predictions)
        if self.smoother is not None:
            predictions = self.smoother.update(frame.time_s, regions, predictions)
            clock.lap("smooth")
        found = WithMotion(regions, predictions)
        if self._motion is not None and self.smoother is not None:
            found = self._motion.step(frame, regions, predictions)
            clock.lap("move")
        text = self.subject.text(found.regions, found.predictions)
        objects = self.subject.objects(found.regions, found.predictions)
        return Observation(
            frame,
            self.task,
            found.regions,
            found.predictions,
            text,
            clock.laps_ms,
            self.finder.guide_box,
            objects,
            found.movement,
            found.is_moving,
        )

    def predict_movement(self, movement: Movement) -> Prediction | None:
        """The label of a whole movement; None if nothing moves in this task."""
        return None if self._motion is None else self._motion.predict(movement)

    def close(self) -> None:
        self.finder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_pipeline(
    task: str, models: ModelStore, samples: Samples, *, smooth: bool, hands: OpenFinder | None = None
) -> Pipeline:
    """The pipeline of a task with its current model. `smooth` is for frames of one stream, not for single pictures.

    `hands` opens the hand finder of a stream, if the task's subject is the hand.

    Raises SettingsError for an unknown task, ModelError if the model is missing or damaged, and AssetError if a file that
    the hand finder needs is.
    """
    own = {one.name: one for one in samples.tasks()}
    if task not in (names := all_task_names(models, own)):
        raise SettingsError(f"There is no task {task!r}. Tasks: {', '.join(names)}.")
    folder = None if task in own and not models.has(task) else models.current(task)
    subject = _subject_of(task, card.read_card(folder).subject if folder else own[task].subject)
    return Pipeline(
        task,
        subject,
        subject.open_finder(stream=smooth, hands=hands),
        subject.open_classifier(folder, stream=smooth) if folder else UntrainedClassifier(subject),
        Smoother() if smooth else None,
        folder,
    )


def _subject_of(task: str, name: str | None) -> Subject:
    """Raises ModelError."""
    try:
        return subject_of(name)
    except SubjectError as error:
        raise ModelError(
            f"The task {task} has a subject that this program does not know: {error} Retrain it."
        ) from error


class _StageTimer:
    """Measures the duration of each stage of a frame, in milliseconds."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def lap(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.laps_ms[stage] = 1000 * (now_s - self._last_s)
        self._last_s = now_s
