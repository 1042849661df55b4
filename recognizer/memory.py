"""Memory of native libraries: on Linux C's own allocator keeps what a closed model held, in pieces that the next one does
not fit into, and each thread's in a pool of its own, so that each model opened would add to them.
"""

import ctypes
import gc
from contextlib import suppress

M_ARENA_MAX = -8  # of mallopt(3)
POOLS = 1  # threads that allocate at once are few


def keep_few_pools() -> None:
    """Let all threads allocate from the same pool, as far as none has its own yet."""
    with suppress(OSError, AttributeError):  # other systems, and other C libraries
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, POOLS)


def give_back() -> None:
    """Return to the system what nobody uses: what refers to itself, as MediaPipe's parts do, would wait for long."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
