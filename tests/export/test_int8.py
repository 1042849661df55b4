"""`recognizer export --to litert --int8`: an 8-bit network for microcontrollers."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from recognizer.cli import main
from recognizer.commands import export as export_command
from recognizer.errors import ExportError, ModelError, SamplesError
from recognizer.export.int8 import add_int8, c_header, cost
from recognizer.export.program.litert import LiteRtNetwork
from recognizer.export.program.onnx import OnnxNetwork
from recognizer.export.to_keras import to_keras
from recognizer.export.to_onnx import to_onnx
from recognizer.registry.card import ModelCard, write_card
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from tests.export.own_models import publish_linear
from tests.helpers.signs import record
from training.__main__ import main as train
from training.networks.tensorflow import import_tensorflow
from training.publishing import int8


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelStore, Samples]:
    """A trained task "signs" with its samples."""
    folder = tmp_path_factory.mktemp("own")
    record(folder / "captures", {"fist": 6, "five": 6})
    train(["learn", "signs", "--models", str(folder / "models"), "--samples", str(folder / "captures")])
    return ModelStore(folder / "models"), Samples(folder / "captures")


def test_the_network_is_added_with_what_it_costs(
    stores: tuple[ModelStore, Samples],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def in_this_process(package: str, words: list[str]) -> int:
        assert package == "training"
        train(words)
        return 0

    monkeypatch.setattr(export_command, "run_module", in_this_process)
    monkeypatch.setattr(export_command, "COUNT", 1)
    folders = ["--models", str(stores[0].folder), "--samples", str(stores[1].folder)]
    words = ["export", "signs", "--to", "litert", "--int8", "--golden", "samples", *folders]
    assert main([*words, "--out", str(tmp_path / "signs")]) == 0
    assert re.search(
        r"8 bits: 100\.0% of \d+ samples .*, 100\.0% with 32 bits; \d+ kB instead of \d+ kB", capsys.readouterr().out
    )
    folder = tmp_path / "signs" / "int8"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["bytes_after"] == (folder / "classifier.tflite").stat().st_size < report["bytes_before"]
    assert "int8/classifier.h" in json.loads((tmp_path / "signs" / "model.json").read_text(encoding="utf-8"))["files"]
    interpreter = Interpreter(str(folder / "classifier.tflite"))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (taken["dtype"], given["dtype"]) == (np.int8, np.int8)
    assert [taken["quantization"], given["quantization"]] == [tuple(report["input"]), tuple(report["output"])]
    assert given["shape"].tolist() == [1, 3]


def test_only_litert_has_8_bit_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "rps", "--to", "onnx", "--int8", "--out", "none"]) == 2
    assert "Give --to litert with --int8." in capsys.readouterr().err


def test_it_needs_samples_and_a_network(stores: tuple[ModelStore, Samples], tmp_path: Path) -> None:
    empty = Samples(tmp_path / "captures")
    empty.create_task("signs", "hand", ["fist", "five"])
    with pytest.raises(SamplesError, match="The task signs has no samples"):
        int8.quantize(stores[0], empty, "signs")
    models = ModelStore(tmp_path / "models")
    publish_linear(models, "mypixels", hand=True)
    with models.publishing("mypixels") as draft:
        write_card(ModelCard(labels=("one",), subject="hand", kind="pixels"), draft)
    empty.create_task("mypixels", "hand", ["one"])
    with pytest.raises(ModelError, match="takes pixels, and samples hold no such input"):
        int8.quantize(models, empty, "mypixels")
    with pytest.raises(ExportError, match="was not written"):
        add_int8(tmp_path / "none", tmp_path, "signs")


def test_the_header_has_names_of_c() -> None:
    header = c_header("4 größen", bytes(range(20)), ["a b", "é"], cost_line())
    assert 'model_4_gr__en_labels[] = {"a\\040b", "\\303\\251"};' in header
    assert "model_4_gr__en_length = 20;" in header
    assert "  0x00, 0x01" in header
    assert header.count("0x") == 20


def cost_line() -> str:
    return cost(
        {"accuracy_after": 0.5, "accuracy_before": 1.0, "measured_on": 2, "bytes_after": 3e3, "bytes_before": 9e3}
    )


def test_weights_of_8_bits_stay_small_in_onnx(tmp_path: Path) -> None:
    """Such as those of VGG16. What a layer takes is rounded as LiteRT does, by its own range in each picture."""
    import keras

    tensorflow = import_tensorflow()
    layers = [keras.layers.Conv2D(32, 3), keras.layers.Flatten(), keras.layers.Dense(8)]
    model = keras.Sequential([keras.Input((6, 6, 16)), *layers])
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    content = converter.convert()
    (tmp_path / "network.tflite").write_bytes(content)
    (tmp_path / "network.onnx").write_bytes(to_onnx(content))
    assert (tmp_path / "network.onnx").stat().st_size < 4 * model.count_params() / 2
    image = np.random.default_rng(0).normal(size=(2, 6, 6, 16)).astype(np.float32)
    (by_onnx,) = OnnxNetwork(tmp_path / "network.onnx").run(image)
    (by_litert,) = LiteRtNetwork(tmp_path / "network.tflite").run(image)
    assert np.abs(by_litert).max() > 0.1
    with pytest.raises(ExportError, match="8-bit weights, with which Keras computes something else"):
        to_keras(content)
    assert by_onnx == pytest.approx(by_litert, abs=1e-3)
