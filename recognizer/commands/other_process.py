"""Runs commands in another process: the package recognizer never imports training."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from recognizer.errors import SettingsError
from recognizer.system import paths
from recognizer.system.ctrl_c import held_back
from recognizer.system.terminal import INTERRUPTED

EXIT_S = 10  # time for the other process to finish its files after Ctrl-C


def run_module(package: str, args: Sequence[str]) -> int:
    """Run `python -m package` with the arguments, in the same folder and terminal. Return its exit code.

    Raises SettingsError if the package is not installed.
    """
    if find_spec(package) is None:
        raise SettingsError(
            f"This command needs the package {package}, which is not installed here. Run it in a clone of the repository."
        )
    importable = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))
    with held_back():
        process = subprocess.Popen([sys.executable, "-m", package, *args], env={**os.environ, "PYTHONPATH": importable})
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(EXIT_S)  # the terminal sends Ctrl-C to it as well
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.terminate()
            process.wait()
        return INTERRUPTED
    return code if code >= 0 else 128 - code  # ended by a signal: the exit code that shells use


def forward_to(package: str, *first: str) -> Callable[[Sequence[str]], int]:
    """A function that runs `package` with `first` and then its own arguments."""
    return lambda args: run_module(package, [*first, *args])
