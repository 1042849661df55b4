"""`recognizer`: the live window, or a run without a window."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recognizer.commands import COMMANDS
from recognizer.commands.options import Parser, add_models, given_path
from recognizer.errors import SettingsError
from recognizer.settings import Settings

KEYS = """\
keys in the window:
  ? shows all keys. c records samples, k shows them, e renames and deletes labels and tasks, n creates your own task,
  t trains, u goes back to the previous model, Tab goes to the next task, w spells words with signs,
  g plays rock, paper, scissors, a pauses actions, f looks inside the network, p shows the time of each stage,
  m mirrors the display, x flips a source whose picture is mirrored, s saves a screenshot, Space freezes,
  Esc closes what is open, q quits

scenes of the studio, the drawn camera, as in --source studio:rps:
  digits, numbers, crowd, letters, blank, rps, signs, moves"""


def run(args: Sequence[str]) -> int:
    commands = "\n".join(f"  {word:<10} {help}" for word, help in COMMANDS.items())
    parser = Parser(
        "",
        "Hold a handwritten number or a hand sign to the camera, and the screen shows what it is. Teach it your own: key n.",
        example="--task rps",
        epilog=f"commands (more about one: COMMAND --help):\n{commands}\n\n{KEYS}",
    )
    parser.add_argument(
        "--source", default="auto", help="camera number, studio, video file, picture folder, rtsp:// or http:// address"
        " (default: the first camera, else the studio)"
    )  # fmt: skip
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    add_models(parser)
    parser.add_argument(
        "--size", default="1280x720", metavar="WxH", help="requested frame size of a camera (default 1280x720)"
    )
    parser.add_argument("--fps", type=float, default=30.0, help="requested frame rate of a camera (default 30)")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, help="mirror the display")
    parser.add_argument("--unmirror", action="store_true", help="flip a source whose picture is mirrored")
    parser.add_argument("--play", action="store_true", help="rock, paper, scissors against the computer (--task rps)")
    parser.add_argument("--spell", action="store_true", help="signs that are held become words (--task letters)")
    parser.add_argument("--practice", action="store_true", help="learn the signs: shows one, and what to change")
    parser.add_argument(
        "--language", default="en", metavar="CODE", help="language of the suggested words: en (default), nl, …"
    )
    parser.add_argument("--type", action="store_true", help="type the words into the window in front; includes --spell")
    parser.add_argument(
        "--headless", action="store_true", help="no window: write a video, a contact sheet and a CSV file"
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument("--events", metavar="FILE", help="append an event for each sign to FILE; - prints them")
    parser.add_argument(
        "--actions", type=given_path, metavar="FILE", help="what signs do (default: the file that actions example --save"
        " has written for the task)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print what actions would do, and do nothing")
    parser.add_argument(
        "--output", type=given_path, default=Path("output"), help="folder for the files that are written"
    )
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
        spell=options.spell or options.type,
        practice=options.practice,
        language=options.language,
        type_words=options.type,
        max_frames=options.max_frames,
        events=options.events,
        actions=options.actions,
        dry_run=options.dry_run,
        output=options.output,
    )
    # imported late, so that --help does not load OpenCV
    from recognizer.loop import live
    from recognizer.samples.synced import default_samples

    return live(settings, options.models, default_samples())


def _size_wh(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SettingsError(f"--size {text} is not WIDTHxHEIGHT. Try 1280x720.")
    return int(width), int(height)
