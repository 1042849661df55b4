import cv2
import numpy as np
import pytest
from conftest import as_frame, middle_of_card, paper, write

from recognizer.preprocess import mnist_image
from recognizer.regions.digits import DigitFinder, is_writing
from recognizer.strokes import digit_strokes, draw_strokes, placing
from recognizer.studio import Studio
from recognizer.values import Box, Frame

SIZE = (640, 480)
SHADES = pytest.mark.parametrize(("ground", "pen"), [(225, 40), (45, 215)], ids=["dark on light", "light on dark"])


def boxes(gray: np.ndarray) -> list[Box]:
    return [region.box for region in DigitFinder().find(as_frame(gray))]


def rule(gray: np.ndarray, *, step_px: int, squared: bool = False, shade: int = 170, width: int = 1) -> None:
    """Paper lines across the whole sheet, in place."""
    height, across = gray.shape
    for y in range(step_px // 2, height, step_px):
        cv2.line(gray, (0, y), (across, y), shade, width)
    if squared:
        for x in range(step_px // 2, across, step_px):
            cv2.line(gray, (x, 0), (x, height), shade, width)


def assert_only(found: list[Box], written: Box, min_iou: float = 0.7) -> None:
    assert len(found) == 1, [box.xyxy for box in found]
    assert found[0].iou(written) > min_iou, (found[0].xyxy, written.xyxy)


@SHADES
@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_digit_is_found_at_any_size(share: float, ground: int, pen: int) -> None:
    for digit in (0, 1, 2, 4, 5, 8):
        gray = paper((1280, 720), ground)
        written = write(gray, digit, (640, 360), 0.97 * share * 720, shade=pen, seed=digit)
        # a pixel more or less on each side is much of a small thin stroke
        assert_only(boxes(gray), written, 0.7 if share > 0.05 else 0.4)


@SHADES
def test_the_crop_is_ink_with_nothing_around_it(ground: int, pen: int) -> None:
    gray = paper(SIZE, ground)
    write(gray, 0, (320, 240), 200, shade=pen)
    (region,) = DigitFinder().find(as_frame(gray))
    assert region.crop.dtype == np.uint8
    assert region.crop.max() == 255
    assert not region.crop[:2, :2].any()
    assert region.crop[region.crop.shape[0] // 2, region.crop.shape[1] // 2] == 0  # the hole of the 0
    assert region.crop.shape[0] / region.crop.shape[1] == pytest.approx(region.box.height / region.box.width, rel=0.1)


def test_the_crop_shows_the_digit_as_if_it_were_drawn_for_mnist() -> None:
    for digit in range(10):
        gray = paper(SIZE)
        write(gray, digit, (320, 240), 160, seed=digit)
        (region,) = DigitFinder().find(as_frame(gray))
        ink = paper(SIZE, shade=0)
        write(ink, digit, (320, 240), 160, shade=255, seed=digit)
        seen, drawn = mnist_image(region.crop).astype(float).ravel(), mnist_image(ink).astype(float).ravel()
        assert np.corrcoef(seen, drawn)[0, 1] > 0.85


def test_darker_ink_has_more_contrast() -> None:
    contrasts = []
    for shade in (140, 30):
        gray = paper(SIZE)
        write(gray, 3, (320, 240), 150, shade=shade)
        (region,) = DigitFinder().find(as_frame(gray))
        contrasts.append(region.contrast)
    assert 0 < contrasts[0] < 0.7 * contrasts[1] < 255


def test_a_number_comes_from_left_to_right_and_lines_from_top_to_bottom() -> None:
    gray = paper(SIZE)
    places = [(150, 120), (290, 140), (430, 110), (180, 340), (330, 360)]
    written = [write(gray, digit, places[i], 110, seed=2) for i, digit in enumerate((3, 8, 5, 0, 2))]
    found = boxes(gray)
    assert len(found) == 5
    assert all(box.iou(truth) > 0.7 for box, truth in zip(found, written, strict=True))


@SHADES
@pytest.mark.parametrize("squared", [False, True], ids=["ruled", "squared"])
@pytest.mark.parametrize("step_px", [24, 48])
def test_lines_of_the_paper_are_no_digits(step_px: int, squared: bool, ground: int, pen: int) -> None:
    for width in (1, 2):
        gray = paper(SIZE, ground)
        rule(gray, step_px=step_px, squared=squared, shade=(ground + pen) // 2, width=width)
        assert boxes(gray) == []


def found_on_ruled_paper(step_px: int) -> int:
    """How many of the ten digits are found on it, whole."""
    found = 0
    for digit in range(10):
        gray = paper(SIZE)
        rule(gray, step_px=step_px, shade=190, width=2)
        written = write(gray, digit, (320, 240), 200, width_px=16, seed=1)
        found += any(box.iou(written) > 0.7 for box in boxes(gray))
    return found


@pytest.mark.parametrize("step_px", [60, 80, 120])
def test_digits_survive_the_lines_of_their_paper(step_px: int) -> None:
    assert found_on_ruled_paper(step_px) >= 9


def test_digits_survive_narrow_lines() -> None:
    assert found_on_ruled_paper(40) >= 9


@pytest.mark.parametrize("shade", [60, 120, 190])
def test_digits_survive_a_single_line_that_crosses_them(shade: int) -> None:
    found = 0
    for digit in range(10):
        gray = paper(SIZE)
        cv2.line(gray, (0, 250), (640, 262), shade, 2)
        written = write(gray, digit, (320, 240), 200, width_px=16, seed=1)
        found += any(box.iou(written) > 0.7 for box in boxes(gray))
    assert found >= 8


def test_a_shadow_across_the_paper_changes_nothing() -> None:
    for digit in (1, 4, 6, 9):
        gray = paper(SIZE)
        written = write(gray, digit, (320, 240), 180, seed=1)
        light = np.full((480, 640), 1.0, np.float32)
        light[:, :330] = 0.45  # its edge runs through the digit
        light = cv2.GaussianBlur(light, (0, 0), 25) * np.linspace(1, 0.7, 640, dtype=np.float32)
        assert_only(boxes((gray * light).astype(np.uint8)), written)


def test_uneven_light_alone_is_nothing() -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 640), np.linspace(-1, 1, 480))
    dim_corners = 230 * (1 - 0.35 * (x * x + y * y))
    assert boxes(dim_corners.astype(np.uint8)) == []
    assert boxes(np.tile(np.linspace(40, 230, 640), (480, 1)).astype(np.uint8)) == []


@pytest.mark.parametrize("angle_deg", [-15, 15])
def test_a_tilted_digit_is_found_whole(angle_deg: float) -> None:
    for digit in range(10):
        gray = paper(SIZE)
        written = write(gray, digit, (320, 240), 180, angle_deg=angle_deg, seed=4)
        assert_only(boxes(gray), written)


@pytest.mark.parametrize("center_xy", [(40, 240), (600, 240), (320, 70), (320, 410)])
def test_a_digit_that_touches_the_border_is_found(center_xy: tuple[int, int]) -> None:
    gray = paper(SIZE)
    written = write(gray, 8, center_xy, 150, width_px=14, seed=0)
    # the side nearest to the digit is cut off at its ink
    top = written.y1 if center_xy[1] < 100 else 0
    bottom = written.y2 if center_xy[1] > 400 else 480
    left = written.x1 if center_xy[0] < 100 else 0
    right = written.x2 if center_xy[0] > 500 else 640
    touching = gray[top:bottom, left:right]
    moved = Box(written.x1 - left, written.y1 - top, written.x2 - left, written.y2 - top)
    assert_only(boxes(np.ascontiguousarray(touching)), moved)


@pytest.mark.parametrize("height_px", [60, 200])
def test_strokes_broken_by_thin_ink_are_one_digit(height_px: int) -> None:
    whole = 0
    for digit in range(10):
        rng = np.random.default_rng(digit)
        strokes = digit_strokes(digit, rng)
        matrix = placing(strokes, (320, 240), height_px)
        ink = draw_strokes(strokes, SIZE, 0.035 * height_px, matrix=matrix, gaps=0.4, rng=rng)
        whole += len(boxes((225 - ink / 255.0 * 150).astype(np.uint8))) == 1
    assert whole >= 9


def test_noise_of_a_dark_room_does_not_hide_a_digit() -> None:
    rng = np.random.default_rng(0)
    gray = paper((1280, 720), 120)
    written = write(gray, 5, (640, 360), 300, width_px=27, shade=20)
    noisy = (gray + rng.normal(0, 8, gray.shape)).clip(0, 255).astype(np.uint8)
    assert_only(boxes(noisy), written)


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_blank_paper_has_nothing_on_it(shade: int) -> None:
    assert boxes(paper(SIZE, shade)) == []


def test_a_sensors_noise_on_blank_paper_is_nothing() -> None:
    rng = np.random.default_rng(3)
    for deviation in (1, 3, 5):
        assert boxes(rng.normal(180, deviation, (480, 640)).clip(0, 255).astype(np.uint8)) == []


def test_a_filled_shape_is_no_writing() -> None:
    gray = paper(SIZE)
    cv2.circle(gray, (320, 240), 90, 40, -1)
    cv2.rectangle(gray, (40, 40), (150, 130), 60, -1)
    assert boxes(gray) == []


@pytest.mark.parametrize("size_wh", [(1, 1), (7, 7), (640, 1), (1, 480), (8, 8), (16, 9)])
def test_a_tiny_picture_has_nothing_in_it(size_wh: tuple[int, int]) -> None:
    assert boxes(paper(size_wh)) == []


@pytest.mark.parametrize("size_wh", [(3000, 8), (8, 3000)])
def test_a_strip_has_nothing_in_it(size_wh: tuple[int, int]) -> None:
    assert boxes(paper(size_wh)) == []


def test_a_small_picture_with_a_digit_is_enlarged_to_read_it() -> None:
    gray = paper((60, 60))
    written = write(gray, 3, (30, 30), 40, width_px=3.5)
    assert_only(boxes(gray), written, 0.6)


def test_the_frame_is_not_written_to() -> None:
    gray = paper(SIZE)
    write(gray, 4, (320, 240), 120)
    frame = as_frame(gray)
    before = frame.image_bgr.copy()
    frame.image_bgr.flags.writeable = False
    assert DigitFinder().find(frame)
    np.testing.assert_array_equal(frame.image_bgr, before)


def test_nearly_all_digits_of_the_studio_are_found() -> None:
    studio = Studio("digits", SIZE, seed=1)
    found, there = [], 0
    for card in range(10):
        frame: Frame = studio.frame(middle_of_card(card))
        regions = DigitFinder().find(frame)
        there += len(frame.truth)
        found += [truth for truth in frame.truth if any(region.box.iou(truth.box) > 0.5 for region in regions)]
    assert there > 15
    assert len(found) >= 0.9 * there


def test_writing_is_thin_even_and_not_too_long_for_its_size() -> None:
    stroke = np.zeros((100, 60), np.uint8)
    cv2.line(stroke, (10, 5), (50, 95), 255, 3)
    blot = np.full((60, 60), 255, np.uint8)
    thicket = np.zeros((100, 100), np.uint8)
    thicket[::6], thicket[:, ::6] = 255, 255
    on_a_stalk = stroke.copy()
    cv2.circle(on_a_stalk, (45, 85), 14, 255, -1)
    assert is_writing(stroke)
    assert not is_writing(blot)
    assert not is_writing(thicket)
    assert not is_writing(on_a_stalk)
