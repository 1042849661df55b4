"""`recognizer benchmark [SECTION]`: measures speed, memory and few-shot learning, in another process."""

from collections.abc import Sequence

from recognizer.commands.other_process import run_module


def run(args: Sequence[str]) -> int:
    return run_module("benchmarks", args)
