"""Teaching in the window: keys record samples and start a training run.

A Teacher is a sink in front of the window. It gets each observation, saves a sample while a label's key is held, and polls
the training process. `recognizer.window.teach_panel` draws its state.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np

from recognizer.errors import RecognizerError, SamplesError
from recognizer.hot_swap import LivePipeline
from recognizer.preprocess import sharpness
from recognizer.registry.store import ModelStore, title_of
from recognizer.samples.sample import new_session, split_labels
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.subjects.subject import Input
from recognizer.system.keyboard import BACKSPACE, ENTER, ESC, latin_key
from recognizer.tasks import task_to_record
from recognizer.teaching.recording import RECENT_THUMBNAILS, Recording, label_keys, main_region
from recognizer.teaching.training_process import BackboneProcess, Preparation, Training, TrainingProcess
from recognizer.values import Frame, Observation, Region

SAMPLE_EVERY_S = 0.1  # ten a second: neighbouring frames at 30 fps are nearly the same
REPEAT_S = 0.75  # a repeated press within this time means that the key is held: keyboards repeat after about 0.5 s
HELD_S = 0.12  # keyboards repeat about 30 times a second: after a longer pause the key was released


class FormLine(StrEnum):
    """The lines of the form for a new task, in order."""

    NAME = "name"
    SUBJECT = "subject"
    LABELS = "labels"


@dataclass
class NewTaskForm:
    """The form that creates a task or adds labels to one. Enter goes to the next line."""

    typed: dict[FormLine, str] = field(default_factory=lambda: dict.fromkeys(FormLine, ""))
    line: FormLine = FormLine.NAME

    @property
    def name(self) -> str:
        return self.typed[FormLine.NAME].strip()

    @property
    def subject(self) -> str:
        """The name of one of SUBJECTS; empty until it is chosen."""
        return self.typed[FormLine.SUBJECT]

    @property
    def labels(self) -> str:
        return self.typed[FormLine.LABELS]


class Teacher:
    """Recording, the form for a new task, and training, controlled by the window's keys."""

    def __init__(
        self,
        live: LivePipeline,
        models: ModelStore,
        samples: Samples,
        *,
        notify: Callable[[str], None] = lambda line: None,
        train: Callable[[str, ModelStore, Samples], Training] = TrainingProcess,
        prepare: Callable[[ModelStore], Preparation] = BackboneProcess,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notify` shows a message to the user. `train` starts a training run of a task. `prepare` builds the
        feature extractor that tasks of objects need.
        """
        self.notify = notify
        self.recording: Recording | None = None
        self.form: NewTaskForm | None = None
        self.training: Training | None = None
        self.progress: dict[str, Any] = {}
        self.result: dict[str, Any] | None = None  # of the last training run, until Esc or Enter is pressed
        self._live = live
        self._models = models
        self._samples = samples
        self._train = train
        self._prepare = prepare
        self._preparation: Preparation | None = None
        self._clock = clock

    @property
    def actions(self) -> dict[str, Callable[[], None]]:
        """The teaching commands of the window's normal mode, by key."""
        return {"c": self.start_recording, "n": self.start_form, "t": self.start_training, "u": self.undo_model}

    def key(self, key: str) -> bool:
        """Handle a key. Return whether it was meant for teaching."""
        if self.form is not None:
            self._type(self.form, key)
            return True
        if self.recording is not None:
            return self._record_key(self.recording, key)
        if self.training is not None and key == ESC:
            self.cancel_training()
            return True
        if self.result is not None and key in (ESC, ENTER):
            self.result = None
            return True
        return False

    def start_recording(self) -> None:
        """Enter recording mode for the current task."""
        try:
            task = task_to_record(self._samples, self._models, self._live.task)
            counts = self._samples.counts(task.name)
        except RecognizerError as error:
            self.notify(str(error))
            return
        self.result = None
        self.recording = Recording(task, label_keys(task.labels), counts, new_session())

    def _record_key(self, recording: Recording, key: str) -> bool:
        if key == ESC:
            self.recording = None
        elif key == ENTER:
            self.recording = None
            self.start_training()
        elif key == BACKSPACE:
            self._undo_burst(recording)
        else:
            label = _label_of(recording, key)
            if label is None:
                return False
            self._press(recording, label)
        return True

    def _press(self, recording: Recording, label: str) -> None:
        now_s = self._clock()
        if label == recording.label and now_s - recording.pressed_s < REPEAT_S:
            recording.until_s = now_s + HELD_S
        else:
            recording.label, recording.burst = label, []
        # `wanted`, because a slow camera may deliver its next frame only after the key was released
        recording.pressed_s, recording.wanted = now_s, True

    def _undo_burst(self, recording: Recording) -> None:
        count = len(recording.burst)
        try:
            self._samples.undo(recording.burst)
        except RecognizerError as error:
            self.notify(str(error))
            return
        if recording.label is not None:
            recording.counts[recording.label] -= count
            self.notify(f"deleted the last {count} samples of {recording.label}" if count else "no samples to delete")
        recording.burst = []

    def write(self, observation: Observation) -> None:
        """Process one frame: save a sample if a key is held, and poll the training process."""
        self._prepare_backbone()
        if self.training is not None:
            self._update_training(self.training)
        if self.recording is not None:
            self._record(self.recording, observation)

    def _record(self, recording: Recording, observation: Observation) -> None:
        if observation.task != recording.task.name:  # the user switched to another task with Tab
            self.recording = None
            return
        now_s = self._clock()
        if now_s - max(recording.pressed_s, recording.until_s) > REPEAT_S:
            recording.wanted = False
        due = recording.wanted or now_s < recording.until_s
        region = main_region(observation)
        recording.is_without_joints = region is not None and subject_of(recording.task.subject).lacks_joints(region)
        if region is None or recording.is_without_joints or now_s - recording.recorded_s < SAMPLE_EVERY_S:
            return
        recording.crop = region.crop
        recording.is_blurred = sharpness.sharpness(region.crop) < sharpness.BLURRED
        thumbnail = sharpness.thumbnail(region.crop)
        recording.is_duplicate = sharpness.is_duplicate(thumbnail, recording.thumbnails)
        if due and recording.label is not None:
            self._save_sample(recording, recording.label, region, observation.frame, thumbnail)
            recording.recorded_s, recording.wanted = now_s, False

    def _save_sample(
        self, recording: Recording, label: str, region: Region, frame: Frame, thumbnail: np.ndarray
    ) -> None:
        try:
            if label not in recording.task.labels:
                recording.task = self._samples.add_labels(recording.task.name, [label])
            sample = self._samples.add(recording.task.name, label, region, frame, recording.session, frame.name)
        except RecognizerError as error:
            recording.until_s = -1.0
            self.notify(str(error))
            return
        recording.burst.append(sample)
        recording.counts[label] = recording.counts.get(label, 0) + 1
        recording.thumbnails = [*recording.thumbnails, thumbnail][-RECENT_THUMBNAILS:]

    def start_form(self) -> None:
        self.result, self.form = None, NewTaskForm()

    def _type(self, form: NewTaskForm, key: str) -> None:
        if key == ESC:
            self.form = None
        elif key == BACKSPACE:
            form.typed[form.line] = form.typed[form.line][:-1]
        elif key == ENTER:
            self._next_line(form)
        elif form.line == FormLine.SUBJECT:
            chosen = [subject.name for subject in SUBJECTS.values() if subject.key == latin_key(key.lower())]
            form.typed[form.line] = chosen[0] if chosen else form.subject
        elif len(key) == 1 and key.isprintable():  # longer ones are names, such as Left
            form.typed[form.line] += key

    def _next_line(self, form: NewTaskForm) -> None:
        *_, last = lines = [*FormLine]
        if not form.typed[form.line].strip():
            self.notify(f"type the {form.line} first")
        elif form.line != last:
            form.line = lines[lines.index(form.line) + 1]
        else:
            self._make(form)

    def _make(self, form: NewTaskForm) -> None:
        """Create the form's task, or add the labels to an existing task of the same subject."""
        name, labels = form.name, split_labels(form.labels)
        try:
            if name in {*self._models.tasks(), *(task.name for task in self._samples.tasks())}:
                existing = task_to_record(self._samples, self._models, name)
                if existing.subject != form.subject:
                    raise SamplesError(
                        f"The task {name} exists already, with the subject {existing.subject}. Type another name."
                    )
                self._samples.add_labels(name, labels)
            else:
                self._samples.create_task(name, form.subject, labels)
        except RecognizerError as error:
            self.notify(str(error))
            form.line = FormLine.NAME
            return
        self.form = None
        if name != self._live.task:
            self._live.open_task(name)

    def _prepare_backbone(self) -> None:
        """Build the feature extractor of objects in the background. This takes longer than the training run."""
        may_train = self.form is not None or self.recording is not None or self._live.folder is None
        subject = SUBJECTS.get(self.form.subject) if self.form else self._live.subject
        if self._preparation is None and may_train and subject is not None and subject.input is Input.COLOUR:
            self._preparation = self._prepare(self._models)

    def start_training(self) -> None:
        if self.training is not None:
            self.notify("training is already running: Esc cancels it")
            return
        self.result = None
        self.progress = {"stage": "starting", "progress": 0.0}
        self.training = self._train(self._live.task, self._models, self._samples)

    def _update_training(self, training: Training) -> None:
        self.progress = training.poll()
        if not self.progress.get("ended"):
            return
        training.cancel()
        self.training, self.result = None, self.progress
        if "error" in self.progress:
            self.notify(str(self.progress["error"]))
        elif self.progress["published"] is None:
            self.notify(str(self.progress.get("why", "not published")))

    def cancel_training(self) -> None:
        if self.training is not None:
            self.training.cancel()
            self.training = None
            self.notify("training cancelled: nothing has changed")

    def undo_model(self) -> None:
        """Go back to the task's previous model, which the live pipeline then loads."""
        try:
            task = self._live.task
            version = self._models.rollback(task)
            self.notify(f"back to {title_of(self._models.folder_of(task, version))}")
        except RecognizerError as error:
            self.notify(str(error))

    def close(self) -> None:
        for process in (self.training, self._preparation):
            if process is not None:
                process.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _label_of(recording: Recording, key: str) -> str | None:
    """The label that a key records: the one of the panel, else the label that is this character, else by the key's place."""
    keys = recording.keys
    typed = key if key in recording.task.labels else None
    return keys.get(key) or keys.get(key.upper()) or typed or keys.get(latin_key(key).upper())
