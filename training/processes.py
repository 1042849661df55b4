"""A process pool for training."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def fresh_processes(count: int | None = None) -> ProcessPoolExecutor:
    """A pool of `count` spawned processes; None: one per core.

    They are not forked: a fork can deadlock if a thread of this process holds a lock at that moment.
    """
    return ProcessPoolExecutor(count or os.cpu_count(), mp_context=get_context("spawn"))
