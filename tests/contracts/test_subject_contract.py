"""What every subject keeps to: as many predictions as regions, in and out, and nothing from nothing."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from recognizer.preprocess import pictures
from recognizer.samples.sample import JOINTS, REGIONS
from recognizer.studio.handwriting import digit_strokes, draw_strokes, placing
from recognizer.subjects.box import Things
from recognizer.subjects.hands import Signs
from recognizer.subjects.paper import Writing
from recognizer.subjects.subject import Reading
from recognizer.values import Box, Frame, Hand, Prediction, Region
from tests.contracts.implementations import classes_with

SIZE_WH = (640, 480)
LABELS = "3407"  # of the regions from left to right


class TurningClassifier:
    """Knows every input: what Writing asks when a sheet may be turned."""

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        return tuple(known("7", image) for image in inputs)


SUBJECTS: dict[str, Callable[[], Reading]] = {
    "Writing": Writing,
    "Writing that may be turned": lambda: Writing(TurningClassifier()),
    "Signs": Signs,
    "Things": Things,
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Reading:
    return SUBJECTS[request.param]()


def known(label: str | None, image: np.ndarray) -> Prediction:
    return Prediction(label, 0.95, ((label or LABELS[0], 0.95), ("1", 0.03)), image)


def frame_with(count: int) -> Frame:
    """A noisy frame; a moment after the one before, so that hands have no speed."""
    rng = np.random.default_rng(count)
    return Frame(rng.integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8), count, 10.0 * count, "drawn")


def regions_for(subject: Reading, count: int) -> tuple[Region, ...]:
    """Regions side by side, as the finder of the subject gives them."""
    boxes = [Box(20 + 150 * i, 100 + 5 * i, 120 + 150 * i, 220 + 5 * i) for i in range(count)]
    return tuple(_region(subject.region, number, box) for number, box in enumerate(boxes))


def _region(shown_on: str, number: int, box: Box) -> Region:
    rng = np.random.default_rng(number)
    if shown_on == "paper":
        strokes = digit_strokes(int(LABELS[number]), rng)
        matrix = placing(strokes, (box.width / 2, box.height / 2), 0.8 * box.height, 0.0)
        ink = draw_strokes(strokes, (box.width, box.height), 9.0, matrix=matrix)
        return Region(box, ink, contrast=120.0, score=0.9)
    crop_bgr = rng.integers(0, 255, (box.height, box.width, 3), np.uint8)
    if shown_on == "box":
        return Region(box, crop_bgr)
    joints = rng.uniform((box.x1, box.y1, -20), (box.x2, box.y2, 20), (JOINTS, 3)).astype(np.float32)
    return Region(box, crop_bgr, hand=Hand(joints, "right", 0.9))


def predictions_for(regions: Sequence[Region], labels: Sequence[str | None] = LABELS) -> tuple[Prediction, ...]:
    image = np.zeros((pictures.SIDE, pictures.SIDE), np.uint8)
    return tuple(known(label, image) for _, label in zip(regions, labels, strict=False))


def test_every_subject_is_listed() -> None:
    found = {cls.__name__ for cls in classes_with("prepare", "judge", "text")}
    assert found == {name.split()[0] for name in SUBJECTS}
    assert {make().region for make in SUBJECTS.values()} == set(REGIONS)


def test_methods_take_what_the_protocol_says(subject: Reading) -> None:
    for method in ("prepare", "judge", "text"):
        expected = inspect.signature(getattr(Reading, method)).parameters
        assert ["self", *inspect.signature(getattr(subject, method)).parameters] == list(expected)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_there_is_a_prediction_for_each_region(subject: Reading, count: int) -> None:
    regions = regions_for(subject, count)
    predictions = predictions_for(regions)
    judged, labelled = subject.judge(frame_with(count), regions, predictions)
    assert isinstance(judged, tuple)
    assert isinstance(labelled, tuple)
    assert len(judged) == len(labelled) <= count
    assert [region.box for region in judged] == [region.box for region in regions]
    assert [one.label for one in labelled] == list(LABELS[:count])
    text = subject.text(judged, labelled)
    assert "\n" not in text
    assert text.replace(" ", "") == LABELS[:count]


def test_nothing_gives_nothing(subject: Reading) -> None:
    assert subject.judge(frame_with(0), (), ()) == ((), ())
    assert subject.text((), ()) == ""


def test_what_is_not_known_stays_so(subject: Reading) -> None:
    regions = regions_for(subject, 3)
    _, predictions = subject.judge(frame_with(3), regions, predictions_for(regions, [None, None, None]))
    assert all(one.label is None for one in predictions) or predictions[0].turn is not None
    assert subject.text(regions, predictions_for(regions, [None, None, None])) == ""


def test_lists_are_taken_as_tuples_are(subject: Reading) -> None:
    regions = regions_for(subject, 2)
    predictions = predictions_for(regions)
    of_lists = subject.judge(frame_with(2), list(regions), list(predictions))
    of_tuples = subject.judge(frame_with(2), regions, predictions)
    assert [one.box for one in of_lists[0]] == [one.box for one in of_tuples[0]]
    assert subject.text(list(regions), list(predictions)) == subject.text(regions, predictions)


def test_an_input_is_prepared_for_each_region_and_leaves_it_as_it_was(subject: Reading) -> None:
    for region in regions_for(subject, 4):
        before = region.crop.copy()
        region.crop.setflags(write=False)
        first, second = subject.prepare(region), subject.prepare(region)
        assert np.array_equal(region.crop, before)
        pictures_of = [one.crop if isinstance(one, Region) else one for one in (first, second)]
        assert np.array_equal(*pictures_of)


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 40), (40, 1), (300, 2), (2000, 2000)], ids=str)
def test_a_crop_of_any_size_is_prepared(subject: Reading, size_wh: tuple[int, int]) -> None:
    region = regions_for(subject, 1)[0]
    crop = cv2.resize(region.crop, size_wh, interpolation=cv2.INTER_NEAREST)
    assert subject.prepare(replace(region, crop=crop)) is not None


def test_neither_the_frame_nor_what_was_found_is_changed(subject: Reading) -> None:
    frame, regions = frame_with(3), regions_for(subject, 3)
    predictions = predictions_for(regions)
    before, crops = frame.image_bgr.copy(), [region.crop.copy() for region in regions]
    for array in (frame.image_bgr, *(region.crop for region in regions), *(one.image for one in predictions)):
        array.setflags(write=False)
    subject.text(*subject.judge(frame, regions, predictions))
    assert np.array_equal(frame.image_bgr, before)
    assert all(np.array_equal(region.crop, crop) for region, crop in zip(regions, crops, strict=True))
