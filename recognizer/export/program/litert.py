"""Runs the networks of an export with LiteRT."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


class LiteRtNetwork:
    """One network file, given without regard to its suffix."""

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        self._network = Interpreter(model_path=str(path.with_suffix(".tflite")), num_threads=2)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]
        self._shape = tuple(self._input["shape"])
        self._outputs = [output["index"] for output in self._network.get_output_details()]

    def run(self, values: np.ndarray) -> Sequence[np.ndarray]:
        """The outputs, each (N, …), for N inputs (N, …) float32."""
        if values.shape != self._shape:
            self._network.resize_tensor_input(self._input["index"], values.shape)
            self._network.allocate_tensors()
            self._shape = values.shape
        self._network.set_tensor(self._input["index"], values)
        self._network.invoke()
        return [self._network.get_tensor(output) for output in self._outputs]
