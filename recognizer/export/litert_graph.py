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
class Graph:
    """A LiteRT network."""

    operations: tuple[Operation, ...]  # in an order in which they can run
    constants: Mapping[int, np.ndarray]  # by tensor; quantized weights as floats
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
    return Graph(
        tuple(operations),
        dict(_constants(model)),
        shapes,
        tuple(map(int, graph.inputs)),
        tuple(map(int, graph.outputs)),
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return () if signature is None else tuple(map(int, signature))


def _constants(model: Any) -> Iterator[tuple[int, np.ndarray]]:
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        data = model.buffers[tensor.buffer].data
        if data is None:
            continue
        if tensor.type not in DTYPES:
            raise ExportError(f"The network has weights of LiteRT's type {tensor.type}, which cannot be converted.")
        shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
        values: np.ndarray = np.frombuffer(np.asarray(data, np.uint8).tobytes(), DTYPES[tensor.type]).reshape(shape)
        yield index, _dequantized(values, tensor.quantization)


def _dequantized(values: np.ndarray, quantization: Any) -> np.ndarray:
    """The weights as floats, if they are 8-bit numbers with a scale for each channel."""
    if values.dtype != np.int8 or quantization is None or quantization.scale is None:
        return values
    side = [1] * values.ndim
    side[quantization.quantizedDimension] = -1
    zero = np.asarray(quantization.zeroPoint, np.float32).reshape(side)
    return (values - zero) * np.asarray(quantization.scale, np.float32).reshape(side)
