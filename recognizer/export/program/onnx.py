"""Runs the networks of an export with ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


class OnnxNetwork:
    """One network file, given without regard to its suffix."""

    def __init__(self, path: Path):
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3  # errors only
        file = str(path.with_suffix(".onnx"))
        self._session = InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, values: np.ndarray) -> Sequence[np.ndarray]:
        """The outputs, each (N, …), for N inputs (N, …) float32."""
        return self._session.run(None, {self._input: values})
