import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recognizer import pipeline
from recognizer.errors import ModelError
from recognizer.finders.still_hand import StillHandFinder
from recognizer.hot_swap import LivePipeline
from recognizer.pipeline import Pipeline
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.values import Box, Frame, Region
from tests.helpers.fakes import FakeClassifier, FakeFinder
from tests.helpers.waiting import HANG_S

FRAME = Frame(np.zeros((80, 80, 3), np.uint8), 0, 0.0, "drawn")
REGION = Region(Box(10, 10, 40, 60), np.full((50, 30), 255, np.uint8))


class Clock:
    """A clock that advances by 0.6 seconds per call, more than the interval of the checks for new models."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.6
        return self.now_s


class Opener:
    """Opens pipelines that predict their task and version. Records which were opened and closed."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.damaged: set[str] = set()
        self.may_open = threading.Event()
        self.may_open.set()

    def __call__(self, task: str) -> Pipeline:
        self.may_open.wait(HANG_S)
        version = json.loads((self.models / task / "current.json").read_text())["version"]
        name = f"{task} {version}"
        self.opened.append(name)
        if version in self.damaged:
            raise ModelError(f"{version} is damaged")
        finder = FakeFinder([REGION])
        finder.close = lambda: self.closed.append(name)  # type: ignore[attr-defined]
        return Pipeline(task, PAPER, finder, FakeClassifier([name]), folder=self.models / task / version)


def publish(models: Path, task: str, version: str) -> None:
    (models / task / version).mkdir(parents=True)
    open_models(models).set_current(task, version)


def label(live: LivePipeline) -> str | None:
    """Process one frame. Return its label."""
    return live.step(FRAME).predictions[0].label


def settled_label(live: LivePipeline) -> str | None:
    """Wait until the pipeline that is loading is swapped in. Return the label of the next frame."""
    if live._opening is not None:
        live._opening.join(HANG_S)
    return label(live)


@pytest.fixture
def opener(models: Path) -> Opener:
    return Opener(models)


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def models(tmp_path: Path) -> Path:
    publish(tmp_path, "digits", "one")
    return tmp_path


def open_live(models: Path, opener: Opener, messages: list[str]) -> LivePipeline:
    return LivePipeline(
        "digits", open_models(models), default_samples(), notify=messages.append, opener=opener, clock=Clock()
    )


def test_a_published_model_is_swapped_in_between_two_frames(models: Path, opener: Opener, messages: list[str]) -> None:
    with open_live(models, opener, messages) as live:
        assert label(live) == "digits one"
        publish(models, "digits", "two")
        opener.may_open.clear()
        assert label(live) == label(live) == "digits one"  # frames are processed while the new model opens
        opener.may_open.set()
        assert settled_label(live) == "digits two"
        assert messages == ["digits, version two"]
        assert opener.closed == ["digits one"]
    assert opener.closed == ["digits one", "digits two"]


def test_a_damaged_version_is_reported_once_and_the_old_model_stays(
    models: Path, opener: Opener, messages: list[str]
) -> None:
    opener.damaged.add("two")
    with open_live(models, opener, messages) as live:
        publish(models, "digits", "two")
        label(live)
        for _ in range(5):
            assert settled_label(live) == "digits one"
        assert messages == ["two is damaged"]
        publish(models, "digits", "three")
        label(live)
        assert settled_label(live) == "digits three"


def test_a_version_is_opened_once(models: Path, opener: Opener, messages: list[str]) -> None:
    def open_without_folder(task: str) -> Pipeline:
        opened = opener(task)
        opened.folder = None
        return opened

    with LivePipeline(
        "digits",
        open_models(models),
        default_samples(),
        notify=messages.append,
        opener=open_without_folder,
        clock=Clock(),
    ) as live:
        for _ in range(5):
            assert settled_label(live) == "digits one"
        publish(models, "digits", "two")
        label(live)
        for _ in range(5):
            assert settled_label(live) == "digits two"
    assert opener.opened == ["digits one", "digits two"]


def test_tab_cycles_through_the_tasks_with_a_model(models: Path, opener: Opener, messages: list[str]) -> None:
    publish(models, "rps", "one")
    publish(models, "mugs", "one")
    with open_live(models, opener, messages) as live:
        seen: list[str | None] = []
        switched_to: list[str] = []
        live.on_task = switched_to.append
        for _ in range(3):
            live.next_task()
            seen.append(settled_label(live))
        assert seen == ["rps one", "mugs one", "digits one"]
        assert switched_to == ["rps", "mugs", "digits"]


def test_tab_without_another_task_shows_a_message(models: Path, opener: Opener, messages: list[str]) -> None:
    with open_live(models, opener, messages) as live:
        live.next_task()
        assert messages == ["digits is the only task with a model. Press n to create another one."]
        assert label(live) == "digits one"


def test_tab_is_ignored_while_a_task_is_loading(models: Path, opener: Opener, messages: list[str]) -> None:
    publish(models, "rps", "one")
    with open_live(models, opener, messages) as live:
        opener.may_open.clear()
        live.next_task()
        live.next_task()
        opener.may_open.set()
        assert settled_label(live) == "rps one"
        assert opener.opened == ["digits one", "rps one"]


def test_the_running_model_survives_deletion_of_its_folder(models: Path, opener: Opener, messages: list[str]) -> None:
    with open_live(models, opener, messages) as live:
        (models / "digits" / "current.json").unlink()
        assert label(live) == "digits one"
        assert messages == []


class FakeHands(FakeFinder):
    """Replaces HandFinder, which opens slowly. Fails if it is used after it is closed."""

    def __init__(self) -> None:
        super().__init__([REGION])
        self.video, self.guide_box, self.is_closed = True, None, False

    def find(self, frame: Frame) -> tuple[Region, ...]:
        assert not self.is_closed
        return super().find(frame)

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True


def test_the_hand_finder_is_opened_once_and_closed_at_the_end(
    models: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    all_hands: list[FakeHands] = []

    def open_hands() -> FakeHands:
        all_hands.append(FakeHands())
        return all_hands[-1]

    def open_pipeline(
        task: str, store: ModelStore, samples: Samples, *, smooth: bool, hands: Callable[[], FakeHands]
    ) -> Pipeline:
        version = json.loads((models / task / "current.json").read_text())["version"]
        subject, finder = (HAND, StillHandFinder(hands())) if task == "rps" else (PAPER, FakeFinder([REGION]))
        classifier = FakeClassifier([f"{task} {version}"])
        return Pipeline(task, subject, finder, classifier, None, models / task / version)

    monkeypatch.setattr("recognizer.subjects.hands.open_hands", open_hands)
    monkeypatch.setattr(pipeline, "open_pipeline", open_pipeline)
    publish(models, "rps", "0")
    with LivePipeline("digits", open_models(models), default_samples(), notify=messages.append, clock=Clock()) as live:
        for version in range(1, 5):
            live.open_task("rps")
            settled_label(live)
            publish(models, "rps", str(version))
            label(live)
            assert settled_label(live) == f"rps {version}"
            live.open_task("digits")
            assert settled_label(live) == "digits one"
        assert len(all_hands) == 1
    assert all(hands.is_closed for hands in all_hands)


@pytest.mark.parametrize("fails_at_its_first_frame", [False, True])
def test_a_foreign_error_of_a_new_version_is_reported_once_and_the_old_model_stays(
    models: Path, opener: Opener, messages: list[str], fails_at_its_first_frame: bool
) -> None:
    def fail(frame: Frame) -> object:
        raise MemoryError("Unable to allocate\n10 TB")

    def fail_at_two(task: str) -> Pipeline:
        opened = opener(task)
        if opened.folder is not None and opened.folder.name == "two":
            if not fails_at_its_first_frame:
                raise MemoryError("Unable to allocate\n10 TB")
            opened.step = fail  # type: ignore[method-assign]
        return opened

    with LivePipeline(
        "digits", open_models(models), default_samples(), notify=messages.append, opener=fail_at_two, clock=Clock()
    ) as live:
        publish(models, "digits", "two")
        label(live)
        for _ in range(5):
            assert settled_label(live) == "digits one"
        assert opener.closed == (["digits two"] if fails_at_its_first_frame else [])
    assert len(messages) == 1
    assert messages[0].startswith("The new model of digits cannot be used (MemoryError: Unable to allocate 10 TB).")
    assert "models rollback digits" in messages[0]


def test_the_window_says_that_the_version_before_a_damaged_one_is_in_use(
    models: Path, opener: Opener, messages: list[str]
) -> None:
    (models / "digits" / "one" / "card.json").write_text('{"labels": ["1"]}')
    with open_live(models, opener, messages) as live:
        publish(models, "digits", "two")  # without a card, as after a power cut
        for _ in range(5):
            assert settled_label(live) == "digits one"
    assert len(messages) == 1
    assert "digits, version one, is used: the version after it is damaged." in messages[0]
