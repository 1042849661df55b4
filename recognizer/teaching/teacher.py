"""Teaching in the window: keys record samples, look at them, take back, and start a training run.

A Teacher is a sink in front of the window. It gets each observation, saves a sample while a label's key is held, and polls
the training process. `recognizer.window.teach_panel` draws its state.
"""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recognizer.errors import ModelError, RecognizerError, SamplesError
from recognizer.hot_swap import LivePipeline
from recognizer.preprocess import sharpness
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.png import encode_png
from recognizer.samples.sample import Sample, copied_sample, new_sample, new_session, split_labels
from recognizer.samples.store import Samples
from recognizer.sinks.sink import _ClosingSink
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.subjects.subject import Input
from recognizer.system.clipboard import clipboard_text
from recognizer.system.keyboard import BACKSPACE, ENTER, ESC, PASTE, latin_key
from recognizer.tasks import is_untrained, task_names, task_to_record
from recognizer.teaching.editor import Editor
from recognizer.teaching.history import History
from recognizer.teaching.messages import Report, in_plain_words, report_of
from recognizer.teaching.new_task_form import FormLine, NewTaskForm
from recognizer.teaching.press import Press
from recognizer.teaching.recording import (
    COUNT_S,
    HANDS_FREE_S,
    RECENT_IN_WINDOW,
    RED_S,
    SAME_LEVELS,
    SHOWN_PICTURES,
    Recording,
    label_keys,
    main_region,
    missing_samples,
)
from recognizer.teaching.review import Review
from recognizer.teaching.training_process import BackboneProcess, Preparation, Training, TrainingProcess
from recognizer.values import Frame, Observation, Region

SAMPLE_EVERY_S = 0.1  # ten a second: neighbouring frames at 30 fps are nearly the same
REPEAT_S = 0.75  # a repeated press within this time means that the key is held: keyboards repeat after about 0.5 s
HELD_S = 0.12  # keyboards repeat about 30 times a second: after a longer pause the key was released
RESULT_S = 30.0  # how long the result of a training run stands beside the picture
NEXT_KEYS, BACK_KEYS = ("Down", "Page Down"), ("Up", "Page Up")
STILL_KEY = "."  # a point, which does not move
NOT_NEW = "same as before"
BLURRED = "blurred: hold it still"
NO_JOINTS = "show all fingers of the hand"
NO_REGION = "nothing to be seen"
Key = tuple[str, str]  # a key, and what it does


class Teacher(_ClosingSink):
    """Recording, the form for a new task, the look at the samples, and training, controlled by the window's keys."""

    def __init__(
        self,
        live: LivePipeline,
        models: ModelStore,
        samples: Samples,
        *,
        notify: Callable[[str], None] = lambda line: None,
        train: Callable[[str, ModelStore, Samples], Training] = TrainingProcess,
        prepare: Callable[[ModelStore], Preparation] = BackboneProcess,
        paste: Callable[[], str | None] = clipboard_text,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notify` shows a message to the user. `train` starts a training run of a task. `prepare` builds the
        feature extractor that tasks of objects need. `paste` returns the clipboard's text.
        """
        self.notify = notify
        self.recording: Recording | None = None
        self.review: Review | None = None
        self.form: NewTaskForm | None = None
        self.editor: Editor | None = None
        self.training: Training | None = None
        self.progress: dict[str, Any] = {}
        self.result: dict[str, Any] | None = None  # of the last training run, while it is shown
        self.report: Report | None = None  # the same in words
        self._live = live
        self._models = models
        self._samples = samples
        self._history = History(models, samples)
        self._train = train
        self._trained_task = ""
        self._wanted_task = ""  # to be opened, while another one is being opened
        self._counted = ("", False)  # a task, and whether it has samples
        self._result_until_s = 0.0
        self._prepare = prepare
        self._preparation: Preparation | None = None
        self._paste = paste
        self._clock = clock

    @property
    def actions(self) -> dict[str, Callable[[], None]]:
        """The teaching commands of the window's normal mode, by key."""
        return {
            "c": self.start_recording,
            "k": self.start_review,
            "n": self.start_form,
            "e": self.start_editor,
            "t": self.start_training,
            "u": self.undo_model,
        }

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys that work now, with what they do."""
        if self.form is not None:
            enter = "make it, and record" if self.form.is_last else "next"
            paste = () if self.form.line == FormLine.SUBJECT else (("Insert", "paste"),)
            return (("Enter", enter), ("Up", "back"), *paste, ("Esc", "close"))
        if self.editor is not None:
            return self.editor.keys
        if self.recording is not None:
            return self._recording_keys(self.recording)
        if self.review is not None:
            chosen = (("Delete", "delete"), (_few_keys(self.review.keys), "give a label")) if self.review.chosen else ()
            return (
                ("arrows", "choose"),
                *chosen,
                ("Backspace", "take back"),
                ("Enter", "train"),
                ("Esc", "close"),
            )
        if self.result is not None:
            return (("k", "look at the samples"), ("c", "record"), ("u", "previous model"), ("Esc", "close"))
        samples = (
            (("k", "look at the samples"), ("e", "edit labels"), ("t", "train"))
            if self._counted == (self._live.task, True)
            else ()
        )
        training = (("Esc", "cancel training"),) if self.training is not None else samples
        return (("c", "record"), ("n", "new task"), *training, ("Tab", "next task"))

    def _recording_keys(self, recording: Recording) -> tuple[Key, ...]:
        stop = "stop" if recording.hands_free_s is not None else "hands-free"
        train = () if recording.missing else (("Enter", "train"),)
        still = ((STILL_KEY, "a still sign"),) if recording.stills else ()
        look = () if _label_of(recording.keys, recording.labels, "k") else (("k", "look"),)
        undo = ("Backspace", "take back")
        return (("Space", stop), ("Up Down", "choose"), undo, *still, *look, *train, ("Esc", "close"))

    @property
    def now_s(self) -> float:
        """The time of `recording.event_s`, in seconds."""
        return self._clock()

    @property
    def is_typing(self) -> bool:
        """Whether a text is typed, so that each letter has to appear at once."""
        return self.form is not None or (self.editor is not None and self.editor.field is not None)

    @property
    def unsaved(self) -> str:
        """What would be lost or broken off if the program ended now, in a sentence; "" if nothing is."""
        if self.training is not None:
            return "The training would be lost."
        return "You are recording." if self.recording is not None else ""

    def key(self, key: str) -> bool:
        """Handle a key. Return whether it was meant for teaching."""
        if self.form is not None:
            self._type(self.form, key)
            return True
        if self.editor is not None:
            return self._edit_key(self.editor, key)
        if self.recording is not None:
            return self._record_key(self.recording, key)
        if self.review is not None:
            return self._review_key(self.review, key)
        if self.result is not None and key in (ESC, ENTER):
            self._close_result()
            return True
        if self.training is not None and key == ESC:
            self.cancel_training()
            return True
        return False

    def start_recording(self) -> None:
        """Enter recording mode for the current task."""
        self._record_task(self._live.task)

    def _record_task(self, name: str) -> None:
        if not self._models.has(name) and name not in {task.name for task in self._samples.tasks()}:
            self.notify(f"There is no task {name}: press n to make one")
            return
        try:
            task = task_to_record(self._samples, self._models, name)
            recording = Recording(
                task, label_keys(task.labels), self._samples.counts(task.name), new_session(), self._known(name)
            )
            recording.is_waiting = name != self._live.task
            self._reload(recording)
        except RecognizerError as error:
            self._notify_error(error)
            return
        self.close_all()
        self.recording = recording

    def close_all(self) -> None:
        """Close the form, the list of labels, the recording, the samples and the result."""
        self.form, self.editor, self.recording, self.review = None, None, None, None
        self._close_result()

    def _close_result(self) -> None:
        self.result, self.report = None, None

    def _notify_error(self, error: RecognizerError) -> None:
        self.notify(in_plain_words(str(error)))

    def _known(self, task: str) -> tuple[str, ...]:
        """The labels of the task's current model; () without one."""
        with contextlib.suppress(ModelError):
            if self._models.has(task):
                return tuple(card.read_card(self._models.current(task)).labels)
        return ()

    def _reload(self, recording: Recording) -> None:
        """Take counts and pictures from the store. A picture that cannot be read is left out. Raises SamplesError."""
        recording.counts = self._samples.counts(recording.task.name)
        recording.moving = self._samples.moving_counts(recording.task.name)
        recording.demonstration, recording.stills, recording.moved = None, [], []
        recording.pictures.clear()
        recording.thumbnails.clear()
        samples = self._samples.read(recording.task.name)
        for label in recording.counts:
            for sample in [one for one in samples if one.label == label][-SHOWN_PICTURES:]:
                with contextlib.suppress(SamplesError):
                    recording.show(label, self._samples.picture(sample))

    def _record_key(self, recording: Recording, key: str) -> bool:
        label = _label_of(recording.keys, recording.labels, key)
        if key in (ESC, ENTER, BACKSPACE):
            self._end_press(recording)
        if key == ESC:
            self.recording = None
        elif key == ENTER:
            self._train_if_enough(recording)
        elif key == BACKSPACE:
            self._undo()
        elif key == " ":
            self._toggle_hands_free(recording)
        elif key in (*NEXT_KEYS, *BACK_KEYS):
            labels = recording.labels
            step = 1 if key in NEXT_KEYS else -1
            recording.chosen = labels[(labels.index(recording.asked) + step) % len(labels)]
        elif label is not None:
            self._press(recording, label)
        elif STILL_KEY in (key, latin_key(key)) and recording.stills:
            self._make_still(recording)
        else:
            return False
        return True

    def _count_again(self, task: str) -> None:
        """Look whether the task has samples, for the line of keys."""
        self._counted = (task, False)
        with contextlib.suppress(RecognizerError):
            self._counted = (task, any(sample.task == task for sample in self._samples.read()))

    def _train_if_enough(self, recording: Recording) -> None:
        if recording.missing:
            self.notify(f"Not yet: {recording.missing}")
        else:
            self.start_training()

    def _toggle_hands_free(self, recording: Recording) -> None:
        """Begin to count 3, 2, 1 for the label that is asked; or stop."""
        if recording.hands_free_s is not None:
            recording.hands_free_s = None
            return
        recording.hands_free_s, recording.label = self._clock(), recording.asked
        recording.until_s, recording.wanted = -1.0, False
        self._begin_press(recording, recording.asked, is_hands_free=True)

    def _press(self, recording: Recording, label: str) -> None:
        now_s = self._clock()
        recording.hands_free_s, recording.chosen = None, None
        if label == recording.label and now_s - recording.pressed_s < REPEAT_S:
            recording.until_s = now_s + HELD_S
            if recording.press is not None:
                recording.press.is_held = True
        else:
            recording.label = label
            self._begin_press(recording, label, is_hands_free=False)
        # `wanted`, because a slow camera may deliver its next frame only after the key was released
        recording.pressed_s, recording.wanted = now_s, True

    def _begin_press(self, recording: Recording, label: str, *, is_hands_free: bool) -> None:
        self._end_press(recording)
        self._history.begin_burst(recording.task.name, label)
        recording.press = Press(label, is_hands_free)
        recording.demonstration, recording.stills, recording.moved = None, [], []

    def _undo(self) -> None:
        """Take back the last thing that was done to the current task."""
        shown = next((one for one in (self.editor, self.review) if one is not None), None)
        task = shown.task if shown is not None else self._live.task
        task = self.recording.task.name if self.recording is not None else task
        try:
            undone = self._history.undo(task)
            if self.recording is not None:
                self._reload(self.recording)
            if self.review is not None:
                self.review.renew(self._samples.read(task))
            if self.editor is not None and undone is not None:
                self.editor.show(undone.task)
        except RecognizerError as error:
            self._notify_error(error)
            return
        if self.recording is not None:
            self.recording.label, self.recording.hands_free_s, self.recording.until_s = None, None, -1.0
            self.recording.wanted = False
        self._count_again(undone.task if undone is not None else task)
        self.notify(undone.words if undone is not None else "nothing to take back")
        if undone is not None and undone.task != task:
            self._go_to(undone.task)

    def write(self, observation: Observation) -> None:
        """Process one frame: save a sample if a key is held, and poll the training process."""
        self._prepare_backbone()
        if self._counted[0] != observation.task:
            self._count_again(observation.task)
        if self.training is not None:
            self._update_training(self.training)
        if self.recording is not None:
            self._record(self.recording, observation)
        self._go_to(self._wanted_task)
        if self.review is not None and self.review.task != observation.task:
            self.review = None
        if self.editor is not None and self.editor.task == observation.task:
            self.editor.is_waiting = False
        elif self.editor is not None and not self.editor.is_waiting:
            self.editor = None
        if self.result is not None and (
            observation.task != self._trained_task or self._clock() >= self._result_until_s
        ):
            self._close_result()

    def _record(self, recording: Recording, observation: Observation) -> None:
        if observation.task != recording.task.name:
            if not recording.is_waiting:  # the user switched to another task with Tab
                self.recording = None
            return
        recording.is_waiting = False
        now_s = self._clock()
        if now_s - max(recording.pressed_s, recording.until_s) > REPEAT_S:
            recording.wanted = False
        hands_free = self._hands_free(recording, now_s)
        recording.is_on = hands_free or recording.wanted or now_s < recording.until_s
        recording.is_red = recording.is_on or now_s - recording.recorded_s < RED_S
        self._see_press(recording, observation, now_s)
        region = main_region(observation)
        recording.is_without_joints = region is not None and subject_of(recording.task.subject).lacks_joints(region)
        if region is None or recording.is_without_joints:
            if recording.is_on:
                recording.say(NO_JOINTS if region is not None else NO_REGION, False, now_s)
            return
        if now_s - recording.recorded_s < SAMPLE_EVERY_S:
            return
        label = recording.label
        recording.is_blurred = sharpness.sharpness(region.crop) < sharpness.BLURRED
        thumbnail = sharpness.thumbnail(region.crop)
        of_label = recording.thumbnails.get(label or recording.asked, [])
        recording.is_duplicate = any(sharpness.difference(thumbnail, one) < SAME_LEVELS for one in of_label)
        if not recording.is_on or label is None:
            return
        recording.wanted = False
        if recording.is_blurred or recording.is_duplicate:
            recording.say(BLURRED if recording.is_blurred else NOT_NEW, False, now_s)
            return
        recording.recorded_s = now_s
        if observation.is_moving and recording.press is not None:
            self._keep_still(recording, recording.press, region, observation.frame)
        else:
            self._save_sample(recording, label, region, observation.frame, thumbnail)

    def _see_press(self, recording: Recording, observation: Observation, now_s: float) -> None:
        """Give the frame to the press that goes on, and end it when the key is up and the hands have come to rest."""
        press = recording.press
        if press is None:
            return
        press.see(observation, recording.is_on)
        may_go_on = not press.is_held and not press.is_hands_free and now_s - recording.pressed_s < REPEAT_S
        if not recording.is_on and recording.hands_free_s is None and not observation.is_moving and not may_go_on:
            self._end_press(recording)

    def _keep_still(self, recording: Recording, press: Press, region: Region, frame: Frame) -> None:
        """Keep a still sample while the hands move: the end of the press shows whether the sign moves."""
        try:
            picture = subject_of(recording.task.subject).sample_picture(frame.image_bgr, region)
            name, label = recording.task.name, press.label
            sample = new_sample(name, label, recording.session, frame.name, region.box, hand=region.hand)
            press.keep(sample, encode_png(picture))
        except RecognizerError as error:
            self._notify_error(error)

    def _end_press(self, recording: Recording) -> None:
        """Store what the press has shown: its movements instead of still samples, or the still samples that wait."""
        press, recording.press = recording.press, None
        if press is None:
            return
        demonstrations = press.demonstrations
        moved: list[Sample] = []
        try:
            if not demonstrations:
                self._place_stills(recording, press.label, press.waiting)
                return
            self._ensure_label(recording, press.label)
            fields = recording.task.name, press.label
            for one in demonstrations:
                sample = self._samples.add_movement(
                    *fields, one.movement, one.strip_bgr, one.box, recording.session, press.source
                )
                self._history.recorded(sample)
                moved.append(sample)
            stored = [(sample, self._samples.png(sample)) for sample in press.stored]
            self._samples.undo(press.stored)
            stills = [*[(copied_sample(sample), png) for sample, png in stored], *press.waiting]
            self._reload(recording)
        except RecognizerError as error:
            self._notify_error(error)
            return
        self._counted = (recording.task.name, True)
        recording.demonstration, recording.stills, recording.moved = demonstrations[-1], stills, moved
        recording.say(recording.demonstration.words, True, self._clock())

    def _ensure_label(self, recording: Recording, label: str) -> None:
        if label not in recording.task.labels:
            recording.task = self._samples.add_labels(recording.task.name, [label])

    def _recount(self, recording: Recording) -> None:
        recording.counts = self._samples.counts(recording.task.name)
        recording.moving = self._samples.moving_counts(recording.task.name)
        self._counted = (recording.task.name, True)

    def _place_stills(self, recording: Recording, label: str, stills: Sequence[tuple[Sample, bytes]]) -> None:
        """Store still samples that waited. Raises RecognizerError."""
        if not stills:
            return
        self._ensure_label(recording, label)
        for sample in self._samples.place(stills, sync=True):
            self._history.recorded(sample)
            recording.show(label, self._samples.picture(sample))
        self._recount(recording)
        recording.say(f"+{len(stills)}", True, self._clock())

    def _make_still(self, recording: Recording) -> None:
        """Replace the movements that were recorded last by the still samples of the same press."""
        label, stills, moved = recording.moved[-1].label, recording.stills, recording.moved
        try:
            self._history.begin_burst(recording.task.name, label)
            self._place_stills(recording, label, stills)
            self._samples.undo(moved)
            self._reload(recording)
        except RecognizerError as error:
            self._notify_error(error)
            return
        self.notify(f"{label} is a still sign: {len(stills)} recorded")

    def _hands_free(self, recording: Recording, now_s: float) -> bool:
        """Whether the hands-free recording records now. Updates its countdown, and ends it in time."""
        recording.count = None
        if recording.hands_free_s is None:
            return False
        elapsed_s = now_s - recording.hands_free_s
        if elapsed_s < COUNT_S:
            recording.count = math.ceil(COUNT_S - elapsed_s)
        if elapsed_s >= COUNT_S + HANDS_FREE_S:
            recording.hands_free_s, recording.chosen = None, None
        return COUNT_S <= elapsed_s < COUNT_S + HANDS_FREE_S

    def _save_sample(
        self, recording: Recording, label: str, region: Region, frame: Frame, thumbnail: np.ndarray
    ) -> None:
        try:
            self._ensure_label(recording, label)
            sample = self._samples.add(recording.task.name, label, region, frame, recording.session, frame.name)
        except RecognizerError as error:
            recording.until_s, recording.hands_free_s = -1.0, None
            self._notify_error(error)
            return
        self._history.recorded(sample)
        if recording.press is not None:
            recording.press.stored.append(sample)
        self._counted = (recording.task.name, True)
        recording.counts[label] = recording.counts.get(label, 0) + 1
        recording.thumbnails[label] = [*recording.thumbnails.get(label, []), thumbnail][-RECENT_IN_WINDOW:]
        recording.show(label, subject_of(recording.task.subject).sample_picture(frame.image_bgr, region))
        recording.say("+1", True, self._clock())

    def start_review(self) -> None:
        """Show the samples of the current task."""
        name = self.recording.task.name if self.recording is not None else self._live.task
        try:
            samples = self._samples.read(name) if name in {task.name for task in self._samples.tasks()} else []
            if not samples:
                self.notify(f"No samples of {name} yet: press c to record")
                return
            task = self._samples.task(name)
        except RecognizerError as error:
            self._notify_error(error)
            return
        labels = list(dict.fromkeys([*task.labels, *(sample.label for sample in samples)]))
        misread = [label for label, _, is_bad in self.report.rows if is_bad] if self.report is not None else []
        first = next(label for label in [*misread, *labels] if any(one.label == label for one in samples))
        review = Review(name, label_keys(labels), labels, self._samples.picture, samples, first)
        self.close_all()
        self.review = review

    def _review_key(self, review: Review, key: str) -> bool:
        label = _label_of(review.keys, review.labels, key)
        if key == ESC:
            self.review = None
        elif key == ENTER:
            self.start_training()
        elif key in ("Left", "Right"):
            review.choose(review.index + (1 if key == "Right" else -1))
        elif key in (*NEXT_KEYS, *BACK_KEYS):
            review.turn(1 if key in NEXT_KEYS else -1)
        elif key == BACKSPACE:
            self._undo()
        elif label is not None:
            self.relabel_chosen(label)
        elif key in ("Delete", "x"):
            self.delete_chosen()
        else:
            return False
        return True

    def delete_chosen(self) -> None:
        """Delete the sample that is chosen in the look at the samples."""
        self._change_chosen(self._history.delete, "deleted 1 of {label}: Backspace brings it back")

    def relabel_chosen(self, label: str) -> None:
        """Give the chosen sample another label."""
        if self.review is not None and label != self.review.label:
            words = f"moved 1 of {{label}} to {label}: Backspace moves it back"
            self._change_chosen(lambda samples: self._history.relabel(samples, label), words)

    def _change_chosen(self, change: Callable[[Sequence[Any]], None], words: str) -> None:
        if self.review is None or self.review.chosen is None:
            return
        label = self.review.label
        try:
            change([self.review.chosen])
            self.review.renew(self._samples.read(self.review.task))
        except RecognizerError as error:
            self._notify_error(error)
            return
        self._count_again(self.review.task)
        self.notify(words.format(label=label))

    def start_editor(self) -> None:
        """Show the current task, its labels and the trash, to rename, merge and delete them."""
        try:
            editor = Editor(self._live.task, self._history, self._models, self._samples, self._say)
        except RecognizerError as error:
            self._notify_error(error)
            return
        self.close_all()
        self.editor = editor

    def _say(self, words: str) -> None:
        self.notify(words)

    def _edit_key(self, editor: Editor, key: str) -> bool:
        is_list = editor.field is None and editor.question is None
        if is_list and key == ESC:
            self.editor = None
        elif is_list and key == BACKSPACE:
            self._undo()
        elif not is_list and key in ("Insert", PASTE):
            editor.paste(self._pasted())
        else:
            return self.edit(lambda: editor.key(key))
        return True

    def edit(self, change: Callable[[], bool | None]) -> bool:
        """Do something with the list of labels: show what went wrong, and follow a task that was renamed or deleted."""
        editor, handled = self.editor, True
        if editor is None:
            return False
        try:
            handled = change() is not False
        except RecognizerError as error:
            self._notify_error(error)
        self._count_again(editor.task)
        if editor.is_task_gone:
            self.editor = None
            names = task_names(self._models, self._samples)
            self._go_to(next(name for name in names if self._can_open(name)))
        elif editor.is_waiting and editor.task != self._live.task:
            self._go_to(editor.task)
        return handled

    def _can_open(self, task: str) -> bool:
        return self._models.has(task) or is_untrained(task, self._models, self._samples)

    def _go_to(self, task: str) -> None:
        """Open another task, now or when the one that is being opened is there."""
        is_there = task in ("", self._live.task)
        self._wanted_task = "" if is_there or self._live.open_task(task) else task

    def start_form(self) -> None:
        self.close_all()
        self.form = NewTaskForm()

    def _type(self, form: NewTaskForm, key: str) -> None:
        if key == ESC:
            self.form = None
        elif key == ENTER:
            self._next_line(form)
        elif key in ("Insert", PASTE):
            form.paste(self._pasted())
        else:
            form.press(key)

    def _pasted(self) -> str:
        words = self._paste()
        if words is None:
            self.notify("Nothing can be pasted: install xclip, or wl-clipboard")
        return words or ""

    def _next_line(self, form: NewTaskForm) -> None:
        form.error = ""
        if not form.fields[form.line].text.strip():
            form.error = f"choose what you show: {', '.join(one.key for one in SUBJECTS.values())}"
            if form.line != FormLine.SUBJECT:
                form.error = f"type the {form.line} first"
        elif not form.is_last:
            form.go(1)
        else:
            self._make(form)

    def _make(self, form: NewTaskForm) -> None:
        """Create the form's task, or add the labels to an existing task of the same subject. Then record it."""
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
                name = self._samples.create_task(name, form.subject, labels).name
        except RecognizerError as error:
            form.error = in_plain_words(str(error))
            form.line = FormLine.NAME
            return
        self.form = None
        self._go_to(name)
        self._record_task(name)

    def _prepare_backbone(self) -> None:
        """Build the feature extractor of objects in the background. This takes longer than the training run."""
        may_train = self.form is not None or self.recording is not None or self._live.folder is None
        subject = SUBJECTS.get(self.form.subject) if self.form else self._live.subject
        if self._preparation is None and may_train and subject is not None and subject.input is Input.COLOUR:
            self._preparation = self._prepare(self._models)

    def start_training(self) -> None:
        """Train the current task, if there is enough to learn."""
        if self.training is not None:
            self.notify("training is already running: Esc cancels it")
            return
        name = self._live.task
        try:
            has_samples = name in {task.name for task in self._samples.tasks()}
            counts = self._samples.counts(name) if has_samples else {}
            moving = self._samples.moving_counts(name) if has_samples else {}
            missing = missing_samples(counts, self._known(name), moving)
        except RecognizerError as error:
            self._notify_error(error)
            return
        if missing:
            none = f"No samples of {name} yet: press c to record"
            self.notify(f"Not yet: {missing}" if any(counts.values()) else none)
            return
        self.close_all()
        self.progress = {"stage": "starting", "progress": 0.0}
        self._trained_task = name
        self.training = self._train(name, self._models, self._samples)

    def _update_training(self, training: Training) -> None:
        self.progress = training.poll()
        if not self.progress.get("ended"):
            return
        training.cancel()
        self.training, self.result = None, self.progress
        self.report = report_of(self._trained_task, self.progress)
        self._result_until_s = self._clock() + RESULT_S
        if any(one is not None for one in (self.form, self.recording, self.review)):  # the strip shows something else
            self.notify(self.report.title)

    def cancel_training(self) -> None:
        if self.training is not None:
            self.training.cancel()
            self.training = None
            self.notify("training cancelled: nothing has changed")

    def undo_model(self) -> None:
        """Go back to the task's previous model, which the live pipeline then loads."""
        task = self._live.task
        if not self._models.has(task):
            self.notify(f"{task} has no model yet: press c to record")
            return
        try:
            if not self._models.has_previous(task):
                self.notify(f"This is the first model of {task}: nothing to undo")
                return
            self._models.rollback(task)
        except RecognizerError as error:
            self._notify_error(error)
            return
        self._close_result()
        self.notify(f"{task} is as it was before the last training")

    def close(self) -> None:
        for process in (self.training, self._preparation):
            if process is not None:
                process.cancel()


def _few_keys(keys: dict[str, str]) -> str:
    """The keys of the labels, in short."""
    first, *_, last = [*keys, *keys]
    return " ".join(keys) if len(keys) <= 3 else f"{first} … {last}"


def _label_of(keys: dict[str, str], labels: Sequence[str], key: str) -> str | None:
    """The label that a key means: the one of the panel, else the label that is this character, else by the key's place."""
    typed = key if key in labels else None
    return keys.get(key) or keys.get(key.upper()) or typed or keys.get(latin_key(key).upper())
