import cv2
import numpy as np
import pytest

from recognizer.finders import characters as finders_characters
from recognizer.finders import ink as finders_ink
from training.datasets import rooms
from training.datasets.sheets import LINES, Digits
from training.evaluation.evaluate import failure
from training.finders import characters, inks

BARE = rooms.SceneSources(Digits(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)))
SIZE_WH = (640, 360)


def scene(seed: int, **fixed: str) -> rooms.Scene:
    return rooms.draw(BARE, np.random.default_rng(seed), SIZE_WH, **fixed)


@pytest.mark.parametrize("layout", list(rooms.LAYOUTS))
def test_a_scene_has_a_picture_and_the_boxes_of_its_characters(layout: str) -> None:
    for seed in range(4):
        drawn = scene(seed, layout=layout)
        assert drawn.picture_bgr.shape == (360, 640, 3)
        assert drawn.picture_bgr.dtype == np.uint8
        assert drawn.kinds["layout"] == layout
        for character in drawn.written:
            x1, y1, x2, y2 = character.box_xyxy
            assert 0 <= x1 < x2 < 640
            assert 0 <= y1 < y2 < 360
        assert layout not in ("empty", "nothing") or not drawn.written


def test_the_same_seed_draws_the_same_scene() -> None:
    first, second = scene(7, layout="pens"), scene(7, layout="pens")
    assert np.array_equal(first.picture_bgr, second.picture_bgr)
    assert [one.box_xyxy for one in first.written] == [one.box_xyxy for one in second.written]


def test_ink_is_lighter_or_darker_than_the_paper_as_recorded() -> None:
    correct = counted = 0
    for seed in range(8):
        drawn = scene(seed, layout="single", light="bright", sheet="near")
        for one in drawn.written:
            if one.ambiguous:
                continue
            gray = cv2.cvtColor(drawn.picture_bgr, cv2.COLOR_BGR2GRAY).astype(int)
            ink = cv2.warpPerspective(one.ink, one.to_picture, SIZE_WH, flags=cv2.INTER_AREA)
            near = cv2.dilate(ink, np.ones((15, 15), np.uint8))
            around = (near > 0) & (cv2.dilate(ink, np.ones((7, 7), np.uint8)) == 0)
            counted += 1
            correct += (gray[ink > 200].mean() > gray[around].mean()) == one.light
    assert counted >= 4
    assert correct >= 0.9 * counted


def test_dim_rooms_are_darker_than_bright_ones() -> None:
    bright, dim = (
        np.mean([scene(seed, layout="number", light=light).picture_bgr.mean() for seed in range(6)])
        for light in ("bright", "dim")
    )
    assert dim < 0.6 * bright


def test_held_out_and_training_sources_share_no_photograph(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path))
    for source in ("jack", "kaggle", "massey"):
        folder = tmp_path / "photos" / "letters" / source / "A"
        folder.mkdir(parents=True)
        for name in ("hand1_a.png", "hand5_a.png"):
            cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))
    training, held_out = rooms.photographs(held_out=False), rooms.photographs(held_out=True)
    assert {path.parts[-3] for path in training[0]} == {"kaggle"}
    assert {path.parts[-3] for path in held_out[0]} == {"jack"}
    assert [path.name for path in (*training[1], *held_out[1])] == ["hand1_a.png", "hand5_a.png"]


def test_the_target_of_a_cell_in_a_character_is_its_box() -> None:
    target = characters.target_of(np.array([[40.0, 60.0, 50.0, 76.0]]), [False], [True])
    rows, columns = np.nonzero(target[..., 0] == 1)
    assert len(rows)
    for row, column in zip(rows, columns, strict=True):
        left, top, right, bottom = target[row, column, 1:5] * finders_characters.BOX_UNIT
        x, y = (column + 0.5) * finders_characters.CELL, (row + 0.5) * finders_characters.CELL
        assert (x - left, y - top, x + right, y + bottom) == pytest.approx((40, 60, 50, 76), abs=1e-3)
        assert target[row, column, 5] == 1


@pytest.mark.parametrize(("height", "found"), [(5.0, 0), (12.0, 1), (40.0, 0)])
def test_targets_contain_only_characters_of_the_size_that_the_network_detects(height: float, found: int) -> None:
    target = characters.target_of(np.array([[40.0, 60.0, 46.0, 60.0 + height]]), [False], [False])
    assert bool((target[..., 0] == 1).any()) == bool(found)


def test_ambiguous_characters_are_ignored_in_the_targets() -> None:
    target = characters.target_of(np.array([[40.0, 60.0, 50.0, 76.0]]), [True], [False])
    assert set(np.unique(target[..., 0])) == {-1, 0}


def test_the_ink_mask_of_a_patch_matches_its_picture() -> None:
    rng = np.random.default_rng(0)
    drawn = next(
        one for one in (scene(seed, layout="single", light="bright", sheet="near") for seed in range(20))
        if one.written and not one.written[0].ambiguous
    )  # fmt: skip
    patch, ink = inks.training_crop(drawn, drawn.written[0], rng)
    assert patch.shape == (finders_ink.PATCH, finders_ink.PATCH, 3)
    gray = np.abs(patch.astype(int) - np.median(patch, axis=(0, 1))).max(axis=2)
    assert gray[ink[..., 0] > 200].mean() > 2 * gray[ink[..., 0] < 20].mean()


@pytest.mark.parametrize(
    ("text_read", "kind"),
    [("123", "right"), ("", "nothing read"), ("12", "digit missing"), ("1?3", "digit missing"), ("128", "wrong digit"),
     ("1234", "more read")],
)  # fmt: skip
def test_each_wrong_reading_has_a_kind_of_failure(text_read: str, kind: str) -> None:
    assert failure("123", text_read) == kind


@pytest.mark.parametrize("lines", ["", *LINES])
def test_a_page_contains_the_number_and_lines_around_it(lines: str) -> None:
    plain, drawn = (rooms.draw_page(BARE, np.random.default_rng(3), SIZE_WH, "472", 0.3, kind) for kind in ("", lines))
    assert [one.character for one in drawn.written] == ["4", "7", "2"]
    assert {one.line for one in drawn.written} == {0}
    assert np.array_equal(plain.written[0].box_xyxy, drawn.written[0].box_xyxy)
    heights = [one.box_xyxy[3] - one.box_xyxy[1] for one in drawn.written]
    assert all(0.2 * SIZE_WH[1] < height < 0.35 * SIZE_WH[1] for height in heights)
