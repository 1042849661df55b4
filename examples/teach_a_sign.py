"""Record samples of hand signs, train a model on them, and watch what it recognizes.

python -m examples.teach_a_sign hello goodbye
python -m examples.teach_a_sign rock paper --source studio:rps
"""

import argparse
import subprocess
import sys
import time
from contextlib import suppress
from itertools import islice

from recognizer import Recognizer
from recognizer.errors import RecognizerError
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


def train(task: str) -> None:
    """Train in another process, which publishes the model if validation on held-out samples succeeds."""
    process = subprocess.run([sys.executable, "-m", "recognizer", "learn", task], check=False)
    if process.returncode:  # 3: the model was not published, and the command has printed why
        raise SystemExit(process.returncode)


def watch(task: str, source: str, frames: int | None) -> None:
    text = ""
    with Recognizer(task) as recognizer:
        for observation in islice(recognizer.watch(source), frames):
            if observation.text != text:
                text = observation.text
                print(f"{observation.frame.time_s:6.1f} s  {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Record samples of hand signs, train on them, and watch.")
    parser.add_argument("labels", nargs="+", help="two or more labels, such as hello goodbye")
    parser.add_argument("--task", default="my-signs", help="the name of the new task (default my-signs)")
    parser.add_argument("--source", default="0", help="a camera's number (default 0), a video, a URL, or studio:rps")
    parser.add_argument("--frames", type=int, help="stop after this many frames (default: until Ctrl-C)")
    options = parser.parse_args()

    store = default_samples()
    store.create_task(options.task, "hand", options.labels)
    for label in options.labels:
        record(store, options.task, label, options.source)
    train(options.task)
    watch(options.task, options.source, options.frames)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            main()
    except RecognizerError as error:
        raise SystemExit(str(error)) from error
