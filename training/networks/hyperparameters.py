"""Numbers of a training that can be chosen, by hand or by a sweep."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import SettingsError
from training.datasets import hand_variations

if TYPE_CHECKING:
    import keras

SIZES = ("units", "filters")  # as Keras calls the width of a layer


@dataclass(frozen=True)
class Hyperparameters:
    """How hand signs are learned, where that differs from what `training.shipped.signs` has found best. None: as it has."""

    rate: float | None = None
    width: float = 1.0  # hidden layers that many times as wide
    augment: float = 1.0  # share of the hands that are shown changed
    keep: float | None = None  # share of right readings of people left out that get a label

    @classmethod
    def of(
        cls, rate: float | None, width: float | None, augment: float | None, keep: float | None
    ) -> "Hyperparameters":
        """None: as it is by itself."""
        return cls(rate, cls.width if width is None else width, cls.augment if augment is None else augment, keep)

    def fit_settings(self) -> list[Any]:
        """What the fitted network depends on; nothing where that is as ever."""
        fit = self.rate, self.width, self.augment
        return [] if fit == (None, 1.0, 1.0) else [*fit]

    def augmented(
        self, landmarks: np.ndarray, left: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Hands (N, 21, 3) and their sides (N,) as the network meets them: `pose.augmented`, or some as they are."""
        points, sides = hand_variations.augmented(landmarks, left, rng)
        if self.augment >= 1:
            return points, sides
        plain = rng.random(len(left)) >= self.augment
        return np.where(plain[:, None, None], landmarks, points), np.where(plain, left, sides)


DEFAULTS = Hyperparameters()


def widened(model: "keras.Model", times: float, seed: int) -> "keras.Model":
    """A fresh network like the model, its hidden layers `times` as wide. Raises SettingsError where it has none."""
    import keras

    if times == 1:
        return model
    answers = model.layers[-1].name

    def wider(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        config = layer.get_config()
        if layer.name != answers:
            config |= {size: max(1, round(times * config[size])) for size in SIZES if size in config}
        return type(layer).from_config(config)

    keras.utils.set_random_seed(seed)
    wide = keras.models.clone_model(model, clone_function=wider)
    if wide.count_params() == model.count_params():
        raise SettingsError(f"--width is of hidden layers, and {model.name} has none.")
    if model.compiled:
        wide.compile_from_config(model.get_compile_config())
    return wide
