from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import ModelError, SettingsError
from recognizer.finders.writing import WritingFinder
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.synced import default_samples
from recognizer.smoothing import Smoother
from recognizer.studio.scenes import Studio
from recognizer.subjects.paper import PAPER, WritingPostprocessor
from recognizer.values import Box, Frame, Prediction, Region
from tests.helpers.drawing import as_frame, middle_of_card, paper, write
from tests.helpers.fakes import FakeClassifier, FakeFinder

FRAME = as_frame(paper())


def region(x1: int, y1: int, x2: int, y2: int, contrast: float = 200.0) -> Region:
    return Region(Box(x1, y1, x2, y2), np.full((y2 - y1, x2 - x1), 255, np.uint8), contrast)


def read(regions: list[Region], labels: list[str | None], confidences: tuple[float, ...] = (0.9,)):
    """The observation of a pipeline that finds these regions and predicts these labels."""
    return Pipeline("digits", PAPER, FakeFinder(regions), FakeClassifier(labels, confidences)).step(FRAME)


def labels_of(observation) -> list[str | None]:
    return [prediction.label for prediction in observation.predictions]


def test_a_frame_without_regions_gives_an_empty_observation() -> None:
    observation = read([], ["1"])
    assert (observation.regions, observation.predictions, observation.text) == ((), (), "")
    assert observation.frame is FRAME
    assert observation.task == "digits"


def test_digits_of_a_line_form_a_number_and_lines_are_separated() -> None:
    regions = [region(0, 0, 30, 50), region(40, 5, 70, 55), region(0, 100, 30, 150), region(45, 98, 70, 148)]
    assert read(regions, ["4", "2", "0", "7"]).text == "42 07"


ROW = [region(40 * place, 0, 40 * place + 30, 50) for place in range(7)]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["4", None, "2"], "4?2"),  # a rejected digit is not silently omitted
        (["4", None, None, "2"], "4??2"),
        ([None, "4", "2"], "?42"),
        (["4", "2", None], "42?"),
        ([None, None], ""),
        (["4", None, None, None, None, "2"], "4 2"),  # a word between two numbers
        (["4", None, None, None, None], "4"),
    ],
)
def test_a_rejected_character_inside_a_number_is_shown_as_a_question_mark(labels: list[str | None], text: str) -> None:
    observation = read(ROW[: len(labels)], labels)
    assert observation.text == text
    assert labels_of(observation) == labels


def test_distant_or_much_smaller_ink_is_not_part_of_a_number() -> None:
    assert read([region(0, 0, 30, 50), region(70, 0, 100, 50)], ["4", None]).text == "4"
    assert read([region(0, 0, 30, 50), region(35, 20, 45, 40)], ["4", None]).text == "4"


def test_the_classifier_gets_mnist_like_inputs() -> None:
    classifier = FakeClassifier()
    observation = Pipeline("digits", PAPER, FakeFinder([region(0, 0, 30, 50)]), classifier).step(FRAME)
    (image_28,) = classifier.images
    assert (image_28.shape, image_28.dtype) == ((28, 28), np.uint8)
    assert image_28.max() == 255
    assert observation.predictions[0].image is image_28


@pytest.mark.parametrize("first_is_better", [True, False])
def test_the_more_confident_of_two_overlapping_regions_stays(first_is_better: bool) -> None:
    confidences = (0.95, 0.7) if first_is_better else (0.7, 0.95)
    observation = read([region(0, 0, 60, 90), region(10, 20, 50, 70)], ["0", "1"], confidences)
    assert labels_of(observation) == (["0"] if first_is_better else ["1"])


def test_a_labelled_region_suppresses_a_rejected_one_at_any_confidence() -> None:
    observation = read([region(0, 0, 60, 90), region(10, 20, 50, 70)], [None, "1"], (0.99, 0.7))
    assert labels_of(observation) == ["1"]
    assert observation.regions[0].box == Box(10, 20, 50, 70)


@pytest.mark.parametrize(
    ("score", "label", "confidence", "labels"),
    [
        (0.99, "4", 0.8, ["4"]),  # certainly writing, probably a 4
        (0.2, "4", 0.999, ["4"]),  # hardly writing, but a very confident 4
        (0.2, "4", 0.8, []),
        (0.2, None, 0.5, []),
        (0.7, "4", 0.7, [None]),  # writing, but not a certain digit
        (None, "4", 0.7, ["4"]),  # no score was computed
        (None, None, 0.1, [None]),
    ],
)
def test_a_region_with_a_low_writing_score_needs_a_higher_confidence(score, label, confidence, labels) -> None:
    found = replace(region(10, 20, 30, 60), score=score)
    assert labels_of(read([found], [label], (confidence,))) == labels


def test_a_region_next_to_a_digit_of_equal_height_needs_less_confidence() -> None:
    weak, sure = (replace(region(x, 20, x + 20, 60), score=score) for x, score in ((40, 0.4), (10, 0.99)))
    assert read([sure, weak], ["7", "1"], (0.9, 0.9)).text == "71"
    far = replace(weak, box=Box(300, 20, 320, 60))
    assert read([sure, far], ["7", "1"], (0.9, 0.9)).text == "7"
    assert read([weak], ["1"], (0.9,)).text == ""


def test_slanted_neighbours_with_slightly_overlapping_boxes_both_stay() -> None:
    observation = read([region(0, 0, 50, 90), region(40, 0, 90, 90)], ["7", "1"])
    assert observation.text == "71"


def test_faint_ink_next_to_larger_writing_is_rejected() -> None:
    writing, show_through = region(0, 0, 60, 100, contrast=200), region(80, 30, 100, 70, contrast=40)
    observation = read([writing, show_through], ["5", "1"])
    assert labels_of(observation) == ["5", None]
    assert observation.text == "5"


@pytest.mark.parametrize(
    "beside",
    [
        region(80, 30, 100, 70, contrast=120),
        region(400, 30, 420, 70, contrast=40),
        region(80, 0, 150, 120, contrast=40),
    ],
    ids=["strong enough", "far away", "larger"],
)
def test_other_ink_next_to_writing_keeps_its_label(beside: Region) -> None:
    assert labels_of(read([region(0, 0, 60, 100, contrast=200), beside], ["5", "1"])) == ["5", "1"]


def test_rejected_regions_do_not_suppress_faint_ink() -> None:
    object_edge, digit = region(0, 0, 60, 100, contrast=200), region(80, 30, 100, 70, contrast=40)
    assert labels_of(read([object_edge, digit], [None, "1"])) == [None, "1"]


def test_a_ring_around_digits_does_not_suppress_them() -> None:
    ring = replace(region(0, 0, 140, 120, contrast=200), score=0.5)
    digits = [replace(region(x, 30, x + 30, 80, contrast=60), score=0.99) for x in (30, 80)]
    assert read([ring, *digits], ["0", "6", "7"], (0.999,)).text == "67"


def region_of(digit: int, score: float = 0.9) -> Region:
    """A region with this writing score, whose digit probabilities are 1 for this digit. 10 is other writing."""
    return replace(region(10, 20, 30, 60), score=score, digit_probabilities=np.eye(11, dtype=np.float32)[digit])


def predicted(*top: tuple[str, float], label: str | None) -> Prediction:
    return Prediction(label, top[0][1], top, np.zeros((28, 28), np.uint8))


def combined(found: Region, prediction: Prediction) -> tuple[str | None, ...]:
    """The labels after the digit probabilities of the region are combined with the prediction of its crop."""
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "drawn")
    _, predictions = WritingPostprocessor().postprocess(frame, [found], [prediction])
    return tuple(prediction.label for prediction in predictions)


def test_a_label_needs_evidence_from_both_crop_and_picture() -> None:
    confident = predicted(("7", 0.95), ("1", 0.05), label="7")
    assert combined(region_of(7), confident) == ("7",)
    assert combined(region_of(1), confident) == (None,)
    assert combined(region_of(10), confident) == (None,)
    assert combined(region_of(10, score=0.3), confident) == ()


def test_the_picture_decides_when_the_crop_is_ambiguous() -> None:
    unsure = predicted(("7", 0.5), ("1", 0.45), label="7")
    assert combined(region_of(1, score=0.999), unsure) == ("1",)
    assert combined(region_of(7, score=0.999), unsure) == ("7",)


def test_digit_probabilities_of_the_picture_do_not_affect_other_labels() -> None:
    assert combined(region_of(10), predicted(("plus", 0.99), ("7", 0.01), label="plus")) == ("plus",)
    assert combined(region_of(7), predicted(("7", 0.5), ("plus", 0.5), label="7")) == (None,)


def test_a_rejected_digit_gets_a_label_if_the_picture_shows_it_clearly() -> None:
    rejected = predicted(("1", 0.6), ("7", 0.1), label=None)
    assert combined(region_of(7, score=0.999), rejected) == ("7",)
    unclear = 0.8 * np.eye(11, dtype=np.float32)[7] + 0.2 * np.eye(11, dtype=np.float32)[9]
    assert combined(replace(region_of(7), digit_probabilities=unclear), rejected) == (None,)
    assert combined(region_of(10, score=0.999), rejected) == (None,)
    assert combined(region_of(7, score=0.999), predicted(("1", 0.6), ("2", 0.1), label=None)) == (None,), (
        "7 is not in its top"
    )
    assert combined(region_of(7, score=0.999), predicted(("plus", 0.6), ("7", 0.1), label=None)) == (None,)


def test_stage_times_are_reported_in_order() -> None:
    with_smoother = Pipeline("digits", PAPER, FakeFinder([region(0, 0, 30, 50)]), FakeClassifier(), Smoother()).step(
        FRAME
    )
    assert list(with_smoother.stages_ms) == ["find", "prepare", "classify", "smooth"]
    assert list(read([], []).stages_ms) == ["find", "prepare", "classify"]
    assert all(time_ms >= 0 for time_ms in with_smoother.stages_ms.values())


def test_the_smoother_hides_a_misclassification_in_a_single_frame() -> None:
    finder = FakeFinder([region(0, 0, 30, 50)])
    steady = Pipeline("digits", PAPER, finder, FakeClassifier(["3"]), Smoother())
    single = Pipeline("digits", PAPER, finder, FakeClassifier(["3"]))
    texts: dict[str, list[str]] = {"steady": [], "single": []}
    for index in range(8):
        frame = as_frame(paper((64, 64)), index=index, time_s=index / 30)
        for name, pipeline in (("steady", steady), ("single", single)):
            pipeline.classifier = FakeClassifier(["8" if index == 5 else "3"])
            texts[name].append(pipeline.step(frame).text)
    assert texts["steady"] == ["3"] * 8
    assert texts["single"] == ["3"] * 5 + ["8"] + ["3"] * 2


def test_the_smoother_runs_on_frames_without_regions() -> None:
    pipeline = Pipeline("digits", PAPER, FakeFinder([region(0, 0, 30, 50)]), FakeClassifier(["3"]), Smoother())
    texts = []
    for index in range(30):
        pipeline.finder = FakeFinder([] if 5 <= index < 28 else [region(0, 0, 30, 50)])
        pipeline.classifier = FakeClassifier(["9" if index >= 28 else "3"])
        texts.append(pipeline.step(as_frame(paper((64, 64)), index=index, time_s=index / 30)).text)
    assert (
        texts == ["3"] * 5 + [""] * 23 + ["9"] * 2
    )  # after so long a gap it is a new region, whose label is shown at once


def test_a_drawn_number_is_read_from_left_to_right() -> None:
    gray = paper()
    for number, digit in enumerate((4, 0, 7)):
        write(gray, digit, (150 + 150 * number, 240), 120)
    observation = Pipeline("digits", PAPER, WritingFinder(), FakeClassifier(["4", "0", "7"])).step(as_frame(gray))
    assert observation.text == "407"


def test_the_error_for_an_unknown_task_lists_the_tasks(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'chess'. Tasks: digits"):
        open_pipeline("chess", open_models(tmp_path), default_samples(), smooth=False)


def test_a_task_without_a_model_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model for the task digits"):
        open_pipeline("digits", open_models(tmp_path), default_samples(), smooth=False)


def test_streams_are_smoothed_and_single_pictures_are_not(published_models: ModelStore) -> None:
    assert open_pipeline("digits", published_models, default_samples(), smooth=False).smoother is None
    assert open_pipeline("digits", published_models, default_samples(), smooth=True).smoother is not None


def test_numbers_in_the_studio_are_recognized(published_models: ModelStore) -> None:
    pipeline = open_pipeline("digits", published_models, default_samples(), smooth=False)
    studio = Studio("digits", (1280, 720))
    frames = [studio.frame(middle_of_card(card)) for card in range(10)]
    wrong = [
        (truth, text)
        for frame in frames
        if (text := pipeline.step(frame).text) != (truth := "".join(truth.label for truth in frame.truth))
    ]
    assert len(wrong) <= 3, wrong


def test_every_digit_in_the_middle_of_a_sheet_is_recognized(published_models: ModelStore) -> None:
    pipeline = open_pipeline("digits", published_models, default_samples(), smooth=False)
    right = 0
    for digit in range(10):
        for seed in (0, 1):
            gray = paper()
            write(gray, digit, (320, 240), 220, seed=seed)
            right += pipeline.step(as_frame(gray)).text == str(digit)
    assert right >= 18


def test_blank_paper_gets_no_label(published_models: ModelStore) -> None:
    pipeline = open_pipeline("digits", published_models, default_samples(), smooth=False)
    studio = Studio("blank", (1280, 720))
    texts = [pipeline.step(studio.frame(middle_of_card(card))).text for card in range(6)]
    texts += [pipeline.step(as_frame(paper(shade=shade))).text for shade in (10, 120, 240)]
    assert texts == [""] * 9


def test_noise_gets_no_label(published_models: ModelStore) -> None:
    pipeline = open_pipeline("digits", published_models, default_samples(), smooth=False)
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (240, 320)).astype(np.uint8) for _ in range(5)]
    pictures += [rng.normal(150, deviation, (480, 640)).clip(0, 255).astype(np.uint8) for deviation in (5, 10, 20, 40)]
    assert [pipeline.step(as_frame(picture)).text for picture in pictures] == [""] * 9
