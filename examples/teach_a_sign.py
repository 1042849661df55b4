"""Record samples of hand signs, train a model on them, and watch what it recognizes.

python -m examples.teach_a_sign hello goodbye
python -m examples.teach_a_sign rock paper --source studio:rps
"""

import argparse
import time
from contextlib import suppress
from itertools import islice

from recognizer import Recognizer, RecognizerError
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.sources.opening import open_source
from recognizer.subjects.hands import HAND
from recognizer.teaching.capture import capture

SAMPLES = 40  # of each sign; a dozen are too few: the held-out accuracy is at chance level
GET_READY_S = 3.0
MAX_FRAMES = 1000  # of the source, for the samples of one sign


def record(store: Samples, task: str, label: str, source: str) -> None:
    """Save sharp, distinct samples of a sign."""
    with open_source(source) as camera, HAND.finding(stream=True) as finder:
        print(f"Show {label}, and move and turn the hand a little.", flush=True)
        if camera.live:
            time.sleep(GET_READY_S)
        # The studio shows all of its signs in turn; the ground truth of a frame names the sign.
        frames = (frame for frame in camera if not frame.truth or frame.truth[0].label == label)
        captured = capture(store, task, label, frames, finder, max_samples=SAMPLES, max_frames=MAX_FRAMES)
    print(f"Saved {captured.saved} samples of {label}", flush=True)


def watch(recognizer: Recognizer, source: str, frames: int | None) -> None:
    text = ""
    for seen in islice(recognizer.watch(source), frames):
        if seen.text != text:
            text = seen.text
            print(f"{seen.time_s:6.1f} s  {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Record samples of hand signs, train on them, and watch.")
    parser.add_argument("labels", nargs="+", help="two or more labels, such as hello goodbye")
    parser.add_argument("--task", default="my-signs", help="the name of the new task (default my-signs)")
    parser.add_argument("--source", default="0", help="a camera's number (default 0), a video, a URL, or studio:rps")
    parser.add_argument("--frames", type=int, help="stop after this many frames (default: until Ctrl-C)")
    options = parser.parse_args()

    recognizer = Recognizer.new(options.task, subject="hand", labels=options.labels)
    for label in options.labels:
        record(default_samples(), options.task, label, options.source)
    result = recognizer.learn()
    print(f"{'Published' if result.published else 'Not published'}: {result.reason}", flush=True)
    if result.published:
        watch(recognizer, options.source, options.frames)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            main()
    except RecognizerError as error:
        raise SystemExit(str(error)) from error
