import cv2
import numpy as np
import pytest

from recognizer.preprocess.sharpness import BLURRED, difference, is_duplicate, sharpness, thumbnail


def a_scene(size: int = 200, seed: int = 0) -> np.ndarray:
    """Some bright shapes on a dark ground, (size, size, 3) uint8."""
    rng = np.random.default_rng(seed)
    scene = np.full((400, 400, 3), 60, np.uint8)
    for _ in range(6):
        x, y, radius = rng.integers(40, 360, 3).tolist()
        cv2.circle(scene, (x, y), radius // 6 + 10, rng.integers(90, 255, 3).tolist(), cv2.FILLED)
    return cv2.resize(scene, (size, size), interpolation=cv2.INTER_AREA)


def noisy(scene: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 6, scene.shape)
    return np.clip(scene + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [128, 200, 400])
def test_a_sharp_crop_is_sharper_than_a_blurred_one_at_any_size(size: int) -> None:
    sharp = a_scene(size)
    blurred = cv2.GaussianBlur(sharp, (0, 0), size / 40)
    assert sharpness(sharp) > 4 * BLURRED
    assert sharpness(blurred) < BLURRED
    assert sharpness(cv2.cvtColor(sharp, cv2.COLOR_BGR2GRAY)) == sharpness(sharp)


def test_a_uniform_or_empty_crop_has_sharpness_zero() -> None:
    assert sharpness(np.full((30, 50, 3), 90, np.uint8)) == 0.0
    assert sharpness(np.zeros((0, 9), np.uint8)) == 0.0
    assert sharpness(np.full((1, 1), 90, np.uint8)) == 0.0


def test_a_nearly_equal_crop_is_a_duplicate_and_another_pose_is_not() -> None:
    scene = a_scene()
    others = [thumbnail(a_scene(seed=seed)) for seed in range(1, 5)]
    assert is_duplicate(thumbnail(noisy(scene, 1)), [*others, thumbnail(noisy(scene, 2))])
    assert is_duplicate(thumbnail(scene), [thumbnail(a_scene(150))])  # the crop's size does not matter
    assert not is_duplicate(thumbnail(scene), others)
    assert not is_duplicate(thumbnail(scene), [thumbnail(np.roll(scene, 20, axis=1))])
    assert not is_duplicate(thumbnail(scene), [])


def test_thumbnail_difference_is_measured_in_grey_levels() -> None:
    black, grey = np.zeros((9, 9), np.uint8), np.full((40, 20, 3), 100, np.uint8)
    assert difference(thumbnail(black), thumbnail(grey)) == pytest.approx(100)
