"""Quantizes a user-trained classifier to 8-bit integers, for microcontrollers."""

from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, NEIGHBOURS, Head
from recognizer.classifiers.network import NETWORK
from recognizer.errors import ModelError, SamplesError
from recognizer.export.litert_graph import read_graph
from recognizer.export.to_keras import keras_model
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import NOTHING
from recognizer.samples.store import Samples
from recognizer.subjects.catalogue import subject_of
from recognizer.subjects.subject import Input
from recognizer.system.native import silent_stderr
from training.networks.tensorflow import import_tensorflow
from training.user_tasks.sample_inputs import SampleInputs, colour_inputs, hand_inputs, ink_inputs
from training.user_tasks.validation import split

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Quantized:
    """A network with 8-bit weights and activations, and what it costs."""

    network: bytes  # LiteRT; its one output are the probabilities, int8
    labels: tuple[str, ...]
    calibrated_on: int  # samples that set the ranges of the activations
    measured_on: int  # other samples, if there are enough
    accuracy_before: float  # 0 to 1: share whose most probable label is right, without rejection
    accuracy_after: float
    bytes_before: int  # of the same network with 32-bit numbers
    input: tuple[float, int]  # scale and zero point: an input is round(value / scale) + zero point
    output: tuple[float, int]  # the same: a probability is scale * (output - zero point)


def quantize(models: ModelStore, samples: Samples, task: str) -> Quantized:
    """Quantize the task's current model. Its samples are what it is calibrated on, and measured with.

    Raises SamplesError for a task without samples, and ModelError for a model that is no network.
    """
    folder = models.current(task)
    card = registry_card.read_checked_card(folder)
    found = _sample_inputs(samples, task, card)
    if not found.samples:
        raise SamplesError(
            f"The task {task} has no samples, and the ranges of 8-bit numbers are measured with some. Record some with c."
        )
    fitted, held_out = split(found.samples)
    held_out = held_out if len(held_out) else fitted
    model = _probability_model(folder, card)
    inputs = np.stack(found.inputs()).astype(np.float32).reshape(len(found.samples), *model.input_shape[1:])
    before, after = _as_litert(model, None), _as_litert(model, inputs[fitted])
    names = [*card.labels, NOTHING]
    classes = np.array([names.index(row.label) if row.label in names else -1 for row in found.samples])
    return Quantized(
        after,
        card.labels,
        len(fitted),
        len(held_out),
        _accuracy(before, inputs[held_out], classes[held_out]),
        _accuracy(after, inputs[held_out], classes[held_out]),
        len(before),
        *_ranges(after),
    )


def _sample_inputs(samples: Samples, task: str, card: registry_card.ModelCard) -> SampleInputs:
    """The inputs of the samples, as the model takes them."""
    rows = samples.read(task)
    if card.kind == "colour":
        assert card.input_side is not None, "checked when the model was published"
        return colour_inputs(rows, samples, card.input_side)
    subject = subject_of(card.subject)
    if subject.input is Input.INK:
        return ink_inputs(rows, samples, subject)
    if card.kind not in ("pose", "fused"):
        raise ModelError(f"The model of {task} takes {card.kind}, and samples hold no such input. Train it again.")
    return hand_inputs(rows, samples, with_appearance=card.kind == "fused")


def _probability_model(folder: Path, card: registry_card.ModelCard) -> "keras.Model":
    """The model as one Keras network, from its input to the probabilities."""
    import keras

    if (folder / NEIGHBOURS).exists():
        raise ModelError(f"{folder} compares with stored samples and has no network to quantize. Train another model.")
    head = Head.load(folder / HEAD) if (folder / HEAD).exists() else None
    if card.features == INPUT:
        assert head is not None, "checked when the model was opened"
        image = features = keras.Input((head.size,))
    else:
        network = keras_model(read_graph((folder / NETWORK).read_bytes()))
        outputs = sorted(network.outputs, key=lambda output: int(output.shape[-1]))
        if head is None:
            return keras.Model(network.inputs, outputs[0])
        image, features = network.inputs, outputs[-1]
    layer = keras.layers.Dense(head.classes, activation="softmax")
    model = keras.Model(image, layer(features))
    layer.set_weights([head.kernel, head.bias])
    return model


def _as_litert(model: "keras.Model", calibration: np.ndarray | None) -> bytes:
    """The model as the bytes of a LiteRT network: with 8-bit integers only, or in floats without `calibration` inputs."""
    tensorflow = import_tensorflow()
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _one_by_one(calibration)
        converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tensorflow.int8
    with silent_stderr(), redirect_stdout(StringIO()):
        return converter.convert()


def _one_by_one(inputs: np.ndarray) -> Iterator[Sequence[np.ndarray]]:
    for row in inputs:
        yield [row[None]]


def _ranges(network: bytes) -> list[tuple[float, int]]:
    """Scale and zero point of the input and of the output."""
    from ai_edge_litert.interpreter import Interpreter

    with silent_stderr():
        interpreter = Interpreter(model_content=network)
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    return [(float(scale), int(zero)) for scale, zero in (one["quantization"] for one in details)]


def _accuracy(network: bytes, inputs: np.ndarray, classes: np.ndarray) -> float:
    """The share of inputs whose most probable class is right."""
    from ai_edge_litert.interpreter import Interpreter

    with silent_stderr():
        interpreter = Interpreter(model_content=network)
        interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = taken["quantization"]
    right = 0
    for row, index in zip(inputs, classes, strict=True):
        values = np.clip(np.rint(row[None] / scale + zero), -128, 127) if scale else row[None]
        interpreter.set_tensor(taken["index"], values.astype(taken["dtype"]))
        interpreter.invoke()
        right += int(interpreter.get_tensor(given["index"])[0].argmax() == index)
    return right / len(inputs)
