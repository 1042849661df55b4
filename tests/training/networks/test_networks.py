import numpy as np
import pytest

from training.networks.image_networks import EMBEDDING, WORKSHOP

PARAMETERS = {
    "linear": 7850,
    "dense-16": 13002,
    "dense-256": 203530,
    "dense-512": 407050,
    "mlp-512x2": 669706,
    "cnn": 93322,
}


@pytest.mark.parametrize("name", WORKSHOP)
def test_each_network_takes_grey_levels_and_outputs_features(name):
    model = WORKSHOP[name].build(10, 0)
    if name in PARAMETERS:
        assert model.count_params() == PARAMETERS[name]
        assert model.compiled
    else:
        assert model.count_params() < 300_000
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype(np.float32)
    outputs = np.asarray(model(images))
    assert outputs.shape == (2, 10)
    assert np.isfinite(outputs).all()
    assert model.get_layer(EMBEDDING) is not None
    dimmed = np.asarray(model(images / 255))
    assert not np.allclose(outputs, dimmed), "the network itself scales grey levels, so its input is not from 0 to 1"


def test_the_same_seed_gives_the_same_weights():
    build = WORKSHOP["dense-16"].build
    first, again, other = build(3, 1), build(3, 1), build(3, 2)
    assert all(np.array_equal(one, two) for one, two in zip(first.get_weights(), again.get_weights(), strict=True))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])
