import numpy as np
import pytest

from recognizer.preprocess import pose
from recognizer.preprocess.pose import batch_features, pose_features
from training.datasets import hand_variations
from training.datasets.hand_variations import augmented

RNG = np.random.default_rng(5)


def open_hand():
    """Joints of a right hand with spread fingers and its palm to the camera, (21, 3) float32 in pixels."""
    points = np.zeros((21, 3), np.float32)
    points[0] = 300, 400, 0
    for finger, joints in enumerate(pose.FINGERS):
        angle = np.radians(-150 + 30 * finger)
        for step, joint in enumerate(joints):
            reach = 80 + 30 * step
            points[joint] = 300 + reach * np.cos(angle), 400 + reach * np.sin(angle), -4 * step
    return points


HAND = open_hand()


def test_features_have_the_documented_shape_and_dtype():
    features = pose_features(HAND, "right")
    assert features.shape == (pose.SIZE,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize("scale", [0.1, 1, 9])
def test_pose_features_ignore_position_and_scale(scale):
    moved = HAND * scale + np.array([37, -20, 5], np.float32)
    assert pose_features(moved, "right") == pytest.approx(pose_features(HAND, "right"), abs=1e-3)


def test_a_left_hand_has_the_features_of_the_mirrored_right_hand():
    mirrored = HAND * [-1, 1, 1] + [640, 0, 0]
    assert pose_features(mirrored, "left") == pytest.approx(pose_features(HAND, "right"), abs=1e-4)
    assert not np.allclose(pose_features(mirrored, "right"), pose_features(HAND, "right"), atol=0.1)


def test_all_features_except_bone_directions_are_rotation_invariant():
    """Without them, G and Q, H and U, and K and P would have the same features."""
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    before, after = pose_features(HAND, "right"), pose_features(HAND @ turn.T, "right")
    assert after[60:] == pytest.approx(before[60:], abs=1e-4)
    assert not np.allclose(after[:60], before[:60], atol=0.1)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((21, 3)),
        np.full((21, 3), 7.0),
        np.full((21, 3), np.nan),
        np.full((21, 3), np.inf),
        np.where(np.arange(63).reshape(21, 3) % 5 == 0, np.nan, 3.0),
        np.arange(21)[:, None] * np.array([1.0, 0, 0]),
        np.full((21, 3), 1e30) * np.arange(21)[:, None],
    ],
    ids=["zeros", "one point", "nan", "infinite", "some nan", "a line", "huge"],
)
def test_features_are_finite_for_any_landmarks(landmarks):
    assert np.isfinite(pose_features(landmarks.astype(np.float32), "left")).all()


def test_batch_features_equal_the_features_of_single_hands():
    hands = HAND + RNG.normal(0, 5, (6, 21, 3))
    left = np.array([True, False] * 3)
    one_by_one = [pose_features(hand, "left" if side else "right") for hand, side in zip(hands, left, strict=True)]
    assert batch_features(hands, left) == pytest.approx(np.stack(one_by_one))


def test_landmarks_are_not_modified():
    before = HAND.copy()
    pose_features(HAND, "left")
    augmented(HAND[None], np.array([True]), np.random.default_rng(0))
    assert np.array_equal(HAND, before)


def test_augmentation_changes_a_hand_but_keeps_its_pose():
    many = np.repeat(HAND[None], 200, axis=0)
    hands, _ = augmented(many, np.zeros(200, bool), np.random.default_rng(0))
    assert hands.shape == (200, 21, 3)
    original = pose.normalised(many, np.zeros(200, bool))
    change = np.linalg.norm(hands - original, axis=2).mean(axis=1)
    assert change.min() > 0.01
    assert np.median(change) < 1.0
    # relative to the palm's axes the rotation cancels out: noise and changed bone lengths remain
    change = np.abs(batch_features(hands, np.zeros(200, bool)) - pose_features(HAND, "right"))[:, 60:]
    assert np.median(change) < 0.25


def test_augmentation_with_the_same_random_generator_state_is_repeatable():
    one, _ = augmented(HAND[None], np.array([False]), np.random.default_rng(3))
    same, _ = augmented(HAND[None], np.array([False]), np.random.default_rng(3))
    other, _ = augmented(HAND[None], np.array([False]), np.random.default_rng(4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_augmentation_flips_some_hands():
    _, left = augmented(np.repeat(HAND[None], 400, axis=0), np.zeros(400, bool), np.random.default_rng(0))
    assert left.mean() == pytest.approx(hand_variations.WRONG_SIDE, abs=0.1)
