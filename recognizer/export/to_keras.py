"""Builds a Keras model from a LiteRT classifier, layer by layer: a version that a user trained has no Keras file."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.errors import ExportError
from recognizer.export.litert_graph import SAME, Graph, Operation, read_graph

if TYPE_CHECKING:
    import keras

FILE = "network.keras"


def to_keras(content: bytes) -> bytes:
    """The Keras file of a network in the bytes of a LiteRT file, with its outputs in the same order.

    Raises ExportError for an operation that is not known here, and for 8-bit weights.
    """
    graph = read_graph(content)
    if graph.quantized:
        raise ExportError("The network has 8-bit weights, with which Keras computes something else. Export to litert.")
    model = keras_model(graph)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / FILE)
        return (Path(folder) / FILE).read_bytes()


def keras_model(graph: Graph) -> "keras.Model":
    """The Keras model of a network. Raises ExportError for an operation that is not known here."""
    return _Builder(graph).model()


class _Builder:
    def __init__(self, graph: Graph):
        from keras import layers

        self._graph, self._layers = graph, layers
        self._values: dict[int, Any] = {}  # Keras tensors
        self._weights: list[tuple[Any, list[np.ndarray]]] = []  # of each layer that has some
        self._build: dict[str, Callable[[Operation], Any]] = {
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "FULLY_CONNECTED": self._dense,
            "MAX_POOL_2D": self._max_pool,
            "MEAN": self._mean,
            "SOFTMAX": lambda one: layers.Softmax()(self._in(one, 0)),
            "ADD": self._add,
            "SUB": self._subtract,
            "MUL": self._multiply,
            "PAD": self._pad,
            "STRIDED_SLICE": self._slice,
            "CONCATENATION": lambda one: layers.Concatenate(axis=one.options.axis)(
                [self._values[index] for index in one.inputs]
            ),
            "RELU6": lambda one: layers.ReLU(6.0)(self._in(one, 0)),
        }

    def model(self) -> "keras.Model":
        from keras import Input, Model

        (index,) = self._graph.inputs
        sides = self._graph.shapes[index][1:]
        image = Input(tuple(side if side > 0 else None for side in sides), name="input")
        self._values[index] = image
        for one in self._graph.operations:
            if one.name not in self._build:
                raise _unknown(one)
            self._values[one.outputs[0]] = self._activated(self._build[one.name](one), one)
        model = Model(image, [self._values[each] for each in self._graph.outputs])
        for layer, weights in self._weights:
            layer.set_weights(weights)
        return model

    def _in(self, one: Operation, place: int) -> Any:
        return self._values[one.inputs[place]]

    def _constant(self, one: Operation, place: int) -> np.ndarray:
        """A constant input. Raises ExportError if it is computed."""
        try:
            return self._graph.constants[one.inputs[place]]
        except KeyError as error:
            raise _unknown(one) from error

    def _activated(self, value: Any, one: Operation) -> Any:
        activation = one.activation if hasattr(one.options, "fusedActivationFunction") else "NONE"
        if activation == "NONE":
            return value
        if activation not in ("RELU", "RELU6"):
            raise _unknown(one)
        return self._layers.ReLU(6.0 if activation == "RELU6" else None)(value)

    def _with_weights(self, layer: Any, one: Operation, order: tuple[int, ...]) -> Any:
        """The layer's output; its weights are LiteRT's with their axes in another order, and the bias."""
        weights = [self._constant(one, 1).transpose(order)]
        if layer.use_bias:
            weights.append(self._constant(one, 2))
        self._weights.append((layer, weights))
        return layer(self._in(one, 0))

    def _conv(self, one: Operation) -> Any:
        kernel, options = self._constant(one, 1), one.options
        layer = self._layers.Conv2D(
            kernel.shape[0],
            kernel.shape[1:3],
            **_moving(options),
            dilation_rate=_dilation(options),
            use_bias=_has_bias(one),
        )
        return self._with_weights(layer, one, (1, 2, 3, 0))

    def _depthwise(self, one: Operation) -> Any:
        kernel, options = self._constant(one, 1), one.options
        if options.depthMultiplier != 1:
            raise _unknown(one)
        layer = self._layers.DepthwiseConv2D(
            kernel.shape[1:3], **_moving(options), dilation_rate=_dilation(options), use_bias=_has_bias(one)
        )
        return self._with_weights(layer, one, (1, 2, 3, 0))

    def _dense(self, one: Operation) -> Any:
        layer = self._layers.Dense(self._constant(one, 1).shape[0], use_bias=_has_bias(one))
        return self._with_weights(layer, one, (1, 0))

    def _max_pool(self, one: Operation) -> Any:
        options = one.options
        return self._layers.MaxPooling2D((options.filterHeight, options.filterWidth), **_moving(options))(
            self._in(one, 0)
        )

    def _mean(self, one: Operation) -> Any:
        if sorted(self._constant(one, 1).reshape(-1).tolist()) != [1, 2]:
            raise _unknown(one)
        return self._layers.GlobalAveragePooling2D(keepdims=bool(one.options.keepDims))(self._in(one, 0))

    def _add(self, one: Operation) -> Any:
        if one.inputs[1] in self._values:
            return self._layers.Add()([self._in(one, 0), self._in(one, 1)])
        return self._layers.Rescaling(1.0, self._constant(one, 1).reshape(-1).tolist())(self._in(one, 0))

    def _subtract(self, one: Operation) -> Any:
        return self._layers.Rescaling(1.0, (-self._constant(one, 1)).reshape(-1).tolist())(self._in(one, 0))

    def _multiply(self, one: Operation) -> Any:
        return self._layers.Rescaling(self._constant(one, 1).reshape(-1).tolist())(self._in(one, 0))

    def _pad(self, one: Operation) -> Any:
        sides = self._constant(one, 1).tolist()
        if sides[0] != [0, 0] or sides[3] != [0, 0]:
            raise _unknown(one)
        return self._layers.ZeroPadding2D((tuple(sides[1]), tuple(sides[2])))(self._in(one, 0))

    def _slice(self, one: Operation) -> Any:
        """Some of the last axis; the others are whole."""
        begin, end, step = (self._constant(one, place).reshape(-1).tolist() for place in (1, 2, 3))
        options, last = one.options, len(begin) - 1
        whole = (1 << last) - 1  # the bits of all axes but the last
        if options.beginMask & whole != whole or options.endMask & whole != whole or step[last] != 1:
            raise _unknown(one)
        start = None if options.beginMask >> last & 1 else begin[last]
        stop = None if options.endMask >> last & 1 else end[last]
        return self._in(one, 0)[..., start:stop]


def _unknown(one: Operation) -> ExportError:
    return ExportError(f"The network has the operation {one.name}, which has no Keras layer here. Export to litert.")


def _has_bias(one: Operation) -> bool:
    return len(one.inputs) > 2 and one.inputs[2] >= 0


def _moving(options: Any) -> dict[str, Any]:
    """Strides and padding of a convolution or pooling."""
    return {"strides": (options.strideH, options.strideW), "padding": "same" if options.padding == SAME else "valid"}


def _dilation(options: Any) -> tuple[int, int]:
    return options.dilationHFactor, options.dilationWFactor
