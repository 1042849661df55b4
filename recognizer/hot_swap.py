"""The pipeline of a running program. It switches to another task or a newly published model between two frames."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from recognizer import pipeline
from recognizer.errors import ModelError, RecognizerError
from recognizer.finders.finder import RegionFinder
from recognizer.pipeline import Pipeline
from recognizer.registry.store import ModelStore, title_of
from recognizer.samples.store import Samples
from recognizer.subjects import hands
from recognizer.subjects.subject import Subject
from recognizer.system import native
from recognizer.system.text import one_line
from recognizer.tasks import is_untrained, task_names
from recognizer.values import Frame, Observation

POLL_INTERVAL_S = 0.5  # between two checks of the model folder for a new version
WARM_UP_WH = (640, 480)  # pixels of the blank frame that warms up a new pipeline


class LivePipeline:
    """Runs frames through the current model of the current task. Opens the next pipeline in a background thread."""

    def __init__(
        self,
        task: str,
        models: ModelStore,
        samples: Samples,
        *,
        notify: Callable[[str], None] = lambda line: None,
        on_task: Callable[[str], None] = lambda task: None,
        opener: Callable[[str], Pipeline] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notify` takes one line for the user. `on_task` takes the name of the task after a switch. `opener` opens the
        pipeline of a task, by default with its current model.

        Raises what `open_pipeline` raises.
        """
        self.notify = notify
        self.on_task = on_task
        self._models = models
        self._samples = samples
        self._hands: RegionFinder | None = None
        self._opener = opener or self._open_for_a_stream
        self._clock = clock
        native.use_one_arena()
        self._attempted = self._current_or_none(task)  # a broken version is not opened again
        self._pipeline = self._opener(task)
        self._next: Pipeline | RecognizerError | None = None
        self._opening: threading.Thread | None = None
        self._polled_s = clock()
        self._reported_damage = ""

    @property
    def task(self) -> str:
        return self._pipeline.task

    @property
    def subject(self) -> Subject:
        """The subject of the current task: paper, hand or box."""
        return self._pipeline.subject

    @property
    def folder(self) -> Path | None:
        """The folder of the model version in use; None for a task without a model."""
        return self._pipeline.folder

    def step(self, frame: Frame) -> Observation:
        """Runs one frame through the current pipeline."""
        self._swap()
        self._poll()
        return self._pipeline.step(frame)

    def next_task(self) -> None:
        """Switches to the next task. Frames are processed with the current task until the next one is open."""
        names = [name for name in task_names(self._models, self._samples) if name == self.task or self._can_open(name)]
        after = names.index(self.task) + 1 if self.task in names else 0  # it may have been deleted
        following = names[after % len(names)] if names else self.task
        if following == self.task:
            self.notify(f"{self.task} is the only task with a model. Press n to create another one.")
        else:
            self.open_task(following)

    def open_task(self, task: str) -> bool:
        """Opens a task in the background and switches to it. Returns False while another one is being opened."""
        if self._opening is not None:
            return False
        self.notify(f"opening {task} …")
        self._open(task)
        return True

    def _open_for_a_stream(self, task: str) -> Pipeline:
        return pipeline.open_pipeline(task, self._models, self._samples, smooth=True, hands=self._find_hands)

    def _find_hands(self) -> RegionFinder:
        """The hand finder that all pipelines share, so that a hand is followed while the task changes."""
        if self._hands is None:
            self._hands = hands.open_hands()
        return self._hands

    def _shares_hands(self, one: Pipeline) -> bool:
        """Whether a pipeline uses the shared hand finder."""
        return self._hands is not None and one.finder.uses(self._hands)

    def _can_open(self, task: str) -> bool:
        return self._current_or_none(task) is not None or is_untrained(task, self._models, self._samples)

    def _current_or_none(self, task: str) -> Path | None:
        """The folder of the task's current version; None if there is none or it cannot be read."""
        try:
            return self._models.current(task)
        except RecognizerError:
            return None

    def _poll(self) -> None:
        """Starts to open the task's current version if it is not the one in use."""
        now_s = self._clock()
        if self._opening is not None or now_s - self._polled_s < POLL_INTERVAL_S:
            return
        self._polled_s = now_s
        self._report_damage()
        version = self._current_or_none(self.task)  # None: keep the model in use
        if version not in (None, self._pipeline.folder, self._attempted):
            self._open(self.task)

    def _report_damage(self) -> None:
        """Says once that the task's current version is damaged and an earlier one is in use."""
        try:
            damage = self._models.damage(self.task)
        except RecognizerError:
            return
        if damage and damage != self._reported_damage:
            self.notify(damage)
        self._reported_damage = damage

    def _open(self, task: str) -> None:
        self._attempted = self._current_or_none(task)
        self._opening = threading.Thread(target=self._prepare, args=(task,), name="open-model", daemon=True)
        self._opening.start()

    def _prepare(self, task: str) -> None:
        """Opens a pipeline and runs it once, so that its first frame is not slow. Runs in the background thread."""
        try:
            opened = self._opener(task)
            try:
                self._warm_up(opened)
            except BaseException:
                self._close_pipeline(opened)
                raise
            self._next = opened
        except RecognizerError as error:
            self._next = error
        except Exception as error:  # of any library that a damaged file reaches: the current model stays in use
            self._next = ModelError(
                f"The new model of {task} cannot be used ({type(error).__name__}: {one_line(error)}). "
                f"Go back: python -m recognizer models rollback {task}"
            )

    def _warm_up(self, opened: Pipeline) -> None:
        if self._shares_hands(opened) and self._shares_hands(self._pipeline):
            # the current pipeline uses the shared finder in another thread, so only the classifier runs
            opened.classifier.predict([opened.subject.prepare(opened.subject.warm_up_region())])
        else:
            width, height = WARM_UP_WH
            opened.step(Frame(np.zeros((height, width, 3), np.uint8), 0, 0.0, "warm-up"))

    def _swap(self) -> None:
        """Switches to the pipeline that the thread has opened, or reports why it failed."""
        if self._opening is None or self._opening.is_alive():
            return
        self._opening = None
        ready, self._next = self._next, None
        if isinstance(ready, RecognizerError):
            self.notify(str(ready))
        elif ready is not None:
            before, self._pipeline = self._pipeline, ready
            is_other = ready.task != before.task
            self._close_pipeline(before)
            del before
            native.trim_memory()
            if is_other:
                self.on_task(ready.task)
            self.notify(title_of(ready.folder) if ready.folder else ready.task)

    def close(self) -> None:
        if self._opening is not None:
            self._opening.join()
            self._swap()
        self._close_pipeline(self._pipeline)
        if self._hands is not None:
            self._hands.close()

    def _close_pipeline(self, before: Pipeline) -> None:
        if not self._shares_hands(before):
            before.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
