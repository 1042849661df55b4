"""model.json: what is in an export, and how its networks are used. docs/export.md describes each field."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.export.contents import CLASSIFIER, Contents
from recognizer.export.golden import ANSWERS, GOLDEN
from recognizer.finders.hand_networks import JOINTS_OF_HAND, PALMS
from recognizer.preprocess import appearance, pictures, pose
from recognizer.registry.card import ModelCard, Thresholds
from recognizer.system import files
from recognizer.system.native import silent_stderr

MANIFEST = "model.json"
FORMAT = "webcam-recognizer export"
FORMAT_VERSION = 1
ARRAYS, NETWORKS = "arrays", "networks"  # folders in an export
CODE_LICENCE = "MIT"
MEDIAPIPE_LICENCE = "Apache-2.0"

# the numbers of each preprocess version, for a receiver who writes the preprocessing anew
CONSTANTS: dict[str, dict[str, Any]] = {
    pictures.VERSION: {
        "side": pictures.SIDE,
        "box": pictures.BOX,
        "stroke": pictures.STROKE,
        "stroke_range": list(pictures.STROKE_RANGE),
        "oversampling": pictures.OVERSAMPLING,
    },
    pictures.HAND_VERSION: {"side": pictures.SIDE},
    pictures.COLOUR_VERSION: {},
    pose.VERSION: {"joints": pose.JOINTS, "reach": pose.REACH, "size": pose.SIZE},
    appearance.VERSION: {
        "side": appearance.SIDE,
        "reach": appearance.REACH,
        "ahead": appearance.AHEAD,
        "pooled": list(appearance.POOLED),
        "map": list(appearance.MAP),
        "size": appearance.SIZE,
    },
}


@dataclass(frozen=True)
class NetworkFile:
    """One network of an export."""

    file: str  # its path in the export
    input_shape: tuple[int, ...]  # of a batch of one; -1 for a side that may change
    outputs: tuple[str, ...]  # what each output is, in their order
    licence: str


@dataclass(frozen=True)
class ArrayFile:
    """One array of an export: its numbers in C order, little-endian."""

    file: str
    shape: tuple[int, ...]
    dtype: str  # "float32", "uint8" or "int32"


def describe_network(name: str, content: bytes, file: str, contents: Contents) -> NetworkFile:
    """What model.json says about a network, given as LiteRT bytes and by its `file` in the export."""
    from ai_edge_litert.interpreter import Interpreter

    with silent_stderr():
        network = Interpreter(model_content=content)
    (details,) = network.get_input_details()
    shape = tuple(int(side) for side in details["shape_signature"])
    sizes = [int(output["shape"][-1]) for output in network.get_output_details()]
    return NetworkFile(file, shape, _outputs(name, sizes, contents), _licence(name))


def _outputs(name: str, sizes: list[int], contents: Contents) -> tuple[str, ...]:
    if name == CLASSIFIER:
        if len(sizes) == 1:
            return ("features",)
        return ("probabilities", "features") if sizes[0] < sizes[1] else ("features", "probabilities")
    if name == PALMS:
        return "boxes and points", "scores"
    if name == JOINTS_OF_HAND:
        return ("joints", "presence", "right", "world", "pooled", "map")[: len(sizes)]
    return (name,)


def _licence(name: str) -> str:
    return MEDIAPIPE_LICENCE if name in (PALMS, JOINTS_OF_HAND) else CODE_LICENCE


def write_arrays(arrays: Mapping[str, np.ndarray], folder: Path) -> dict[str, ArrayFile]:
    """Write each array into its own file of an export in `folder`. Raises OSError."""
    (folder / ARRAYS).mkdir()
    written = {}
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<")
        file = f"{ARRAYS}/{name}.{array.dtype.name}"
        files.write_file(folder / file, np.ascontiguousarray(array, dtype).tobytes(), sync=False)
        written[name] = ArrayFile(file, array.shape, array.dtype.name)
    return written


def rejection_as_json(thresholds: Thresholds) -> dict[str, float | None]:
    """The thresholds; None for a distance without a limit, since JSON has no infinity."""
    distance = thresholds.max_distance
    return {"min_confidence": thresholds.min_confidence, "max_distance": distance if math.isfinite(distance) else None}


def manifest(
    card: ModelCard,
    version: str,
    target: str,
    contents: Contents,
    networks: Mapping[str, NetworkFile],
    arrays: Mapping[str, ArrayFile],
    golden: Mapping[str, Any],
    runtime: str,
) -> dict[str, Any]:
    """The content of model.json but the checksums of the files."""
    assert card.rejection is not None, "checked when the model was opened"
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "task": card.task,
        "version": version,
        "target": target,
        "runtime": runtime,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "subject": card.subject,
        "kind": card.kind,
        "labels": list(card.labels),
        "labels_note": "in the order of the network's outputs; after them comes one output for none of them",
        "sides": card.sides,
        "preprocessing": {
            "version": card.preprocess,
            "input": card.input,
            "side": card.input_side if card.preprocess == pictures.COLOUR_VERSION else None,
            "constants": {part: CONSTANTS.get(part, {}) for part in (card.preprocess or "").split(" and ")},
        },
        "rejection": rejection_as_json(card.rejection),
        "networks": {name: asdict(network) for name, network in networks.items()},
        "head": contents.head,
        "neighbours": dict(contents.neighbours) or None,
        "arrays": {name: asdict(array) for name, array in arrays.items()},
        "golden": {"file": f"{GOLDEN}/{ANSWERS}", **golden},
        "licence": {
            "code": CODE_LICENCE,
            "networks": {name: network.licence for name, network in networks.items()},
            "data": [f"{one['name']}: {one.get('licence', 'not stated')}" for one in card.data or () if "name" in one],
        },
        "card": _finite(card.as_json()),  # training data, metrics, training command and library versions
    }


def _finite(value: Any) -> Any:
    """The JSON value with None for numbers that JSON does not have: infinity and NaN."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_manifest(content: Mapping[str, Any], folder: Path) -> None:
    """Write model.json, with the SHA-256 of all other files in `folder`. Raises OSError."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names if name != MANIFEST}
    text = json.dumps({**content, "files": sums}, indent=1, ensure_ascii=False, allow_nan=False)
    files.write_file(folder / MANIFEST, f"{text}\n".encode())
