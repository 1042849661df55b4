"""Property-based tests with random pictures, landmarks and tables."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks import faults
from recognizer.errors import ModelError, SamplesError
from recognizer.finders import hands
from recognizer.finders.guide_box import BoxFinder
from recognizer.finders.hands import HandFinder
from recognizer.finders.writing import WritingFinder
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.preprocess import appearance, pose
from recognizer.preprocess.pictures import SIDE, colour_image, hand_image, mnist_image
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.sample import JOINTS, Sample, new_sample
from recognizer.samples.synced import default_samples
from recognizer.samples.table import as_table, parse_table
from recognizer.sources import decoding
from recognizer.subjects.paper import PAPER
from recognizer.values import Box, Frame, Hand
from tests.helpers.drawing import as_frame, paper, write
from tests.helpers.fakes import FakeDetector, a_hand

EXAMPLES = int(os.environ.get("RECOGNIZER_FUZZ", "0"))  # of each property; the default is a few, the same in each run

fuzz = settings(
    max_examples=EXAMPLES or 30,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

SIDES = st.integers(0, 90)
SHADES = arrays.arrays(np.uint8, st.tuples(SIDES, SIDES, st.just(3)), fill=st.integers(0, 255))


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    """Random pictures, (H, W, 3) uint8: very narrow or small ones, circles, lines and noise, or random pixels."""
    if draw(st.booleans()):
        return draw(SHADES)
    height, width = draw(st.sampled_from([(1, 700), (700, 1), (8, 8), (9, 400), (64, 64), (120, 160), (333, 217)]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    image = np.full((height, width, 3), draw(st.integers(0, 255)), np.uint8)
    for _ in range(draw(st.integers(0, 6))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        colour = [int(shade) for shade in rng.integers(0, 256, 3)]
        if rng.random() < 0.5:
            cv2.circle(image, (x, y), int(rng.integers(1, 40)), colour, int(rng.integers(-1, 6)) or 1)
        else:
            cv2.line(image, (x, y), (int(rng.integers(width)), int(rng.integers(height))), colour, 4)
    noise = draw(st.sampled_from([0, 0, 3, 60, 255]))
    return cv2.add(image, rng.integers(0, noise + 1, image.shape).astype(np.uint8))


def is_inside(box: Box, shape: tuple[int, ...]) -> bool:
    return 0 <= box.x1 < box.x2 <= shape[1] and 0 <= box.y1 < box.y2 <= shape[0]


@fuzz
@given(image_bgr=pictures())
@example(image_bgr=np.zeros((0, 0, 3), np.uint8))
@example(image_bgr=np.zeros((0, 40, 3), np.uint8))
def test_regions_on_paper_are_inside_the_picture_and_can_be_classified(image_bgr: np.ndarray) -> None:
    before = image_bgr.copy()
    for region in WritingFinder().find(Frame(image_bgr, 0, 0.0, "drawn")):
        assert is_inside(region.box, image_bgr.shape)
        assert (region.crop.ndim, region.crop.dtype) == (2, np.uint8)
        assert region.crop.any()
        assert PAPER.prepare(region).shape == (SIDE, SIDE)
    np.testing.assert_array_equal(image_bgr, before)


@fuzz
@given(image_bgr=pictures())
@example(image_bgr=np.zeros((0, 0, 3), np.uint8))
def test_the_box_region_is_a_square_inside_the_picture_or_none(image_bgr: np.ndarray) -> None:
    finder = BoxFinder()
    regions = finder.find(Frame(image_bgr, 0, 0.0, "drawn"))
    assert (finder.guide_box is None) == bool(regions)
    for region in regions:
        assert is_inside(region.box, image_bgr.shape)
        assert region.crop.shape == (region.box.height, region.box.width, 3)
        assert colour_image(region.crop, 96).shape == (96, 96, 3)


def test_an_8k_frame_gives_the_same_labels_as_a_small_one() -> None:
    small = paper((480, 270))
    write(small, 4, (240, 135), 120)
    large = cv2.resize(small, (7680, 4320), interpolation=cv2.INTER_CUBIC)
    finders = (WritingFinder(), BoxFinder())
    for finder in finders:
        (region,) = finder.find(as_frame(large))
        assert is_inside(region.box, large.shape)
        assert region.box.center_xy == pytest.approx((3840, 2160), abs=300)


DTYPES = st.sampled_from([np.uint8, np.uint16, np.float32, np.float64, np.int16, np.bool_])
SHAPES = st.one_of(
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=50),
    st.tuples(st.integers(30, 60), st.integers(30, 60), st.integers(0, 5)),
)


@fuzz
@given(dtype=DTYPES, shape=SHAPES)
@example(dtype=np.uint16, shape=(40, 50))
@example(dtype=np.uint8, shape=(40, 50, 4))
@example(dtype=np.uint8, shape=(40, 50, 2))
@example(dtype=np.float32, shape=(40, 50, 3))
@example(dtype=np.uint8, shape=(0, 0))
def test_any_camera_array_becomes_a_bgr_image_or_none(dtype: type, shape: tuple[int, ...]) -> None:
    class Device:
        def read(self) -> tuple[bool, np.ndarray]:
            return True, np.ones(shape, dtype)

    image_bgr = decoding.read_picture(Device())
    if image_bgr is not None:
        assert (image_bgr.shape, image_bgr.dtype) == ((*shape[:2], 3), np.uint8)
    if dtype in (np.uint8, np.uint16) and len(shape) in (2, 3) and shape[2:] in ((), (1,), (3,), (4,)):
        assert (image_bgr is None) == (0 in shape)


JOINT = st.floats(width=32, allow_nan=True, allow_infinity=True)
ANY_JOINTS = arrays.arrays(np.float32, (JOINTS, 3), elements=JOINT, fill=st.floats(-1, 2, width=32))


@st.composite
def joints(draw: st.DrawFn) -> np.ndarray:
    """Landmarks (21, 3) float32, relative to the sides of the picture: random, or a hand with up to 3 random values."""
    if draw(st.booleans()):
        return draw(ANY_JOINTS)
    center = draw(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)))
    landmarks = a_hand(center, draw(st.floats(0, 3))).landmarks
    for _ in range(draw(st.integers(0, 3))):
        landmarks[draw(st.integers(0, JOINTS - 1)), draw(st.integers(0, 2))] = draw(JOINT)
    return landmarks


@fuzz
@given(
    landmarks=joints(),
    shape=st.tuples(SIDES, SIDES) | st.tuples(SIDES, SIDES, st.integers(1, 4)),
    dtype=st.sampled_from([np.uint8, np.uint8, np.uint16, np.float32]),
    video=st.booleans(),
)
def test_hand_regions_are_squares_inside_the_picture(
    landmarks: np.ndarray, shape: tuple[int, ...], dtype: type, video: bool
) -> None:
    found = [Hand(landmarks, "left", 0.9), a_hand((0.4, 0.5), 0.6)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hands, "open_detector", lambda *_, **__: FakeDetector(lambda image: found))
        finder = HandFinder(Path("none.task"), video=video, guide=True)
        for index in range(2):
            for region in finder.find(Frame(np.full(shape, 90, dtype), index, index / 30, "drawn")):
                assert is_inside(region.box, shape)
                assert region.box.width == region.box.height
                assert region.crop.shape == (region.box.height, region.box.width, 3)
                assert np.isfinite(region.hand.landmarks).all()
                assert hand_image(region.crop).shape == (SIDE, SIDE)


INK = arrays.arrays(np.uint8, st.tuples(st.integers(0, 60), st.integers(0, 60)), fill=st.sampled_from([0, 0, 40, 255]))
WRITTEN = st.tuples(st.integers(0, 9), st.integers(9, 200), st.integers(-20, 20), st.integers(0, 99))


@fuzz
@given(ink=INK)
def test_an_image_of_any_ink_is_28_by_28_pixels(ink: np.ndarray) -> None:
    image_28 = mnist_image(ink)
    assert (image_28.shape, image_28.dtype) == ((SIDE, SIDE), np.uint8)
    assert image_28.max() == (255 if ink.any() else 0)


@fuzz
@given(written=WRITTEN)
def test_centring_twice_changes_nothing(written: tuple[int, int, int, int]) -> None:
    digit, height_px, angle_deg, seed = written
    ink = paper((2 * height_px, 2 * height_px), shade=0)
    write(ink, digit, (height_px, height_px), height_px, angle_deg=angle_deg, shade=255, seed=seed)
    image_28 = mnist_image(ink)
    np.testing.assert_array_equal(mnist_image(image_28), image_28)


@fuzz
@given(landmarks=ANY_JOINTS, left=st.booleans())
def test_any_landmarks_have_finite_features(landmarks: np.ndarray, left: bool) -> None:
    features = pose.pose_features(landmarks, "left" if left else "right")
    assert (features.shape, features.dtype) == ((pose.SIZE,), np.float32)
    assert np.isfinite(features).all()


POSED = arrays.arrays(np.float32, (JOINTS, 3), elements=st.floats(-0.25, 0.25, width=32)).map(
    lambda offsets: a_hand().landmarks + offsets
)


@fuzz
@given(landmarks=POSED, width=st.integers(1, 4000))
def test_a_hand_and_its_mirror_image_have_the_same_pose(landmarks: np.ndarray, width: int) -> None:
    pixels = landmarks.astype(np.float64) * width
    mirrored = pixels * (-1, 1, 1) + (width - 1, 0, 0)
    np.testing.assert_allclose(
        pose.pose_features(mirrored, "left"), pose.pose_features(pixels, "right"), rtol=1e-4, atol=1e-4
    )


@fuzz
@given(landmarks=joints(), shape=st.tuples(st.integers(1, 60), st.integers(1, 60)), left=st.booleans())
def test_any_hand_can_be_rotated_upright(landmarks: np.ndarray, shape: tuple[int, int], left: bool) -> None:
    crop_bgr = np.full((*shape, 3), 77, np.uint8)
    rotated = appearance.upright(crop_bgr, landmarks * np.float64(max(shape)), left=left)
    assert (rotated.shape, rotated.dtype) == ((appearance.SIDE, appearance.SIDE, 3), np.uint8)


@fuzz
@given(image_28=arrays.arrays(np.uint8, (SIDE, SIDE), fill=st.integers(0, 255)))
def test_the_prediction_of_any_picture_has_valid_probabilities(digits: Pipeline, image_28: np.ndarray) -> None:
    (prediction,) = digits.classifier.predict([image_28])
    assert prediction.label in (None, *"0123456789")
    assert all(0 <= probability <= 1 for _, probability in prediction.top)
    assert sum(probability for _, probability in prediction.top) <= 1 + 1e-5
    assert prediction.confidence == prediction.top[0][1]


@pytest.fixture(scope="module")
def digits() -> Pipeline:
    try:
        return open_pipeline("digits", default_models(), default_samples(), smooth=False)
    except ModelError as error:
        pytest.skip(f"needs the digits model: {error}")


@fuzz
@given(
    digit=st.sampled_from([2, 3, 4, 5, 6, 8]),
    seed=st.integers(0, 50),
    right=st.integers(-150, 150),
    down=st.integers(-80, 80),
)
def test_a_digit_is_recognized_anywhere_in_the_frame(
    digits: Pipeline, digit: int, seed: int, right: int, down: int
) -> None:
    sheet = paper()
    write(sheet, digit, (320 + right, 240 + down), 110, seed=seed)
    assert digits.step(as_frame(sheet)).text == str(digit)


NAMES = st.text(st.characters(categories=["Ll", "Lu", "Nd"], max_codepoint=0x2FF), min_size=1, max_size=12)
LABELS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
FINITE = st.floats(-20000, 20000, width=32)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    box = Box(*(draw(st.integers(-50, 9000)) for _ in range(4)))
    hand = None
    if draw(st.booleans()):
        landmarks = draw(arrays.arrays(np.float32, (JOINTS, 3), elements=FINITE, fill=FINITE))
        hand = Hand(landmarks, draw(st.sampled_from(["left", "right"])), 1.0)
    try:
        return new_sample("signs", draw(LABELS), draw(NAMES), draw(st.text(max_size=30)), box, hand=hand)
    except SamplesError:  # for example a session named con: a reserved device name of Windows
        return new_sample("signs", "ok", "first", "drawn", box, hand=hand)


@fuzz
@given(written=st.lists(samples(), max_size=3))
def test_samples_are_read_back_unchanged(written: list[Sample]) -> None:
    again = parse_table(as_table(written))
    assert as_table(sample for sample in again if isinstance(sample, Sample)) == as_table(written)
    assert len(again) == len(written)


ROW = as_table([new_sample("signs", "ok", "first", "drawn", Box(1, 2, 30, 40), hand=a_hand(size=100.0))])
DIGITS = b"9" * 60


@fuzz
@given(data=st.binary(max_size=300), place=st.integers(0, len(ROW)), length=st.integers(0, 60))
@example(data=DIGITS, place=ROW.rindex(b",") + 1, length=0)
@example(data=b'\xff\x00\r\n,,,,,,,,\n"', place=0, length=0)
def test_the_valid_rows_of_a_damaged_table_are_read(data: bytes, place: int, length: int) -> None:
    for found in parse_table(ROW[:place] + data + ROW[place + length :]):
        if isinstance(found, Sample):
            assert found.landmarks is None or np.isfinite(found.landmarks).all()
        else:
            assert found
            assert "\n" not in found


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)  # of a card that can be read
CARDS = st.dictionaries(TEXTS.map("note {}".format), st.one_of(TEXTS, st.integers(), st.booleans()), max_size=4)


@fuzz
@given(
    contents=st.lists(st.tuples(st.lists(LABELS, max_size=4), CARDS, st.binary(max_size=200)), min_size=1, max_size=4)
)
def test_rollback_undoes_publishing(
    contents: list[tuple[list[str], dict[str, object], bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        published = []
        for labels, notes, network in contents:
            card = {**notes, "labels": labels}
            with open_models(models).publishing("signs") as draft:
                (draft / registry_card.CARD).write_text(json.dumps(card), encoding="utf-8")
                (draft / "model.tflite").write_bytes(network)
            published.append((open_models(models).current("signs"), card, network))
        while published:
            version, card, network = published.pop()
            assert open_models(models).current("signs") == version
            assert registry_card.read_card(version).as_json() | {"files": {}} == card | {"files": {}}
            assert (version / "model.tflite").read_bytes() == network
            if published:
                open_models(models).rollback("signs")


@pytest.mark.slow
def test_damaged_files_of_every_kind_are_read_or_refused_in_one_line(published_models: ModelStore) -> None:
    """A short version of `python -m benchmarks.faults`."""
    outcomes = faults.run(faults.KINDS, EXAMPLES or 4)
    assert faults.faults_in(outcomes) == []
    lines = [outcome.refused for found in outcomes.values() for outcome in found]
    assert sum(map(bool, lines)) > len(lines) / 2
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize(
    ("use", "fault"),
    [
        (lambda folder, file: file.write_bytes(b""), "changed: new.txt"),
        (lambda folder, file: (folder / "more.txt").touch(), "changed: more.txt"),
        (lambda folder, file: 1 / 0, "ZeroDivisionError"),
        (lambda folder, file: None, ""),
    ],
)
def test_a_fault_is_a_traceback_or_a_changed_file(
    use: Callable[[Path, Path], object], fault: str, tmp_path: Path
) -> None:
    (tmp_path / "new.txt").write_bytes(b"intact")
    kind = faults.Kind(lambda _: None, "new.txt", use)
    assert fault in faults.outcome_of(kind, tmp_path, np.random.default_rng(0)).fault
    assert bool(fault) == bool(faults.outcome_of(kind, tmp_path, np.random.default_rng(0)).fault)


def test_a_crash_is_a_fault_and_the_next_file_is_opened_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    with faults.Worker() as worker:
        assert worker.outcome("no such kind", 0).fault == "the process ended with 1"
        assert worker.outcome("BMP", 0).fault == ""
