"""The networks that find writing, opened by the runtime of the export."""

from pathlib import Path

import numpy as np

from recognizer.export.program.network import Network


class DynamicNetwork:
    """A network with one output, whose input may have another shape in each call."""

    def __init__(self, path: Path):
        self._network = Network(path)

    def run(self, values: np.ndarray) -> np.ndarray:
        """The output for inputs (N, …) float32."""
        return self._network.run(values)[0]
