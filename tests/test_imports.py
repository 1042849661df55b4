"""Importing has no side effects: every module of the project is imported in a new process, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.waiting import HANG_S

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("recognizer", "training", "benchmarks", "examples")

# Imports all modules of the package in argv[1], and prints each side effect to stderr.
PROGRAM = """
import argparse, importlib, os, pkgutil, random, sys, threading
from pathlib import Path

import numpy as np

OPTIONAL = ("torch", "ray")  # groups of requirements that need not be installed
MODELS = (".tflite", ".keras", ".task", ".h5", ".npz", ".npy", ".onnx")
package, repository = sys.argv[1], sys.argv[2]
happened, blamed = [], package

def look(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        name = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            happened.append(f"{blamed} opens {name} to write it")
        if name.endswith(MODELS):
            happened.append(f"{blamed} opens the model {name}")
    elif event in ("os.mkdir", "os.remove", "os.rename", "socket.connect", "subprocess.Popen", "os.system"):
        happened.append(f"{blamed} does {event} {arguments}")

def refuse(what):
    return lambda *_, **__: happened.append(f"{blamed} {what}")

argparse.ArgumentParser.parse_known_args = refuse("parses arguments")
try:
    from ai_edge_litert import interpreter
    interpreter.Interpreter.__init__ = refuse("opens a network")
except ImportError:
    pass
np.random.seed(7)
random.seed(7)
seeds = [str(np.random.get_state()), random.getstate()]
sys.addaudithook(look)
sys.path.insert(0, repository)
home = importlib.import_module(package)
for found in sorted(pkgutil.walk_packages(home.__path__, f"{package}."), key=lambda found: found.name):
    blamed = found.name
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in OPTIONAL:
            raise
if [str(np.random.get_state()), random.getstate()] != seeds:
    happened.append("a module seeds or draws random numbers")
happened += [f"the thread {thread.name} was started" for thread in threading.enumerate()[1:]]
happened += [f"{name} is imported, and is to be imported where it is used"
             for name in ("mediapipe", "tensorflow") if package != "training" and name in sys.modules]
sys.exit("\\n".join(happened) or 0)
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_has_no_side_effects(package: str, tmp_path: Path) -> None:
    """No file is written, no argument parsed, no model opened, no seed set, no thread or process started, nothing printed."""
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECOGNIZER_")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM, package, str(REPOSITORY), "--no-such-option"],
        cwd=folder,
        env={**environment, "HOME": str(home), "RECOGNIZER_MODELS": str(folder / "none")},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert list(folder.iterdir()) == []
