import numpy as np
import pytest

from recognizer.errors import SettingsError
from tests.helpers.networks import tiny_vgg
from training.datasets.dataset import DataSet, split_of
from training.networks import transfer
from training.networks.litert import two_outputs
from training.settings import TrainSettings
from training.workshop import fit_transfer
from training.workshop.report import feature_maps
from training.workshop.run import probabilities_of

pytestmark = pytest.mark.no_cover


@pytest.fixture
def data():
    """40 grey pictures of two labels: dark and light."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = rng.integers(0, 60, (40, 28, 28, 1)) + 150 * labels[:, None, None, None]
    images = images.astype(np.uint8)
    return DataSet("shades", ["dark", "light"], "hand", images[:30], labels[:30], images[30:], labels[30:], "here", "0")


def settings(tmp_path, **more):
    values = {"side": 32, "epochs": 3, "batch_size": 8, "fine_tune": 1, "runs": tmp_path}
    return TrainSettings("shades", "vgg16", **{**values, **more})


@pytest.mark.slow
def test_the_head_is_trained_first_and_then_the_last_block_is_fine_tuned(data, tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(transfer, "pretrained", tiny_vgg)
    model, history = fit_transfer.fit_backbone(data, split_of(data, 0), "none", settings(tmp_path))
    fresh, _ = tiny_vgg("VGG16", "imagenet", 32)
    by_name = {layer.name: layer for part in model.layers if hasattr(part, "layers") for layer in part.layers}
    for name, is_trained in (("block4_conv1", False), ("block5_conv1", True)):
        same = np.array_equal(by_name[name].get_weights()[0], fresh.get_layer(name).get_weights()[0])
        assert same != is_trained, name
    assert len(history["loss"]) > 2
    predicted = probabilities_of(model, data.test_images).argmax(axis=1)
    assert (predicted == data.test_labels).mean() > 0.8
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    maps = feature_maps(loaded, data.test_images[0])
    assert [(name, values.shape) for name, values in maps] == [
        ("block4_conv1", (30, 30, 8)),
        ("block5_conv1", (7, 7, 8)),
    ]
    outputs = two_outputs(loaded, "shades-vgg16").outputs
    assert [output.shape[-1] for output in outputs] == [3, 256]


@pytest.mark.slow
def test_the_head_is_trained_at_the_requested_learning_rate(data, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "pretrained", tiny_vgg)
    losses = [
        fit_transfer.fit_backbone(data, split_of(data, 0), "none", settings(tmp_path, rate=rate, fine_tune=0))[1][
            "val_loss"
        ]
        for rate in (None, 1e-9)
    ]
    assert losses[0][-1] < losses[0][0]
    assert losses[1] == pytest.approx([losses[1][0]] * 3, rel=1e-5)


def test_frozen_features_are_computed_once(data, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "pretrained", tiny_vgg)
    parts = transfer.build(2, data.input_shape, "VGG16", "imagenet", 32, 0)
    first = fit_transfer.features(parts.frozen, data.train_images, "key", tmp_path)
    again = fit_transfer.features(None, data.train_images, "key", tmp_path)
    assert np.array_equal(first, again)
    with pytest.raises(AttributeError):
        fit_transfer.features(None, data.train_images, "another key", tmp_path)


def test_the_backbone_uses_its_own_preprocessing():
    from keras.applications import mobilenet_v2, vgg16

    bgr = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    for prepare in (vgg16.preprocess_input, mobilenet_v2.preprocess_input):
        layer = transfer.preprocessing_layer(prepare, 3)
        assert np.allclose(np.asarray(layer(bgr)), prepare(bgr[..., ::-1].copy()), atol=1e-3)
        gray = transfer.preprocessing_layer(prepare, 1)
        assert np.allclose(np.asarray(gray(bgr[..., :1])), prepare(np.repeat(bgr[..., :1], 3, axis=-1)), atol=1e-3)


def test_small_data_sets_get_more_augmented_copies(data):
    split = split_of(data, 0)
    images, labels = fit_transfer.with_augmented_copies(data, split, "light", 0)
    assert len(images) == len(labels) == 9 * len(split.fitted)
    assert np.array_equal(images[: len(split.fitted)], data.train_images[split.fitted])
    assert len(fit_transfer.with_augmented_copies(data, split, "light", 0, 2)[0]) == 3 * len(split.fitted)


@pytest.mark.parametrize(
    ("backbone", "weights", "side", "names"),
    [("VGG61", "imagenet", 48, "VGG16"), ("VGG16", "none.h5", 48, "none.h5"), ("VGG16", "imagenet", 8, "--side 8")],
)
def test_an_unavailable_backbone_is_a_one_line_error(backbone, weights, side, names):
    with pytest.raises(SettingsError, match=names) as error:
        transfer.build(2, (28, 28, 1), backbone, weights, side, 0)
    assert "\n" not in str(error.value)


def test_damaged_weights_are_a_one_line_error(tmp_path):
    path = tmp_path / "half.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(SettingsError, match="half") as error:
        transfer.build(2, (28, 28, 1), "MobileNetV2", str(path), 32, 0)
    assert "\n" not in str(error.value)
