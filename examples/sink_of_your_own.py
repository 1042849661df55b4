"""Beep when the same text is held to the camera for a second. Ctrl-C ends it.

python -m examples.sink_of_your_own
python -m examples.sink_of_your_own --source studio
"""

import argparse
from contextlib import suppress
from itertools import islice
from typing import Self

from recognizer import Recognizer, RecognizerError
from recognizer.sinks.sink import open_sinks
from recognizer.values import Observation

HELD_S = 1.0  # longer than it takes to bring a sheet into view
BELL = "\a"


class Beeper:
    """A sink is a context manager with `write` and `close`."""

    def __init__(self) -> None:
        self._text = ""
        self._since_s = 0.0
        self._has_beeped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, observation: Observation) -> None:
        """Called for each frame. Uses the time of the frames, so that a video gives the same result at any speed."""
        now_s = observation.frame.time_s
        if observation.text != self._text:
            self._text, self._since_s, self._has_beeped = observation.text, now_s, False
        if self._text and not self._has_beeped and now_s - self._since_s >= HELD_S:
            self._has_beeped = True
            print(f"{BELL}{self._text} was held for {HELD_S:g} s", flush=True)

    def close(self) -> None:
        """A sink that writes a file or uses a connection closes it here."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Beep when the same text is held to the camera for a second.")
    parser.add_argument("--source", default="0", help="a camera's number (default 0), a video, a URL, or studio")
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    parser.add_argument("--frames", type=int, help="stop after this many frames")
    options = parser.parse_args()

    with Recognizer(options.task) as recognizer, open_sinks([Beeper()]) as sinks:
        for seen in islice(recognizer.watch(options.source), options.frames):
            for sink in sinks:
                sink.write(seen.observation)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            main()
    except RecognizerError as error:
        raise SystemExit(str(error)) from error
