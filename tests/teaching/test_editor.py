"""Labels, the task and the trash in the window: renamed, merged, moved, deleted and brought back by keys and clicks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recognizer.overlay.drawing import Scale
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.subjects.hands import HAND
from recognizer.teaching.editor import Editor
from recognizer.teaching.teacher import Teacher
from recognizer.values import Box, Frame, Observation
from recognizer.window.strip import draw_strip
from recognizer.window.teach_panel import TeachPanel
from tests.helpers.words import places_drawn
from tests.teaching.test_changes import publish, read, record

ESC, ENTER, BACKSPACE = chr(27), "\r", "\b"


class FakeLive:
    """Replaces LivePipeline. It opens a task in the next frame, unless it is `busy`."""

    def __init__(self) -> None:
        self.task, self.busy, self.opened = "signs", False, list[str]()
        self.subject, self.folder = HAND, Path("a model")

    def open_task(self, task: str) -> bool:
        if not self.busy:
            self.opened.append(task)
        return not self.busy


class User:
    """A user of the window, with the task signs: two samples of each label, and a model."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models, self.samples = ModelStore(folder / "models"), Samples(folder / "captures")
        self.samples.create_task("signs", "box", ["fist", "palm", "wave"])
        for label in ("fist", "palm", "wave", "fist", "palm", "wave"):
            record(self.samples, "signs", label)
        publish(self.models)
        self.live, self.messages = FakeLive(), list[str]()
        self.teacher = Teacher(
            self.live,  # type: ignore[arg-type]
            self.models,
            self.samples,
            notify=self.messages.append,
            paste=lambda: "open",
        )
        self.monkeypatch = monkeypatch

    def press(self, *keys: str) -> None:
        for key in keys:
            if not self.teacher.key(key):
                self.teacher.actions[key]()

    def type(self, text: str) -> None:
        """Replace what stands in the line."""
        self.press(*[BACKSPACE] * 20, *text, ENTER)

    def show_frame(self) -> None:
        """The next frame: a task that was opened is there."""
        self.live.task = self.live.opened[-1] if self.live.opened else self.live.task
        frame = Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0, "drawn")
        self.teacher.write(Observation(frame, self.live.task, ()))

    @property
    def editor(self) -> Editor:
        assert self.teacher.editor is not None
        return self.teacher.editor

    def choose(self, words: str) -> None:
        self.press(*["Up"] * len(self.editor.rows))
        for _ in self.editor.rows:
            if self.editor.chosen.words.startswith(words):
                return
            self.press("Down")
        raise AssertionError(f"no {words} in {[row.words for row in self.editor.rows]}")

    def click(self, words: str) -> None:
        """Click on these words in the strip."""
        picture, clicks = np.zeros((900, 500, 3), np.uint8), list[tuple[Box, Callable[[], object]]]()
        panel = TeachPanel(self.teacher)
        drawn = places_drawn(self.monkeypatch, lambda: clicks.extend(draw_strip(picture, panel, Scale.of(640, 480))))
        x, y = next((x, y) for text, x, y in drawn if text == words)
        next(action for at, action in clicks if at.x1 <= x < at.x2 and at.y1 <= y < at.y2)()

    def counts(self) -> dict[str, int]:
        return self.samples.counts("signs")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    made = User(tmp_path, monkeypatch)
    made.press("e")
    yield made
    made.teacher.close()


def test_a_label_is_renamed_and_renamed_back(user: User) -> None:
    assert [row.words for row in user.editor.rows] == ["signs", "fist", "palm", "wave"]
    user.press(ENTER)
    assert user.teacher.is_typing
    user.type("rock")
    assert user.messages[-1] == "fist is now rock"
    assert user.counts() == {"rock": 2, "palm": 2, "wave": 2}
    assert (read(user.models, "fist"), user.editor.chosen.name) == ("rock", "rock")
    user.press(BACKSPACE)
    assert user.messages[-1] == "rock is fist again"
    assert (user.counts(), read(user.models, "fist")) == ({"fist": 2, "palm": 2, "wave": 2}, "fist")
    user.press("F2", "Insert", ESC)  # pasted, and left
    user.press("F2")
    user.press(*[BACKSPACE] * 20, ENTER)  # an empty name changes nothing
    assert user.counts() == {"fist": 2, "palm": 2, "wave": 2}


def test_a_renamed_label_is_renamed_back_also_after_the_model_has_changed(user: User) -> None:
    user.press(ENTER)
    user.type("rock")
    publish(user.models, labels=("rock", "palm", "wave"))
    user.press(BACKSPACE)
    assert read(user.models, "fist") == "fist"
    assert user.counts() == {"fist": 2, "palm": 2, "wave": 2}


def test_a_label_with_the_name_of_another_one_is_merged_after_a_question(user: User) -> None:
    user.press(ENTER)
    user.type("palm")
    assert user.editor.question is not None
    assert user.editor.question.words == "Merge fist, 2, into palm, 2?"
    user.press("n")
    assert user.counts() == {"fist": 2, "palm": 2, "wave": 2}
    user.click("merge into palm")
    user.click("yes")
    assert user.counts() == {"palm": 4, "wave": 2}
    assert user.messages[-1] == "fist is now palm. Train again (t), so that it is learned"
    assert read(user.models, "fist") is None
    user.press(BACKSPACE)
    assert user.messages[-1] == "fist and palm are two labels again"
    assert user.counts() == {"palm": 2, "wave": 2, "fist": 2}
    assert read(user.models, "fist") == "fist"


def test_a_deleted_label_is_brought_back_by_backspace_and_from_the_trash(user: User) -> None:
    user.press("Delete")
    assert user.messages[-1] == "fist is in the trash with 2: Backspace brings it back"
    assert (user.counts(), read(user.models, "fist")) == ({"palm": 2, "wave": 2}, None)
    user.press(BACKSPACE)
    assert (user.counts(), read(user.models, "fist")) == ({"fist": 2, "palm": 2, "wave": 2}, "fist")
    user.click("× delete")
    user.choose("label fist")
    user.click("bring back")
    assert user.messages[-1].startswith("brought back label fist in signs")
    assert user.counts() == {"fist": 2, "palm": 2, "wave": 2}
    user.press(BACKSPACE)  # the deletion is not there any more
    assert user.messages[-1] == "nothing to take back"


def test_labels_are_moved_and_moved_back(user: User) -> None:
    user.press("Page Down")
    assert (user.samples.task("signs").labels, user.editor.chosen.name) == (("palm", "fist", "wave"), "fist")
    user.press("Page Down", "Page Down")  # the last one stays
    user.click("up")
    assert user.samples.task("signs").labels == ("palm", "fist", "wave")
    user.press(BACKSPACE, BACKSPACE, BACKSPACE)
    assert user.samples.task("signs").labels == ("fist", "palm", "wave")


def test_a_renamed_task_is_opened_under_its_new_name(user: User) -> None:
    user.live.busy = True  # the window is just opening another task
    user.choose("signs")
    user.press(ENTER)
    user.type("gestures")
    assert (user.models.tasks(), user.messages[-1]) == (["gestures"], "signs is now gestures")
    user.show_frame()
    assert user.teacher.editor is not None, "the list stays while the task opens"
    user.live.busy = False
    user.show_frame()
    user.show_frame()
    assert (user.live.task, user.editor.task) == ("gestures", "gestures")
    user.press(BACKSPACE)
    assert user.messages[-1] == "the task is signs again"
    user.show_frame()
    assert (user.live.task, user.editor.rows[0].words) == ("signs", "signs")


def test_a_deleted_task_makes_way_for_another_one_and_comes_back_from_the_trash(user: User) -> None:
    publish(user.models, "others")
    user.choose("signs")
    user.press("x")
    assert user.editor.question is not None
    assert user.editor.question.words == "Delete signs, 6? It goes to the trash."
    user.press("y")
    assert (user.models.tasks(), user.samples.tasks(), user.teacher.editor) == (["others"], [], None)
    user.show_frame()
    assert user.live.task == "others"
    user.press("e")
    user.choose("task signs")
    user.press(ENTER)
    assert (user.models.tasks(), user.counts()) == (["others", "signs"], {"fist": 2, "palm": 2, "wave": 2})
    user.live.task = "signs"
    user.press(ESC)
    user.press("e", BACKSPACE)
    assert user.messages[-1] == "nothing to take back"


def test_of_a_shipped_task_only_the_samples_are_deleted(user: User) -> None:
    publish(user.models, "rps", ("rock", "paper"), shipped=True)
    user.samples.create_task("rps", "box", ["rock", "paper"])
    record(user.samples, "rps", "rock")
    user.live.task = "rps"
    user.press(ESC, "e", "Delete")
    assert user.messages[-1] == "rock came with the program and stays: k deletes samples of it"
    user.press(ENTER)
    assert (user.messages[-1], user.editor.field) == ("rock came with the program and keeps its name", None)
    assert [key for key, _ in user.teacher.keys] == ["Up Down", "Backspace", "Esc"]
    user.choose("rps")
    assert ("Delete", "delete your samples") in user.teacher.keys
    user.press("Delete")
    assert user.editor.question is not None
    assert user.editor.question.words == "Delete the samples of rps, 1? It goes to the trash."
    user.press("y")
    assert [row.words for row in user.editor.rows][:3] == ["rps", "rock", "paper"]  # those of the model
    user.press(BACKSPACE)
    assert user.messages[-1] == "brought back rps"
    assert user.samples.counts("rps") == {"rock": 1, "paper": 0}


def test_the_trash_is_emptied_after_a_question(user: User) -> None:
    user.press("Delete", "Delete")
    user.choose("label palm")
    user.press("Delete")
    user.press("y")
    assert user.messages[-1] == "deleted for good"
    user.choose("empty the trash")
    user.press(ENTER)
    assert user.editor.question is not None
    assert user.editor.question.words == "Delete all in the trash, 2 samples, for good?"
    user.press("n")
    assert len(user.samples.trash()) == 1
    user.click("empty the trash")
    user.click("yes")
    assert (user.samples.trash(), user.messages[-1]) == ([], "the trash is empty")
    assert [row.words for row in user.editor.rows] == ["signs", "wave"]
    user.press(BACKSPACE, BACKSPACE)
    assert user.messages[-1] == "nothing to take back"


def test_another_task_and_escape_close_the_list(user: User) -> None:
    assert [key for key, _ in user.teacher.keys] == ["Up Down", "Enter", "Delete", "Page Up/Down", "Backspace", "Esc"]
    user.press(ESC)
    assert user.teacher.editor is None
    user.press("e")
    user.live.task = "others"
    user.show_frame()
    assert user.teacher.editor is None
