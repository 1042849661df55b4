"""`recognizer read`: recognizes pictures and prints their labels."""

import argparse
import glob
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from recognizer.commands.options import Parser, add_models, given_path
from recognizer.errors import ModelError, SourceError, printable
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.samples.synced import default_samples
from recognizer.sinks.png import write_png
from recognizer.sources.decoding import Picture, read_pictures
from recognizer.sources.pictures import in_natural_order, picture_files
from recognizer.system.terminal import SOME_FAILED, print_messages
from recognizer.tasks import is_untrained
from recognizer.values import Frame, Observation, as_json


def run(args: Sequence[str]) -> int:
    """Return 0, or 1 if a picture could not be read. Raises RecognizerError."""
    parser = Parser("read", "Recognize pictures and print their labels.", example="sheet.jpg photos/ --json")
    parser.add_argument("names", nargs="+", metavar="FILE|DIR", help="a picture, or a folder of pictures")
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    add_models(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--save", type=given_path, metavar="DIR", help="write annotated pictures to DIR")
    options = parser.parse_args(args)
    names = [file for name in options.names for file in expanded(name, shell_expands=os.name != "nt")]
    indices, failed = itertools.count(), False
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
                failed |= not _read(pipeline, indices, file, options)
    return SOME_FAILED if failed else 0


def expanded(name: str, *, shell_expands: bool) -> list[str]:
    """Expand *, ? and […] in a name, unless the shell does that."""
    if shell_expands or os.path.exists(name):
        return [name]
    return [str(path) for path in in_natural_order(map(Path, glob.glob(name)))] or [name]


def pictures_of(name: str) -> list[str]:
    """The pictures of a folder in natural order, or the picture itself. Raises SourceError for a folder without pictures."""
    if not name:
        raise SourceError("A file has an empty name. Give a picture, or a folder of pictures.")
    if not os.path.isdir(name):
        return [name]
    files = picture_files(Path(name), report=True)
    if not files:
        raise SourceError(f"{name} contains no pictures. Put JPEG or PNG files into it, or give one of its subfolders.")
    return [str(file) for file in files]


def _read(pipeline: Pipeline, indices: Iterator[int], file: str, options: argparse.Namespace) -> bool:
    """Print the labels in a picture, or in each of a moving picture. Return False if one could not be read."""
    try:
        for picture in read_pictures(Path(file)):
            observation = pipeline.step(Frame(picture.image_bgr, next(indices), 0.0, file))
            _print_labels(file, picture, observation, options)
            if options.save:
                _save_annotated(observation, options.save, pipeline)
    except SourceError as error:
        _print_error(file, error, options)
        return False
    return True


def _print_labels(file: str, picture: Picture, observation: Observation, options: argparse.Namespace) -> None:
    if options.json:
        place = {"file": file, "picture": picture.number} if picture.count > 1 else {"file": file}
        print(json.dumps({**place, **as_json(observation)}, ensure_ascii=False), flush=True)
    else:
        name = f"{printable(file)}, picture {picture.number}" if picture.count > 1 else printable(file)
        print(f"{name}: {observation.text or 'no label'}", flush=True)


def _print_error(name: str, error: SourceError, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"file": name, "error": str(error)}, ensure_ascii=False), flush=True)
    else:
        print_messages([str(error)])


def _save_annotated(observation: Observation, folder: Path, pipeline: Pipeline) -> None:
    # two files of one name from different folders must not overwrite each other
    name = f"{observation.frame.index:04d}-{Path(observation.frame.name).stem}-{pipeline.task}.png"
    write_png(folder / name, Overlay(help_line="").draw(observation))
