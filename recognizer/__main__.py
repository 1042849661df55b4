"""`python -m recognizer`."""

import os
import sys

from recognizer.cli import main
from recognizer.system.terminal import INTERRUPTED

if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:  # MediaPipe, interrupted while it starts, prints errors when Python exits normally
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
