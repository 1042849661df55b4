"""Signs that move in a stream: one label for each movement, for a moment, with the hand that made it."""

import csv
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.finders.finder import RegionFinder
from recognizer.motion.classifier import FILE, MotionClassifier
from recognizer.overlay.drawing import Scale
from recognizer.overlay.labels import sure_words, tag_size
from recognizer.pipeline import Pipeline
from recognizer.registry.card import ModelCard, read_card, write_card
from recognizer.sinks.csv_log import CsvLog
from recognizer.smoothing import Smoother
from recognizer.subjects.hands import HAND
from recognizer.subjects.moving_signs import SHOWN_S
from recognizer.subjects.subject import UntrainedClassifier
from recognizer.teaching.press import Press
from recognizer.values import Box, Frame, Hand, Observation, Prediction, Region, as_json
from tests.helpers import movements
from tests.helpers.movements import FPS
from tests.helpers.signs import a_hand

IMAGE = np.zeros((480, 640, 3), np.uint8)
HAND_UNTRAINED = UntrainedClassifier(HAND)
END_S = 1.6  # of the movements of tests.helpers.movements: 0.6 s at rest, 1 s of movement


class HandsInTurn(RegionFinder):
    """Finds the given hands, frame by frame."""

    def __init__(self, hands: Sequence[Sequence[Hand]]) -> None:
        self._hands = iter(hands)

    def find(self, frame: Frame) -> tuple[Region, ...]:
        return tuple(Region(Box(0, 0, 64, 64), IMAGE[:64, :64], hand=hand) for hand in next(self._hands))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that knows a circle and a swipe, and no still sign."""
    known = [movements.a_movement(path, seed=1) for path in (movements.circle, movements.swipe)]
    MotionClassifier.fit(known, ["circle", "swipe"], np.random.default_rng(0)).save(tmp_path / FILE)
    write_card(ModelCard(labels=(), subject="hand", moving={"labels": ["circle", "swipe"]}), tmp_path)
    return tmp_path


def read(folder: Path | None, hands: Sequence[Sequence[Hand]]) -> list[Observation]:
    """The observations of a stream of these hands, 30 frames a second."""
    classifier = HAND.open_classifier(folder, stream=True) if folder else HAND_UNTRAINED
    with Pipeline("signs", HAND, HandsInTurn(hands), classifier, Smoother(), folder) as pipeline:
        return [pipeline.step(Frame(IMAGE, index, index / FPS, "x")) for index in range(len(hands))]


def one_hand(
    path: movements.Path, *, rest_s: float = 0.6, after_s: float = 2.0, side: str = "right"
) -> list[list[Hand]]:
    """A hand that rests, moves along the path, and rests for so long."""
    moved = [hand for _, hand in movements.frames(path, rest_s=rest_s)]
    hands = [replace(hand, side=side) for hand in [*moved, *[moved[-1]] * round((after_s - rest_s) * FPS)]]
    return [[hand] for hand in hands]


def spans(observations: Sequence[Observation]) -> Iterator[tuple[str, float, float]]:
    """Each text that is read, with the times of its first and last frame."""
    texts = [one.text for one in observations]
    starts = [i for i, text in enumerate(texts) if text and (i == 0 or texts[i - 1] != text)]
    for start in starts:
        length = next((n for n, text in enumerate(texts[start:]) if text != texts[start]), len(texts) - start)
        yield texts[start], start / FPS, (start + length - 1) / FPS


def test_a_movement_gets_its_label_soon_after_its_end_for_a_second_and_once(folder: Path) -> None:
    observations = read(folder, one_hand(movements.circle))
    ((text, first_s, last_s),) = spans(observations)
    assert text == "circle"
    assert END_S - 0.1 < first_s < END_S + 0.3  # the hand slows down before its end
    assert 0.9 * SHOWN_S < last_s - first_s <= SHOWN_S
    assert sum(one.movement is not None for one in observations) == 1
    assert observations[30].is_moving
    assert not observations[-1].is_moving
    shown = next(one for one in observations if one.text)
    assert (shown.predictions[0].hand, shown.predictions[0].moves) == ("right", True)
    assert as_json(shown)["regions"][0]["hand"] == "right"
    assert as_json(shown)["regions"][0]["moves"] is True
    assert "moves" not in as_json(observations[0])["regions"][0]


def test_a_movement_that_is_no_sign_and_a_resting_hand_get_no_label(folder: Path) -> None:
    known = [movements.a_movement(path, seed=1) for path in (movements.circle, movements.swipe)]
    MotionClassifier.fit(known, [None, "swipe"], np.random.default_rng(0)).save(folder / FILE)
    assert [one.text for one in read(folder, one_hand(movements.circle)) if one.text] == []
    assert [one.text for one in read(folder, one_hand(movements.stay)) if one.text] == []


def test_without_a_model_movements_are_found_and_not_labelled() -> None:
    observations = read(None, one_hand(movements.circle))
    assert sum(one.movement is not None for one in observations) == 1
    assert {one.text for one in observations} == {""}


def test_the_label_of_a_hand_that_leaves_stays_where_the_hand_was(folder: Path) -> None:
    hands = one_hand(movements.circle)
    read_at = next(i for i, one in enumerate(read(folder, hands)) if one.text)
    observations = read(folder, [*hands[: read_at + 1], *[[]] * 60])
    ((text, first_s, last_s),) = spans(observations)
    assert (text, round(last_s - first_s, 1)) == ("circle", SHOWN_S)
    (gone,) = observations[read_at + 5].regions
    assert gone.hand is None
    last_joints = hands[read_at][0].landmarks[:, :2]
    assert np.abs(np.array(gone.box.center_xy) - (last_joints.min(axis=0) + last_joints.max(axis=0)) / 2).max() < 20


def test_a_movement_of_two_hands_gets_one_label(folder: Path, tmp_path: Path) -> None:
    one = [hand for (hand,) in one_hand(movements.circle)]
    moved = [[hand, Hand(hand.landmarks + np.float32([320, 0, 0]), "left", 0.8)] for hand in one]
    demonstration = next(o.movement for o in read(None, moved) if o.movement is not None)
    assert demonstration.has_two_hands
    MotionClassifier.fit([demonstration], ["both turn"], np.random.default_rng(0)).save(folder / FILE)
    observations = read(folder, moved)
    ((text, _, _),) = spans(observations)
    assert text == "both turn"
    shown = next(one for one in observations if one.text)
    assert sorted(prediction.label or "" for prediction in shown.predictions) == ["", "both turn"]
    labelled = next(prediction for prediction in shown.predictions if prediction.label)
    assert labelled.hand == "both"
    assert sure_words(labelled).endswith(" both")
    widths = [tag_size(one, "beside", Scale.of(640, 480))[0] for one in (labelled, replace(labelled, hand=None))]
    assert widths[0] > widths[1]
    with CsvLog(tmp_path / "log.csv") as log:
        log.write(shown)
    with open(tmp_path / "log.csv", encoding="utf-8") as file:
        assert {row["hand"] for row in csv.DictReader(file)} > {"both"}


class Fist:
    """A classifier that takes each hand for a fist."""

    def predict(self, inputs: Sequence[Region]) -> tuple[Prediction, ...]:
        return tuple(replace(one, label="fist") for one in HAND_UNTRAINED.predict(inputs))


def texts_of(folder: Path | None, hands: Sequence[Sequence[Hand]]) -> list[str]:
    """The texts of a stream in which each hand that rests is a fist."""
    with Pipeline("signs", HAND, HandsInTurn(hands), Fist(), Smoother(), folder) as pipeline:
        return [pipeline.step(Frame(IMAGE, index, index / FPS, "x")).text for index in range(len(hands))]


def test_a_still_sign_is_read_at_once_but_not_of_a_hand_that_moves_or_rests_after_it(folder: Path) -> None:
    circle = one_hand(movements.circle, after_s=3.0)
    away = [
        [Hand(hand.landmarks + np.float32([0, 20 * min(i, 4), 0]), "right", 0.9)]
        for i, (hand,) in enumerate(circle[-40:])
    ]
    texts = texts_of(folder, [*circle, *away])
    assert texts[0] == "fist"
    runs = [text for before, text in zip(["", *texts], texts, strict=False) if text != before]
    assert runs == ["fist", "", "circle", "", "fist"]
    assert texts[len(circle) - 1] == ""  # it rests
    assert texts[-1] == "fist"  # it has moved, which was no sign


def test_a_model_without_moving_signs_reads_still_ones_as_before(tmp_path: Path) -> None:
    hands = one_hand(movements.circle)
    with_slow_parts = texts_of(tmp_path, hands)
    assert with_slow_parts.count("fist") > len(hands) / 2
    assert with_slow_parts[-1] == "fist"


def test_a_stream_that_starts_again_forgets_the_movement(folder: Path) -> None:
    hands = one_hand(movements.circle)
    with Pipeline("signs", HAND, HandsInTurn([*hands, *hands[:3]]), HAND_UNTRAINED, Smoother(), folder) as pipeline:
        texts = []
        for index in range(len(hands)):
            texts.append(pipeline.step(Frame(IMAGE, index, index / FPS, "x")).text)
            if texts[-1]:
                break
        assert pipeline.step(Frame(IMAGE, 0, 0.0, "x")).text == ""


def test_a_model_of_moving_signs_alone_reads_no_still_sign(folder: Path) -> None:
    assert read_card(folder).all_labels == ("circle", "swipe")
    classifier = HAND.open_classifier(folder)
    region = Region(Box(0, 0, 64, 64), IMAGE[:64, :64], hand=a_hand("fist", np.random.default_rng(0)))
    assert [one.label for one in classifier.predict([region])] == [None]


def test_a_stream_of_movements_takes_less_than_5_mb_also_while_one_is_recorded(folder: Path) -> None:
    """Two hands at 60 frames a second for five seconds, with a key held; measured by tracemalloc, without the frames."""
    moved = [hand for _, hand in movements.frames(movements.circle, fps=60)]
    hands = [(hand, Hand(hand.landmarks + np.float32([320, 0, 0]), "left", 0.8)) for hand in moved]
    image = cv2.resize(np.random.default_rng(0).integers(0, 255, (18, 32, 3), np.uint8), (1280, 720))
    tracemalloc.start()
    try:
        motion, press = HAND.open_motion(folder), Press("circle", is_hands_free=True)
        before, _ = tracemalloc.get_traced_memory()
        for index in range(300):
            frame = Frame(image, index, index / 60, "x")
            both = hands[index % len(hands)]
            regions = [Region(Box(0, 0, 64, 64), image[:64, :64], hand=hand) for hand in both]
            found = motion.step(frame, regions, HAND_UNTRAINED.predict(regions))
            if index % 2:  # a window of 30 frames a second
                press.see(Observation(frame, "x", movement=found.movement, is_moving=found.is_moving), is_on=True)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(press.found) >= 1
    assert peak - before < 5_000_000 + 3 * image.nbytes  # frames of the moment are no growth
    assert after - before < 5_000_000
