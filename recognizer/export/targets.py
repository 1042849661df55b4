"""The runtimes that a model can be exported for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recognizer.export import web
from recognizer.export.bundle import Definition
from recognizer.export.contents import CLASSIFIER
from recognizer.export.program_text import PROGRAM, check_py, predict_py, readme
from recognizer.export.to_keras import to_keras
from recognizer.export.to_onnx import to_onnx
from recognizer.system import files

Convert = Callable[[str, bytes, Path], tuple[str, bytes]]  # name, LiteRT bytes, version's folder: suffix, file's bytes
WriteProgram = Callable[[Path, Mapping[str, Any]], None]  # the export's folder, the content of model.json


@dataclass(frozen=True)
class Target:
    """A runtime, and how an export for it is written."""

    name: str
    description: str  # in the command's help
    runtime: str  # the packages that a receiver installs
    packages: tuple[str, ...]  # that must be importable to write the export
    install: str  # what pip installs to write the export
    convert: Convert
    write_program: WriteProgram  # adds predict.py, check.py and README.md, or the web page


def _as_it_is(name: str, content: bytes, version: Path) -> tuple[str, bytes]:
    return ".tflite", content


def _python_program(runtime: Definition) -> WriteProgram:
    """Writes predict.py, check.py and README.md for a class that runs networks."""

    def write(folder: Path, model: Mapping[str, Any]) -> None:
        texts = {"predict.py": predict_py(model, runtime), "check.py": check_py(model), "README.md": readme(model)}
        for name, text in texts.items():
            files.write_file(folder / name, text.encode(), sync=False)

    return write


def _onnx(name: str, content: bytes, version: Path) -> tuple[str, bytes]:
    return ".onnx", to_onnx(content)


def _keras(name: str, content: bytes, version: Path) -> tuple[str, bytes]:
    """Only the classifier: the networks that find something are used as they are."""
    return (".keras", to_keras(content)) if name == CLASSIFIER else (".tflite", content)


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "litert",
            "LiteRT networks and a Python program that runs them",
            "ai-edge-litert",
            ("ai_edge_litert",),
            "ai-edge-litert",
            _as_it_is,
            _python_program(Definition(f"{PROGRAM}.litert", "LiteRtNetwork")),
        ),
        Target(
            "onnx",
            "the same for ONNX Runtime",
            "onnxruntime",
            ("onnx",),
            "onnx",
            _onnx,
            _python_program(Definition(f"{PROGRAM}.onnx", "OnnxNetwork")),
        ),
        Target(
            "keras",
            "the same with the classifier as a Keras model; the other networks stay LiteRT networks",
            "keras tensorflow ai-edge-litert",
            ("keras", "tensorflow"),
            "keras tensorflow",
            _keras,
            _python_program(Definition(f"{PROGRAM}.keras", "KerasNetwork")),
        ),
        Target(
            "web",
            "a web page that recognizes in the browser, offline once it was opened",
            "a web browser",
            ("ai_edge_litert",),
            "ai-edge-litert",
            web.convert,
            web.write_program,
        ),
    )
}
