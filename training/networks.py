"""The networks, each a plain function. They take raw grey levels 0 to 255: the scaling is their first layer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

EMBEDDING = "embedding"  # name of the layer whose output describes a picture, before the last layer decides


def cnn_bn(classes: int, seed: int = 0) -> "keras.Model":
    """The shipped family: convolutions with batch norm, (28, 28, 1) to `classes` logits; under 300,000 parameters."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for width, padding in ((32, "valid"), (64, "same"), (128, "same")):  # multiples of 16 run fastest on CPUs
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding=padding, use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
        if width < 128:
            x = layers.MaxPooling2D()(x)
            x = layers.Dropout(0.15)(x)
    x = layers.GlobalAveragePooling2D(name=EMBEDDING)(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="cnn_bn")
