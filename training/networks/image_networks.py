"""Networks for pictures, one function each. Their input is grey levels 0 to 255; the first layer rescales them.

The workshop's networks are returned compiled, except for the last, because loss and optimizer are part of each example.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

EMBEDDING = "embedding"  # name of the layer whose outputs are the features
PROBABILITIES = "probabilities"  # name of the last layer, if it is a softmax
PREPARE = "prepare"  # name of the fixed convolution with a pretrained network's preprocessing


def linear(classes: int, seed: int = 0) -> "keras.Model":
    """One dense layer with a sigmoid per class; 7,850 parameters for ten classes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(name=EMBEDDING),
            layers.Dropout(0.1),
            layers.Dense(classes, activation="sigmoid", name=PROBABILITIES),
        ],
        name="linear",
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def dense_16(classes: int, seed: int = 0) -> "keras.Model":
    """Two hidden layers of 16, mean squared error, Adam: 784 → 16 → 16 → classes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu", name=EMBEDDING),
            layers.Dense(classes, activation="softmax", name=PROBABILITIES),
        ],
        name="dense-16",
    )
    model.compile("adam", "mean_squared_error", metrics=["accuracy"])
    return model


def dense_256(classes: int, seed: int = 0) -> "keras.Model":
    """One hidden layer of 256 in Keras' functional style, RMSprop, cross entropy on integer labels."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((28, 28, 1), name="image")
    pixels = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    hidden = layers.Dense(256, activation="relu", name=EMBEDDING)(pixels)
    model = keras.Model(
        image, layers.Dense(classes, activation="softmax", name=PROBABILITIES)(hidden), name="dense-256"
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense_512(classes: int, seed: int = 0) -> "keras.Model":
    """One hidden layer of 512, half of which is dropped at each step (Srivastava et al. 2014), RMSprop."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(512, activation="relu", name=EMBEDDING),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax", name=PROBABILITIES),
        ],
        name="dense-512",
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def mlp_512x2(classes: int, seed: int = 0) -> "keras.Model":
    """Two sigmoid layers of 512 with dropout 0.2; 669,706 parameters for ten classes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(512, activation="sigmoid"),
            layers.Dropout(0.2),
            layers.Dense(512, activation="sigmoid", name=EMBEDDING),
            layers.Dropout(0.2),
            layers.Dense(classes, activation="softmax", name=PROBABILITIES),
        ],
        name="mlp-512x2",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def cnn(classes: int, seed: int = 0) -> "keras.Model":
    """Convolutions of 32, 64 and 64 with max pooling between them, then a dense layer of 64."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name=EMBEDDING),
            layers.Dense(classes, activation="softmax", name=PROBABILITIES),
        ],
        name="cnn",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def cnn_bn(classes: int, seed: int = 0) -> "keras.Model":
    """The shipped architecture: convolutions with batch norm, (28, 28, 1) to `classes` logits; under 300,000 parameters."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 255)(inputs)
    for width, padding in ((32, "valid"), (64, "same"), (128, "same")):  # multiples of 16 run fastest on CPUs
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding=padding, use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)  # adapts within a few hundred steps
            x = layers.ReLU()(x)
        if width < 128:
            x = layers.MaxPooling2D()(x)
            x = layers.Dropout(0.15)(x)
    x = layers.GlobalAveragePooling2D(name=EMBEDDING)(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="cnn_bn")


@dataclass(frozen=True)
class Recipe:
    """A network of the workshop with its default training settings."""

    build: Callable[
        [int, int], "keras.Model"
    ]  # (classes, seed); an uncompiled network is trained with a cosine schedule
    epochs: int  # at most: training stops early when the validation loss no longer falls
    augment: str = "none"
    epochs_on: dict[str, int] = field(default_factory=dict)  # exceptions, by data set
    augment_on: dict[str, str] = field(default_factory=dict)  # exceptions, by data set


WORKSHOP = {
    "linear": Recipe(linear, 30),
    "dense-16": Recipe(dense_16, 30),
    "dense-256": Recipe(dense_256, 15),
    "dense-512": Recipe(dense_512, 25),
    "mlp-512x2": Recipe(mlp_512x2, 40),
    # too small to profit from augmentation on clothes: 90.0 % with it, 91.1 % without
    "cnn": Recipe(cnn, 20, "light", augment_on={"fashion-mnist": "none"}),
    "cnn-bn": Recipe(cnn_bn, 24, "light", {"mnist": 36, "sign-mnist": 14, "rps": 40, "emnist-letters": 12}),
}
