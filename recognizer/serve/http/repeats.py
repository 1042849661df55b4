"""Keeps repeated lines out of the log, so that strangers cannot fill the disk with them."""

import logging
import time

EVERY_S = 60.0  # between two equal lines
KEYS_LIMIT = 1000
LOGGERS = ("recognizer.serve", "uvicorn.error", "asyncio")


class Repeats(logging.Filter):
    """Passes equal warnings and errors once a minute, with the number of those that were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_s: dict[object, float] = {}
        self._left_out: dict[object, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        key = record.msg, repr(error)
        now_s = time.monotonic()
        if key in self._passed_s and now_s - self._passed_s[key] < EVERY_S:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return False
        if len(self._passed_s) > KEYS_LIMIT:
            self._passed_s.clear()
            self._left_out.clear()
        self._passed_s[key] = now_s
        count = self._left_out.pop(key, 0)
        if count:
            record.msg, record.args = f"{record.getMessage()} (and {count} like this before)", ()
        return True


def limit_repeats() -> None:
    """Limit the equal lines of the server, of uvicorn and of asyncio. To be called after uvicorn has set up its log."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(Repeats())
