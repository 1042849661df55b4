import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.cli import main
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.preprocess.turns import Unmirror, turn_of, turned_box, turned_image, turned_region
from recognizer.registry.store import ModelStore
from recognizer.samples.synced import default_samples
from recognizer.values import Box, Frame, Region, Truth, Turn
from tests.helpers.drawing import as_frame, paper, write

TURNED = [turn for turn in Turn if turn != Turn.UPRIGHT]


@pytest.fixture
def digits(published_models: ModelStore) -> Pipeline:
    return open_pipeline("digits", published_models, default_samples(), smooth=False)


def sheet(digits: str, size_wh: tuple[int, int] = (900, 600)) -> np.ndarray:
    """Digits in a line, (H, W, 3) uint8."""
    gray = paper(size_wh)
    for place, digit in enumerate(digits):
        write(gray, int(digit), (200 + 160 * place, 300), 120, seed=int(digit))
    return as_frame(gray).image_bgr


@pytest.mark.parametrize("turn", list(Turn))
def test_a_box_is_turned_together_with_its_picture(turn: Turn) -> None:
    picture = np.zeros((50, 80), np.uint8)
    box = Box(10, 5, 30, 12)
    picture[box.y1 : box.y2, box.x1 : box.x2] = 9
    turned = turned_image(picture, turn)
    rows, columns = np.nonzero(turned)
    assert turned_box(box, turn, (80, 50)).xyxy == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("turn", list(Turn))
def test_the_crop_is_turned_together_with_its_box(turn: Turn) -> None:
    crop = np.arange(12, dtype=np.uint8).reshape(3, 4)
    turned = turned_region(Region(Box(2, 3, 6, 6), crop), turn, (20, 10))
    assert turned.crop.shape == (turned.box.height, turned.box.width)
    assert sorted(turned.crop.ravel()) == list(range(12))


@pytest.mark.parametrize("number", ["2475", "34", "75429"])
@pytest.mark.parametrize("turn", TURNED)
def test_a_mirrored_or_upside_down_sheet_is_read(digits: Pipeline, turn: Turn, number: str) -> None:
    observation = digits.step(Frame(turned_image(sheet(number), turn), 0, 0.0, "held"))
    assert observation.text == number
    assert {one.turn for one in observation.predictions} == {turn}


def test_an_upright_sheet_is_read_without_turning(digits: Pipeline) -> None:
    observation = digits.step(Frame(sheet("2475"), 0, 0.0, "held"))
    assert observation.text == "2475"
    assert {one.turn for one in observation.predictions} == {None}


def test_a_single_character_is_never_turned(digits: Pipeline) -> None:
    observation = digits.step(Frame(turned_image(sheet("4"), Turn.UPSIDE_DOWN), 0, 0.0, "held"))
    assert {one.turn for one in observation.predictions} <= {None}


def test_unmirror_flips_frames_only_while_it_is_on(digits: Pipeline) -> None:
    mirrored = Frame(turned_image(sheet("2475"), Turn.MIRRORED), 0, 0.0, "mirrored", (Truth("2", Box(0, 0, 10, 5)),))
    unmirror = Unmirror()
    assert unmirror(mirrored) is mirrored
    unmirror.toggle()
    turned = unmirror(mirrored)
    assert turned.truth[0].box == Box(890, 0, 900, 5)
    observation = digits.step(turned)
    assert observation.text == "2475"
    assert turn_of(observation.predictions) is None


@pytest.mark.parametrize("turn", TURNED)
def test_the_window_shows_how_the_sheet_is_turned(digits: Pipeline, turn: Turn) -> None:
    turned = digits.step(Frame(turned_image(sheet("2475"), turn), 0, 0.0, "held"))
    upright = replace(turned, predictions=tuple(replace(one, turn=None) for one in turned.predictions))
    differs = (Overlay().draw(turned) != Overlay().draw(upright)).any(axis=2)
    assert differs.sum() > 500


def test_a_folder_of_mirrored_pictures_is_read_with_unmirror(published_models: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert cv2.imwrite(str(tmp_path / "in" / "a.png"), turned_image(sheet("3"), Turn.MIRRORED))
    texts = []
    for options in ([], ["--unmirror"]):
        options = [*options, "--source", str(tmp_path / "in"), "--headless", "--output", str(tmp_path / "out")]
        assert main([*options, "--models", str(published_models.folder)]) == 0
        with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
            texts.append({row["text"] for row in csv.DictReader(file)})
    assert texts[0] != {"3"}
    assert texts[1] == {"3"}
