"""A process pool for training."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def fresh_processes(count: int | None = None) -> ProcessPoolExecutor:
    """A pool of `count` spawned processes; None: one per core.

    They are not forked, because a fork of a process with threads can deadlock on a lock that one of them held.
    """
    return ProcessPoolExecutor(count or os.cpu_count(), mp_context=get_context("spawn"))
