"""Words to a command, flags to objects, and what comes of it to an exit code."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.errors import SettingsError
from recognizer.mirror import folder_of
from recognizer.system.ctrl_c import CtrlC
from recognizer.system.terminal import SOME_FAILED, exit_code_of, spell_what_cannot_be_shown

# Whatever loads OpenCV or NumPy is imported where it is used, so that --help answers at once.
if TYPE_CHECKING:
    from recognizer.live import LivePipeline
    from recognizer.maps_panel import MapsPanel
    from recognizer.overlay import Overlay
    from recognizer.pipeline import Pipeline
    from recognizer.play import Referee
    from recognizer.settings import Settings
    from recognizer.sinks import Sink, Window
    from recognizer.sources import Source
    from recognizer.teach import Teacher
    from recognizer.turns import Unmirror
    from recognizer.values import Observation

TAB = "\t"

LIVE_HELP = """\
commands:
  (none)            recognise what the source shows, in a window
  image FILE…       the same on pictures; see: python -m recognizer image --help
  new NAME          make a task of your own, ready to record
  capture           record samples out of a video, a folder or a camera, without a window
  samples …         list, show, relabel, delete, merge, export, import or verify what was recorded
  models …          list, show, roll back, delete or export what was trained
  serve             the same in the browser and over REST; see: python -m recognizer serve --help
  doctor            check versions, cameras, screen and models

keys in the window:
  c records samples, n makes a task of your own, t trains, u goes back to the model before, Tab goes to the next task,
  p shows the time of each stage, m mirrors, x turns the picture of a source that gives it mirrored,
  s saves a screenshot, Space freezes, q or Esc quits
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for files that could not be read, 2 for an error, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if words is None else words)
    commands = {
        "image": run_image,
        "doctor": run_doctor,
        "new": run_new,
        "capture": run_capture,
        "samples": run_samples,
        "models": run_models,
        "serve": run_serve,
    }
    spell_what_cannot_be_shown()
    try:
        if words and words[0] in commands:
            return commands[words[0]](words[1:])
        return run_live(words)
    except BrokenPipeError:  # what reads the output, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except (Exception, KeyboardInterrupt) as error:
        return exit_code_of(error)


def run_live(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m recognizer",
        description="Hold a handwritten digit to the camera and read off the screen what it is.",
        epilog=LIVE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--source", default="auto", help="camera number, studio, video file, picture folder, rtsp:// or http:// address"
        " (default: the first camera, else the studio)"
    )  # fmt: skip
    _add_model_options(parser)
    parser.add_argument("--size", default="1280x720", metavar="WxH", help="asked of a camera (default 1280x720)")
    parser.add_argument("--fps", type=float, default=30.0, help="frames a second asked of a camera (default 30)")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, help="show the picture as a mirror does")
    parser.add_argument("--unmirror", action="store_true", help="turn the picture of a source that gives it mirrored")
    parser.add_argument("--play", action="store_true", help="rock, paper, scissors against the computer (--task rps)")
    parser.add_argument("--headless", action="store_true", help="no window: write a video, a contact sheet and a CSV")
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for what is written")
    options = parser.parse_args(words)

    from recognizer.settings import Settings

    settings = Settings(
        source=options.source,
        task=options.task,
        models=_models(options),
        size_wh=_size(options.size),
        fps=options.fps,
        mirror=options.mirror,
        unmirror=options.unmirror,
        headless=options.headless,
        play=options.play,
        max_frames=options.max_frames,
        output=options.output,
    )
    return live(settings)


def live(settings: "Settings") -> int:
    """The whole program: frames from the source, through the pipeline, into the sinks."""
    from recognizer.live import LivePipeline
    from recognizer.overlay import Overlay
    from recognizer.settings import HEADLESS_FRAMES
    from recognizer.sinks import has_screen, open_sinks
    from recognizer.sources import default_source, open_source
    from recognizer.turns import Unmirror

    unmirror = Unmirror(settings.unmirror)
    with CtrlC() as ctrl_c, LivePipeline(settings.task, settings.models) as pipeline:
        spec = settings.source
        if spec == "auto":
            spec, line = default_source()
            if line:
                print(line)
        if spec == "studio":
            spec = f"studio:{studio_scene(pipeline)}"
            pipeline.on_task = lambda task: source.show(studio_scene(pipeline))  # type: ignore[attr-defined]  # the studio
        headless = settings.headless or not has_screen()
        if settings.play and headless:
            raise SettingsError("--play needs a window and a person: leave --headless out, and run it on a screen.")
        if headless and not settings.headless:
            print("No screen found: running without a window.")
        with open_source(spec, size_wh=settings.size_wh, fps=settings.fps, paced=not headless) as source:
            endless = source.live or spec.startswith("studio")
            limit = settings.max_frames or (HEADLESS_FRAMES if headless and endless else None)
            mirror = source.live and not spec.startswith("studio") if settings.mirror is None else settings.mirror
            overlay = Overlay(mirror=mirror)
            with open_sinks(_sinks(settings, pipeline, overlay, source, headless, unmirror)) as sinks:
                for count, frame in enumerate(ctrl_c.frames(source), start=1):
                    observation = pipeline.step(unmirror(frame))
                    for sink in sinks:
                        sink.write(observation)
                    if count == limit:
                        break
    if headless:
        for name in (VIDEO_NAME, SHEET_NAME, CSV_NAME):
            print(f"Wrote {settings.output / name}")
    return 0


def studio_scene(pipeline: "LivePipeline") -> str:
    """What the studio shows for the task that is running."""
    from recognizer.settings import STUDIO_SCENE_OF_REGION, STUDIO_SCENES

    return STUDIO_SCENES.get(pipeline.task) or STUDIO_SCENE_OF_REGION[pipeline.region]


VIDEO_NAME, SHEET_NAME, CSV_NAME = "annotated.mp4", "contact-sheet.png", "predictions.csv"


def _sinks(
    settings: "Settings",
    pipeline: "LivePipeline",
    overlay: "Overlay",
    source: "Source",
    headless: bool,
    unmirror: "Unmirror",
) -> "list[Sink]":
    from recognizer.sinks import ContactSheet, CsvLog, VideoWriter

    if not headless:
        *watchers, window = (
            _game(settings, overlay, source)
            if settings.play
            else _workbench(settings, pipeline, overlay, source, unmirror)
        )
        pipeline.say = window.say
        return [*watchers, window]
    return [
        VideoWriter(settings.output / VIDEO_NAME, overlay, fps=getattr(source, "fps", None) or settings.fps),
        ContactSheet(settings.output / SHEET_NAME, overlay),
        CsvLog(settings.output / CSV_NAME),
    ]


def _workbench(
    settings: "Settings", pipeline: "LivePipeline", overlay: "Overlay", source: "Source", unmirror: "Unmirror"
) -> "tuple[Teacher, MapsPanel, Window]":
    """The window in which tasks are changed, samples recorded and models trained."""
    from recognizer.maps_panel import MapsPanel
    from recognizer.overlay import several
    from recognizer.sinks import Window
    from recognizer.teach import Teacher
    from recognizer.teach_panel import TeachPanel

    teacher = Teacher(pipeline, settings.models)
    maps = MapsPanel(pipeline)
    overlay.extra = several(TeachPanel(teacher), maps)
    actions = {TAB: pipeline.next_task, "f": maps.toggle, "x": unmirror.toggle, **teacher.actions}
    window = Window(overlay, source.stop, screenshot_dir=settings.output, actions=actions, keys=teacher.key)
    teacher.say = window.say
    return teacher, maps, window


def _game(settings: "Settings", overlay: "Overlay", source: "Source") -> "tuple[Referee, Window]":
    """The window in which rock, paper, scissors is played."""
    from recognizer.play import HELP_LINE, Referee, RockPaperScissors, ScoreBoard
    from recognizer.sinks import Window

    game = RockPaperScissors()
    overlay.extra = ScoreBoard(game)
    actions = {" ": game.start, "r": game.restart}
    window = Window(overlay, source.stop, screenshot_dir=settings.output, actions=actions, help_line=HELP_LINE)
    return Referee(game), window


def run_new(words: Sequence[str]) -> int:
    from recognizer import samples_cli

    return samples_cli.run_new(words)


def run_capture(words: Sequence[str]) -> int:
    from recognizer import capture

    return capture.run_capture(words)


def run_samples(words: Sequence[str]) -> int:
    from recognizer import samples_cli

    return samples_cli.run_samples(words)


def run_models(words: Sequence[str]) -> int:
    from recognizer import models_cli

    return models_cli.run_models(words)


def run_serve(words: Sequence[str]) -> int:
    from recognizer.serve import command

    return command.run_serve(words)


def run_image(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m recognizer image", description="Recognise what pictures show.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    _add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the annotated pictures into DIR")
    options = parser.parse_args(words)

    from recognizer.pipeline import open_pipeline

    with open_pipeline(options.task, _models(options), smooth=False) as pipeline:
        failed = [not _recognize(pipeline, index, file, options) for index, file in enumerate(options.files)]
    return SOME_FAILED if any(failed) else 0


def _recognize(pipeline: "Pipeline", index: int, file: str, options: argparse.Namespace) -> bool:
    """Print what a picture shows; False where it could not be read."""
    from recognizer.answers import as_json
    from recognizer.errors import SourceError
    from recognizer.sources import read_image
    from recognizer.values import Frame

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
    from recognizer.overlay import Overlay
    from recognizer.sinks import write_png

    # two files of one name from different folders must not overwrite each other
    name = f"{observation.frame.index:04d}-{Path(observation.frame.name).stem}-{pipeline.task}.png"
    write_png(folder / name, Overlay(help_line="").draw(observation))


def run_doctor(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m recognizer doctor", description="Check what a run needs.")
    parser.add_argument(
        "--models", type=folder_of, help="another model folder (default: RECOGNIZER_MODELS, else models/)"
    )
    options = parser.parse_args(words)

    from recognizer.doctor import report

    return report(_models(options))


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    parser.add_argument(
        "--models", type=folder_of, help="another model folder (default: RECOGNIZER_MODELS, else models/)"
    )


def _models(options: argparse.Namespace) -> Path:
    from recognizer.registry import models_folder

    return options.models or models_folder()


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SettingsError(f"--size {text} is not a width and a height. Try 1280x720.")
    return int(width), int(height)
