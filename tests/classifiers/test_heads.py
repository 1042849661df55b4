"""Linear heads: feature replay, training on new labels, and the output layer of a shipped network."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import Head, Neighbours
from recognizer.classifiers.label_changes import KNOWLEDGE
from recognizer.classifiers.rejection import FeatureStatistics
from recognizer.errors import ModelError
from recognizer.registry.store import ModelStore
from training.user_tasks import linear_head
from training.user_tasks.feature_replay import FeatureDistributions
from training.user_tasks.linear_head import discriminant_head, fit_linear_head, head_of, widened

MEANS = np.array([[4, 0, 1], [0, 4, 1], [4, 4, 1]], np.float32)


def cloud(seed: int = 0, each: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Features around MEANS and their classes."""
    rng = np.random.default_rng(seed)
    spread = np.array([1.0, 0.5, 0.1])
    return np.concatenate([mean + spread * rng.normal(size=(each, 3)) for mean in MEANS]), np.repeat(range(3), each)


def share_right(head: Head, features: np.ndarray, classes: np.ndarray) -> float:
    return float((head.probabilities(features).argmax(axis=1) == classes).mean())


def test_replayed_features_have_the_distribution_of_the_original_ones() -> None:
    features, classes = cloud()
    distributions = FeatureDistributions.of_features(features, classes, 4)
    drawn, drawn_classes = distributions.sample(500, np.random.default_rng(1), positive=False)
    assert np.bincount(drawn_classes).tolist() == [500, 500, 500]  # the fourth class has no features
    for index in range(3):
        np.testing.assert_allclose(drawn[drawn_classes == index].mean(axis=0), MEANS[index], atol=0.2)
        np.testing.assert_allclose(drawn[drawn_classes == index].std(axis=0), [1.0, 0.5, 0.1], rtol=0.2)
    assert distributions.sample(500, np.random.default_rng(1), positive=True)[0].min() == 0


def test_feature_statistics_for_replay_are_saved_and_loaded(tmp_path: Path) -> None:
    distributions = FeatureDistributions.of_features(*cloud(), 4)
    distributions.save(tmp_path)
    loaded = FeatureDistributions.load(tmp_path)
    np.testing.assert_allclose(loaded.means, distributions.means, atol=1e-2)
    assert loaded.classes.tolist() == [0, 1, 2]
    (tmp_path / KNOWLEDGE).write_bytes(b"PK half")
    with pytest.raises(ModelError, match=r"knowledge\.npz is missing or damaged"):
        FeatureDistributions.load(tmp_path)


def test_a_version_without_replay_features_uses_its_feature_statistics() -> None:
    features, classes = cloud()
    distributions = FeatureDistributions.of_statistics(FeatureStatistics.of_features(features, classes, 3), 3)
    assert distributions.classes.tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.diag(distributions.covariances[1]), [1.0, 0.25, 0.01], rtol=0.2)


def test_a_discriminant_head_separates_the_classes() -> None:
    head = discriminant_head(*cloud(each=20), 4)
    assert share_right(head, *cloud(1)) > 0.98
    assert head.probabilities(cloud()[0])[:, 3].max() == 0  # this class has no sample


def test_a_head_trained_with_feature_replay_keeps_old_labels_and_learns_new_ones() -> None:
    features, classes = cloud()
    is_old = classes < 2
    old = fit_linear_head(
        features[is_old], np.eye(2)[classes[is_old]], np.ones(is_old.sum()), Head(np.zeros((3, 2)), np.zeros(2))
    )
    start = widened(old, 4, np.array([0, 1]))
    np.testing.assert_array_equal(start.kernel[:, :2], old.kernel)
    drawn, drawn_classes = FeatureDistributions.of_features(features[is_old], classes[is_old], 2).sample(
        200, np.random.default_rng(2), positive=False
    )
    new_features = cloud(3, each=10)[0][20:]
    inputs, targets = np.concatenate([drawn, new_features]), np.eye(4)[np.concatenate([drawn_classes, np.full(10, 2)])]
    weights = np.concatenate([np.ones(400), np.full(10, 20.0)])
    assert share_right(fit_linear_head(inputs, targets, weights, start), *cloud(4)) > 0.97
    unchanged = fit_linear_head(inputs, targets, weights, start, pull=1e6)
    np.testing.assert_allclose(unchanged.kernel, start.kernel, atol=1e-3)


def test_the_output_layer_is_extracted_from_the_file_of_the_shipped_network(
    published_models: ModelStore, tmp_path: Path
) -> None:
    shipped = published_models.current("digits")
    network, folder = Classifier(shipped), tmp_path / "with Keras"
    folder.mkdir()
    shutil.copyfile(shipped / "model.keras", folder / "model.keras")
    pictures = list(np.random.default_rng(0).integers(0, 255, (2, 28, 28)).astype(np.uint8))
    head = head_of(folder, network, pictures)
    probabilities, features = network.run(pictures[0])
    np.testing.assert_allclose(head.probabilities(features), probabilities, atol=linear_head.MAX_PROBABILITY_DIFFERENCE)
    stored = head_of(shipped, network, pictures)
    np.testing.assert_array_equal(stored.kernel, head.kernel)
    np.testing.assert_array_equal(stored.bias, head.bias)
    with pytest.raises(ModelError, match=r"model\.keras is missing or damaged"):
        head_of(tmp_path, network, pictures)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"not HDF5")
    with pytest.raises(ModelError, match=r"model\.keras is missing or damaged"):
        head_of(tmp_path, network, pictures)
    network.head = Neighbours(np.zeros((2, 784), np.uint8), np.zeros(2, int), 1, "euclidean", 11)
    with pytest.raises(ModelError, match="k-NN"):
        head_of(folder, network, pictures)


def test_the_last_layer_of_another_network_is_refused(published_models: ModelStore, tmp_path: Path) -> None:
    network = Classifier(published_models.current("digits"))
    pictures = [np.zeros((28, 28), np.uint8)]
    right = head_of(published_models.current("digits"), network, pictures)
    for kernel in (right.kernel[:, ::-1], right.kernel[:-1]):
        Head(kernel, right.bias).save(tmp_path / "last_layer.npz")
        with pytest.raises(ModelError, match=r"last_layer\.npz is not of the same network"):
            head_of(tmp_path, network, pictures)
