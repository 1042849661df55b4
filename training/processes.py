"""Work that is dealt to several processes."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def fresh_processes(count: int | None = None) -> ProcessPoolExecutor:
    """As many as there are cores, unless told otherwise, each with an interpreter of its own.

    A fork of a process with threads may wait for ever for a lock that one of them held.
    """
    return ProcessPoolExecutor(count or os.cpu_count(), mp_context=get_context("spawn"))
