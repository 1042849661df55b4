"""`learn TASK`: trains a task on its samples, and prints the progress as text or JSON."""

import json
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from recognizer.commands.options import given_path
from recognizer.samples.synced import open_samples
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.system.terminal import NOT_PUBLISHED
from training.commands.command_line import Parser
from training.settings import LearnSettings
from training.user_tasks.learn import learn
from training.user_tasks.starting_point import ReportProgress
from training.user_tasks.validation import percent

ABOUT = """Train a task's model on its samples, and publish it if it is better than the current one.

python -m recognizer learn signs
python -m recognizer learn signs --from DIR    with pictures in folders named by their label

Exit code: 0 if the model was published, 3 if it is no better and was not published, 2 after an error, 130 after Ctrl-C.
"""


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, from "learn" on. Exits with NOT_PUBLISHED if the model was rejected."""
    options = vars(_parser().parse_args(words[1:]))
    report_progress = progress_in_json() if options.pop("json", False) else progress_in_words()
    settings = LearnSettings(**options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # when the window cancels it, no half-written file stays
    if learn(settings, report_progress) is None:
        sys.exit(NOT_PUBLISHED)


def _parser() -> Parser:
    parser = Parser("python -m recognizer learn", ABOUT)
    parser.add_argument("task", metavar="TASK", help="an existing task, or a new one with --from")
    parser.add_argument(
        "--from", dest="folder", type=given_path, metavar="DIR", help="first import the pictures in DIR/label/"
    )
    parser.add_argument(
        "--subject", choices=SUBJECTS, help="subject of a new task (default: detected from the pictures)"
    )
    parser.add_argument(
        "--fine-tune",
        "--full",
        dest="fine_tune",
        action="store_true",
        help="fine-tune the whole network: takes minutes and needs TensorFlow",
    )
    parser.add_argument("--network", choices=["vgg16"], help="train hands on their pictures instead of their joints")
    parser.add_argument(
        "--backbone",
        metavar="NAME",
        help="network of keras.applications, for pictures (default: VGG16, or one whose weights are here)",
    )
    parser.add_argument("--force", action="store_true", help="publish the model even if it is no better")
    parser.add_argument("--json", action="store_true", help="print the progress as one JSON object a line")
    parser.add_argument("--samples", type=open_samples, metavar="DIR", help="folder or URL of the samples")
    parser.add_models()
    parser.add_seed()
    return parser


def progress_in_words() -> ReportProgress:
    last = ""

    def report_progress(stage: str, progress: float, result: dict[str, Any] | None = None) -> None:
        nonlocal last
        if result is None:
            if stage != last:
                print(f"{stage} …", flush=True)
            last = stage
            return
        before, after = result["before"], result["after"]
        print(f"Accuracy on held-out samples: {percent(before['accuracy'])} before, {percent(after['accuracy'])} after")
        if after["known"] is not None:
            print(f"Accuracy on earlier labels:   {percent(before['known'])} before, {percent(after['known'])} after")
        for label, counts in result["per_label"].items():
            print(f"  {label}: {counts['after']} of {counts['of']} ({counts['before']} before)")
        for predicted, label, count in result["confused"]:
            print(f"  {count} of {label} recognized as {predicted}")
        print(f"{'Published' if result['published'] else 'Not published'} after {result['seconds']} s: {result['why']}")

    return report_progress


def progress_in_json() -> ReportProgress:
    began_s = time.perf_counter()

    def report_progress(stage: str, progress: float, result: dict[str, Any] | None = None) -> None:
        nonlocal began_s
        if not progress:
            began_s = (
                time.perf_counter()
            )  # the time left depends on the training alone, not on what is installed for it
        elapsed_s = time.perf_counter() - began_s
        left_s = round(elapsed_s / progress * (1 - progress), 1) if progress else None
        line = {"stage": stage, "progress": round(progress, 3), "left_s": left_s} if result is None else result
        print(json.dumps(line, ensure_ascii=False), flush=True)

    return report_progress
