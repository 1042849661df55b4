"""`python -m recognizer`, and the command `recognizer` of the installed package."""

import os
import signal
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line and exit with its code."""
    handler = signal.getsignal(signal.SIGINT)
    raises = handler is signal.default_int_handler  # not so where a shell lets a background job ignore Ctrl-C
    if raises:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # before and after main(), Ctrl-C would print a traceback
    from recognizer.cli import main  # takes long enough that users press Ctrl-C meanwhile
    from recognizer.system.terminal import INTERRUPTED

    signal.signal(signal.SIGINT, handler)
    try:
        code = main()
        if code == INTERRUPTED:  # MediaPipe, interrupted while it starts, prints errors when Python exits normally
            sys.stdout.flush()
            os._exit(code)
    finally:
        if raises:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


if __name__ == "__main__":
    run()
