"""`recognizer image`: reads pictures and prints what they show."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.commands.options import add_model_options, models_of
from recognizer.system.terminal import SOME_FAILED

if TYPE_CHECKING:
    from recognizer.pipeline import Pipeline
    from recognizer.values import Observation


def run_image(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m recognizer image", description="Recognise what pictures show.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the annotated pictures into DIR")
    options = parser.parse_args(words)

    from recognizer.pipeline import open_pipeline

    with open_pipeline(options.task, models_of(options), smooth=False) as pipeline:
        failed = [not _recognize(pipeline, index, file, options) for index, file in enumerate(options.files)]
    return SOME_FAILED if any(failed) else 0


def _recognize(pipeline: "Pipeline", index: int, file: str, options: argparse.Namespace) -> bool:
    """Print what a picture shows; False where it could not be read."""
    from recognizer.errors import SourceError
    from recognizer.sources.decoding import read_image
    from recognizer.values import Frame, as_json

    try:
        frame = Frame(read_image(file), index, 0.0, str(file))
    except SourceError as error:
        if options.json:
            print(json.dumps({"file": str(file), "error": str(error)}, ensure_ascii=False), flush=True)
        else:
            print(error, file=sys.stderr)
        return False
    observation = pipeline.step(frame)
    if options.json:
        print(json.dumps({"file": str(file), **as_json(observation)}, ensure_ascii=False), flush=True)
    else:
        print(f"{file}: {observation.text or 'nothing known'}", flush=True)
    if options.save:
        _save_annotated(observation, options.save, pipeline)
    return True


def _save_annotated(observation: "Observation", folder: Path, pipeline: "Pipeline") -> None:
    from recognizer.overlay.overlay import Overlay
    from recognizer.sinks.png import write_png

    # two files of one name from different folders must not overwrite each other
    name = f"{observation.frame.index:04d}-{Path(observation.frame.name).stem}-{pipeline.task}.png"
    write_png(folder / name, Overlay(help_line="").draw(observation))
