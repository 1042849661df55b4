"""`recognizer read`: recognizes pictures and prints their labels."""

import argparse
import glob
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands.options import Parser, add_models
from recognizer.errors import ModelError, SourceError
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.samples.synced import default_samples
from recognizer.sinks.png import write_png
from recognizer.sources.decoding import read_image
from recognizer.sources.pictures import in_natural_order, picture_files
from recognizer.system.terminal import SOME_FAILED
from recognizer.tasks import is_untrained
from recognizer.values import Frame, Observation, as_json


def run(args: Sequence[str]) -> int:
    """Return 0, or 1 if a picture could not be read. Raises RecognizerError."""
    parser = Parser("read", "Recognize pictures and print their labels.", example="sheet.jpg photos/ --json")
    parser.add_argument("names", nargs="+", metavar="FILE|DIR", help="a picture, or a folder of pictures")
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    add_models(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write annotated pictures to DIR")
    options = parser.parse_args(args)
    names = [file for name in options.names for file in expanded(name, shell_expands=os.name != "nt")]
    index, failed = 0, False
    samples = default_samples()
    if is_untrained(options.task, options.models, samples):
        raise ModelError(
            f"{options.task} has no model yet. Train one from its samples: python -m recognizer learn {options.task}"
        )
    with open_pipeline(options.task, options.models, samples, smooth=False) as pipeline:
        for name in names:
            try:
                files = pictures_of(name)
            except SourceError as error:
                _print_error(name, error, options)
                failed = True
                continue
            for file in files:
                failed |= not _read(pipeline, index, file, options)
                index += 1
    return SOME_FAILED if failed else 0


def expanded(name: str, *, shell_expands: bool) -> list[str]:
    """Expand *, ? and […] in a name, unless the shell does that."""
    if shell_expands or os.path.exists(name):
        return [name]
    return [str(path) for path in in_natural_order(map(Path, glob.glob(name)))] or [name]


def pictures_of(name: str) -> list[str]:
    """The pictures of a folder in natural order, or the picture itself. Raises SourceError for a folder without pictures."""
    if not os.path.isdir(name):
        return [name]
    files = picture_files(Path(name), report=True)
    if not files:
        raise SourceError(f"{name} contains no pictures. Put JPEG or PNG files into it, or give one of its subfolders.")
    return [str(file) for file in files]


def _read(pipeline: Pipeline, index: int, file: str, options: argparse.Namespace) -> bool:
    """Print the labels in a picture. Return False if it could not be read."""
    try:
        frame = Frame(read_image(file), index, 0.0, file)
    except SourceError as error:
        _print_error(file, error, options)
        return False
    observation = pipeline.step(frame)
    if options.json:
        print(json.dumps({"file": file, **as_json(observation)}, ensure_ascii=False), flush=True)
    else:
        print(f"{file}: {observation.text or 'no label'}", flush=True)
    if options.save:
        _save_annotated(observation, options.save, pipeline)
    return True


def _print_error(name: str, error: SourceError, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"file": name, "error": str(error)}, ensure_ascii=False), flush=True)
    else:
        print(error, file=sys.stderr)


def _save_annotated(observation: Observation, folder: Path, pipeline: Pipeline) -> None:
    # two files of one name from different folders must not overwrite each other
    name = f"{observation.frame.index:04d}-{Path(observation.frame.name).stem}-{pipeline.task}.png"
    write_png(folder / name, Overlay(help_line="").draw(observation))
