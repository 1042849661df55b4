"""`python -m recognizer`, and the command `recognizer` of the installed package."""

import os
import sys
from typing import NoReturn

from recognizer.cli import main
from recognizer.system.terminal import INTERRUPTED


def run() -> NoReturn:
    """Run the command line and exit with its code."""
    code = main()
    if code == INTERRUPTED:  # MediaPipe, interrupted while it starts, prints errors when Python exits normally
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
