"""The hand feature extractor learns features that separate signs, independently of the person."""

from pathlib import Path

import numpy as np
import pytest

from recognizer.classifiers.network import Network
from recognizer.preprocess import appearance, pose
from recognizer.registry.store import ModelStore
from training.datasets import hand_variations
from training.datasets.hand_photographs import Hands
from training.user_tasks import hand_feature_extractor

SIGNS = 6
PEOPLE = ("anna", "ben", "cleo")
EACH = 12
SEPARATING = slice(0, SIGNS)  # features that separate the signs
NOISY = slice(SIGNS, SIGNS + 40)  # features of larger variance that do not


def drawn_hands() -> Hands:
    """Hands with random landmarks. Few appearance features separate the signs; others have a larger variance."""
    rng = np.random.default_rng(0)
    count = SIGNS * len(PEOPLE) * EACH
    appearance_features = np.zeros(
        (count, hand_variations.VIEWS, hand_variations.CROPS_A_VIEW, appearance.SIZE), np.float16
    )
    signs = np.arange(count) % SIGNS
    appearance_features[np.arange(count), :, :, signs] = 1
    appearance_features[:, :, :, SEPARATING] += rng.normal(0, 0.1, (count, 1, 1, SIGNS))
    appearance_features[:, :, :, NOISY] = rng.normal(0, 3, (count, 1, 1, 40))
    landmarks = rng.normal(0, 50, (count, hand_variations.VIEWS, pose.JOINTS, 3)).astype(np.float32)
    return Hands(
        np.array(PEOPLE)[np.arange(count) // SIGNS % len(PEOPLE)],
        np.array([*"ABCDEF"])[signs],
        np.ones(count, bool),
        landmarks,
        np.zeros((count, hand_variations.VIEWS), bool),
        np.zeros((count, 28, 28), np.uint8),
        appearance_features,
    )


@pytest.mark.slow
def test_directions_follow_the_features_that_separate_signs() -> None:
    hands = drawn_hands()
    kernel, bias = hand_feature_extractor.directions(hands)
    projected = hands.appearance_features[:, 0, 0].astype(np.float32) @ kernel + bias
    means = np.stack([projected[hands.labels == label].mean(axis=0) for label in np.unique(hands.labels)])
    within = np.stack([projected[hands.labels == label].std(axis=0) for label in np.unique(hands.labels)]).mean(axis=0)
    strongest = np.argsort(means.std(axis=0) / within)[-(SIGNS - 1) :]
    assert (means.std(axis=0) > 3 * within)[strongest].all()
    weight = np.abs(kernel[:, strongest])
    assert weight[SEPARATING].mean() > 10 * weight[NOISY].mean()
    posed = pose.batch_features(hands.landmarks[:, 0], hands.left[:, 0])
    assert projected.std(axis=0).mean() == pytest.approx(hand_feature_extractor.SHARE * posed.std(), rel=0.01)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=0.05)


@pytest.mark.slow
def test_the_network_passes_landmarks_through_and_projects_appearance_features(tmp_path: Path) -> None:
    hands = drawn_hands()
    path = tmp_path / hand_feature_extractor.FILE
    hand_feature_extractor.network(hands).export(path, format="litert", verbose=False)
    network = Network(path)
    kernel, bias = hand_feature_extractor.directions(hands)
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(5, pose.SIZE + appearance.SIZE)).astype(np.float32)
    probabilities, features = network.run_all(inputs)
    assert probabilities is None
    np.testing.assert_allclose(features[:, : pose.SIZE], inputs[:, : pose.SIZE])
    np.testing.assert_allclose(features[:, pose.SIZE :], inputs[:, pose.SIZE :] @ kernel + bias, atol=0.02)


def test_the_newest_version_with_a_feature_extractor_is_used(tmp_path: Path) -> None:
    assert hand_feature_extractor.newest(ModelStore(tmp_path)) is None
    for version in ("20260101-000000", "20260102-000000", "20260103-000000"):
        (tmp_path / hand_feature_extractor.TASK / version).mkdir(parents=True)
        if version < "20260103":
            (tmp_path / hand_feature_extractor.TASK / version / hand_feature_extractor.FILE).touch()
    found = hand_feature_extractor.newest(ModelStore(tmp_path))
    assert found is not None
    assert found.parent.name == "20260102-000000"
