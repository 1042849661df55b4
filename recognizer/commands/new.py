"""`recognizer samples new`: starts a task of the user's own."""

import argparse
from collections.abc import Sequence


def run_new(words: Sequence[str]) -> int:
    """`python -m recognizer new`: returns 0, or raises SamplesError."""
    parser = argparse.ArgumentParser(
        prog="python -m recognizer new", description="Make a task of your own, ready to record."
    )
    parser.add_argument("name", help="letters, digits, spaces, - and _, in any script")
    parser.add_argument("--region", choices=("hand", "paper", "box"), required=True, help="where the camera shows it")
    parser.add_argument("--labels", required=True, help='words with commas between them: "ok,stop,thumbs up"')
    options = parser.parse_args(words)

    from recognizer.samples.store import Samples

    labels = [word for word in options.labels.split(",") if word.strip()]
    task = Samples().create_task(options.name, options.region, labels)
    print(f"Made {task.name} ({task.region}): {', '.join(task.labels)}")
    return 0
