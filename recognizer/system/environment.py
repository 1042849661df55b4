"""Installs the packages that start.py leaves out until they are needed."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from recognizer.errors import SettingsError
from recognizer.system import packages, paths

START = paths.ROOT / "start.py"
STAMPS = "installed-by-start-requirements"  # start.py's files in .venv: what is installed
INTERRUPTED = "interrupted"  # their content while an installation runs


def print_line(line: str) -> None:
    """Print on stderr, so that results on stdout can be piped to another program."""
    print(line, file=sys.stderr, flush=True)


def complete(report_progress: Callable[[str], None] = print_line) -> None:
    """Install the packages that training and the tests need, if TensorFlow is missing here.

    start.py does it, where it made the environment. Its lines go to `report_progress`. Raises SettingsError if the packages
    cannot be installed.
    """
    if find_spec("tensorflow") is not None and not _was_interrupted():
        return
    if not _is_of_start():
        raise SettingsError(
            f"TensorFlow is not installed in {sys.prefix}. Install it, with the other packages for training: "
            f"{packages.install_command(packages.TRAIN)}"
        )
    process = subprocess.Popen(
        [sys.executable, str(START), "install"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        try:
            for line in process.stdout:
                report_progress(line.strip())
            reason = process.stderr.read()
        except BaseException:
            process.terminate()  # it ends the programs that it runs
            raise
    if process.returncode:
        raise SettingsError((reason.strip() or f"start.py ended with exit code {process.returncode}").splitlines()[-1])
    invalidate_caches()


def _is_of_start() -> bool:
    """Whether start.py set up the environment of this process."""
    environment = paths.ROOT / ".venv"
    is_here = environment.exists() and environment.samefile(sys.prefix)
    return is_here and START.is_file() and any(environment.glob(f"{STAMPS}*"))


def _was_interrupted() -> bool:
    """Whether packages may be half written."""
    return any(stamp.read_text() == INTERRUPTED for stamp in Path(sys.prefix).glob(f"{STAMPS}*"))
