"""Appearance features of hands, from MediaPipe's landmark network."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.errors import AssetError
from recognizer.preprocess import appearance
from recognizer.preprocess.appearance import SIDE, SIZE, AppearanceExtractor, upright
from recognizer.registry.assets import find_asset
from recognizer.studio.scenes import Studio


def joints_of(tips_deg: float) -> np.ndarray:
    """Joints (21, 3) in a picture of 300×300 pixels. The fingers point in that direction, counter-clockwise from the right."""
    points = np.zeros((21, 3), np.float32)
    for finger in range(5):
        for step in range(4):
            angle = np.radians(tips_deg + (finger - 2) * 12)
            reach = 40 + 20 * step
            points[1 + 4 * finger + step, :2] = reach * np.cos(angle), -reach * np.sin(angle)
    return points + np.float32([150, 150, 0])


def with_marked_tip(joints: np.ndarray) -> np.ndarray:
    picture = np.zeros((300, 300, 3), np.uint8)
    x, y = joints[12, :2]
    cv2.circle(picture, (round(float(x)), round(float(y))), 9, (0, 0, 255), -1)
    return picture


@pytest.mark.parametrize("tips_deg", [90, 30, 200, 300])
def test_the_aligned_hand_points_up_whatever_its_rotation(tips_deg: float) -> None:
    joints = joints_of(tips_deg)
    shown = upright(with_marked_tip(joints), joints, left=False)
    assert shown.shape == (SIDE, SIDE, 3)
    rows, columns = np.nonzero(shown[..., 0] > 127)
    assert abs(columns.mean() - SIDE / 2) < 6
    assert 0.2 * SIDE < rows.mean() < 0.4 * SIDE


def test_a_left_hand_is_flipped_to_a_right_one() -> None:
    joints = joints_of(70)
    picture = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 3)
    flipped = joints * np.float32([-1, 1, 1]) + np.float32([299, 0, 0])
    from_right = upright(picture, joints, left=False).astype(int)
    from_left = upright(np.ascontiguousarray(picture[:, ::-1]), flipped, left=True).astype(int)
    # the two pictures are shifted by half a pixel
    assert np.abs(from_right - from_left).mean() < 6


def test_infinite_or_identical_joints_still_give_an_aligned_picture() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    for joints in (np.full((21, 3), np.nan), np.zeros((21, 3))):
        assert upright(picture, joints, left=True).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("damage", ["no archive", "damaged network", "no network"])
def test_a_damaged_asset_file_gives_a_one_line_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "hand_landmarker.task"
    path.write_bytes(b"no zip")
    if damage != "no archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(appearance.NETWORK if damage == "damaged network" else "else", b"x" * 64)
    with pytest.raises(AssetError, match=r"python -m recognizer assets") as caught:
        AppearanceExtractor(path)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def extractor() -> AppearanceExtractor:
    try:
        return AppearanceExtractor(find_asset("hand_landmarker"))
    except AssetError as error:
        pytest.skip(f"needs the hand model: {error}")


def test_equal_pictures_have_equal_features_and_different_pictures_differ(extractor: AppearanceExtractor) -> None:
    frames = [Studio("rps").frame(index).image_bgr[100:400, 200:500] for index in (36, 36, 120)]
    same, again, other = (extractor.features(frame, joints_of(90), "right") for frame in frames)
    assert same.shape == (SIZE,)
    assert np.isfinite(same).all()
    np.testing.assert_allclose(same, again, atol=1e-4)
    assert np.abs(same - other).max() > 0.1


def test_features_at_joints_are_interpolated_between_map_cells() -> None:
    features = np.arange(14 * 14, dtype=np.float32).reshape(14, 14, 1)
    places = np.array([[0.5 / 14, 0.5 / 14], [1.0 / 14, 0.5 / 14], [0.5 / 14, 1.0 / 14], [-3, 9]])
    values = appearance.at_places(features, places)[:, 0]
    np.testing.assert_allclose(values[:3], [0, 0.5, 7], atol=1e-4)
    assert values[3] == pytest.approx(13 * 14, abs=0.1)
