"""Runs the classifier of an export with Keras. The networks that find something stay LiteRT networks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.export.program.litert import LiteRtNetwork


class KerasNetwork:
    """One network file, given without regard to its suffix."""

    def __init__(self, path: Path):
        self._model: Any = None
        if path.with_suffix(".keras").exists():
            import keras  # where it is used, since it takes seconds

            self._model = keras.saving.load_model(path.with_suffix(".keras"), compile=False)
        else:
            self._litert = LiteRtNetwork(path)

    def run(self, values: np.ndarray) -> Sequence[np.ndarray]:
        """The outputs, each (N, …), for N inputs (N, …) float32."""
        if self._model is None:
            return self._litert.run(values)
        outputs = self._model(values, training=False)
        return [np.asarray(one) for one in (outputs if isinstance(outputs, list | tuple) else [outputs])]
