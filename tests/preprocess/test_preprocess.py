import cv2
import numpy as np
import pytest

from recognizer.preprocess.pictures import (
    BOX,
    OVERSAMPLING,
    SIDE,
    STROKE,
    STROKE_RANGE,
    center_by_mass,
    hand_image,
    mnist_image,
    normalise_stroke_width,
    stroke_width,
    trim,
)
from tests.helpers.drawing import paper, write


def ink_of(digit: int, height_px: int, *, width_px: float | None = None, seed: int = 0, angle_deg: float = 0.0):
    """A digit's ink with a margin around it; 0 where there is no ink."""
    sheet = paper((2 * height_px, 2 * height_px), shade=0)
    write(sheet, digit, (height_px, height_px), height_px, width_px=width_px, shade=255, seed=seed, angle_deg=angle_deg)
    return sheet


def outline(width: int, height: int, stroke: int) -> np.ndarray:
    """The outline of a rectangle, as ink without margin."""
    ink = np.full((height, width), 255, np.uint8)
    ink[stroke:-stroke, stroke:-stroke] = 0
    return ink


def cross(side: int, stroke: int) -> np.ndarray:
    ink = np.zeros((side, side), np.uint8)
    low, high = (side - stroke) // 2, (side + stroke) // 2
    ink[low:high] = 255
    ink[:, low:high] = 255
    return ink


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("height_px", [9, 40, 230])
def test_a_digit_of_any_size_fills_the_20_pixel_box_as_light_ink_on_black(digit: int, height_px: int) -> None:
    image_28 = mnist_image(ink_of(digit, height_px, seed=digit))
    assert (image_28.shape, image_28.dtype) == ((SIDE, SIDE), np.uint8)
    assert max(trim(image_28).shape) == BOX
    assert image_28.max() == 255
    assert np.count_nonzero(image_28 < 128) > np.count_nonzero(image_28 >= 128)


@pytest.mark.parametrize("digit", range(10))
def test_the_centre_of_mass_is_in_the_middle(digit: int) -> None:
    image_28 = mnist_image(ink_of(digit, 90, seed=3, angle_deg=8))
    moments = cv2.moments(image_28)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    assert (x, y) == pytest.approx((13.5, 13.5), abs=0.51)


def test_centring_by_mass_never_cuts_off_ink() -> None:
    ink = np.zeros((20, 20), np.uint8)
    ink[:, :2] = 255
    ink[-1:] = 60
    image_28 = center_by_mass(ink, SIDE)
    np.testing.assert_array_equal(image_28[:, 8:], np.pad(ink, ((4, 4), (0, 0)))[np.r_[1:28, 0]])


@pytest.mark.parametrize(("width", "height"), [(60, 120), (120, 60), (50, 50), (90, 120)])
def test_the_aspect_ratio_of_the_digit_is_preserved(width: int, height: int) -> None:
    rows, columns = trim(mnist_image(outline(width, height, 12))).shape
    assert columns / rows == pytest.approx(width / height, rel=0.06)


def test_framing_a_reference_digit_gives_the_exact_pixels() -> None:
    expected = np.zeros((28, 28), np.uint8)
    expected[4:24, 4:24] = cross(20, 2)
    np.testing.assert_array_equal(mnist_image(cross(20, 2)), expected)
    far_away = np.zeros((300, 400), np.uint8)
    far_away[250:270, 10:30] = cross(20, 2)
    np.testing.assert_array_equal(mnist_image(far_away), expected)


def test_an_enlarged_digit_is_framed_almost_identically() -> None:
    small, large = mnist_image(cross(20, 2)), mnist_image(cross(200, 20))
    assert np.abs(small.astype(int) - large).mean() < 3


@pytest.mark.parametrize("digit", range(10))
def test_a_framed_picture_is_returned_unchanged(digit: int) -> None:
    for seed, width_px in ((0, 2), (1, 8), (2, 20)):
        once = mnist_image(ink_of(digit, 100, width_px=width_px, seed=seed))
        np.testing.assert_array_equal(mnist_image(once), once)


@pytest.mark.parametrize("shape", [(28, 28), (0, 0), (5, 0), (0, 5), (1, 1)])
def test_a_crop_without_ink_gives_a_black_picture(shape: tuple[int, int]) -> None:
    image_28 = mnist_image(np.zeros(shape, np.uint8))
    assert image_28.shape == (28, 28)
    assert not image_28.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (3, 700)])
def test_a_dot_and_a_one_pixel_line_can_be_framed(shape: tuple[int, int]) -> None:
    image_28 = mnist_image(np.full(shape, 255, np.uint8))
    assert image_28.max() == 255
    assert max(trim(image_28).shape) == BOX


def test_faint_ink_is_scaled_to_full_intensity() -> None:
    faint = ink_of(5, 100) // 5
    assert mnist_image(faint).max() == 255


def test_strokes_are_scaled_to_mnist_width_unless_already_in_its_range() -> None:
    def framed_width(width_px: float) -> float:
        image_28 = mnist_image(ink_of(3, 200, width_px=width_px))
        return stroke_width(cv2.resize(image_28, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)) / 8

    thin, normal = framed_width(3), framed_width(28)
    assert thin == pytest.approx(STROKE, abs=0.6)  # 0.3 pixels without the correction
    assert normal == pytest.approx(2.6, abs=0.4)


def test_a_very_thick_stroke_is_thinned_to_the_upper_limit_of_mnist() -> None:
    thick = outline(260, 300, 95)  # 6.3 pixels without the correction
    thinned = cv2.resize(mnist_image(thick), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    assert stroke_width(thinned) / 8 == pytest.approx(STROKE_RANGE[1], abs=0.6)


def test_strokes_of_normal_width_are_not_changed() -> None:
    ink = cv2.resize(trim(ink_of(2, 200, width_px=25)), (60, BOX * OVERSAMPLING), interpolation=cv2.INTER_AREA)
    assert normalise_stroke_width(ink) is ink


def test_a_blot_that_thinning_would_erase_is_unchanged() -> None:
    blot = np.zeros((80, 80), np.uint8)
    cv2.circle(blot, (40, 40), 39, 255, -1)
    assert normalise_stroke_width(blot).any()


@pytest.mark.parametrize("width", [3, 8, 15])
def test_stroke_width_of_a_drawn_bar_is_its_width(width: int) -> None:
    bar = np.zeros((100, 60), np.uint8)
    bar[:, 20 : 20 + width] = 255
    assert stroke_width(bar) == pytest.approx(width, abs=1.1)
    assert stroke_width(np.zeros((9, 9), np.uint8)) == 0


def test_the_input_ink_is_not_modified() -> None:
    ink = ink_of(8, 60, width_px=2)
    before = ink.copy()
    mnist_image(ink)
    np.testing.assert_array_equal(ink, before)


def test_a_hand_crop_becomes_a_28_by_28_grayscale_picture():
    crop = np.zeros((120, 120, 3), np.uint8)
    crop[:, 60:] = 200
    image = hand_image(crop)
    assert image.shape == (SIDE, SIDE)
    assert image.dtype == np.uint8
    assert (image[:, :13] == 0).all()
    assert (image[:, 15:] == 200).all()


def test_a_sign_language_mnist_picture_is_returned_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    assert np.array_equal(hand_image(image), image)
    assert np.array_equal(hand_image(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)), image)


@pytest.mark.parametrize("side", [1, 5, 27, 29, 700])
def test_hand_crops_of_any_size_become_28_by_28(side):
    assert (hand_image(np.full((side, side, 3), 90, np.uint8)) == 90).all()


def test_an_empty_hand_crop_gives_a_black_picture():
    assert not hand_image(np.zeros((0, 0, 3), np.uint8)).any()
