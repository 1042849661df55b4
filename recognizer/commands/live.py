"""`recognizer`: the window, or a run without one."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands import COMMANDS
from recognizer.commands.options import Parser, add_models
from recognizer.errors import SettingsError
from recognizer.settings import Settings

KEYS = """\
keys in the window:
  c records samples, n makes a task of your own, t trains, u goes back to the model before, Tab goes to the next task,
  p shows the time of each stage, m mirrors, x turns the picture of a source that gives it mirrored,
  s saves a screenshot, Space freezes, q or Esc quits"""


def run(args: Sequence[str]) -> int:
    commands = "\n".join(f"  {word:<10} {help}" for word, help in COMMANDS.items())
    parser = Parser(
        "",
        "Hold a handwritten digit to the camera and read off the screen what it is.",
        example="--task rps",
        epilog=f"commands, of which WORD --help says more:\n{commands}\n\n{KEYS}",
    )
    parser.add_argument(
        "--source", default="auto", help="camera number, studio, video file, picture folder, rtsp:// or http:// address"
        " (default: the first camera, else the studio)"
    )  # fmt: skip
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    add_models(parser)
    parser.add_argument("--size", default="1280x720", metavar="WxH", help="asked of a camera (default 1280x720)")
    parser.add_argument("--fps", type=float, default=30.0, help="frames a second asked of a camera (default 30)")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, help="show the picture as a mirror does")
    parser.add_argument("--unmirror", action="store_true", help="turn the picture of a source that gives it mirrored")
    parser.add_argument("--play", action="store_true", help="rock, paper, scissors against the computer (--task rps)")
    parser.add_argument("--headless", action="store_true", help="no window: write a video, a contact sheet and a CSV")
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for what is written")
    options = parser.parse_args(args)
    settings = Settings(
        source=options.source,
        task=options.task,
        size_wh=_size_wh(options.size),
        fps=options.fps,
        mirror=options.mirror,
        unmirror=options.unmirror,
        headless=options.headless,
        play=options.play,
        max_frames=options.max_frames,
        output=options.output,
    )
    # only now: --help answers before OpenCV is loaded
    from recognizer.loop import live
    from recognizer.samples.synced import default_samples

    return live(settings, options.models, default_samples())


def _size_wh(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SettingsError(f"--size {text} is not a width and a height. Try 1280x720.")
    return int(width), int(height)
