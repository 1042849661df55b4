"""Puts the shipped models into the wheel: the current version of each shipped task, without the files for Keras.

A task of hands also has the newest version that reads pixels, for hands whose joints are not found. What the user of the
checkout has trained stays out.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGED = "recognizer/shipped_models"  # recognizer/system/paths.py finds them there
TASKS = ("digits", "letters", "rps")
LEFT_OUT = ".keras"  # suffix


class ShippedModels(BuildHookInterface):
    """The build hook of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # which runs from the checkout
            return
        self._made = tempfile.TemporaryDirectory()
        files = shipped_files(Path(self.root) / "models", Path(self._made.name))
        build_data["force_include"] |= {str(path): f"{PACKAGED}/{name}" for name, path in files.items()}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._made.cleanup()


def shipped_files(models: Path, made: Path) -> dict[str, Path]:
    """The files to ship from a folder of models, by their names below PACKAGED. Changed ones are written into `made`."""
    files = {}
    for task in TASKS:
        current = shipped_version(models / task)
        pixels = [card.parent for card in sorted((models / task).glob("*/card.json")) if is_of_pixels(card)]
        for folder in {current, *pixels[-1:]}:
            name = f"{task}/{folder.name}"
            shipped = {path.name: path for path in folder.iterdir() if path.suffix != LEFT_OUT}
            shipped["card.json"] = without_left_out(folder / "card.json", made / name / "card.json")
            files |= {f"{name}/{file}": path for file, path in shipped.items()}
        pointer = {"version": current.name, "previous": []}
        files[f"{task}/current.json"] = write_json(pointer, made / task / "current.json")
    return files


def shipped_version(task: Path) -> Path:
    """The folder of the newest current version that was not trained on a user's samples."""
    pointer = read_json(task / "current.json")
    for version in (pointer["version"], *reversed(pointer["previous"])):
        if "taught" not in read_json(task / version / "card.json"):
            return task / version
    raise FileNotFoundError(f"{task} has no version to ship: all are trained on samples. Run: git checkout models")


def is_of_pixels(card: Path) -> bool:
    content = read_json(card)
    return content.get("kind") == "pixels" and "taught" not in content


def without_left_out(card: Path, made: Path) -> Path:
    """A copy of the card without the checksums of files that are not shipped."""
    content = read_json(card)
    content["files"] = {name: digest for name, digest in content["files"].items() if not name.endswith(LEFT_OUT)}
    return write_json(content, made)


def read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write_json(content: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
