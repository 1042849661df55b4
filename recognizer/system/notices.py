"""Lines for the user from code that has no window or terminal of its own: on stderr, or in the log of a server."""

import logging
from functools import lru_cache

LOGGER = logging.getLogger("recognizer")  # without a handler, Python prints warnings on stderr as they are


@lru_cache(maxsize=1000)
def warn_once(line: str) -> None:
    """Show a line, once in each process: the caller may run twice a second."""
    LOGGER.warning("%s", line)
