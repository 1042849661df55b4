"""Recording movements: one press is one demonstration, and one key makes it a still sign after all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recognizer.finders.finder import RegionFinder
from recognizer.overlay.drawing import Scale
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.subjects.hands import HAND
from recognizer.system.keyboard import BACKSPACE, ESC
from recognizer.teaching.capture import capture
from recognizer.teaching.recording import missing_samples
from recognizer.teaching.teacher import STILL_KEY, Teacher
from recognizer.values import Box, Frame, Hand, Observation, Region
from recognizer.window.strip import draw_strip
from recognizer.window.teach_panel import TeachPanel
from tests.helpers import movements
from tests.helpers.words import words_drawn

FRAME_S = 1 / 30
SHARP = np.random.default_rng(0).integers(0, 255, (20, 220, 220, 3), np.uint8)  # pictures that differ from each other
IMAGES = np.random.default_rng(1).integers(0, 255, (7, 480, 640, 3), np.uint8)


class MovingUser:
    """A user who moves a hand while a key is held. The hands go through the real reader of movements."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 100.0
        self.frames = 0
        self.messages: list[str] = []
        self.store = Samples(folder / "captures")
        self.store.create_task("signs", "hand", ["wave", "stop", "nothing"])
        live = SimpleNamespace(task="signs", subject=HAND, folder=None)
        self.motion = HAND.open_motion(None)
        self.teacher = Teacher(
            live,  # type: ignore[arg-type]
            ModelStore(folder / "models"),
            self.store,
            notify=self.messages.append,
            clock=lambda: self.now_s,
        )

    def counts(self) -> dict[str, int]:
        return self.store.counts("signs")

    def show(self, hands: Iterator[Hand], *, key: str = "", held_s: tuple[float, float] = (0, 99)) -> None:
        """Show a hand a frame; the key is held between the two times, and repeats after half a second."""
        pressed_s = [held_s[0], *np.arange(held_s[0] + 0.5, held_s[1], FRAME_S)] if key else []
        for number, hand in enumerate(hands):
            while pressed_s and pressed_s[0] <= number * FRAME_S:
                pressed_s.pop(0)
                self.teacher.key(key)
            self.now_s += FRAME_S
            frame = Frame(IMAGES[self.frames % 7], self.frames, self.frames * FRAME_S, "camera 0")
            region = Region(Box(100, 50, 320, 270), SHARP[self.frames % len(SHARP)], hand=hand)
            found = self.motion.step(frame, (region,), ())
            shown = Observation(frame, "signs", (region,), movement=found.movement, is_moving=found.is_moving)
            self.teacher.write(shown)
            self.frames += 1


def moved(path: movements.Path, rest_s: float = 0.4, duration_s: float = 1.0) -> Iterator[Hand]:
    return (hand for _, hand in movements.frames(path, rest_s=rest_s, duration_s=duration_s))


def rest(seconds: float = 1.2) -> Iterator[Hand]:
    (_, hand), *_ = movements.frames(movements.stay)
    return iter([hand] * round(seconds / FRAME_S))


@pytest.fixture
def user(tmp_path: Path) -> MovingUser:
    user = MovingUser(tmp_path)
    user.teacher.start_recording()
    return user


def moving(user: MovingUser) -> dict[str, int]:
    return user.store.moving_counts("signs")


def test_one_press_is_one_demonstration_with_a_strip_and_is_played_back(
    user: MovingUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.show(rest())
    user.show(moved(movements.swipe), key="1", held_s=(0.1, 1.6))
    user.show(rest())
    assert (user.counts()["wave"], moving(user)) == (1, {"wave": 1})
    (sample,) = user.store.read()
    assert 0.8 < (sample.moving_s or 0) < 1.2
    assert (sample.side, sample.source) == ("right", "camera 0")
    strip = user.store.picture(sample)
    assert strip.shape[0] == 160
    assert sample.box.width > 200  # the hand went 3 palms, of 80 pixels each
    recording = user.teacher.recording
    assert recording is not None
    assert recording.event == f"moving, {sample.moving_s:.1f} s"
    picture = np.zeros((700, 400, 3), np.uint8)
    words = " ".join(
        words_drawn(monkeypatch, lambda: draw_strip(picture, TeachPanel(user.teacher), Scale.of(640, 480)))
    )
    assert recording.event in words
    assert f"{STILL_KEY} a still sign" in words
    played = []
    for _ in range(2):
        picture = np.zeros((700, 400, 3), np.uint8)
        draw_strip(picture, TeachPanel(user.teacher), Scale.of(640, 480))
        played.append(picture)
        user.now_s += 0.4
    assert (played[0] != played[1]).any()
    assert user.teacher.key(BACKSPACE)
    assert user.store.read() == []


def test_one_key_makes_it_a_still_sign_after_all(user: MovingUser) -> None:
    user.show(rest())
    user.show(moved(movements.swipe), key="1", held_s=(0.1, 1.6))
    user.show(rest())
    assert user.teacher.key(STILL_KEY)
    assert moving(user) == {}
    assert user.counts()["wave"] >= 3
    assert all(sample.landmarks is not None for sample in user.store.read())
    assert user.messages[-1] == f"wave is a still sign: {user.counts()['wave']} recorded"
    assert not user.teacher.key(STILL_KEY)
    assert user.teacher.key(BACKSPACE)
    assert user.store.read() == []


def test_a_still_hand_that_is_moved_a_little_stays_a_still_sign(user: MovingUser) -> None:
    user.show(rest())
    user.show(rest(2.0), key="2")
    user.show(moved(movements.swipe, rest_s=0.0, duration_s=0.5), key="2")
    user.show(rest(1.5), key="2")
    user.show(rest())
    assert moving(user) == {}
    assert user.counts()["stop"] > 10
    recording = user.teacher.recording
    assert recording is not None
    assert recording.demonstration is None


def test_a_tap_records_what_is_shown_and_not_how_the_hand_goes_away(user: MovingUser) -> None:
    user.show(rest(), key="1", held_s=(1.1, 1.2))
    user.show(moved(movements.swipe, rest_s=0.0))
    user.show(rest())
    assert (user.counts()["wave"], moving(user)) == (1, {})


def test_a_hands_free_recording_keeps_each_movement(user: MovingUser) -> None:
    assert user.teacher.key(" ")
    user.show(rest(3.1))
    for path in (movements.swipe, movements.circle):
        user.show(moved(path))
    user.show(rest(2.5))
    assert moving(user) == {"wave": 2}
    assert user.counts()["wave"] == 2


def test_leaving_the_recording_keeps_what_was_recorded(user: MovingUser) -> None:
    user.show(rest())
    user.show(moved(movements.swipe), key="1", held_s=(0.1, 9))
    assert user.teacher.key(ESC)
    assert moving(user) == {"wave": 1}


def test_a_full_disk_is_one_line_and_keeps_what_was_there(user: MovingUser, monkeypatch: pytest.MonkeyPatch) -> None:
    user.show(rest())
    user.show(moved(movements.swipe), key="1", held_s=(0.1, 9))
    monkeypatch.setattr("recognizer.samples.store.DISK_RESERVE", 1 << 62)
    before = user.counts()
    user.show(rest())
    assert user.messages[-1].startswith("Free some space") or "free" in user.messages[-1]
    assert (user.counts(), moving(user)) == (before, {})


def test_one_movement_is_enough_to_train_and_a_single_still_sign_is_not() -> None:
    assert missing_samples({"wave": 1}, moving={"wave": 1}) == ""
    assert missing_samples({"wave": 1, "stop": 4}, moving={"wave": 1}).startswith("all still samples show stop")
    assert missing_samples({"wave": 1, "stop": 4}, ["fist"], {"wave": 1}) == ""
    assert missing_samples({"wave": 1, "stop": 2}, ["fist"], {"wave": 1}) == "stop needs 2 more"


class MovingHand(RegionFinder):
    def __init__(self, hands: Iterator[Hand]) -> None:
        self._hands = hands

    def find(self, frame: Frame) -> tuple[Region, ...]:
        return (Region(Box(100, 50, 320, 270), SHARP[frame.index % len(SHARP)], hand=next(self._hands)),)


def test_a_video_of_a_movement_becomes_a_demonstration_unless_it_is_said_to_be_still(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    store.create_task("signs", "hand", ["wave"])
    frames = [Frame(IMAGES[index % 7], index, index * FRAME_S, "film.mp4") for index in range(54)]
    counts = capture(store, "signs", "wave", frames, MovingHand(moved(movements.swipe)))
    assert (counts.saved, counts.moving) == (1, 1)
    (sample,) = store.read()
    assert (sample.moving_s is not None, sample.source) == (True, "film.mp4")
    counts = capture(store, "signs", "wave", frames, MovingHand(moved(movements.swipe)), still=True)
    assert counts.saved > 5
    assert counts.moving == 0
    assert store.moving_counts("signs") == {"wave": 1}


def test_how_the_hand_comes_and_leaves_is_no_demonstration(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    store.create_task("signs", "hand", ["circle"])
    circle = list(moved(movements.circle))
    up = [replace(circle[0], landmarks=circle[0].landmarks + np.float32([0, 30 * (12 - i), 0])) for i in range(12)]
    down = [replace(circle[-1], landmarks=circle[-1].landmarks + np.float32([0, 30 * i, 0])) for i in range(12)]
    shown = [None, None, *up, *circle, *down, *[None] * 12]

    class ComingHand(RegionFinder):
        def find(self, frame: Frame) -> tuple[Region, ...]:
            hand = shown[frame.index]
            return () if hand is None else (Region(Box(100, 50, 320, 270), SHARP[frame.index % 20], hand=hand),)

    frames = [Frame(IMAGES[index % 7], index, index * FRAME_S, "film.mp4") for index in range(len(shown))]
    assert capture(store, "signs", "circle", frames, ComingHand()).moving == 1
    (sample,) = store.read()
    assert 0.8 < (sample.moving_s or 0) < 1.3
    # a hand that comes and is held still shows a still sign
    shown[:] = [None, *up, *[circle[0]] * (len(frames) - 13)]
    assert capture(store, "signs", "circle", frames, ComingHand()).moving == 0
