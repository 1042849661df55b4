"""The runtimes that a model can be exported for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recognizer.export import web

Convert = Callable[[str, bytes, Path], tuple[str, bytes]]  # name, LiteRT bytes, version's folder: suffix, file's bytes
WriteProgram = Callable[[Path, Mapping[str, Any]], None]  # the export's folder, the content of model.json


@dataclass(frozen=True)
class Target:
    """A runtime, and how an export for it is written."""

    name: str
    description: str  # in the command's help
    runtime: str  # the package that runs the networks, with its version
    packages: tuple[str, ...]  # that must be importable to write the export
    install: str  # what pip installs to write the export
    convert: Convert
    write_program: WriteProgram  # adds predict.py, check.py and README.md, or the web page


def _as_it_is(name: str, content: bytes, version: Path) -> tuple[str, bytes]:
    return ".tflite", content


def _nothing(folder: Path, content: Mapping[str, Any]) -> None:
    """No program is added."""


TARGETS: dict[str, Target] = {
    "litert": Target(
        "litert", "LiteRT networks", "ai-edge-litert", ("ai_edge_litert",), "ai-edge-litert", _as_it_is, _nothing
    ),
    "web": Target(
        "web",
        "a web page that recognizes in the browser",
        "LiteRT.js",
        ("ai_edge_litert",),
        "ai-edge-litert",
        web.convert,
        web.write_program,
    ),
}
