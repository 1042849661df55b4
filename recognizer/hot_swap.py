"""The pipeline of a running program: another task, or a newly published model, takes over between two frames."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from recognizer import pipeline
from recognizer.errors import RecognizerError
from recognizer.finders.finder import RegionFinder
from recognizer.pipeline import Pipeline
from recognizer.registry.store import ModelStore, title_of
from recognizer.samples.store import Samples
from recognizer.subjects import hands
from recognizer.subjects.subject import Subject
from recognizer.system import native
from recognizer.tasks import is_untaught, task_names
from recognizer.values import Frame, Observation

LOOK_EVERY_S = 0.5  # how often the model folder is looked at for a new version
WARM_UP_WH = (640, 480)  # pixels of the empty frame that a new pipeline sees first


class LivePipeline:
    """Steps frames through the current task's current model, and opens the next one beside it in a thread."""

    def __init__(
        self,
        task: str,
        models: ModelStore,
        samples: Samples,
        *,
        say: Callable[[str], None] = lambda line: None,
        on_task: Callable[[str], None] = lambda task: None,
        opener: Callable[[str], Pipeline] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`say` takes one line for the person in front of the screen, `on_task` the name of a task that has taken over;
        `opener` opens the pipeline of a task, by default with its current model.

        Raises what `open_pipeline` raises.
        """
        self.say = say
        self.on_task = on_task
        self._models = models
        self._samples = samples
        self._hands: RegionFinder | None = None
        self._opener = opener or self._open_for_a_stream
        self._clock = clock
        native.use_one_arena()
        self._tried = self._current_or_none(task)  # the version opened last, or refused: never opened again and again
        self._pipeline = self._opener(task)
        self._next: Pipeline | RecognizerError | None = None
        self._opening: threading.Thread | None = None
        self._looked_s = clock()

    @property
    def task(self) -> str:
        return self._pipeline.task

    @property
    def subject(self) -> Subject:
        """What the running task shows."""
        return self._pipeline.subject

    @property
    def folder(self) -> Path | None:
        """The model version that runs; None before the first one."""
        return self._pipeline.folder

    def step(self, frame: Frame) -> Observation:
        self._swap()
        self._look()
        return self._pipeline.step(frame)

    def next_task(self) -> None:
        """Go on to the next task that has a model; the picture keeps flowing while it opens."""
        names = [name for name in task_names(self._models, self._samples) if name == self.task or self._can_open(name)]
        following = names[(names.index(self.task) + 1) % len(names)]
        if following == self.task:
            self.say(f"There is no other task than {self.task} with a model.")
        else:
            self.open_task(following)

    def open_task(self, task: str) -> None:
        """Let a task take over once it is open; while another one opens nothing happens."""
        if self._opening is None:
            self.say(f"opening {task} …")
            self._open(task)

    def _open_for_a_stream(self, task: str) -> Pipeline:
        return pipeline.open_pipeline(task, self._models, self._samples, smooth=True, hands=self._find_hands)

    def _find_hands(self) -> RegionFinder:
        """What finds hands in all pipelines: MediaPipe takes long to open, and returns little of what it holds."""
        if self._hands is None:
            self._hands = hands.open_hands()
        return self._hands

    def _shares_hands(self, one: Pipeline) -> bool:
        return self._hands is not None and one.finder.uses(self._hands)

    def _can_open(self, task: str) -> bool:
        return self._current_or_none(task) is not None or is_untaught(task, self._models, self._samples)

    def _current_or_none(self, task: str) -> Path | None:
        """The task's current version; None where there is none, or where it was half-written by hand."""
        try:
            return self._models.current(task)
        except RecognizerError:
            return None

    def _look(self) -> None:
        """Begin to open the task's current version when it is no longer the one in use."""
        now_s = self._clock()
        if self._opening is not None or now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        version = self._current_or_none(self.task)  # without one, what runs goes on running
        if version not in (None, self._pipeline.folder, self._tried):
            self._open(self.task)

    def _open(self, task: str) -> None:
        self._tried = self._current_or_none(task)
        self._opening = threading.Thread(target=self._prepare, args=(task,), name="open-model", daemon=True)
        self._opening.start()

    def _prepare(self, task: str) -> None:
        try:
            self._next = opened = self._opener(task)
            if self._shares_hands(opened) and self._shares_hands(self._pipeline):  # which looks for hands meanwhile
                opened.classifier.predict([opened.subject.prepare(opened.subject.warm_up_region())])
            else:
                width, height = WARM_UP_WH
                opened.step(Frame(np.zeros((height, width, 3), np.uint8), 0, 0.0, "warm-up"))
        except RecognizerError as error:
            self._next = error

    def _swap(self) -> None:
        """Let what the thread has opened take over, or tell why it could not."""
        if self._opening is None or self._opening.is_alive():
            return
        self._opening = None
        ready, self._next = self._next, None
        if isinstance(ready, RecognizerError):
            self.say(str(ready))
        elif ready is not None:
            before, self._pipeline = self._pipeline, ready
            is_other = ready.task != before.task
            self._let_go(before)
            del before
            native.trim_memory()
            if is_other:
                self.on_task(ready.task)
            self.say(title_of(ready.folder) if ready.folder else ready.task)

    def close(self) -> None:
        if self._opening is not None:
            self._opening.join()
            self._swap()
        self._let_go(self._pipeline)
        if self._hands is not None:
            self._hands.close()

    def _let_go(self, before: Pipeline) -> None:
        if not self._shares_hands(before):
            before.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
