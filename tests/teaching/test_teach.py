import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer import errors
from recognizer.overlay.drawing import INK, Scale
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.subjects import hands
from recognizer.subjects.box import BOX
from recognizer.subjects.subject import Subject
from recognizer.system import paths
from recognizer.system.keyboard import ESC, NAMED_KEYS
from recognizer.system.terminal import NOT_PUBLISHED
from recognizer.teaching.recording import label_keys, main_region
from recognizer.teaching.teacher import Teacher
from recognizer.teaching.training_process import BackboneProcess, TrainingProcess
from recognizer.values import Box, Frame, Hand, Observation, Region
from recognizer.window.layout import layout_of
from recognizer.window.strip import draw_strip
from recognizer.window.teach_panel import TeachPanel
from tests.helpers.waiting import until
from tests.helpers.words import words_drawn

FRAME_S = 1 / 30
SHARP = np.random.default_rng(0).integers(0, 255, (20, 220, 220, 3), np.uint8)  # pictures that differ from each other
JOINTS = Hand(np.zeros((21, 3), np.float32), "right", 0.9)
HAND = Region(Box(200, 100, 420, 320), SHARP[0], hand=JOINTS)  # shown anew in each frame
STILL = Region(HAND.box, SHARP[1], hand=JOINTS)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class FakeLive:
    """Replaces LivePipeline."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.subject: Subject = hands.HAND
        self.folder: Path | None = None

    def open_task(self, task: str) -> bool:
        self.task = task
        return True


class FakeTraining:
    """Replaces the training process: reports the given messages in turn, then the last one repeatedly."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self.lines = list(lines)
        self.cancelled = False
        self.arguments: tuple[object, ...] = ()

    def __call__(self, *arguments: object) -> "FakeTraining":
        self.arguments = arguments
        return self

    def poll(self) -> dict[str, Any]:
        return self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]

    def cancel(self) -> None:
        self.cancelled = True


class FakePreparation:
    """Replaces the build of the feature extractor: counts how often it is started and cancelled."""

    def __init__(self) -> None:
        self.started: list[ModelStore] = []
        self.cancelled = 0

    def __call__(self, models: ModelStore) -> "FakePreparation":
        self.started.append(models)
        return self

    def cancel(self) -> None:
        self.cancelled += 1


class SimulatedUser:
    """A user in front of the window, who presses keys while frames arrive."""

    def __init__(self, tmp_path: Path, training: FakeTraining, labels: tuple[str, ...] = ("ok", "stop", "ठीक")) -> None:
        self.clock = Clock()
        self.store = Samples(tmp_path / "captures")
        self.store.create_task("signs", "hand", [*labels, "nothing"])
        self.live = FakeLive("signs")
        self.messages: list[str] = []
        self.models = ModelStore(tmp_path / "models")
        self.preparation = FakePreparation()
        self.teacher = Teacher(
            self.live,  # type: ignore[arg-type]
            self.models,
            self.store,
            notify=self.messages.append,
            train=training,
            prepare=self.preparation,
            paste=lambda: "你好,\n再见",
            clock=self.clock,
        )
        self.frames = 0

    def show_frames(self, seconds: float, region: Region | None = HAND) -> None:
        """Send frames for some seconds."""
        for _ in range(max(1, round(seconds / FRAME_S))):
            self.clock.now_s += FRAME_S
            image = np.full((480, 640, 3), self.frames % 255, np.uint8)
            frame = Frame(image, self.frames, self.frames * FRAME_S, "camera 0")
            shown = replace(HAND, crop=SHARP[self.frames % len(SHARP)]) if region is HAND else region
            self.teacher.write(Observation(frame, self.live.task, (shown,) if shown else ()))
            self.frames += 1

    def hold(self, key: str, seconds: float) -> None:
        """Hold a key, which repeats as on a keyboard: at once, after half a second, then thirty times a second."""
        self.teacher.key(key)
        self.show_frames(min(seconds, 0.5))
        for _ in range(round((seconds - 0.5) / FRAME_S)):
            self.teacher.key(key)
            self.show_frames(FRAME_S)
        self.show_frames(0.2)

    def record(self, **counts: int) -> None:
        """Store samples of these labels, as in an earlier run."""
        frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "camera 0")
        for label, count in counts.items():
            for _ in range(count):
                self.store.add(self.live.task, label, HAND, frame, "earlier", "camera 0")

    def counts(self) -> dict[str, int]:
        return self.store.counts(self.live.task)

    def strip(self, monkeypatch: pytest.MonkeyPatch, size_wh: tuple[int, int] = (400, 700)) -> str:
        """The words beside the picture."""
        picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
        panel = TeachPanel(self.teacher)
        return " ".join(words_drawn(monkeypatch, lambda: draw_strip(picture, panel, Scale.of(640, 480))))

    def type(self, text: str) -> None:
        for key in text:
            assert self.teacher.key(key)


@pytest.fixture
def training() -> FakeTraining:
    return FakeTraining({"stage": "fitting", "progress": 0.5, "left_s": 2.0})


@pytest.fixture
def user(tmp_path: Path, training: FakeTraining) -> SimulatedUser:
    return SimulatedUser(tmp_path, training)


def test_a_key_records_its_label_while_it_is_held(user: SimulatedUser) -> None:
    user.teacher.start_recording()
    user.hold("1", 1.5)
    recorded = user.store.counts("signs")["ok"]
    assert 8 <= recorded <= 13  # one at once, then ten a second after the key repeat delay of half a second
    user.show_frames(2)
    user.hold("3", 0.1)
    user.show_frames(2)
    assert user.store.counts("signs") == {"ok": recorded, "stop": 0, "ठीक": 1, "nothing": 0}
    assert user.teacher.recording is not None
    assert user.teacher.recording.counts["ठीक"] == 1


def test_nothing_is_recorded_without_a_region(user: SimulatedUser) -> None:
    user.teacher.start_recording()
    user.teacher.key("1")
    user.show_frames(2, region=None)
    user.show_frames(2)  # a hand that appears later is not recorded
    assert sum(user.store.counts("signs").values()) == 0


def test_backspace_deletes_the_last_burst(user: SimulatedUser) -> None:
    user.teacher.start_recording()
    user.hold("1", 1.0)
    before = user.store.counts("signs")["ok"]
    user.show_frames(1)
    user.hold("1", 1.0)
    assert user.store.counts("signs")["ok"] > before
    assert user.teacher.key("\b")
    assert user.store.counts("signs")["ok"] == before
    assert user.teacher.key("\b")
    assert user.store.counts("signs")["ok"] == 0
    assert user.messages[-1] == f"took back {before} of ok"
    assert user.teacher.key("\b")
    assert user.messages[-1] == "nothing to take back"


def test_recordings_are_taken_back_one_after_another_also_after_leaving(user: SimulatedUser) -> None:
    user.record(ok=2)
    passed = [user.counts()]
    for key in "123212":
        user.teacher.start_recording()
        user.hold(key, 0.8)
        user.teacher.key(ESC)
        user.show_frames(1)
        assert user.counts() != passed[-1]
        passed.append(user.counts())
    user.teacher.start_recording()
    for counts in passed[-2::-1]:
        assert user.teacher.key("\b")
        assert user.counts() == counts
        assert user.teacher.recording is not None
        assert user.teacher.recording.counts == counts
    user.teacher.key("\b")
    assert user.messages[-1] == "nothing to take back"
    assert user.counts()["ok"] == 2, "those of an earlier run stay"


def test_blurred_and_equal_pictures_are_not_kept_and_the_strip_says_why(
    user: SimulatedUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.teacher.start_recording()
    user.teacher.key("1")
    user.show_frames(FRAME_S, STILL)
    assert "+1" in user.strip(monkeypatch)
    for _ in range(10):
        user.teacher.key("1")
        user.show_frames(0.1, STILL)
    assert user.counts()["ok"] == 1
    assert "not kept: same as before" in user.strip(monkeypatch)
    blurred = Region(HAND.box, np.full((220, 220, 3), 90, np.uint8), hand=JOINTS)
    for region, words in ((blurred, "not kept: blurred"), (None, "not kept: nothing to be seen")):
        user.teacher.key("1")
        user.show_frames(0.1, region)
        assert words in user.strip(monkeypatch)
    assert user.counts()["ok"] == 1
    user.show_frames(3, None)
    assert "not kept" not in user.strip(monkeypatch)


def test_a_hand_without_landmarks_is_not_recorded_and_the_strip_says_why(
    user: SimulatedUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.teacher.start_recording()
    user.teacher.key("1")
    user.show_frames(0.5, Region(HAND.box, HAND.crop))
    assert sum(user.store.counts("signs").values()) == 0
    recording = user.teacher.recording
    assert recording is not None
    assert recording.is_without_joints
    assert "not kept: show all fingers" in user.strip(monkeypatch)
    user.hold("1", 0.1)
    assert not recording.is_without_joints
    assert user.store.counts("signs")["ok"] == 1


def test_escape_ends_recording_and_other_keys_go_to_the_window(user: SimulatedUser) -> None:
    assert not user.teacher.key("1")
    user.teacher.start_recording()
    assert not user.teacher.key("m")
    assert user.teacher.key(chr(27))
    assert user.teacher.recording is None
    assert not user.teacher.key(chr(27))


def test_a_store_that_cannot_be_written_is_reported_and_recording_continues(
    user: SimulatedUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise errors.SamplesError("The disk is full. Make room.")

    user.teacher.start_recording()
    monkeypatch.setattr(user.store, "add", full)
    user.hold("1", 1.0)
    assert user.messages[-1] == "The disk is full. Make room."
    monkeypatch.undo()
    user.show_frames(1)
    user.hold("1", 0.1)
    assert user.store.counts("signs")["ok"] == 1


def test_a_shipped_task_gets_its_labels_and_the_background_label(user: SimulatedUser) -> None:
    version = user.models.folder / "digits" / "one"
    version.mkdir(parents=True)
    (version / card.CARD).write_text(json.dumps({"labels": [*"0123456789"], "region": "paper"}))
    user.models.set_current("digits", "one")
    user.live.task = "digits"
    user.teacher.start_recording()
    assert user.store.task("digits").subject == "paper"
    assert user.teacher.recording is not None
    assert user.teacher.recording.keys == {**{digit: digit for digit in "0123456789"}, "-": "nothing"}


def test_a_task_without_model_and_samples_is_reported(user: SimulatedUser) -> None:
    user.live.task = "chess"
    user.teacher.start_recording()
    assert user.teacher.recording is None
    assert user.messages == ["There is no task chess: press n to make one"]


def test_tab_to_another_task_ends_recording(user: SimulatedUser) -> None:
    user.teacher.start_recording()
    user.live.task = "digits"
    user.show_frames(0.1)
    assert user.teacher.recording is None


def test_a_new_task_can_be_typed_in_the_window(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("greetx\b")
    user.type("\rh\rhello,bye\r")
    task = user.store.task("greet")
    assert (task.subject, task.labels) == ("hand", ("hello", "bye"))
    assert user.live.task == "greet"
    assert user.teacher.form is None
    assert user.teacher.recording is not None, "the next step is to record"
    assert user.teacher.recording.task == task


def test_a_new_task_is_recorded_as_soon_as_it_has_opened(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.live.open_task = lambda task: None  # type: ignore[method-assign]  # it takes a while
    user.type("greet\rh\rhello,bye\r")
    user.show_frames(1)
    assert user.teacher.recording is not None
    user.live.task = "greet"
    user.hold("1", 0.1)
    assert user.counts() == {"hello": 1, "bye": 0}
    user.live.task = "signs"
    user.show_frames(FRAME_S)
    assert user.teacher.recording is None


def test_the_user_is_led_from_label_to_label_until_there_is_enough(
    user: SimulatedUser, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.teacher.start_form()
    user.type("greet\rh\rhello,bye\r")
    assert "1 of 2 · show hello hold 1" in user.strip(monkeypatch)
    assert ("Enter", "train") not in user.teacher.keys
    user.hold("1", 2.0)
    assert "2 of 2 · show bye hold 2" in user.strip(monkeypatch)
    user.teacher.key("\r")
    assert user.messages[-1] == "Not yet: all samples show hello: record another label to tell it from"
    user.hold("2", 0.1)
    assert "bye needs 3 more" in user.strip(monkeypatch)
    assert user.teacher.training is None
    user.hold("2", 2.0)
    assert "Enough samples: press Enter" in user.strip(monkeypatch)
    assert ("Enter", "train") in user.teacher.keys
    user.teacher.key("\r")
    assert training.arguments[0] == "greet"


def test_hands_free_counts_3_2_1_and_records_five_seconds(user: SimulatedUser) -> None:
    user.teacher.start_recording()
    user.teacher.key("Down")
    user.teacher.key(" ")
    counted = []
    recording = user.teacher.recording
    assert recording is not None
    for _ in range(92):
        user.show_frames(FRAME_S)
        counted.append(recording.count)
    assert list(dict.fromkeys(counted)) == [3, 2, 1, None]
    assert user.counts()["stop"] <= 1
    user.show_frames(7)
    recorded = user.counts()["stop"]
    assert 30 <= recorded <= 51
    assert user.counts()["ok"] == 0
    assert recording.hands_free_s is None
    user.teacher.key(" ")
    user.show_frames(4)
    user.teacher.key(" ")  # stops
    more = sum(user.counts().values())
    assert more > recorded
    user.show_frames(4)
    assert sum(user.counts().values()) == more
    user.teacher.key("\b")
    user.teacher.key("\b")
    assert sum(user.counts().values()) == 0


def test_a_sample_is_deleted_relabelled_and_brought_back(user: SimulatedUser, monkeypatch: pytest.MonkeyPatch) -> None:
    user.record(ok=3, stop=2)
    user.teacher.start_review()
    assert "ok · 3" in user.strip(monkeypatch)
    user.teacher.key("Right")
    middle = user.store.read("signs")[1]
    user.teacher.key("2")  # the key of stop
    assert user.counts() == {"ok": 2, "stop": 3, "ठीक": 0, "nothing": 0}
    assert [one.label for one in user.store.read("signs") if one.id == middle.id] == ["stop"]
    user.teacher.key("Delete")
    user.teacher.key("Delete")
    assert user.counts()["ok"] == 0
    for ok, stop in ((1, 3), (2, 3), (3, 2)):
        user.teacher.key("\b")
        assert (user.counts()["ok"], user.counts()["stop"]) == (ok, stop)
    user.teacher.key("\b")
    assert user.messages[-1] == "nothing to take back"
    for sample in user.store.read("signs"):
        np.testing.assert_array_equal(user.store.picture(sample), HAND.crop)


def test_a_recording_is_taken_back_whole_though_its_samples_were_moved_and_brought_back(user: SimulatedUser) -> None:
    user.teacher.start_recording()
    user.hold("1", 1.2)
    user.teacher.start_review()
    user.teacher.key("2")
    user.teacher.key("Delete")
    for _ in range(3):
        user.teacher.key("\b")
    assert sum(user.counts().values()) == 0


def test_samples_are_chosen_and_changed_by_clicks(user: SimulatedUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def click(number: int) -> None:
        """Clicks a place, counted in reading order: labels to see, samples, delete, labels to give."""
        picture = np.zeros((700, 400, 3), np.uint8)
        places = draw_strip(picture, TeachPanel(user.teacher), Scale.of(640, 480))
        places[number][1]()

    user.record(ok=3, stop=2)
    user.teacher.start_review()
    ids = [sample.id for sample in user.store.read("signs")]
    click(3 + 2)  # the last sample of ok
    click(3 + 3)  # delete
    assert [sample.id for sample in user.store.read("signs")] == [ids[0], ids[1], *ids[3:]]
    click(3)
    click(3 + 2 + 1)  # is stop
    assert user.counts()["stop"] == 3
    click(0)  # see stop
    assert "stop · 3" in user.strip(monkeypatch)


def test_without_samples_there_is_nothing_to_look_at_or_to_train(user: SimulatedUser) -> None:
    user.teacher.start_review()
    user.teacher.start_training()
    assert user.messages == 2 * ["No samples of signs yet: press c to record"]
    assert user.teacher.training is None
    user.record(ok=5)
    user.teacher.start_training()
    assert user.messages[-1] == "Not yet: all samples show ok: record another label to tell it from"


def test_a_used_task_name_is_reported_and_the_form_stays_open(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("signs\rp\rx,y\r")
    assert user.teacher.form is not None
    assert "The task signs exists already, with the subject hand" in user.teacher.form.error
    user.type(chr(27))
    assert user.teacher.form is None


def test_labels_typed_for_an_existing_task_are_added(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("signs\rh\rstop,wave\r")
    assert user.store.task("signs").labels == ("ok", "stop", "ठीक", "nothing", "wave")
    assert user.teacher.form is None
    user.teacher.start_recording()
    user.hold("4", 0.1)
    assert user.store.counts("signs")["wave"] == 1


def test_an_empty_form_line_is_not_accepted(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("\r")
    assert user.teacher.form is not None
    assert user.teacher.form.error == "type the name first"
    user.type("x\r\r")
    assert user.teacher.form.error == "choose what you show: h, p, b"


def test_a_line_of_the_form_can_be_edited_and_pasted_into(user: SimulatedUser) -> None:
    user.teacher.start_form()
    for key in (*"hexo", "Left", "\b", *"ll", "Home", "Delete", "H", "End", "!", "\b", "\r"):
        assert user.teacher.key(key)
    assert user.teacher.form is not None
    assert user.teacher.form.name == "Hello"
    for key in ("p", "\r", "Insert", "Up", "Up", "Left", "\b"):
        assert user.teacher.key(key)
    assert (user.teacher.form.name, user.teacher.form.labels) == ("Helo", "你好, 再见")
    for key in "\r\r\r":
        assert user.teacher.key(key)
    assert user.store.task("Helo").labels == ("你好", "再见")


def test_training_progress_is_shown_until_the_result(user: SimulatedUser, training: FakeTraining) -> None:
    result = {"published": "20260101-000000", "before": {"held_out": 0.5}, "after": {"held_out": 1.0}, "ended": True}
    training.lines.append(result)
    user.record(ok=4, stop=4)
    user.teacher.start_recording()
    user.teacher.key("\r")
    assert user.teacher.recording is None
    assert training.arguments == ("signs", user.models, user.store)
    user.show_frames(FRAME_S)
    assert user.teacher.progress["progress"] == 0.5
    user.show_frames(FRAME_S)
    assert user.teacher.training is None
    assert user.teacher.result == result
    assert user.teacher.key("\r")
    assert user.teacher.result is None


def test_a_second_training_cannot_start_during_the_first(user: SimulatedUser) -> None:
    user.record(ok=4, stop=4)
    user.teacher.start_training()
    user.teacher.start_training()
    assert "already" in user.messages[-1]


def test_escape_cancels_training(user: SimulatedUser, training: FakeTraining) -> None:
    user.record(ok=4, stop=4)
    user.teacher.start_training()
    assert user.teacher.key(chr(27))
    assert training.cancelled
    assert user.teacher.training is None
    assert user.messages[-1] == "training cancelled: nothing has changed"


def test_a_model_that_was_not_published_is_reported_with_the_reason(
    user: SimulatedUser, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.record(ok=4, stop=4)
    training.lines = [
        {
            "published": None,
            "before": {"accuracy": None},
            "per_label": {"ok": {"of": 6, "before": 0, "after": 2}, "stop": {"of": 5, "before": 0, "after": 1}},
            "confused": [("stop", "ok", 4)],
            "ended": True,
        }
    ]
    user.teacher.start_training()
    user.show_frames(FRAME_S)
    refusal = "ok and stop look alike in your pictures: 3 of 11 right"
    assert f"{refusal} Look at them (k) · record again (c)" in user.strip(monkeypatch)
    assert user.messages == []
    user.teacher.start_training()
    user.teacher.start_recording()
    user.show_frames(FRAME_S)
    assert user.messages == [refusal], "the strip shows the recording"


def test_a_result_goes_with_the_task_and_after_a_while(user: SimulatedUser, training: FakeTraining) -> None:
    user.record(ok=4, stop=4)
    training.lines = [{"published": None, "ended": True}]
    for wait_s, task in ((40.0, "signs"), (FRAME_S, "digits")):
        user.teacher.start_training()
        user.show_frames(FRAME_S)
        assert user.teacher.result is not None
        user.live.task = task
        user.show_frames(wait_s)
        assert user.teacher.result is None


def test_q_asks_while_something_unsaved_goes_on(user: SimulatedUser) -> None:
    assert user.teacher.unsaved == ""
    user.teacher.start_recording()
    assert user.teacher.unsaved == "You are recording."
    user.record(ok=4, stop=4)
    user.teacher.key(ESC)
    user.teacher.start_training()
    assert user.teacher.unsaved == "The training would be lost."
    user.teacher.cancel_training()
    assert user.teacher.unsaved == ""


def test_u_goes_back_to_the_previous_model(user: SimulatedUser) -> None:
    for version in ("one", "two"):
        (user.models.folder / "signs" / version).mkdir(parents=True)
        user.models.set_current("signs", version)
    user.teacher.undo_model()
    assert user.messages == ["signs is as it was before the last training"]
    assert user.models.current("signs").name == "one"
    user.teacher.undo_model()
    assert user.messages[-1] == "This is the first model of signs: nothing to undo"
    user.live.task = "chess"
    user.teacher.undo_model()
    assert user.messages[-1] == "chess has no model yet: press c to record"


def test_letter_labels_are_their_own_keys_and_words_get_digits() -> None:
    assert label_keys(["A", "b", "7", "nothing"]) == {"A": "A", "B": "b", "7": "7", "-": "nothing"}
    assert label_keys(["rock", "paper"]) == {"1": "rock", "2": "paper", "0": "nothing"}
    assert label_keys(["a", "A"]) == {"1": "a", "2": "A", "0": "nothing"}
    assert label_keys(["ठ"]) == {"1": "ठ", "0": "nothing"}
    assert label_keys([*"012", "+", "thumbs up"]) == {
        **{key: key for key in "012+"},
        "3": "thumbs up",
        "-": "nothing",
    }
    assert list(label_keys([f"word {number}" for number in range(12)])) == [*"123456789ABC", "0"]


def test_the_feature_extractor_of_objects_is_built_while_recording(user: SimulatedUser) -> None:
    user.show_frames(0.2)
    assert user.preparation.started == []  # tasks of hands need no backbone
    user.store.create_task("objects", "box", ["mug", "toy"])
    user.live.task, user.live.subject, user.live.folder = "objects", BOX, user.models.folder / "objects" / "1"
    user.show_frames(0.2)
    assert user.preparation.started == []  # not before the user records
    user.teacher.start_recording()
    user.show_frames(0.2)
    user.teacher.key("\x1b")
    user.live.folder = None
    user.show_frames(0.2)
    assert user.preparation.started == [user.models]
    user.teacher.close()
    assert user.preparation.cancelled == 1


def test_opening_an_object_task_without_a_model_builds_the_feature_extractor(user: SimulatedUser) -> None:
    user.live.subject = BOX
    user.show_frames(0.2)
    assert user.preparation.started == [user.models]


def test_typing_a_new_object_task_builds_the_feature_extractor(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("objects\rh")
    user.show_frames(0.2)
    assert user.preparation.started == []
    user.type("b\rmug")
    user.show_frames(0.2)
    assert user.preparation.started == [user.models]


def test_building_the_feature_extractor_can_be_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    path = tmp_path / "training" / "__main__.py"
    path.parent.mkdir()
    (path.parent / "__init__.py").touch()
    path.write_text(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(1e6)\n")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    process = BackboneProcess(ModelStore(tmp_path))
    until(begun.exists)
    process.cancel()
    assert process._process.poll() is not None


def test_the_large_central_region_is_recorded() -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "camera 0")
    corner = Region(Box(0, 0, 230, 230), np.zeros((1, 1, 3), np.uint8))
    speck = Region(Box(310, 230, 330, 250), np.zeros((1, 1, 3), np.uint8))
    assert main_region(Observation(frame, "signs", (corner, HAND, speck))) is HAND
    assert main_region(Observation(frame, "signs")) is None


def run_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> TrainingProcess:
    """A TrainingProcess that runs the given script instead of the training."""
    path = tmp_path / "training" / "__main__.py"
    path.parent.mkdir()
    (path.parent / "__init__.py").touch()  # a package, so that it is imported instead of the project's own
    path.write_text(script)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return TrainingProcess("signs", ModelStore(tmp_path), Samples(tmp_path))


def last_report(process: TrainingProcess) -> dict[str, Any]:
    report = until(lambda: (line := process.poll()).get("ended") and line)
    process.cancel()
    return report


def test_a_training_process_returns_its_last_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = 'import json\nfor p in (0.1, 0.9): print(json.dumps({"progress": p}))\nprint("no json")\n'
    script += 'print(json.dumps({"published": "one", "after": {"held_out": 1.0}}))\n'
    report = last_report(run_script(monkeypatch, tmp_path, script))
    assert (report["published"], report["after"]) == ("one", {"held_out": 1.0})


def test_a_failed_training_process_returns_its_last_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = last_report(
        run_script(monkeypatch, tmp_path, "import sys\nsys.exit('The task has no samples. Record some.')\n")
    )
    assert report["error"] == "The task has no samples. Record some."


def test_a_training_process_can_be_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    process = run_script(monkeypatch, tmp_path, "import time\nprint('{}', flush=True)\ntime.sleep(1e6)\n")
    process.cancel()
    assert process._process.poll() is not None


@pytest.mark.parametrize("size_wh", [(640, 360), (480, 640), (1280, 720), (3840, 2160)])
def test_the_strip_is_drawn_at_every_window_size_beside_the_whole_picture(
    user: SimulatedUser, training: FakeTraining, size_wh: tuple[int, int]
) -> None:
    panel = TeachPanel(user.teacher)
    scale = Scale.of(*size_wh)
    layout = layout_of(size_wh, (640, 480), has_strip=True)
    assert layout.strip is not None
    assert layout.picture.overlap(layout.strip) == 0
    assert layout.picture.area >= 0.25 * size_wh[0] * size_wh[1]

    def drawn_pixels() -> int:
        assert panel.is_open
        assert layout.strip is not None
        picture = np.zeros((layout.strip.height, layout.strip.width, 3), np.uint8)
        places = draw_strip(picture, panel, scale)
        assert all(0 <= p.x1 < p.x2 <= picture.shape[1] and 0 <= p.y1 < p.y2 <= picture.shape[0] for p, _ in places)
        return int((picture != INK).any(axis=2).sum())

    def on_the_picture() -> int:
        picture = np.zeros((layout.picture.height, layout.picture.width, 3), np.uint8)
        panel(picture, Scale.of(layout.picture.width, layout.picture.height), [], [])
        return int(np.count_nonzero(picture))

    assert not panel.is_open
    assert on_the_picture() == 0
    user.teacher.start_recording()
    user.teacher.key("1")
    user.show_frames(0.1)
    assert drawn_pixels() > 0
    assert on_the_picture() > 0, "the red frame"
    user.record(ok=6, stop=5)
    user.teacher.start_review()
    assert drawn_pixels() > 0
    user.teacher.key("\r")
    assert not panel.is_open
    assert on_the_picture() > 0, "the progress"
    per_label = {"ok": {"of": 4, "before": 2, "after": 4}, "stop": {"of": 0, "before": 0, "after": 0}}
    training.lines = [{"published": "one", "per_label": per_label, "confused": [["ok", "stop", 1]], "ended": True}]
    user.show_frames(FRAME_S)
    assert drawn_pixels() > 0
    assert on_the_picture() == 0
    user.teacher.key("\r")
    user.teacher.start_form()
    assert drawn_pixels() > 0


@pytest.mark.parametrize("size_wh", [(640, 360), (1280, 720)])
def test_the_pictures_of_a_label_grow_while_it_is_recorded(user: SimulatedUser, size_wh: tuple[int, int]) -> None:
    def red(seed: int) -> Region:
        """A red picture with sharp edges."""
        levels = np.random.default_rng(seed).choice(np.array([0, 250], np.uint8), (20, 20))
        crop = np.zeros((220, 220, 3), np.uint8)
        crop[..., 2] = np.kron(levels, np.ones((11, 11), np.uint8))
        return Region(HAND.box, crop, hand=JOINTS)

    def reds() -> int:
        strip = layout_of(size_wh, (640, 480), has_strip=True).strip
        assert strip is not None
        picture = np.zeros((strip.height, strip.width, 3), np.uint8)
        draw_strip(picture, TeachPanel(user.teacher), Scale.of(*size_wh))
        return int((picture[..., 2] > 150 + picture[..., 1].astype(int)).sum())

    user.teacher.start_recording()
    before = reds()
    for seed in range(3):
        user.teacher.key("1")
        user.show_frames(FRAME_S, red(seed))
        user.show_frames(1.0, None)
        assert user.counts()["ok"] == seed + 1
        assert reds() > before
        before = reds()


def test_keys_without_a_character_type_and_record_nothing(user: SimulatedUser) -> None:
    user.live.task = "letters"
    user.store.create_task("letters", "hand", [*"ACMQSTU"])
    for start in (user.teacher.start_form, user.teacher.start_recording):
        start()
        for name in NAMED_KEYS.keys() - {"Insert"}:  # which pastes
            user.teacher.key(name)
            user.show_frames(0.2)
        assert user.teacher.form is None or user.teacher.form.name == ""
        user.teacher.key(ESC)
    assert sum(user.store.counts("letters").values()) == 0


def test_names_and_labels_in_any_script_can_be_typed(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("Grüße\rh\rПривет,νερό、שלום،مرحبا，ありがとう，,\r")
    assert user.store.task("Grüße").labels == ("Привет", "νερό", "שלום", "مرحبا", "ありがとう")


def test_a_comma_at_the_end_adds_no_label(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("greet\rh\rok, stop ,\r")
    assert user.store.task("greet").labels == ("ok", "stop")


def test_the_subject_s_key_works_by_its_place(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("greet\rр\rok\r")  # р is on the place of h
    assert user.store.task("greet").subject == "hand"


def test_labels_are_recorded_by_their_character_or_by_the_place_of_their_key(user: SimulatedUser) -> None:
    user.live.task = "letters"
    user.store.create_task("letters", "hand", ["A", "B", "ж"])
    user.teacher.start_recording()
    for key, label in (("a", "A"), ("ф", "A"), ("ж", "ж"), ("И", "B"), ("-", "nothing"), ("١", "ж")):
        user.hold(key, 0.1)
        assert user.teacher.recording is not None
        assert user.teacher.recording.label == label


def test_a_model_that_was_not_published_is_no_error_of_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = (
        f'import json, sys\nprint(json.dumps({{"published": None, "why": "no better"}}))\nsys.exit({NOT_PUBLISHED})\n'
    )
    assert last_report(run_script(monkeypatch, tmp_path, script)) == {
        "published": None,
        "why": "no better",
        "ended": True,
    }


def test_a_url_that_cannot_be_reached_stops_the_recording_and_not_the_program(
    user: SimulatedUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise errors.SyncError("The URL cannot be used. Check the connection.")

    user.teacher.start_recording()
    user.hold("1", 0.1)
    for method in ("add", "undo"):
        monkeypatch.setattr(user.store, method, unreachable)
    user.messages.clear()
    user.hold("1", 1.0)
    assert user.messages[-1] == "The URL cannot be used. Check the connection."
    user.messages.clear()
    user.teacher.key("\b")
    assert user.messages == ["The URL cannot be used. Check the connection."]


def test_the_form_separates_labels_at_the_commas_of_all_scripts(user: SimulatedUser) -> None:
    user.teacher.start_form()
    user.type("greetings\rb\r你好，再见,\r")
    assert user.store.task("greetings").labels == ("你好", "再见")
