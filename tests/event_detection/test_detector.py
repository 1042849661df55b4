"""When a label has appeared, is held, and has gone."""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from recognizer.event_detection.detector import EventDetector, EventTimes
from recognizer.event_detection.event import Event
from recognizer.subjects.paper import PAPER
from recognizer.values import Box, Frame, Observation, Prediction, Region, SeenObject

BLANK = np.zeros((8, 8, 3), np.uint8)
LEFT, NEARBY, RIGHT = Box(0, 0, 100, 100), Box(20, 0, 120, 100), Box(300, 0, 400, 100)
FPS = 8  # so that times are exact
TIMES = EventTimes(hold_s=0.25, release_s=0.5, cooldown_s=0.5, held_every_s=1.0)


def seen(label: str | None, box: Box = LEFT, hand: str | None = "right") -> SeenObject:
    return SeenObject(label, 0.9, box, hand)


def observation(index: int, *objects: SeenObject, task: str = "rps", text: str = "") -> Observation:
    return Observation(Frame(BLANK, index, index / FPS, "test"), task, text=text, objects=objects)


def events_of(frames: Iterable[Sequence[SeenObject]], detector: EventDetector | None = None) -> list[Event]:
    detector = detector or EventDetector(TIMES, clock=lambda: 0.0)
    return [event for index, objects in enumerate(frames) for event in detector.update(observation(index, *objects))]


def summary(events: Iterable[Event]) -> list[tuple[str, str, float]]:
    return [(str(event.phase), event.label, event.time_s) for event in events]


def shown(*spans: tuple[str | None, int]) -> list[list[SeenObject]]:
    """One hand that shows each label for some frames."""
    return [[seen(label)] for label, count in spans for _ in range(count)]


def test_a_label_appears_once_is_held_and_has_gone() -> None:
    frames = [*shown((None, 2), ("rock", 14)), *[[]] * 8]
    assert summary(events_of(frames)) == [
        ("appeared", "rock", 0.5),
        ("held", "rock", 1.5),
        ("gone", "rock", 2.375),
    ]


def test_an_event_says_what_was_seen_where_and_since_when() -> None:
    detector = EventDetector(TIMES, clock=lambda: 1_800_000_000.5)
    for index in range(2):
        assert detector.update(observation(index, seen("rock", LEFT, "left"), text="rock")) == ()
    (event,) = detector.update(observation(2, seen("rock", NEARBY, "left"), text="rock"))
    assert event == Event("appeared", "rock", 0.9, "left", "rock", NEARBY.xyxy, "rps", 0.25, 0.25, 1, 1_800_000_000.5)
    assert event.as_json() == {
        "event": "appeared",
        "label": "rock",
        "confidence": 0.9,
        "hand": "left",
        "text": "rock",
        "box": list(NEARBY.xyxy),
        "task": "rps",
        "time_s": 0.25,
        "held_s": 0.25,
        "number": 1,
        "at": "2027-01-15T08:00:00.500Z",
    }


@pytest.mark.parametrize("between", [None, "paper"])
def test_a_flicker_neither_appears_nor_ends_a_label(between: str | None) -> None:
    frames = shown(("rock", 6), (between, 2), ("rock", 6))
    assert summary(events_of(frames)) == [("appeared", "rock", 0.25), ("held", "rock", 1.25)]


def test_nothing_never_fires() -> None:
    assert events_of(shown(("nothing", 30), (None, 30))) == []


def test_another_sign_of_the_same_hand_ends_the_first() -> None:
    assert summary(events_of(shown(("rock", 6), ("paper", 6)))) == [
        ("appeared", "rock", 0.25),
        ("gone", "rock", 1.0),
        ("appeared", "paper", 1.0),
    ]


def test_a_label_that_has_gone_appears_again_only_after_the_cool_down() -> None:
    times = EventTimes(hold_s=0.25, release_s=0.25, cooldown_s=1.0)
    events = events_of(shown(("rock", 5), (None, 3), ("rock", 12)), EventDetector(times, clock=lambda: 0.0))
    assert summary(events) == [("appeared", "rock", 0.25), ("gone", "rock", 0.75), ("appeared", "rock", 1.75)]


def test_two_hands_have_events_of_their_own() -> None:
    frames = [[seen("rock"), seen("rock", RIGHT, "left")]] * 5 + [[seen("rock", RIGHT, "left")]] * 6
    events = events_of(frames)
    assert [(event.phase, event.hand, event.number) for event in events] == [
        ("appeared", "right", 1),
        ("appeared", "left", 2),
        ("gone", "right", 1),
        ("held", "left", 2),
    ]
    assert [event.box for event in events] == [LEFT.xyxy, RIGHT.xyxy, LEFT.xyxy, RIGHT.xyxy]


def test_a_hand_that_jumps_with_its_sign_has_one_event() -> None:
    frames = [[seen("rock")]] * 5 + [[]] * 2 + [[seen("rock", RIGHT)]] * 5
    assert summary(events_of(frames)) == [("appeared", "rock", 0.25), ("held", "rock", 1.25)]


def test_a_sign_that_moves_appears_when_its_movement_has_ended() -> None:
    wave = SeenObject("wave", 0.9, LEFT, "right", moves=True)
    frames = [[seen(None)], [wave], [wave], [seen(None)]]
    assert summary(events_of(frames)) == [("appeared", "wave", 0.125)]


def test_labels_have_gone_when_the_run_ends_the_task_changes_or_the_video_starts_again() -> None:
    for ends in (
        lambda detector: detector.close(),
        lambda detector: detector.update(observation(5, seen("A"), task="letters")),
        lambda detector: detector.update(observation(0, seen("rock"))),
    ):
        detector = EventDetector(TIMES, clock=lambda: 0.0)
        events_of([[seen("rock")]] * 5, detector)
        assert [(event.phase, event.label, event.task) for event in ends(detector)] == [("gone", "rock", "rps")]
        assert detector.close() == ()


def test_the_digits_of_a_number_are_one_object_and_a_rejected_digit_takes_its_label() -> None:
    def digit(label: str | None, x1: int, confidence: float = 0.9, y1: int = 0) -> tuple[Region, Prediction]:
        ink = np.full((40, 20), 255, np.uint8)
        return Region(Box(x1, y1, x1 + 20, y1 + 40), ink), Prediction(label, confidence, (), ink)

    pairs = [digit("1", 0), digit("7", 24, 0.7), digit("4", 400, y1=200), digit(None, 424, y1=200)]
    regions, predictions = zip(*pairs, strict=True)
    assert PAPER.text(regions, predictions) == "17 4?"
    assert PAPER.objects(regions, predictions) == (
        SeenObject("17", 0.7, Box(0, 0, 44, 40)),
        SeenObject(None, 0.9, Box(400, 200, 444, 240)),
    )
