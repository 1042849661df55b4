"""Exports Keras networks to LiteRT, with the features as a second output."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.system.native import silent_stderr
from training.networks.image_networks import EMBEDDING
from training.networks.tensorflow import import_tensorflow

if TYPE_CHECKING:
    import keras

# 8-bit weights make a large network four times smaller and many times faster, and change its features by 2 %. They
# would change those of a small network by 10 % and save nothing
QUANTIZED_FROM = 5_000_000  # parameters


def as_litert(network: "keras.Model") -> bytes:
    """A Keras model as the bytes of a LiteRT network, with 8-bit weights from QUANTIZED_FROM parameters on."""
    tensorflow = import_tensorflow()
    quantization = (
        {"optimizations": [tensorflow.lite.Optimize.DEFAULT]} if network.count_params() > QUANTIZED_FROM else {}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backbone.tflite"
        with silent_stderr():
            network.export(path, format="litert", verbose=False, **quantization)
        return path.read_bytes()


def two_outputs(model: "keras.Model", name: str) -> "keras.Model":
    """The network with the two outputs that the recognizer expects: probabilities, and the embedding.

    The probabilities get a last class, the background, with probability 0. The embedding is padded with zeros so that it is
    longer than the probabilities, since the recognizer identifies the outputs by their length.
    """
    from keras import Model, layers

    probabilities = model.outputs[0]
    if model.layers[-1].name == "logits":
        probabilities = layers.Softmax()(probabilities)
    classes = probabilities.shape[-1]
    embedding = model.get_layer(EMBEDDING).output
    return Model(
        model.inputs,
        [_padded(probabilities, classes + 1), _padded(embedding, max(embedding.shape[-1], classes + 2))],
        name=name.replace("-", "_"),
    )


def _padded(values: "keras.KerasTensor", size: int) -> "keras.KerasTensor":
    from keras import layers

    length = values.shape[-1]
    if length == size:
        return values
    return layers.Reshape((size,))(layers.ZeroPadding1D((0, size - length))(layers.Reshape((length, 1))(values)))


def with_features(model: "keras.Model", name: str) -> "keras.Model":
    """The network with a softmax on its logits, and its embedding as a second output."""
    import keras

    outputs = [keras.layers.Softmax(name="probabilities")(model.output), model.get_layer(EMBEDDING).output]
    return keras.Model(model.inputs, outputs, name=name)
