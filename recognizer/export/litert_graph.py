"""Reads the operations and weights of a LiteRT network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recognizer.errors import ExportError

DTYPES = {
    0: np.float32,
    1: np.float16,
    2: np.int32,
    4: np.int64,
    6: np.bool_,
    9: np.int8,
}  # by TensorType in schema.fbs
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH")  # by ActivationFunctionType
SAME = 0  # of Padding; 1 is VALID


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation. Inputs and outputs are indices of tensors; an input that is left out is -1."""

    name: str  # of BuiltinOperator, such as "CONV_2D"
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any  # an object of schema_py_generated, such as Conv2DOptionsT; None for operations without

    @property
    def activation(self) -> str:
        """What is applied to the result."""
        return ACTIVATIONS[self.options.fusedActivationFunction] if self.options else "NONE"


@dataclass(frozen=True, eq=False)
class Quantized:
    """Weights as 8-bit numbers: (values - zeros) * scales, with a scale for each place along `axis`."""

    values: np.ndarray  # int8
    scales: np.ndarray  # (N,) float32
    zeros: np.ndarray  # (N,) int8
    axis: int

    def as_floats(self) -> np.ndarray:
        side = [1] * self.values.ndim
        side[self.axis] = -1
        return (self.values - self.zeros.reshape(side).astype(np.float32)) * self.scales.reshape(side)


@dataclass(frozen=True, eq=False)
class Graph:
    """A LiteRT network."""

    operations: tuple[Operation, ...]  # in an order in which they can run
    constants: Mapping[int, np.ndarray]  # by tensor; quantized weights as floats
    quantized: Mapping[int, Quantized]  # of these constants, those that the file holds as 8-bit numbers
    shapes: Mapping[int, tuple[int, ...]]  # by tensor; -1 for a side that may change, where the file says so
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(content: bytes) -> Graph:
    """The network in the bytes of a LiteRT file. Raises ExportError for weights of an unknown kind."""
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    codes = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    operations = [
        Operation(codes[one.opcodeIndex], tuple(map(int, one.inputs)), tuple(map(int, one.outputs)), one.builtinOptions)
        for one in graph.operators
    ]
    shapes = {index: _shape(tensor) for index, tensor in enumerate(graph.tensors)}
    stored = dict(_constants(model))
    return Graph(
        tuple(operations),
        {index: one.as_floats() if isinstance(one, Quantized) else one for index, one in stored.items()},
        {index: one for index, one in stored.items() if isinstance(one, Quantized)},
        shapes,
        tuple(map(int, graph.inputs)),
        tuple(map(int, graph.outputs)),
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return () if signature is None else tuple(map(int, signature))


def _constants(model: Any) -> Iterator[tuple[int, np.ndarray | Quantized]]:
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        data = model.buffers[tensor.buffer].data
        if data is None:
            continue
        if tensor.type not in DTYPES:
            raise ExportError(f"The network has weights of LiteRT's type {tensor.type}, which cannot be converted.")
        shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
        values: np.ndarray = np.frombuffer(np.asarray(data, np.uint8).tobytes(), DTYPES[tensor.type]).reshape(shape)
        quantized = _quantized(values, tensor.quantization)
        yield index, values if quantized is None else quantized


def _quantized(values: np.ndarray, quantization: Any) -> Quantized | None:
    """The weights with their scales; None if they are not 8-bit numbers."""
    if values.dtype != np.int8 or quantization is None or quantization.scale is None:
        return None
    scales, zeros = np.asarray(quantization.scale, np.float32), np.asarray(quantization.zeroPoint).astype(np.int8)
    return Quantized(values, scales, zeros, int(quantization.quantizedDimension))
