"""`python -m recognizer`."""

import os
import sys

from recognizer.cli import main
from recognizer.system.terminal import INTERRUPTED

if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:  # MediaPipe, stopped while it opened, would complain while Python is taken down
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
