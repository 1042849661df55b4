"""`recognizer`: the live window, or a run without one."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands.options import add_model_options, models_of, size_wh_of
from recognizer.loop import live

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
    add_model_options(parser)
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
        models=models_of(options),
        size_wh=size_wh_of(options.size),
        fps=options.fps,
        mirror=options.mirror,
        unmirror=options.unmirror,
        headless=options.headless,
        play=options.play,
        max_frames=options.max_frames,
        output=options.output,
    )
    return live(settings)
