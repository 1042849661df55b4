"""The export as a web page: one folder that any web server can serve, and that recognizes in the browser.

The networks run on LiteRT.js, since it computes what LiteRT computes here. MediaPipe's hand networks run on it too, not on
MediaPipe's own package for browsers, which hides the activations that a model of appearance features takes.
"""

import hashlib
import inspect
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from recognizer import smoothing, values
from recognizer.classifiers import classifier
from recognizer.classifiers import hands as hand_classifier
from recognizer.errors import AssetError
from recognizer.export import manifest
from recognizer.export.golden import GOLDEN
from recognizer.export.program_text import title
from recognizer.finders import (
    characters,
    contrast,
    guide_box,
    hand_detector,
    hand_networks,
    hands,
    ink,
    verifier,
    writing,
)
from recognizer.preprocess import appearance, pictures, pose, sharpness
from recognizer.registry.assets import LITERT_JS, LITERT_JS_UTILS, fetch_asset
from recognizer.subjects import hands as hand_subject
from recognizer.subjects import paper
from recognizer.system import files

OWN = Path(__file__).resolve().parent / "page"
SERVED = Path(__file__).resolve().parent.parent / "serve" / "page"
SHARED = (
    "camera.js",
    "dom.js",
    "draw.js",
    "icon.svg",
    "live.js",
    "seen.js",
    "speak.js",
    "style.css",
    "tabs.js",
)  # of SERVED
RUNTIME = "vendor/litert/wasm"  # a browser loads one of its builds
RUNTIMES = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")
VENDORED = {  # an asset: for each path in the export, the path in the package
    LITERT_JS: {
        "vendor/litert/index.js": "package/dist/index.js",
        **{f"{RUNTIME}/{name}.{end}": f"package/wasm/{name}.{end}" for name in RUNTIMES for end in ("js", "wasm")},
    },
    LITERT_JS_UTILS: {"vendor/wasm-utils/index.js": "package/dist/index.js"},
}
CONSTANTS: dict[str, ModuleType] = {  # by their name in the page: modules whose constants it uses
    "appearance": appearance,
    "characters": characters,
    "contrast": contrast,
    "guideBox": guide_box,
    "handClassifier": hand_classifier,
    "handDetector": hand_detector,
    "handNetworks": hand_networks,
    "handSubject": hand_subject,
    "hands": hands,
    "ink": ink,
    "paper": paper,
    "pictures": pictures,
    "pose": pose,
    "sharpness": sharpness,
    "smoothing": smoothing,
    "values": values,
    "verifier": verifier,
    "writing": writing,
}
SERVICE_WORKER = "sw.js"


def convert(name: str, content: bytes, version: Path) -> tuple[str, bytes]:
    """A network as LiteRT.js runs it: with a fixed input shape, a batch of one. Proposals are made on a square canvas."""
    shape = (1, *characters.canvas_shape((characters.WORK_SIDES[0],) * 2)) if name == "characters" else None
    return ".tflite", with_fixed_shapes(content, shape)


def with_fixed_shapes(content: bytes, input_shape: tuple[int, ...] | None = None) -> bytes:
    """The bytes of a network whose tensors have the shapes that follow from `input_shape`; None is a batch of one.

    Only the shapes are edited, since each keeps its number of sides.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    (details,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(details["index"], input_shape or details["shape"])
    interpreter.allocate_tensors()
    interpreter.invoke()  # a size that the network itself computes is known only then
    shape_of = {int(tensor["index"]): tensor["shape"] for tensor in interpreter.get_tensor_details()}
    edited = bytearray(content)
    graph = schema.Model.GetRootAs(edited, 0).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        if tensor.ShapeLength() == len(shape_of[index]) > 0:
            tensor.ShapeAsNumpy()[:] = shape_of[index]
            if tensor.ShapeSignatureLength():
                tensor.ShapeSignatureAsNumpy()[:] = shape_of[index]
    return bytes(edited)


def write_program(folder: Path, content: Mapping[str, Any]) -> None:
    """Add the page, the runtime and the service worker. Raises AssetError if the runtime cannot be fetched."""
    for path in (*OWN.iterdir(), *(SERVED / name for name in SHARED)):
        shutil.copyfile(path, folder / path.name)
    files.write_file(folder / "constants.js", constants_js().encode(), sync=False)
    files.write_file(folder / "README.md", _readme(content).encode(), sync=False)
    _write_vendored(folder)
    _write_service_worker(folder)


def _readme(model: Mapping[str, Any]) -> str:
    return f"""# {title(model)}

    python -m http.server

- Open http://localhost:8000 in a browser, or copy this folder to any web server with https, such as GitHub Pages.
- The camera's picture is recognized in the browser and never leaves the device. Once opened, the page works offline.
- `index.html?check` answers to the {model["golden"]["count"]} pictures in `golden/` and compares the answers.
- `model.json` names the files, labels, thresholds, training data and licences.
- `vendor/` is LiteRT.js: Google, Apache License 2.0.
- An input that is unlike all that the model was trained on gets no label. It may still be wrong: test it where you use it.
"""


def constants_js() -> str:
    """The numbers of CONSTANTS as a JavaScript module, so that the page has them from the same place."""
    groups = {name: _constants_of(module) for name, module in CONSTANTS.items()}
    groups["values"] |= {"TOP": classifier.TOP}
    groups["smoothing"] |= {
        name.upper(): one.default for name, one in inspect.signature(smoothing.Smoother).parameters.items()
    }
    lines = [f"export const {name} = {json.dumps(group, ensure_ascii=False)};" for name, group in groups.items()]
    return "\n".join(["// Written by the export: the constants of the program.", "", *lines, ""])


def _constants_of(module: ModuleType) -> dict[str, Any]:
    """The constants of a module that JSON can hold, by name. Tables of many values are left out."""
    found = {}
    for name, value in vars(module).items():
        if name.isupper():
            try:
                found[name] = json.loads(json.dumps(value, default=_small_list, allow_nan=False))
            except (TypeError, ValueError):
                continue
    return found


def _small_list(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.size > 64:
        raise TypeError(f"{value!r} is not a constant of a few numbers")
    return array.tolist()


def _write_vendored(folder: Path) -> None:
    for asset, members in VENDORED.items():
        path = fetch_asset(asset)
        try:
            with tarfile.open(path) as package:
                for name, member in members.items():
                    source = package.extractfile(member)
                    assert source is not None, "a file, as the checksum of the package says"
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(source, file)
        except (tarfile.TarError, KeyError, EOFError) as error:
            raise AssetError(f"{path} is not the expected package ({error}). Delete it and export again.") from error


def _write_service_worker(folder: Path) -> None:
    """Write the names of all files into the service worker, and a version that changes with any of them."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    names = [name for name in names if name not in (SERVICE_WORKER, manifest.MANIFEST)]
    digest = hashlib.sha256()
    for name in names:
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    stored = ["./", manifest.MANIFEST, *(name for name in names if not name.startswith((RUNTIME, GOLDEN)))]
    text = (OWN / SERVICE_WORKER).read_text(encoding="utf-8")
    text = text.replace("@VERSION@", digest.hexdigest()).replace('["@FILES@"]', json.dumps(stored, ensure_ascii=False))
    files.write_file(folder / SERVICE_WORKER, text.encode(), sync=False)
