"""Words that are handed to another process, with its exit code: the recognizer itself never imports what trains."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from recognizer.errors import SettingsError
from recognizer.system import paths
from recognizer.system.terminal import INTERRUPTED

EXIT_S = 10  # for the other process to finish what it writes after Ctrl-C


def run_module(package: str, args: Sequence[str]) -> int:
    """Run `python -m package` with the words, in the same folder and terminal, and return its exit code.

    Raises SettingsError where the package is not installed.
    """
    if find_spec(package) is None:
        raise SettingsError(
            f"The package {package} is not here: only the recognizer is installed. Get the whole project, and run this in it."
        )
    importable = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen([sys.executable, "-m", package, *args], env={**os.environ, "PYTHONPATH": importable})
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(EXIT_S)  # the terminal sends Ctrl-C to it, too
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.terminate()
            process.wait()
        return INTERRUPTED
    return code if code >= 0 else 128 - code  # stopped by a signal: as shells count


def forward_to(package: str, *first: str) -> Callable[[Sequence[str]], int]:
    """What runs the package with these words first."""
    return lambda args: run_module(package, [*first, *args])
