import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from recognizer.errors import DataError, ModelError, SettingsError
from recognizer.finders.writing import WritingFinder
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.preprocess.pictures import mnist_image
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.sinks.png import write_png
from recognizer.studio.handwriting import digit_strokes, draw_strokes
from recognizer.subjects.paper import PAPER
from recognizer.system import paths
from recognizer.values import Frame, Prediction
from training.__main__ import main
from training.datasets import rooms
from training.datasets.dataset import Images
from training.datasets.sheets import Digits
from training.evaluation import evaluate


class ConstantClassifier:
    """A classifier that predicts the same label for every input. None rejects every input."""

    def __init__(self, label):
        self.label = label

    def predict(self, images):
        top = ((self.label or "0", 0.999),)
        return tuple(Prediction(self.label, 0.999, top, image) for image in images)


def constant_pipeline(label):
    return Pipeline("digits", PAPER, WritingFinder(), ConstantClassifier(label))


def draw_digit(digit, seed=0):
    """A synthetic photograph of a digit on plain paper, (480, 640, 3) uint8."""
    rng = np.random.default_rng(seed)
    ink = draw_strokes(digit_strokes(digit, rng), (640, 480), 20)
    paper = np.full((480, 640), 200, np.float32) + rng.normal(0, 2, (480, 640))
    return cv2.cvtColor(np.clip(paper - 0.6 * ink, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


@pytest.fixture
def photos(tmp_path):
    """A folder of photographs by series and label: anna wrote a 3 and a 5, ben a 3."""
    for series, digit in (("anna", 3), ("anna", 5), ("ben", 3)):
        write_png(tmp_path / "photos" / series / str(digit) / "one.png", draw_digit(digit))
    return tmp_path / "photos"


def rows(text):
    """The other words of each line of a table, by its first word."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_pictures_are_grouped_by_series_and_label(photos):
    found = [(path.name, series, label) for path, series, label in evaluate.labelled_pictures(photos)]
    assert found == [("one.png", "anna", "3"), ("one.png", "anna", "5"), ("one.png", "ben", "3")]
    (photos / "ben" / "3" / "notes.txt").write_text("no picture")
    assert len(list(evaluate.labelled_pictures(photos))) == 3


def test_a_folder_without_series_is_one_series(photos):
    found = [(series, label) for _, series, label in evaluate.labelled_pictures(photos / "anna")]
    assert found == [("anna", "3"), ("anna", "5")]


def test_a_folder_without_labelled_pictures_is_an_error(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="contains no pictures in folders named by label"):
            list(evaluate.labelled_pictures(folder))
    write_png(tmp_path / "loose.png", draw_digit(1))
    with pytest.raises(DataError, match="left out: in no label's folder"):
        list(evaluate.labelled_pictures(tmp_path))


def test_the_table_counts_exactly_correct_readings(photos, capsys):
    evaluate.evaluate_photos(constant_pipeline("3"), photos, mistakes=False)
    table = rows(capsys.readouterr().out)
    assert table == {
        "anna": ["1", "of", "2", "0.500"],
        "ben": ["1", "of", "1", "1.000"],
        "all": ["2", "of", "3", "0.6667"],
    }


def test_mistakes_are_listed_with_their_file(photos, capsys):
    evaluate.evaluate_photos(constant_pipeline("3"), photos, mistakes=True)
    assert f"{photos / 'anna' / '5' / 'one.png'}: 5 read as 3" in capsys.readouterr().out
    evaluate.evaluate_photos(constant_pipeline(None), photos, mistakes=True)
    out = capsys.readouterr().out
    assert out.count("read as nothing") == 3
    assert rows(out)["all"] == ["0", "of", "3", "0.0000"]


def test_the_mnist_evaluation_prints_its_metrics(monkeypatch, capsys):
    images = np.zeros((4, 28, 28), np.uint8)
    labels = np.array([7, 7, 7, 1])
    monkeypatch.setattr(evaluate, "load_mnist", lambda: Images(images, labels, images, labels, "drawn", ""))
    evaluate.evaluate_mnist(constant_pipeline("7"))
    assert rows(capsys.readouterr().out)["accuracy"][0] == "0.7500"
    evaluate.evaluate_mnist(constant_pipeline(None))
    assert "coverage   0.0000" in capsys.readouterr().out


@pytest.fixture
def few_photos(monkeypatch, tmp_path):
    """Three photographs of an empty room, and no others."""
    monkeypatch.setattr(paths, "data_folders", lambda: (tmp_path / "data", tmp_path / "elsewhere"))
    for index in range(3):
        write_png(
            tmp_path / "data" / "photos" / "nothing" / "room" / f"{index}.png", np.full((48, 64, 3), 90, np.uint8)
        )


def test_rejection_counts_pictures_with_any_label(few_photos, capsys):
    evaluate.evaluate_rejection(constant_pipeline("8"), each=2, seed=1)
    out = capsys.readouterr().out
    assert "8 ×" in out, "the labels are listed with their counts"
    assert rows(out)["photos/nothing"][:3] == ["0", "of", "3"], (
        "a uniform grey image has no region and therefore no label"
    )
    assert rows(out)["all"][2] == "17"
    assert int(rows(out)["all"][0]) >= 5, "letters and shapes have regions"
    evaluate.evaluate_rejection(constant_pipeline(None), each=2, seed=1)
    assert rows(capsys.readouterr().out)["all"] == ["0", "of", "17", "0.0000"]


def test_the_same_seed_draws_the_same_rejection_pictures(few_photos):
    def pictures(seed):
        drawn_of_kind = evaluate.drawn_kinds(np.random.default_rng(seed), each=2)
        return {kind: list(drawn) for kind, drawn in drawn_of_kind.items()}

    first, again, other = pictures(1), pictures(1), pictures(2)
    assert len(first) == 6
    for kind, drawn in first.items():
        assert {picture.shape for picture in drawn} == {(480, 640, 3)}
        assert all(np.array_equal(a, b) for a, b in zip(drawn, again[kind], strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(drawn, other[kind], strict=True))


def test_a_flipped_picture_counts_only_if_the_original_was_read_correctly(photos, capsys, monkeypatch):
    texts = iter(["3", "3", "3", "5", "5"])  # both read correctly, only the original, neither (not flipped then)
    files = sorted(path for path in photos.rglob("*") if path.is_file())[:3]
    monkeypatch.setattr(evaluate, "labelled_pictures", lambda folder: [(path, "anna", "3") for path in files])
    evaluate.evaluate_mirrored(SimpleNamespace(step=lambda frame: SimpleNamespace(text=next(texts))), photos)
    assert capsys.readouterr().out.startswith("1 of 2 correctly read pictures")


def test_each_part_of_a_clip_is_evaluated_separately(tmp_path, capsys):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (64, 48))
    for shade in [20] * 5 + [120] * 10:
        writer.write(np.full((48, 64, 3), shade, np.uint8))
    writer.release()
    texts = iter([""] * 6 + ["rock"] * 9)
    pipeline = SimpleNamespace(step=lambda frame: SimpleNamespace(text=next(texts)))
    evaluate.evaluate_clip(pipeline, path, ":0-4,rock:5-14")
    out = capsys.readouterr().out.splitlines()
    assert "5 of    5" in out[0]
    assert "9 of   10   nothing ×1" in out[1]
    assert out[2].split() == ["all", "signs", "9", "of", "10", "0.9000"]


@pytest.mark.parametrize("shows", ["", "rock", "rock:5", "rock:5-3", "rock:0-15"])
def test_parts_outside_the_clip_are_a_one_line_error(shows):
    with pytest.raises(SettingsError, match="LABEL:FIRST-LAST") as caught:
        evaluate.parse_shows(shows, 15)
    assert "\n" not in str(caught.value)


def run_main(capsys, *words):
    """Run the evaluation command. Return its exit code and stderr."""
    with pytest.raises(SystemExit) as end:
        main(["evaluate", *words])
    return end.value.code, capsys.readouterr().err


def test_a_missing_model_is_a_one_line_error(capsys, tmp_path):
    code, err = run_main(capsys, "mnist", "--models", str(tmp_path))
    assert err.startswith("There is no model for the task digits")
    assert err.count("\n") == 1
    assert code == 2


def test_evaluating_photos_requires_a_folder(capsys):
    code, err = run_main(capsys, "photos")
    assert err.startswith("python -m recognizer evaluate photos: the following arguments are required: DIR")
    assert err.count("\n") == 1
    assert code == 2


def test_a_broken_photograph_is_left_out_and_named(capsys, photos):
    (photos / "ben" / "3" / "broken.jpg").write_bytes(b"no picture")
    evaluate.evaluate_photos(constant_pipeline("3"), photos, mistakes=False)
    out, err = capsys.readouterr()
    assert rows(out)["all"] == ["2", "of", "3", "0.6667"]
    assert "broken.jpg is not a picture" in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def published():
    """The pipeline with the shipped model."""
    try:
        return open_pipeline("digits", default_models(), default_samples(), smooth=False)
    except ModelError as error:
        pytest.skip(f"needs the published model: {error}")


def test_the_published_model_reads_plain_writing(published, tmp_path, capsys):
    """A smoke test, not a measurement: at most one clear digit on plain paper may be misread."""
    for digit in range(10):
        write_png(tmp_path / "drawn" / str(digit) / "plain.png", draw_digit(digit, seed=digit))
    evaluate.evaluate_photos(published, tmp_path, mistakes=True)
    out = capsys.readouterr().out
    assert int(rows(out)["all"][0]) >= 9, out


def test_the_published_model_reads_an_mnist_image_and_a_photograph_of_a_digit(published):
    """A 4 is recognised as an image centred as in MNIST, and as a region detected in a picture."""
    rng = np.random.default_rng(4)
    image = mnist_image(draw_strokes(digit_strokes(4, rng), (200, 200), 14))
    (prediction,) = published.classifier.predict([image])
    observation = published.step(Frame(draw_digit(4, seed=4), 0, 0.0, "drawn"))
    assert prediction.label == "4"
    assert observation.text == "4"


def test_the_published_model_rejects_blank_paper(published):
    blank = np.full((480, 640, 3), 190, np.uint8)
    assert published.step(Frame(blank, 0, 0.0, "blank")).text == ""
    (empty,) = published.classifier.predict([np.zeros((28, 28), np.uint8)])
    assert empty.label is None


def test_numbers_in_rooms_are_counted_by_light_and_sheet_and_failures_are_drawn(
    published, tmp_path, capsys, monkeypatch
):
    nothing = Digits(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64))
    monkeypatch.setattr(rooms, "scene_sources", lambda *, held_out: rooms.SceneSources(nothing))
    monkeypatch.setattr(evaluate, "CELLS", [("bright", "near"), ("dim", "far")])
    monkeypatch.setattr(evaluate, "ROOM_WH", (640, 360))
    monkeypatch.setattr(evaluate, "LEAST_HEIGHT", 20)
    evaluate.evaluate_rooms(published, 2, 0, tmp_path / "failures.png")
    out = capsys.readouterr().out
    assert re.search(r"^bright   near +\d of +2", out, re.M)
    assert re.search(r"^all numbers +\d of +4", out, re.M)
    assert re.search(r"^sheets of digits, dim +\d+ of +\d+ ", out, re.M)
    assert (tmp_path / "failures.png").exists() == ("Wrote" in out)


def test_numbers_on_pages_are_counted_by_the_lines_around_them(published, tmp_path, capsys, monkeypatch):
    nothing = Digits(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64))
    monkeypatch.setattr(rooms, "scene_sources", lambda *, held_out: rooms.SceneSources(nothing))
    monkeypatch.setattr(evaluate, "ROOM_WH", (640, 360))
    monkeypatch.setattr(evaluate, "PAGES", {kind: evaluate.PAGES[kind] for kind in ("underlined", "a 1 alone")})
    evaluate.evaluate_pages(published, 2, 0, tmp_path / "failures.png")
    out = capsys.readouterr().out
    assert re.search(r"^underlined +\d of +2 ", out, re.M)
    assert re.search(r"^a 1 alone +\d of +2 ", out, re.M)
    assert (tmp_path / "failures.png").exists() == ("Wrote" in out)
