"""Hyperparameters of the hand-sign networks, set by hand or by a sweep."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import SettingsError
from training.datasets import hand_variations

if TYPE_CHECKING:
    import keras

SIZES = ("units", "filters")  # Keras' names for the width of a layer


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of the hand-sign networks. None: the default of `training.shipped`."""

    rate: float | None = None
    width: float = 1.0  # factor on the width of hidden layers
    augment: float = 1.0  # share of the hands that are augmented
    keep: float | None = None  # coverage: share of the right predictions for held-out people that get a label

    @classmethod
    def of(
        cls, rate: float | None, width: float | None, augment: float | None, keep: float | None
    ) -> "Hyperparameters":
        """Hyperparameters from command-line options; None: the default."""
        return cls(rate, cls.width if width is None else width, cls.augment if augment is None else augment, keep)

    def fit_settings(self) -> list[Any]:
        """The hyperparameters that change the fitted network; empty if they are the defaults."""
        fit = self.rate, self.width, self.augment
        return [] if fit == (None, 1.0, 1.0) else [*fit]

    def augmented(
        self, landmarks: np.ndarray, left: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Augmented landmarks (N, 21, 3) and `left` (N,) bool; a share 1 - `augment` of the hands stays unchanged."""
        points, sides = hand_variations.augmented(landmarks, left, rng)
        if self.augment >= 1:
            return points, sides
        is_unchanged = rng.random(len(left)) >= self.augment
        return np.where(is_unchanged[:, None, None], landmarks, points), np.where(is_unchanged, left, sides)


DEFAULTS = Hyperparameters()


def widened(model: "keras.Model", times: float, seed: int) -> "keras.Model":
    """A new network like the model, with hidden layers `times` as wide. Raises SettingsError if it has none."""
    import keras

    if times == 1:
        return model
    output_layer = model.layers[-1].name

    def wider(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        config = layer.get_config()
        if layer.name != output_layer:
            config |= {size: max(1, round(times * config[size])) for size in SIZES if size in config}
        return type(layer).from_config(config)

    keras.utils.set_random_seed(seed)
    wide = keras.models.clone_model(model, clone_function=wider)
    if wide.count_params() == model.count_params():
        raise SettingsError(f"--width scales hidden layers, and {model.name} has none. Leave it out.")
    if model.compiled:
        wide.compile_from_config(model.get_compile_config())
    return wide
