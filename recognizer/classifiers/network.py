"""A LiteRT network with its features and probabilities."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.errors import ModelError
from recognizer.system.native import silent_stderr
from recognizer.system.text import one_line

NETWORK = "model.tflite"


THREADS = 2  # the second one makes a small network a quarter faster


class Network:
    """A LiteRT network that computes an embedding of `size` values, and probabilities of `classes` unless that is 0.

    Raises ModelError if the file is missing or damaged.
    """

    def __init__(self, path: Path):
        self._path = path
        self._network = open_interpreter(path)
        self._input = self._network.get_input_details()[0]
        self._shape = [int(side) for side in self._input["shape"][1:]]
        self.input_size = math.prod(self._shape)  # number of values in one input
        self._inputs = 1  # batch size for which tensors are allocated
        outputs = sorted(self._network.get_output_details(), key=lambda output: int(output["shape"][-1]))
        if len(outputs) not in (1, 2):
            raise ModelError(
                f"{path} has {len(outputs)} outputs, and 1 or 2 were expected. Fetch the model again or retrain."
            )
        self._indices = [output["index"] for output in outputs]
        self.classes = int(outputs[0]["shape"][-1]) if len(outputs) == 2 else 0
        self.size = int(outputs[-1]["shape"][-1])

    def run(self, values: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Probabilities (classes,), or None without classes, and embedding (size,) float32 of one input."""
        probabilities, features = self.run_all([values])
        return (None if probabilities is None else probabilities[0]), features[0]

    def run_all(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray | None, np.ndarray]:
        """Probabilities (N, classes), or None, and embeddings (N, size) float32 of N inputs, computed in one batch."""
        try:
            return self._run_all(inputs)
        except (RuntimeError, ValueError) as error:  # of a damaged network that could be opened
            raise ModelError(
                f"{self._path} cannot be run ({one_line(error)}). Fetch the model again or retrain."
            ) from error

    def _run_all(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray | None, np.ndarray]:
        shape = [len(inputs), *self._shape]
        if len(inputs) != self._inputs:
            self._network.resize_tensor_input(self._input["index"], shape)
            self._network.allocate_tensors()
            self._inputs = len(inputs)
        self._network.set_tensor(self._input["index"], np.stack(inputs).astype(np.float32).reshape(shape))
        self._network.invoke()
        results = [self._network.get_tensor(index) for index in self._indices]
        return (results[0] if self.classes else None), results[-1]


def open_interpreter(path: Path):  # type: ignore[no-untyped-def]  # ai_edge_litert ships no types
    """A LiteRT interpreter with allocated tensors. Raises ModelError if the file is missing or damaged."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        with silent_stderr():
            network = Interpreter(model_path=str(path), num_threads=THREADS)
            network.allocate_tensors()
    except Exception as error:  # LiteRT raises several kinds
        raise ModelError(
            f"{path} is missing or damaged ({one_line(error)}). Fetch the model again or retrain."
        ) from error
    return network


def read_network(path: Path) -> bytes:
    """The bytes of a network's file. Raises ModelError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}). Fetch the model again.") from error
