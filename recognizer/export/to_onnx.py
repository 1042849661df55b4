"""Converts LiteRT networks to ONNX, operation by operation.

tf2onnx does the same, but it needs TensorFlow, and its package brings a folder `examples` that hides this project's.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import ExportError
from recognizer.export.litert_graph import SAME, Graph, Operation, read_graph

if TYPE_CHECKING:
    import onnx

OPSET = 18  # the first with axes of Resize; ONNX Runtime reads it since 1.14
IR_VERSION = 8  # of that opset
LAST, FIRST = [0, 3, 1, 2], [0, 2, 3, 1]  # to channels first, and back to channels last
UNARY = {"EXP": "Exp", "LOG": "Log", "LOGISTIC": "Sigmoid", "RELU": "Relu", "TANH": "Tanh", "SHAPE": "Shape"}
BINARY = {
    "ADD": "Add",
    "SUB": "Sub",
    "MUL": "Mul",
    "DIV": "Div",
    "FLOOR_MOD": "Mod",
    "MAXIMUM": "Max",
    "MINIMUM": "Min",
}
REDUCING = {"MEAN": "ReduceMean", "REDUCE_MAX": "ReduceMax", "SUM": "ReduceSum"}
POOLING = {"MAX_POOL_2D": "MaxPool", "AVERAGE_POOL_2D": "AveragePool"}


def to_onnx(content: bytes) -> bytes:
    """The ONNX file of a network in the bytes of a LiteRT file. Raises ExportError for an operation that is not known here."""
    return onnx_model(read_graph(content)).SerializeToString()


def onnx_model(graph: Graph) -> "onnx.ModelProto":
    """The ONNX model of a network. Raises ExportError for an operation that is not known here."""
    return _Converter(graph).model()


class _Converter:
    """Builds the ONNX graph. Tensors have channels last, as in LiteRT, except around a convolution."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, np.ndarray] = {}
        self._names = {index: f"tensor_{index}" for index in graph.shapes}
        self._names |= {index: f"output_{number}" for number, index in enumerate(graph.outputs)}
        self._names[graph.inputs[0]] = "input"
        self._blocks: dict[int, np.ndarray] = {}  # dilation of tensors between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND
        self._convert: dict[str, Callable[[Operation], str]] = {
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "FULLY_CONNECTED": self._dense,
            "SOFTMAX": lambda one: self._node("Softmax", [self._in(one, 0)], axis=-1),
            "CONCATENATION": self._concatenation,
            "STRIDED_SLICE": self._strided_slice,
            "PACK": self._pack,
            "EXPAND_DIMS": lambda one: self._node("Unsqueeze", [self._in(one, 0), self._vector(one, 1)]),
            "SQUEEZE": lambda one: self._node("Squeeze", [self._in(one, 0), self._constant(one.options.squeezeDims)]),
            "TILE": lambda one: self._node("Tile", [self._in(one, 0), self._in(one, 1)]),
            "RESHAPE": lambda one: self._node("Reshape", [self._in(one, 0), self._new_shape(one)]),
            "PAD": lambda one: self._pad(self._in(one, 0), self._in(one, 1)),
            "PRELU": lambda one: self._node("PRelu", [self._in(one, 0), self._in(one, 1)]),
            "RELU6": lambda one: self._activated(self._in(one, 0), "RELU6"),
            "DEQUANTIZE": lambda one: self._node("Cast", [self._in(one, 0)], to=1),  # 1 is float32
            "RESIZE_BILINEAR": self._resize,
            "SPACE_TO_BATCH_ND": self._space_to_batch,
            "BATCH_TO_SPACE_ND": self._batch_to_space,
            **dict.fromkeys(UNARY, lambda one: self._node(UNARY[one.name], [self._in(one, 0)])),
            **dict.fromkeys(BINARY, lambda one: self._node(BINARY[one.name], [self._in(one, 0), self._in(one, 1)])),
            **dict.fromkeys(REDUCING, self._reduce),
            **dict.fromkeys(POOLING, self._pool),
        }

    def model(self) -> "onnx.ModelProto":
        from onnx import TensorProto, helper, numpy_helper

        for one in self._graph.operations:
            self._add(one)
        input_shape = self._graph.shapes[self._graph.inputs[0]]
        shown = [side if side > 0 else f"side_{axis}" for axis, side in enumerate(input_shape)]
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shown)],
            [
                helper.make_tensor_value_info(
                    self._names[each], TensorProto.FLOAT, [None] * len(self._graph.shapes[each])
                )
                for each in self._graph.outputs
            ],
            [numpy_helper.from_array(values, name) for name, values in self._constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _add(self, one: Operation) -> None:
        """Add the ONNX nodes of one operation."""
        between = [index for index in one.inputs if index in self._blocks]
        if one.name not in self._convert or (between and one.name not in ("DEPTHWISE_CONV_2D", "BATCH_TO_SPACE_ND")):
            raise ExportError(
                f"The network has the operation {one.name}, which has no ONNX form here. Export to litert."
            )
        result = self._convert[one.name](one)
        activation = one.activation if hasattr(one.options, "fusedActivationFunction") else "NONE"
        self._node("Identity", [self._activated(result, activation)], name=self._names[one.outputs[0]])

    def _activated(self, name: str, activation: str) -> str:
        if activation == "RELU6":
            return self._node("Clip", [name, self._constant(np.float32(0)), self._constant(np.float32(6))])
        if activation == "NONE":
            return name
        if activation not in UNARY:
            raise ExportError(f"The network has the activation {activation}, which has no ONNX form here.")
        return self._node(UNARY[activation], [name])

    def _node(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = name or f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _in(self, one: Operation, place: int) -> str:
        """The name of an input. Integers are 64 bits wide in ONNX: it computes shapes with them."""
        index = one.inputs[place]
        if index in self._graph.quantized:
            return self._dequantized(index, [*range(self._graph.constants[index].ndim)])
        if index in self._graph.constants and self._names[index] not in self._constants:
            values = self._graph.constants[index]
            self._constants[self._names[index]] = values.astype(np.int64) if values.dtype == np.int32 else values
        return self._names[index]

    def _constant(self, values: object) -> str:
        name = f"constant_{len(self._constants)}"
        array = np.asarray(values)
        self._constants[name] = array.astype(np.int64) if array.dtype.kind == "i" else array
        return name

    def _vector(self, one: Operation, place: int) -> str:
        """A constant input as a vector."""
        return self._constant(self._graph.constants[one.inputs[place]].reshape(-1))

    def _first(self, name: str) -> str:
        return self._node("Transpose", [name], perm=LAST)

    def _last(self, name: str) -> str:
        return self._node("Transpose", [name], perm=FIRST)

    def _conv(self, one: Operation) -> str:
        return self._convolution(one, [0, 3, 1, 2], 1)

    def _depthwise(self, one: Operation) -> str:
        return self._convolution(one, [3, 0, 1, 2], self._graph.shapes[one.inputs[1]][3] // one.options.depthMultiplier)

    def _convolution(self, one: Operation, order: list[int], groups: int) -> str:
        """A convolution; `order` are the axes of LiteRT's weights in the order of ONNX."""
        weights = self._weights(one, order)
        inputs = [self._first(self._rounded(one)), weights]
        if len(one.inputs) > 2 and one.inputs[2] >= 0:
            inputs.append(self._in(one, 2))
        options = one.options
        dilation = [options.dilationHFactor, options.dilationWFactor]
        if one.inputs[0] in self._blocks:
            dilation = self._blocks[one.inputs[0]].tolist()
            self._blocks[one.outputs[0]] = self._blocks[one.inputs[0]]
        return self._last(
            self._node(
                "Conv",
                inputs,
                auto_pad="SAME_UPPER" if options.padding == SAME else "VALID",
                strides=[options.strideH, options.strideW],
                dilations=dilation,
                group=groups,
            )
        )

    def _weights(self, one: Operation, order: list[int]) -> str:
        """The weights with their axes in another order. They may be computed from 16-bit ones."""
        if one.inputs[1] in self._graph.quantized:
            return self._dequantized(one.inputs[1], order)
        values = self._graph.constants.get(one.inputs[1])
        if values is not None:
            return self._constant(np.ascontiguousarray(values.transpose(order)))
        return self._node("Transpose", [self._in(one, 1)], perm=order)

    def _dequantized(self, index: int, order: list[int]) -> str:
        """Weights that the file holds as 8-bit numbers, with their axes in another order. They stay small in ONNX."""
        stored = self._graph.quantized[index]
        names = []
        for part in (np.ascontiguousarray(stored.values.transpose(order)), stored.scales, stored.zeros):
            names.append(f"constant_{len(self._constants)}")
            self._constants[names[-1]] = part
        return self._node("DequantizeLinear", names, axis=order.index(stored.axis))

    def _rounded(self, one: Operation) -> str:
        """The first input. Where the weights are 8-bit numbers, LiteRT rounds it to 8 bits, too.

        The steps are those of XNNPACK, with which LiteRT computes (xnn_f32_qd8_asymmetric_quantization_params): ONNX's own
        DynamicQuantizeLinear divides by the scale where XNNPACK multiplies, which rounds some numbers to others.
        """
        values = self._in(one, 0)
        if one.inputs[1] not in self._graph.quantized:
            return values
        zero, least, most = (self._constant(np.float32(number)) for number in (0, -128, 127))
        axes = self._constant([*range(1, len(self._graph.shapes[one.inputs[0]]))])
        low = self._node("Min", [self._node("ReduceMin", [values, axes], keepdims=1), zero])
        high = self._node("Max", [self._node("ReduceMax", [values, axes], keepdims=1), zero])
        steps = self._node("Div", [self._constant(np.float32(255)), self._node("Sub", [high, low])])
        offset = self._node("Round", [self._node("Sub", [least, self._node("Mul", [low, steps])])])
        shifted = self._node("Add", [self._node("Round", [self._node("Mul", [values, steps])]), offset])
        rounded = self._node("Sub", [self._node("Clip", [shifted, least, most]), offset])
        return self._node("Mul", [rounded, self._node("Div", [self._constant(np.float32(1)), steps])])

    def _dense(self, one: Operation) -> str:
        values = self._rounded(one)
        columns = self._graph.shapes[one.inputs[1]][1]
        if len(self._graph.shapes[one.inputs[0]]) != 2:
            if one.options.keepNumDims:
                raise ExportError("The network has a dense layer over several axes, which has no ONNX form here.")
            values = self._node("Reshape", [values, self._constant([-1, columns])])
        inputs = [values, self._in(one, 1)]
        if len(one.inputs) > 2 and one.inputs[2] >= 0:
            inputs.append(self._in(one, 2))
        return self._node("Gemm", inputs, transB=1)

    def _pool(self, one: Operation) -> str:
        options = one.options
        pooled = self._node(
            POOLING[one.name],
            [self._first(self._in(one, 0))],
            auto_pad="SAME_UPPER" if options.padding == SAME else "VALID",
            strides=[options.strideH, options.strideW],
            kernel_shape=[options.filterHeight, options.filterWidth],
        )
        return self._last(pooled)

    def _reduce(self, one: Operation) -> str:
        inputs = [self._in(one, 0), self._vector(one, 1)]
        return self._node(REDUCING[one.name], inputs, keepdims=int(one.options.keepDims))

    def _concatenation(self, one: Operation) -> str:
        inputs = [self._in(one, place) for place in range(len(one.inputs))]
        return self._node("Concat", inputs, axis=one.options.axis)

    def _pack(self, one: Operation) -> str:
        axis = self._constant([one.options.axis])
        rows = [self._node("Unsqueeze", [self._in(one, place), axis]) for place in range(len(one.inputs))]
        return self._node("Concat", rows, axis=one.options.axis)

    def _strided_slice(self, one: Operation) -> str:
        begin, end, step = (self._graph.constants[index].astype(np.int64) for index in one.inputs[1:])
        options = one.options
        if options.ellipsisMask or options.newAxisMask or (step < 0).any():
            raise ExportError("The network has a slice that has no ONNX form here. Export to litert.")
        axes = np.arange(len(begin))
        shrunk = (options.shrinkAxisMask >> axes) & 1 == 1
        begin = np.where((options.beginMask >> axes) & 1, 0, begin)
        end = np.where((options.endMask >> axes) & 1, np.iinfo(np.int64).max, end)
        end = np.where(shrunk, begin + 1, end)
        part = self._node("Slice", [self._in(one, 0), *map(self._constant, (begin, end, axes, step))])
        return self._node("Squeeze", [part, self._constant(axes[shrunk])]) if shrunk.any() else part

    def _new_shape(self, one: Operation) -> str:
        return self._in(one, 1) if len(one.inputs) > 1 else self._constant(one.options.newShape)

    def _pad(self, values: str, sides: str) -> str:
        """Zeros around: `sides` (axes, 2) are their numbers before and after."""
        begins_then_ends = self._node("Reshape", [self._node("Transpose", [sides], perm=[1, 0]), self._constant([-1])])
        return self._node("Pad", [values, begins_then_ends])

    def _resize(self, one: Operation) -> str:
        options = one.options
        centers = "half_pixel" if options.halfPixelCenters else "asymmetric"
        size = [*self._graph.constants[one.inputs[1]]]
        resized = self._node(
            "Resize",
            [self._first(self._in(one, 0)), "", "", self._constant(size)],
            mode="linear",
            axes=[2, 3],
            coordinate_transformation_mode="align_corners" if options.alignCorners else centers,
        )
        return self._last(resized)

    def _space_to_batch(self, one: Operation) -> str:
        """Only the padding: what LiteRT computes on blocks of pixels is a convolution with holes."""
        self._blocks[one.outputs[0]] = self._graph.constants[one.inputs[1]]
        none = self._constant([[0, 0]])  # Pad could leave these axes out, but ONNX Runtime 1.32 then takes others
        return self._pad(self._in(one, 0), self._node("Concat", [none, self._in(one, 2), none], axis=0))

    def _batch_to_space(self, one: Operation) -> str:
        """Only the cropping."""
        values, crops = self._in(one, 0), self._in(one, 2)
        size = self._node("Shape", [values], start=1, end=3)
        first, second = (
            self._node(
                "Squeeze",
                [self._node("Slice", [crops, *map(self._constant, ([at], [at + 1], [1]))]), self._constant([1])],
            )
            for at in (0, 1)
        )
        end = self._node("Sub", [size, second])
        return self._node("Slice", [values, first, end, self._constant([1, 2])])
