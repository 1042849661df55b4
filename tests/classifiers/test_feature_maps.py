import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.feature_maps import MAPS, FeatureMaps, draw_maps
from recognizer.errors import ModelError


def test_the_shipped_network_gives_a_feature_map_for_each_convolution(published_models):
    folder = published_models.current("digits")
    image = np.zeros((28, 28), np.uint8)
    image[6:22, 12:16] = 255
    maps = FeatureMaps(folder)
    layers = maps.maps(image)
    assert len(layers) >= 3
    assert layers[0].shape[:2] > layers[-1].shape[:2]
    assert all(layer.min() >= 0 for layer in layers)  # after the ReLU
    _, embedding = Classifier(folder).run(image)
    assert np.allclose(layers[-1].mean(axis=(0, 1)), embedding, atol=1e-3), "the maps are those of this picture"
    assert maps.draw(image).ndim == 3


def test_each_layer_is_drawn_as_one_row():
    picture = draw_maps(
        (np.random.default_rng(0).random((9, 9, MAPS + 3), np.float32), np.zeros((3, 3, 2), np.float32))
    )
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert len(np.unique(picture[:44].reshape(-1, 3), axis=0)) > 20
    assert len(np.unique(picture[46:].reshape(-1, 3), axis=0)) == 1


def test_a_folder_without_a_network_gives_a_one_line_error(tmp_path):
    with pytest.raises(ModelError) as error:
        FeatureMaps(tmp_path)
    assert "\n" not in str(error.value)
