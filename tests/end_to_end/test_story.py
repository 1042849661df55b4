"""End to end: record a new task from the studio, train, swap in, recognise, and roll back, in one run."""

import shutil
from pathlib import Path

import pytest

from recognizer.hot_swap import LivePipeline
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.synced import default_samples
from recognizer.studio.scenes import Studio
from recognizer.system.keyboard import ENTER, ESC
from recognizer.teaching.teacher import Teacher
from recognizer.values import Frame, Observation
from tests.helpers.drawing import middle_of_card
from tests.helpers.waiting import until

FPS = 30
AT_REST = 8  # frames before and after the middle of a card in which the hand is visible and still
KEYS = {"rock": "1", "paper": "2", "scissors": "3"}


class Person:
    """A simulated user who shows signs to the camera and presses keys, frame by frame."""

    def __init__(self, models: Path) -> None:
        self.studio = Studio("rps", (640, 480), FPS)
        self.frames = [self.studio.frame(middle_of_card(card)) for card in range(12)]
        self.messages: list[str] = []
        self.time_s = 0.0
        store, samples = open_models(models), default_samples()
        self.live = LivePipeline("rps", store, samples, notify=self.messages.append, clock=lambda: self.time_s)
        self.teacher = Teacher(self.live, store, samples, notify=self.messages.append, clock=lambda: self.time_s)

    def step(self, shown: Frame) -> Observation:
        """Show one frame of the studio, 1 / FPS seconds after the last one."""
        self.time_s += 1 / FPS
        observation = self.live.step(Frame(shown.image_bgr, 0, self.time_s, "studio"))
        self.teacher.write(observation)
        return observation

    def cards(self, sign: str) -> list[int]:
        """Up to three of the studio's cards that show this sign."""
        return [card for card, frame in enumerate(self.frames) if frame.truth[0].label == sign][:3]

    def show(self, sign: str, *, key: str = "") -> list[str]:
        """Show the sign's cards, with a key pressed if given. Return the recognised text after each card."""
        texts = []
        for card in self.cards(sign):
            for index in range(middle_of_card(card) - AT_REST, middle_of_card(card) + AT_REST):
                if key:
                    self.teacher.key(key)
                observation = self.step(self.studio.frame(index))
            texts.append(observation.text)
            self.time_s += 1  # the hand leaves, and the key is released
        return texts

    def type(self, text: str) -> None:
        for key in text:
            assert self.teacher.key(key)

    def wait(self, task: str, version_other_than: str | None = None) -> str:
        """Show a hand until the task runs with another version than this. Return the version, "" without a model."""

        def is_running() -> bool:
            self.step(self.frames[0])
            return self.live.task == task and self.teacher.training is None and self.version != version_other_than

        until(is_running, lambda: (self.messages, self.teacher.result))
        return self.version or ""

    @property
    def version(self) -> str | None:
        folder = self.live.folder
        return folder.name if folder else None


@pytest.mark.slow
def test_a_sign_is_created_recorded_trained_recognised_and_rolled_back(tmp_path: Path, hand_models: ModelStore) -> None:
    models = tmp_path / "models"
    shutil.copytree(hand_models.folder / "rps", models / "rps")
    person = Person(models)
    with person.live, person.teacher:
        person.teacher.start_form()
        person.type("mine\rh\rstone,sheet\r")
        assert person.wait("mine", version_other_than="any") == ""  # it has no model yet
        assert set(person.show("rock")) == {""}

        person.teacher.start_recording()
        for sign in ("rock", "paper"):
            person.show(sign, key=KEYS[sign])
        counts = dict(person.teacher.recording.counts)  # type: ignore[union-attr]
        assert min(counts.values()) >= 6, counts
        person.type(ENTER)
        first = person.wait("mine", version_other_than=None)
        result = person.teacher.result
        assert result is not None
        assert result["published"] == first
        assert result["after"]["accuracy"] >= 0.9
        assert person.show("rock").count("stone") >= len(person.cards("rock")) - 1
        assert person.show("paper").count("sheet") >= len(person.cards("paper")) - 1
        person.type(ESC)

        person.teacher.start_form()
        person.type("mine\rh\rcut\r")
        person.teacher.start_recording()
        person.show("scissors", key=KEYS["scissors"])
        person.type(ENTER)
        second = person.wait("mine", version_other_than=first)
        assert person.show("scissors").count("cut") >= len(person.cards("scissors")) - 1
        assert person.show("rock").count("stone") >= len(person.cards("rock")) - 1

        person.teacher.undo_model()
        assert person.wait("mine", version_other_than=second) == first
        assert "cut" not in person.show("scissors")
    assert open_models(models).current("mine").name == first
    assert default_samples().counts("mine")["cut"] >= 3
