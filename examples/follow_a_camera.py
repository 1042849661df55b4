"""Print what a camera shows, whenever it changes. Ctrl-C ends it.

python -m examples.follow_a_camera
python -m examples.follow_a_camera --source studio
"""

import argparse
from contextlib import suppress
from itertools import islice

from recognizer import Recognizer, RecognizerError


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what a camera shows, whenever it changes.")
    parser.add_argument("--source", default="0", help="a camera's number (default 0), a video, a URL, or studio")
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    parser.add_argument("--frames", type=int, help="stop after this many frames")
    options = parser.parse_args()

    text = ""
    for seen in islice(Recognizer(options.task).watch(options.source), options.frames):
        if seen.text != text:
            text = seen.text
            print(f"{seen.time_s:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            main()
    except RecognizerError as error:
        raise SystemExit(str(error)) from error
