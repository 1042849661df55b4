"""The contract of every subject: one prediction a region, no prediction without a region, and unmodified inputs."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from recognizer.errors import SubjectError
from recognizer.preprocess import pictures
from recognizer.studio.handwriting import digit_strokes, draw_strokes, placement_matrix
from recognizer.subjects.box import BOX
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.subjects.subject import Postprocessor, Subject
from recognizer.values import Box, Frame, Hand, Prediction, Region
from tests.contracts.implementations import classes_with

SIZE_WH = (640, 480)
JOINTS = 21
LABELS = "3407"  # of the regions from left to right


class TurningClassifier:
    """Labels every input. Subjects use it to decide whether a sheet is turned."""

    def predict(self, inputs: Sequence[Any]) -> tuple[Prediction, ...]:
        return tuple(confident_prediction("7", image) for image in inputs)


def joints_in(box: Box, rng: np.random.Generator) -> Hand:
    joints = rng.uniform((box.x1, box.y1, -20), (box.x2, box.y2, 20), (JOINTS, 3)).astype(np.float32)
    return Hand(joints, "right", 0.9)


def written_region(number: int, box: Box) -> Region:
    strokes = digit_strokes(int(LABELS[number]), np.random.default_rng(number))
    matrix = placement_matrix(strokes, (box.width / 2, box.height / 2), 0.8 * box.height, 0.0)
    ink = draw_strokes(strokes, (box.width, box.height), 9.0, matrix=matrix)
    return Region(box, ink, contrast=120.0, score=0.9)


def hand_region(number: int, box: Box) -> Region:
    return replace(box_region(number, box), hand=joints_in(box, np.random.default_rng(number)))


def box_region(number: int, box: Box) -> Region:
    rng = np.random.default_rng(number)
    return Region(box, rng.integers(0, 255, (box.height, box.width, 3), np.uint8))


# makes a region as the finder of each subject does
REGIONS: dict[str, Callable[[int, Box], Region]] = {
    PAPER.name: written_region,
    HAND.name: hand_region,
    BOX.name: box_region,
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(request.param)


@pytest.fixture(params=[None, TurningClassifier()], ids=["no model", "a model"])
def postprocessor(request: pytest.FixtureRequest, subject: Subject) -> Postprocessor:
    return subject.open_postprocessor(request.param)


def confident_prediction(label: str | None, image: np.ndarray) -> Prediction:
    return Prediction(label, 0.95, ((label or LABELS[0], 0.95), ("1", 0.03)), image)


def frame_with(count: int) -> Frame:
    """A noisy frame, so long after the one before that hands have no speed."""
    rng = np.random.default_rng(count)
    return Frame(rng.integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8), count, 10.0 * count, "drawn")


def regions_for(subject: Subject, count: int) -> tuple[Region, ...]:
    """Regions side by side, as the subject's finder returns them."""
    boxes = [Box(20 + 150 * i, 100 + 5 * i, 120 + 150 * i, 220 + 5 * i) for i in range(count)]
    return tuple(REGIONS[subject.name](number, box) for number, box in enumerate(boxes))


def predictions_for(regions: Sequence[Region], labels: Sequence[str | None] = LABELS) -> tuple[Prediction, ...]:
    image = np.zeros((pictures.SIDE, pictures.SIDE), np.uint8)
    return tuple(confident_prediction(label, image) for _, label in zip(regions, labels, strict=False))


def test_every_subject_is_listed() -> None:
    found = {cls for cls in classes_with("open_finder", "open_classifier") if not inspect.isabstract(cls)}
    assert found == {type(subject) for subject in SUBJECTS.values()}
    assert set(REGIONS) == set(SUBJECTS)


def test_a_subject_has_a_name_and_a_key_of_its_own() -> None:
    assert all(subject.name == name and subject.word for name, subject in SUBJECTS.items())
    assert len({subject.key for subject in SUBJECTS.values()}) == len(SUBJECTS)


@pytest.mark.parametrize("name", ["foot", "", None])
def test_the_error_for_an_unknown_subject_lists_all_subjects(name: str | None) -> None:
    with pytest.raises(SubjectError, match=", ".join(SUBJECTS)):
        subject_of(name)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_there_is_a_prediction_for_each_region(subject: Subject, postprocessor: Postprocessor, count: int) -> None:
    regions = regions_for(subject, count)
    predictions = predictions_for(regions)
    regions_after, predictions_after = postprocessor.postprocess(frame_with(count), regions, predictions)
    assert isinstance(regions_after, tuple)
    assert isinstance(predictions_after, tuple)
    assert len(regions_after) == len(predictions_after) <= count
    assert [region.box for region in regions_after] == [region.box for region in regions]
    assert [one.label for one in predictions_after] == list(LABELS[:count])
    text = subject.text(regions_after, predictions_after)
    assert "\n" not in text
    assert text.replace(" ", "") == LABELS[:count]


def test_no_regions_give_no_predictions(subject: Subject, postprocessor: Postprocessor) -> None:
    assert postprocessor.postprocess(frame_with(0), (), ()) == ((), ())
    assert subject.text((), ()) == ""


def test_rejected_regions_stay_rejected(subject: Subject, postprocessor: Postprocessor) -> None:
    regions = regions_for(subject, 3)
    _, predictions = postprocessor.postprocess(frame_with(3), regions, predictions_for(regions, [None, None, None]))
    assert all(one.label is None for one in predictions) or predictions[0].turn is not None
    assert subject.text(regions, predictions_for(regions, [None, None, None])) == ""


def test_lists_and_tuples_are_accepted(subject: Subject, postprocessor: Postprocessor) -> None:
    regions = regions_for(subject, 2)
    predictions = predictions_for(regions)
    of_lists = postprocessor.postprocess(frame_with(2), list(regions), list(predictions))
    of_tuples = postprocessor.postprocess(frame_with(2), regions, predictions)
    assert [one.box for one in of_lists[0]] == [one.box for one in of_tuples[0]]
    assert subject.text(list(regions), list(predictions)) == subject.text(regions, predictions)


def test_prepare_gives_an_input_for_each_region_and_does_not_modify_it(subject: Subject) -> None:
    for region in regions_for(subject, 4):
        before = region.crop.copy()
        region.crop.setflags(write=False)
        first, second = subject.prepare(region), subject.prepare(region)
        assert np.array_equal(region.crop, before)
        pictures_of = [one.crop if isinstance(one, Region) else one for one in (first, second)]
        assert np.array_equal(*pictures_of)


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 40), (40, 1), (300, 2), (2000, 2000)], ids=str)
def test_a_crop_of_any_size_is_prepared(subject: Subject, size_wh: tuple[int, int]) -> None:
    region = regions_for(subject, 1)[0]
    crop = cv2.resize(region.crop, size_wh, interpolation=cv2.INTER_NEAREST)
    assert subject.prepare(replace(region, crop=crop)) is not None


def test_the_frame_and_its_regions_are_not_modified(subject: Subject, postprocessor: Postprocessor) -> None:
    frame, regions = frame_with(3), regions_for(subject, 3)
    predictions = predictions_for(regions)
    before, crops = frame.image_bgr.copy(), [region.crop.copy() for region in regions]
    for array in (frame.image_bgr, *(region.crop for region in regions), *(one.image for one in predictions)):
        array.setflags(write=False)
    subject.text(*postprocessor.postprocess(frame, regions, predictions))
    assert np.array_equal(frame.image_bgr, before)
    assert all(np.array_equal(region.crop, crop) for region, crop in zip(regions, crops, strict=True))
