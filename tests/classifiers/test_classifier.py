import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.hands import FUSED_VERSION
from recognizer.classifiers.heads import HEAD, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.network import NETWORK
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.errors import ModelError
from recognizer.preprocess import pictures, pose
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore

LABELS = ["a", "b", "c"]
TWO_NUMBERS = "two numbers"  # a preprocess version that exists only in these tests
MEANS = np.array([[10, 0], [0, 10], [-10, 0]], np.float32)  # of the features of each label


class FakeNetwork:
    """Replaces a LiteRT interpreter. Its outputs are fixed, and it stores its last input."""

    def __init__(
        self, probabilities: list[float], features: list[float], input_shape: tuple[int, ...] = (28, 28, 1)
    ) -> None:
        self.input_shape = input_shape
        self.outputs = {7: np.array([features], np.float32), 4: np.array([probabilities], np.float32)}
        self.input: np.ndarray | None = None

    def get_input_details(self) -> list[dict]:
        return [{"index": 0, "shape": np.array([1, *self.input_shape])}]

    def get_output_details(self) -> list[dict]:
        return [{"index": index, "shape": np.array(output.shape)} for index, output in self.outputs.items()]

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        self.input = value

    def invoke(self) -> None: ...

    def get_tensor(self, index: int) -> np.ndarray:
        return self.outputs[index]


def model_folder(folder: Path, **changes: object) -> Path:
    """A version as training publishes it, with a fake network file. A change to None removes an entry of the card."""
    folder.mkdir()
    card = {
        "labels": LABELS,
        "preprocess": pictures.VERSION,
        "rejection": {"min_confidence": 0.6, "max_distance": 3.0},
        **changes,
    }
    text = json.dumps({key: value for key, value in card.items() if value is not None})
    (folder / registry_card.CARD).write_text(text)
    FeatureStatistics(MEANS, np.eye(2, dtype=np.float32)).save(folder / FEATURES)
    (folder / NETWORK).write_bytes(b"not read")
    return folder


def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probabilities: list[float], features: list[float]):
    """A classifier whose network always outputs these probabilities and features; the features must be the longer array."""
    network = FakeNetwork(probabilities, features)
    monkeypatch.setattr("recognizer.classifiers.network.open_interpreter", lambda path: network)
    folder = model_folder(tmp_path / "version")
    longer = np.zeros((3, len(features)), np.float32)
    longer[:, :2] = MEANS
    FeatureStatistics(longer, np.eye(len(features), dtype=np.float32)).save(folder / FEATURES)
    return Classifier(folder), network


IMAGE_28 = np.arange(28 * 28, dtype=np.uint16).reshape(28, 28).astype(np.uint8)
NEAR_B = [0.0, 9, 0, 0, 0, 0]


def test_a_picture_gets_the_label_of_the_highest_probability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, network = opened(tmp_path, monkeypatch, [0.1, 0.7, 0.15, 0.05], NEAR_B)
    (prediction,) = model.predict([IMAGE_28])
    assert prediction.label == "b"
    assert prediction.confidence == pytest.approx(0.7)
    assert [label for label, _ in prediction.top] == ["b", "c", "a"]
    assert prediction.image is IMAGE_28
    np.testing.assert_array_equal(
        network.input, IMAGE_28.astype(np.float32).reshape(1, 28, 28, 1)
    )  # pixel values are not scaled


@pytest.mark.parametrize(
    ("probabilities", "features"),
    [
        ([0.3, 0.55, 0.1, 0.05], NEAR_B),
        ([0.0, 0.1, 0.0, 0.9], NEAR_B),
        ([0.0, 0.99, 0.01, 0.0], [0, 0, 0, 0, 0, 0]),
        ([0.0, 0.99, 0.01, 0.0], [0, 10, 5, 0, 0, 0]),
        ([0.0, 0.99, 0.01, 0.0], [float("nan")] * 6),
        ([0.0, 0.99, 0.01, 0.0], [float("inf")] * 6),
    ],
    ids=["low confidence", "background", "between all means", "far from its mean", "not a number", "infinite"],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_an_input_of_low_confidence_or_large_distance_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probabilities: list[float], features: list[float]
) -> None:
    model, _ = opened(tmp_path, monkeypatch, probabilities, features)
    (prediction,) = model.predict([IMAGE_28])
    assert prediction.label is None
    assert prediction.top[0] == ("b", pytest.approx(probabilities[1]))


def test_no_inputs_give_no_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, network = opened(tmp_path, monkeypatch, [0.1, 0.7, 0.15, 0.05], NEAR_B)
    assert model.predict([]) == ()
    assert network.input is None


def test_distance_is_scaled_by_the_covariance_of_the_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    spread = np.array([5.0, 0.5])
    features = (rng.normal(0, 1, (4000, 2)) * spread + np.array([[0, 0], [40, 0]])[labels]).astype(np.float32)
    FeatureStatistics.of_features(features, labels, 2).save(tmp_path / FEATURES)
    statistics = FeatureStatistics.load(tmp_path / FEATURES)
    along, across, other = statistics.distances(np.array([[5, 0], [0, 5], [40, 0]], np.float32))
    assert along == pytest.approx(1, abs=0.15)
    assert across == pytest.approx(10, abs=1)
    assert other < 0.1


def test_constant_features_do_not_break_the_distance() -> None:
    features = np.zeros((40, 3), np.float32)
    features[:, 0] = np.random.default_rng(0).normal(0, 1, 40)
    statistics = FeatureStatistics.of_features(features, np.repeat([0, 1], 20), 2)
    assert np.isfinite(statistics.distances(features)).all()


@pytest.mark.parametrize(
    ("probabilities", "features"),
    [([0.5, 0.5, 0.0], NEAR_B), ([0.2] * 5, NEAR_B)],
    ids=["too few outputs", "too many outputs"],
)
def test_a_network_that_does_not_match_its_card_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probabilities: list[float], features: list[float]
) -> None:
    with pytest.raises(ModelError, match=f"{len(probabilities)} outputs for 3 labels.*do not belong together"):
        opened(tmp_path, monkeypatch, probabilities, features)


def test_a_network_without_features_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork([0.1, 0.7, 0.15, 0.05], NEAR_B)
    del network.outputs[7]
    monkeypatch.setattr("recognizer.classifiers.network.open_interpreter", lambda path: network)
    with pytest.raises(ModelError, match="Its files do not belong together"):
        Classifier(model_folder(tmp_path / "version"))


@pytest.mark.parametrize(
    ("preprocess", "input_shape"),
    [
        (pictures.VERSION, (32, 32, 1)),
        (pictures.HAND_VERSION, (28, 28, 3)),
        (pose.VERSION, (pose.SIZE - 1,)),
        (FUSED_VERSION, (pose.SIZE,)),
        (pictures.COLOUR_VERSION, (64, 64, 3)),
    ],
)
def test_a_network_for_another_input_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preprocess: str, input_shape: tuple[int, ...]
) -> None:
    network = FakeNetwork([0.1, 0.7, 0.15, 0.05], NEAR_B, input_shape)
    monkeypatch.setattr("recognizer.classifiers.network.open_interpreter", lambda path: network)
    folder = model_folder(tmp_path / "version", preprocess=preprocess, input={"shape": [96, 96, 3]})
    means = np.zeros((3, len(NEAR_B)), np.float32)
    FeatureStatistics(means, np.eye(len(NEAR_B), dtype=np.float32)).save(folder / FEATURES)
    with pytest.raises(ModelError, match=f"takes {np.prod(input_shape)} numbers.*do not belong together"):
        Classifier(folder, preprocess)


def test_a_head_for_another_input_is_refused(tmp_path: Path) -> None:
    folder = head_folder(tmp_path / "version", np.zeros((2, 4)))
    card = json.loads((folder / registry_card.CARD).read_text())
    (folder / registry_card.CARD).write_text(json.dumps({**card, "preprocess": pose.VERSION}))
    with pytest.raises(ModelError, match=f"takes 2 numbers, and hand-pose-1 makes {pose.SIZE}"):
        Classifier(folder, pose.VERSION)


def head_folder(folder: Path, kernel: np.ndarray) -> Path:
    """A user-trained version: its input is its features, and it has a linear head."""
    model_folder(folder, features="input", preprocess=TWO_NUMBERS)
    (folder / NETWORK).unlink()
    Head(kernel.astype(np.float32), np.zeros(kernel.shape[1], np.float32)).save(folder / HEAD)
    return folder


def test_a_user_trained_head_classifies_the_features(tmp_path: Path) -> None:
    kernel = np.array([[0, 0.9, 0, 0], [0, 0, 0.9, 0]])
    model = Classifier(head_folder(tmp_path / "version", kernel), TWO_NUMBERS)
    near_b, near_c, far_away = model.predict([np.array(point, np.float32) for point in ([9, 0], [0, 9], [40, 0])])
    assert (near_b.label, near_c.label) == ("b", "c")
    assert far_away.label is None  # a high confidence, but far from all training samples
    assert near_b.confidence == pytest.approx(1 / (1 + 3 * np.exp(-8.1)), abs=1e-4)


@pytest.mark.parametrize("measure", ["euclidean", "cosine"])
def test_k_nearest_neighbours_match_scikit_learn(measure: str, tmp_path: Path) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    samples, classes = rng.integers(0, 256, (300, 784)).astype(np.uint8), rng.integers(0, 3, 300)
    inputs = rng.integers(0, 256, (40, 784)).astype(np.float32)
    Neighbours(samples, classes, 5, measure, 4).save(tmp_path / NEIGHBOURS)
    probabilities = Neighbours.load(tmp_path / NEIGHBOURS).probabilities(inputs)
    reference = KNeighborsClassifier(5, metric=measure, algorithm="brute").fit(samples.astype(np.float32), classes)
    np.testing.assert_allclose(probabilities[:, :3], reference.predict_proba(inputs), atol=1e-6)
    assert not probabilities[:, 3].any()


def test_nearest_neighbours_classify_pixels(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "version", features="input")
    (folder / NETWORK).unlink()
    samples = np.eye(6, 784, dtype=np.uint8) * 255
    Neighbours(samples, np.array([0, 0, 1, 1, 2, 2]), 2, "cosine", 4).save(folder / NEIGHBOURS)
    means = np.stack([samples[place : place + 2].mean(axis=0) for place in (0, 2, 4)]).astype(np.float32)
    FeatureStatistics(means, np.eye(784, dtype=np.float32) / 100).save(folder / FEATURES)
    model = Classifier(folder)
    of_b, between = np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8)
    of_b[0, 2:4], between[0, 3:5] = 200, 200
    predictions = model.predict([of_b, between])
    assert [one.label for one in predictions] == ["b", None]
    assert [one.confidence for one in predictions] == [1.0, 0.5]
    content = (folder / NEIGHBOURS).read_bytes()
    (folder / NEIGHBOURS).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="neighbours.npz is missing or damaged"):
        Classifier(folder)


def test_a_user_trained_head_replaces_the_output_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = opened(tmp_path, monkeypatch, [0.1, 0.7, 0.15, 0.05], NEAR_B)
    kernel = np.zeros((6, 4))
    kernel[1, 0] = 1
    Head(kernel.astype(np.float32), np.zeros(4, np.float32)).save(model.folder / HEAD)
    assert model.predict([IMAGE_28])[0].top[0][0] == "b"
    assert Classifier(model.folder).predict([IMAGE_28])[0].top[0][0] == "a"


def test_a_label_may_have_several_feature_means(tmp_path: Path) -> None:
    kernel = np.array([[0, 0.9, 0, 0], [0, 0, 0.9, 0]])
    folder = head_folder(tmp_path / "version", kernel)
    far_b = np.array([40, 0], np.float32)
    assert Classifier(folder, TWO_NUMBERS).predict([far_b])[0].label is None
    FeatureStatistics(np.vstack([MEANS, far_b]).astype(np.float32), np.eye(2, dtype=np.float32)).save(folder / FEATURES)
    assert Classifier(folder, TWO_NUMBERS).predict([far_b])[0].label == "b"


@pytest.mark.parametrize("kernel", [np.zeros((2, 3)), np.zeros((3, 4))], ids=["a label missing", "other features"])
def test_a_head_of_another_model_is_refused(tmp_path: Path, kernel: np.ndarray) -> None:
    with pytest.raises(ModelError, match="do not belong together"):
        Classifier(head_folder(tmp_path / "version", kernel), TWO_NUMBERS)


def test_a_damaged_head_is_refused(tmp_path: Path) -> None:
    folder = head_folder(tmp_path / "version", np.zeros((2, 4)))
    (folder / HEAD).write_bytes(b"PK half a file")
    with pytest.raises(ModelError, match=r"head.npz is missing or damaged"):
        Classifier(folder, TWO_NUMBERS)


def test_a_folder_without_network_and_head_is_refused(tmp_path: Path) -> None:
    folder = head_folder(tmp_path / "version", np.zeros((2, 4)))
    (folder / HEAD).unlink()
    with pytest.raises(ModelError, match=r"neither a network nor head.npz"):
        Classifier(folder, TWO_NUMBERS)


def test_a_model_with_another_preprocess_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="trained with preprocess older-1.*Retrain: python -m recognizer train digits"):
        (tmp_path / "digits").mkdir()
        Classifier(model_folder(tmp_path / "digits" / "v1", preprocess="older-1"))


@pytest.mark.parametrize(
    "rejection",
    [{}, {"min_confidence": 0.5}, {"min_confidence": "high", "max_distance": 3}, [1, 2]],
    ids=["empty", "one missing", "no number", "a list"],
)
def test_a_card_with_wrong_thresholds_is_refused(tmp_path: Path, rejection: object) -> None:
    with pytest.raises(ModelError, match="card.json: rejection is .*; it should be two numbers"):
        Classifier(model_folder(tmp_path / "version", rejection=rejection))


def test_a_card_without_thresholds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="card.json holds no rejection thresholds"):
        Classifier(model_folder(tmp_path / "version", rejection=None))


def test_a_missing_or_damaged_card_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "version")
    (folder / registry_card.CARD).write_text('{"labels": ["a"')
    with pytest.raises(ModelError, match="card.json cannot be read as JSON"):
        Classifier(folder)
    (folder / registry_card.CARD).unlink()
    with pytest.raises(ModelError, match="card.json cannot be read"):
        Classifier(folder)


def test_missing_or_damaged_features_are_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "version")
    (folder / FEATURES).unlink()
    with pytest.raises(ModelError, match="features.npz is missing or damaged"):
        Classifier(folder)
    for damage in (b"", b"not a zip"):
        (folder / FEATURES).write_bytes(damage)
        with pytest.raises(ModelError, match="features.npz is missing or damaged"):
            Classifier(folder)
    np.savez(folder / FEATURES, means=MEANS)
    with pytest.raises(ModelError, match="features.npz is missing or damaged.*whitening"):
        Classifier(folder)


def test_a_truncated_features_file_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "version")
    content = (folder / FEATURES).read_bytes()
    (folder / FEATURES).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="features.npz is missing or damaged"):
        Classifier(folder)


def test_a_missing_or_damaged_network_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "version")
    with pytest.raises(ModelError, match="model.tflite is missing or damaged"):
        Classifier(folder)
    (folder / NETWORK).unlink()
    with pytest.raises(ModelError, match="model.tflite is missing or damaged"):
        Classifier(folder)


def test_a_truncated_network_file_is_refused(tmp_path: Path, published_models: ModelStore) -> None:
    folder = tmp_path / "version"
    shutil.copytree(published_models.current("digits"), folder)
    content, card = (folder / NETWORK).read_bytes(), registry_card.read_card(folder)
    for share in (0.1, 0.5, 0.95):
        (folder / NETWORK).write_bytes(content[: int(share * len(content))])
        registry_card.write_card(card, folder)
        with pytest.raises(ModelError, match="model.tflite is damaged: its SHA-256"):
            Classifier(folder)
        registry_card.write_card(replace(card, files=None), folder)  # as in older cards
        with pytest.raises(ModelError, match="model.tflite is missing or damaged"):
            Classifier(folder)


def test_the_shipped_model_with_a_label_removed_from_its_card_is_refused(
    tmp_path: Path, published_models: ModelStore
) -> None:
    folder = tmp_path / "version"
    shutil.copytree(published_models.current("digits"), folder)
    card = registry_card.read_card(folder)
    (folder / registry_card.CARD).write_text(json.dumps({**card.as_json(), "labels": card.labels[:-1]}))
    with pytest.raises(ModelError, match="11 outputs for 9 labels"):
        Classifier(folder)


def test_the_shipped_model_classifies_ten_digits_and_rejects_an_empty_picture(published_models: ModelStore) -> None:
    model = Classifier(published_models.current("digits"))
    assert model.labels == [str(digit) for digit in range(10)]
    probabilities, features = model.run(np.zeros((28, 28), np.uint8))
    assert probabilities.shape == (11,)
    assert probabilities.sum() == pytest.approx(1, abs=1e-3)
    assert features.shape == model.rejection.statistics.means.shape[1:]
    (prediction,) = model.predict([np.zeros((28, 28), np.uint8)])
    assert prediction.label is None
