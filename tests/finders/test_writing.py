import cv2
import numpy as np
import pytest

from recognizer.finders.contrast import DigitFinder
from recognizer.finders.finder import RegionFinder as Finder
from recognizer.finders.text_lines import reading_order, text_lines
from recognizer.finders.writing import WritingFinder
from recognizer.pipeline import open_pipeline
from recognizer.preprocess.pictures import mnist_image
from recognizer.registry.store import ModelStore
from recognizer.samples.synced import default_samples
from recognizer.studio.handwriting import digit_strokes, draw_strokes, placement_matrix
from recognizer.studio.scenes import Studio
from recognizer.values import WRITING_SCORE, Box, Frame, Region
from tests.helpers.drawing import as_frame, middle_of_card, paper, write

SIZE = (640, 480)
SHADES = pytest.mark.parametrize(("ground", "pen"), [(225, 40), (45, 215)], ids=["dark on light", "light on dark"])


@pytest.fixture(scope="module", params=[WritingFinder, DigitFinder])
def finder(request: pytest.FixtureRequest) -> Finder:
    return request.param()


def boxes(finder: Finder, gray: np.ndarray) -> list[Box]:
    return [region.box for region in finder.find(as_frame(gray))]


def rule(gray: np.ndarray, *, step_px: int, squared: bool = False, shade: int = 170, width: int = 1) -> None:
    """Paper lines across the whole sheet, in place."""
    height, across = gray.shape
    for y in range(step_px // 2, height, step_px):
        cv2.line(gray, (0, y), (across, y), shade, width)
    if squared:
        for x in range(step_px // 2, across, step_px):
            cv2.line(gray, (x, 0), (x, height), shade, width)


def assert_only(finder: Finder, gray: np.ndarray, written: Box, min_iou: float = 0.7) -> None:
    """Check that the digit is found and nothing beside it. The networks may also return a part of the digit."""
    found = boxes(finder, gray)
    if isinstance(finder, DigitFinder):
        assert len(found) == 1, [box.xyxy for box in found]
    best = max(found, key=written.iou, default=Box(0, 0, 1, 1))
    assert best.iou(written) > min_iou, ([box.xyxy for box in found], written.xyxy)
    assert all(box.overlap(written) > 0.3 * box.area for box in found), [box.xyxy for box in found]


@SHADES
@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_digit_is_found_at_any_size(finder: Finder, share: float, ground: int, pen: int) -> None:
    for digit in (0, 1, 2, 4, 5, 8):
        gray = paper((1280, 720), ground)
        written = write(gray, digit, (640, 360), 0.97 * share * 720, shade=pen, seed=digit)
        # an error of one pixel a side is large for a small thin stroke
        assert_only(finder, gray, written, 0.7 if share > 0.05 else 0.4)


@SHADES
def test_the_crop_has_no_margin_around_the_ink(finder: Finder, ground: int, pen: int) -> None:
    gray = paper(SIZE, ground)
    write(gray, 0, (320, 240), 200, shade=pen)
    (region,) = finder.find(as_frame(gray))
    assert region.crop.dtype == np.uint8
    assert region.crop.max() > (254 if isinstance(finder, DigitFinder) else 200)
    assert not region.crop[:2, :2].any()
    assert region.crop[region.crop.shape[0] // 2, region.crop.shape[1] // 2] == 0  # the hole of the 0
    assert region.crop.shape[0] / region.crop.shape[1] == pytest.approx(region.box.height / region.box.width, rel=0.1)


def test_the_crop_resembles_an_mnist_digit(finder: Finder) -> None:
    correlations = []
    for digit in range(10):
        gray = paper(SIZE)
        write(gray, digit, (320, 240), 160, seed=digit)
        ink = paper(SIZE, shade=0)
        written = write(ink, digit, (320, 240), 160, shade=255, seed=digit)
        found = finder.find(as_frame(gray))
        if isinstance(finder, DigitFinder):
            assert len(found) == 1
        region = max(found, key=lambda region: region.box.iou(written))
        crop, original = mnist_image(region.crop).astype(float).ravel(), mnist_image(ink).astype(float).ravel()
        correlations.append(np.corrcoef(crop, original)[0, 1])
    if isinstance(finder, DigitFinder):
        assert min(correlations) > 0.85, correlations
    assert sorted(correlations)[1] > 0.75, correlations  # the networks may find only a part of one digit


def test_darker_ink_has_more_contrast(finder: Finder) -> None:
    contrasts = []
    for shade in (140, 30):
        gray = paper(SIZE)
        write(gray, 3, (320, 240), 150, shade=shade)
        (region,) = finder.find(as_frame(gray))
        contrasts.append(region.contrast)
    assert 0 < contrasts[0] < 0.7 * contrasts[1] < 255


def test_digits_are_sorted_left_to_right_and_lines_top_to_bottom(finder: Finder) -> None:
    gray = paper(SIZE)
    places = [(150, 120), (290, 140), (430, 110), (180, 340), (330, 360)]
    written = [write(gray, digit, places[i], 110, seed=2) for i, digit in enumerate((3, 8, 5, 0, 2))]
    found = boxes(finder, gray)
    assert len(found) == 5
    assert all(box.iou(truth) > 0.7 for box, truth in zip(found, written, strict=True))


@SHADES
@pytest.mark.parametrize("squared", [False, True], ids=["ruled", "squared"])
@pytest.mark.parametrize("step_px", [24, 48])
def test_lines_on_the_paper_are_not_found_as_digits(
    finder: Finder, step_px: int, squared: bool, ground: int, pen: int
) -> None:
    for width in (1, 2):
        gray = paper(SIZE, ground)
        rule(gray, step_px=step_px, squared=squared, shade=(ground + pen) // 2, width=width)
        assert boxes(finder, gray) == []


def found_on_ruled_paper(finder: Finder, step_px: int) -> int:
    """The number of the ten digits that are found completely on ruled paper."""
    found = 0
    for digit in range(10):
        gray = paper(SIZE)
        rule(gray, step_px=step_px, shade=190, width=2)
        written = write(gray, digit, (320, 240), 200, width_px=16, seed=1)
        found += any(box.iou(written) > 0.7 for box in boxes(finder, gray))
    return found


@pytest.mark.parametrize("step_px", [60, 80, 120])
def test_digits_on_lined_paper_are_found(finder: Finder, step_px: int) -> None:
    assert found_on_ruled_paper(finder, step_px) >= 9


def test_digits_on_narrow_ruled_paper_are_found(finder: Finder) -> None:
    assert found_on_ruled_paper(finder, 40) >= 9


@pytest.mark.parametrize("shade", [60, 120, 190])
def test_digits_crossed_by_a_single_line_are_found(finder: Finder, shade: int) -> None:
    found = 0
    for digit in range(10):
        gray = paper(SIZE)
        cv2.line(gray, (0, 250), (640, 262), shade, 2)
        written = write(gray, digit, (320, 240), 200, width_px=16, seed=1)
        found += any(box.iou(written) > 0.7 for box in boxes(finder, gray))
    assert found >= 8


def test_a_shadow_across_the_paper_does_not_change_the_regions(finder: Finder) -> None:
    for digit in (1, 4, 6, 9):
        gray = paper(SIZE)
        written = write(gray, digit, (320, 240), 180, seed=1)
        light = np.full((480, 640), 1.0, np.float32)
        light[:, :330] = 0.45  # its edge runs through the digit
        light = cv2.GaussianBlur(light, (0, 0), 25) * np.linspace(1, 0.7, 640, dtype=np.float32)
        assert_only(finder, (gray * light).astype(np.uint8), written)


def test_uneven_light_alone_gives_no_region(finder: Finder) -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 640), np.linspace(-1, 1, 480))
    dim_corners = 230 * (1 - 0.35 * (x * x + y * y))
    assert boxes(finder, dim_corners.astype(np.uint8)) == []
    assert boxes(finder, np.tile(np.linspace(40, 230, 640), (480, 1)).astype(np.uint8)) == []


@pytest.mark.parametrize("angle_deg", [-15, 15])
def test_a_tilted_digit_is_found_in_one_region(finder: Finder, angle_deg: float) -> None:
    for digit in range(10):
        gray = paper(SIZE)
        written = write(gray, digit, (320, 240), 180, angle_deg=angle_deg, seed=4)
        assert_only(finder, gray, written)


@pytest.mark.parametrize("center_xy", [(40, 240), (600, 240), (320, 70), (320, 410)])
def test_a_digit_that_touches_the_border_is_found(finder: Finder, center_xy: tuple[int, int]) -> None:
    gray = paper(SIZE)
    written = write(gray, 8, center_xy, 150, width_px=14, seed=0)
    # the side nearest to the digit is cut off at its ink
    top = written.y1 if center_xy[1] < 100 else 0
    bottom = written.y2 if center_xy[1] > 400 else 480
    left = written.x1 if center_xy[0] < 100 else 0
    right = written.x2 if center_xy[0] > 500 else 640
    touching = gray[top:bottom, left:right]
    moved = Box(written.x1 - left, written.y1 - top, written.x2 - left, written.y2 - top)
    assert_only(finder, np.ascontiguousarray(touching), moved)


@pytest.mark.parametrize("height_px", [60, 200])
def test_the_pieces_of_a_broken_stroke_are_joined_to_one_digit(finder: Finder, height_px: int) -> None:
    joined = 0
    for digit in range(10):
        rng = np.random.default_rng(digit)
        strokes = digit_strokes(digit, rng)
        matrix = placement_matrix(strokes, (320, 240), height_px)
        ink = draw_strokes(strokes, SIZE, 0.035 * height_px, matrix=matrix, gaps=0.4, rng=rng)
        joined += len(boxes(finder, (225 - ink / 255.0 * 150).astype(np.uint8))) == 1
    assert joined >= 9


def test_a_digit_is_found_in_the_noise_of_a_dark_room(finder: Finder) -> None:
    rng = np.random.default_rng(0)
    gray = paper((1280, 720), 120)
    written = write(gray, 5, (640, 360), 300, width_px=27, shade=20)
    noisy = (gray + rng.normal(0, 8, gray.shape)).clip(0, 255).astype(np.uint8)
    assert_only(finder, noisy, written)


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_blank_paper_gives_no_region(finder: Finder, shade: int) -> None:
    assert boxes(finder, paper(SIZE, shade)) == []


def test_sensor_noise_on_blank_paper_gives_no_region(finder: Finder) -> None:
    rng = np.random.default_rng(3)
    for deviation in (1, 3, 5):
        assert boxes(finder, rng.normal(180, deviation, (480, 640)).clip(0, 255).astype(np.uint8)) == []


def test_a_filled_shape_is_not_writing(finder: Finder) -> None:
    gray = paper(SIZE)
    cv2.circle(gray, (320, 240), 90, 40, -1)
    cv2.rectangle(gray, (40, 40), (150, 130), 60, -1)
    assert boxes(finder, gray) == []


@pytest.mark.parametrize("size_wh", [(1, 1), (7, 7), (640, 1), (1, 480), (8, 8), (16, 9)])
def test_a_tiny_picture_gives_no_region(finder: Finder, size_wh: tuple[int, int]) -> None:
    assert boxes(finder, paper(size_wh)) == []


@pytest.mark.parametrize("size_wh", [(3000, 8), (8, 3000)])
def test_a_narrow_strip_gives_no_region(finder: Finder, size_wh: tuple[int, int]) -> None:
    assert boxes(finder, paper(size_wh)) == []


def test_a_digit_in_a_small_picture_is_found(finder: Finder) -> None:
    gray = paper((60, 60))
    written = write(gray, 3, (30, 30), 40, width_px=3.5)
    assert_only(finder, gray, written, 0.6)


def test_the_frame_is_not_modified(finder: Finder) -> None:
    gray = paper(SIZE)
    write(gray, 4, (320, 240), 120)
    frame = as_frame(gray)
    before = frame.image_bgr.copy()
    frame.image_bgr.flags.writeable = False
    assert finder.find(frame)
    np.testing.assert_array_equal(frame.image_bgr, before)


def test_nearly_all_digits_in_studio_frames_are_found(finder: Finder) -> None:
    studio = Studio("digits", SIZE, seed=1)
    found, total = [], 0
    for card in range(10):
        frame: Frame = studio.frame(middle_of_card(card))
        regions = finder.find(frame)
        total += len(frame.truth)
        found += [truth for truth in frame.truth if any(region.box.iou(truth.box) > 0.5 for region in regions)]
    assert total > 15
    assert len(found) >= 0.9 * total


def half_paper_half_board() -> Frame:
    """Writing on paper on the left and on a board on the right, so that neither polarity is more frequent."""
    gray = np.hstack([paper((320, 480), 220), paper((320, 480), 45)])
    write(gray, 3, (160, 240), 160, shade=40)
    write(gray, 5, (480, 240), 160, shade=215)
    return as_frame(gray)


def test_ink_on_paper_and_chalk_on_a_board_are_found_in_one_picture() -> None:
    assert {region.light for region in WritingFinder().find(half_paper_half_board())} == {False, True}


def test_an_unchanged_frame_of_a_stream_is_not_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    finder, runs = WritingFinder(video=True), []
    for number, network in enumerate(finder._networks):
        find = network.find
        monkeypatch.setattr(network, "find", lambda *words, n=number, find=find: runs.append(n) or find(*words))
    gray = paper(SIZE)
    write(gray, 4, (200, 240), 120)
    first = finder.find(as_frame(gray))
    noise = np.random.default_rng(0).normal(0, 4, gray.shape)
    assert finder.find(as_frame(np.clip(gray + noise, 0, 255).astype(np.uint8))) == first
    assert runs == [0, 1]
    write(gray, 7, (420, 240), 120)
    assert len(finder.find(as_frame(gray))) == 2
    assert len(runs) == 3  # the networks take turns
    gray[10:14, 10:60] = 40
    assert len(finder.find(as_frame(gray))) == 2
    assert sorted(runs) == [0, 0, 1, 1]
    finder.find(as_frame(gray[:, :-80].copy()))  # another size
    assert sorted(runs) == [0, 0, 0, 1, 1, 1]


def region(x1: int, y1: int, x2: int, y2: int) -> Region:
    return Region(Box(x1, y1, x2, y2), np.full((4, 4), 255, np.uint8))


def test_digits_of_different_height_and_position_form_one_line() -> None:
    first, second, third = region(0, 10, 30, 60), region(40, 30, 60, 65), region(70, 0, 100, 50)
    assert text_lines([third, first, second]) == [[first, second, third]]


def test_distant_digits_and_digits_below_each_other_form_separate_lines() -> None:
    left, below, far = region(0, 0, 30, 50), region(10, 60, 40, 110), region(600, 0, 630, 50)
    lines = text_lines([far, below, left])
    assert sorted(map(len, lines)) == [1, 1, 1]
    assert lines[-1] == [below]
    assert reading_order([]) == []


def test_the_digits_of_a_slanting_line_form_one_line() -> None:
    slope = [region(40 * i, 18 * i, 40 * i + 30, 18 * i + 50) for i in range(6)]
    assert reading_order(slope[::-1]) == slope
    assert len(text_lines(slope)) == 1


def test_most_printed_words_are_not_found_as_writing(published_models: ModelStore) -> None:
    pipeline = open_pipeline("digits", published_models, default_samples(), smooth=False)
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
    words, printed, labelled = "Room 348 9:25", 0, 0
    for font, size_px in zip(fonts, (22, 30, 40, 22), strict=True):
        picture = np.full((480, 640, 3), 225, np.uint8)
        for y in range(60, 460, round(2.2 * size_px)):
            cv2.putText(picture, words, (40, y), font, size_px / 22, (50, 50, 50), size_px // 12, cv2.LINE_AA)
            printed += len(words.replace(" ", ""))
        predictions = pipeline.step(Frame(picture, 0, 0.0, "printed")).predictions
        labelled += sum(prediction.label is not None for prediction in predictions)
    assert labelled <= 0.2 * printed


def test_the_verifier_separates_handwriting_from_print_next_to_it() -> None:
    picture = cv2.cvtColor(paper(SIZE), cv2.COLOR_GRAY2BGR)
    cv2.putText(picture, "Name 27 3415", (40, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (60, 60, 60), 2, cv2.LINE_AA)
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    written = [write(gray, digit, (200 + 120 * i, 300), 110, seed=i) for i, digit in enumerate((3, 8, 5))]
    regions = WritingFinder().find(as_frame(gray))
    found = [one.box for one in regions if one.score is not None and one.score >= WRITING_SCORE]
    by_hand = [box for box in found if box.y1 > 100]
    assert all(box.iou(truth) > 0.7 for box, truth in zip(by_hand, written, strict=True))
    assert len(found) - len(by_hand) <= 5  # of ten printed characters
