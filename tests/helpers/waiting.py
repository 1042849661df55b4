"""Waiting for other threads, processes, servers and browsers in tests."""

import time
from collections.abc import Callable
from typing import TypeVar

HANG_S = 900.0  # longer than any step takes on a slow machine: only a hang reaches it
LOOK_EVERY_S = 0.02

T = TypeVar("T")


def until(condition: Callable[[], T], why: Callable[[], object] = lambda: "") -> T:
    """Wait until the condition is true, and return its value. Fails after HANG_S; `why` returns what the message adds."""
    end_s = time.monotonic() + HANG_S
    while not (found := condition()):
        assert time.monotonic() < end_s, f"waited {HANG_S:g} s: {why()}"
        time.sleep(LOOK_EVERY_S)
    return found
