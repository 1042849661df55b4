"""`recognizer learn TASK`: trains a task on its samples, in another process."""

from collections.abc import Sequence

from recognizer.commands.other_process import run_module


def run(args: Sequence[str]) -> int:
    """The exit code is NOT_PUBLISHED if the model was rejected."""
    return run_module("training", ["learn", *args])
