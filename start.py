"""Sets the project up beside this file and runs it: `python3 start.py`, or its tests: `python3 start.py test`, with
those that are slow: `python3 start.py test --all`.

Makes .venv, installs requirements.txt into it, fetches the hand model, and passes all further words to
`python -m recognizer`. The second start installs and fetches nothing. `python3 start.py assets` only fetches. Standard
library only. No annotations or f-strings here: an old Python has to get as far as being told that it is too old.
"""

import hashlib
import os
import platform
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 11)
NEWEST = (3, 13)  # the packages in requirements.txt have wheels for these
UV = "uv==0.13.9"
INTERRUPTED = "interrupted"  # in the stamp: an installation was begun and has not ended
CHILD_EXIT_S = 10  # for the recognizer to finish its video after Ctrl-C
ASSETS = ("hand_landmarker.task",)  # what recognizer/registry/assets.py fetches
FETCH_AGAIN_S = 3600  # after it failed: offline, not every start shall wait for the network


class SetupError(Exception):
    """One line on what stands in the way and what to do."""


def main(words):
    """Set up, run and return the exit code: the child's, 2 where setting up fails, 130 after Ctrl-C."""
    try:
        check_python()
        venv = os.path.join(REPO, ".venv")
        python = prepare(venv, os.path.join(REPO, "requirements.txt"))
        if words[:1] == ["assets"]:
            return run([python, "-m", "recognizer"] + words)
        bring_assets(python, os.path.join(venv, "assets-failed"))
        if words[:1] == ["test"]:
            return run([python, "-m", "pytest"] + words[1:], cwd=REPO)
        return run([python, "-m", "recognizer"] + words)
    except SetupError as error:
        sys.stderr.write(str(error) + "\n")
        return 2
    except KeyboardInterrupt:
        return 130


def check_python():
    """Raise SetupError under anything but CPython from OLDEST to NEWEST."""
    kind = platform.python_implementation()
    if kind == "CPython" and OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        return
    raise SetupError(
        "This needs CPython 3.11, 3.12 or 3.13; "
        + str(sys.executable)
        + " is "
        + kind
        + " "
        + platform.python_version()
        + ". Run it with one of those, for example: python3.12 start.py"
    )


def prepare(venv, requirements):
    """Bring the virtual environment `venv` to what the file `requirements` asks for; return its interpreter.

    A stamp inside says what was installed last, so that nothing is done when that has not changed. An environment made
    by hand is completed; one that an interrupted installation left, or another Python made, is made anew.
    """
    python = os.path.join(venv, "Scripts", "python.exe") if os.name == "nt" else os.path.join(venv, "bin", "python")
    stamp = os.path.join(venv, "installed-by-start")
    try:
        wanted = wanted_stamp(requirements)
        installed = read(stamp)
        if installed == wanted and os.path.exists(python):
            return python
        if installed == INTERRUPTED or not works(python):
            make_venv(venv)
        write(stamp, INTERRUPTED)
        install(python, requirements, stamp)
        write(stamp, wanted)
    except OSError as error:
        raise SetupError(
            "Setting up " + venv + " failed: " + str(error) + ". Make the folder writable, "
            "close programs that use it, and start again."
        )
    return python


def wanted_stamp(requirements):
    """What the stamp says when `requirements` is installed for this Python."""
    with open(requirements, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return digest + " " + ".".join(str(part) for part in sys.version_info[:2])


def works(python):
    """Whether `python` starts, has pip and is of this Python's version."""
    if not os.path.exists(python):
        return False
    asked = [
        python,
        "-c",
        "import pip, sys; sys.exit(sys.version_info[:2] != " + repr(tuple(sys.version_info[:2])) + ")",
    ]
    try:
        return subprocess.call(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_venv(venv):
    """Make an empty virtual environment, in place of what is there. Raises SetupError."""
    from importlib.util import find_spec

    if find_spec("venv") is None or find_spec("ensurepip") is None:
        version = ".".join(str(part) for part in sys.version_info[:2])
        raise SetupError(
            "This Python cannot make virtual environments. Install what it lacks and start again: "
            "sudo apt install python3-venv (or python" + version + "-venv)"
        )
    say("Making " + venv)
    asked = [sys.executable, "-m", "venv", "--clear", venv]
    made = subprocess.run(asked, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        lines = made.stdout.decode("utf-8", "replace").split("\n")
        last = [line.strip() for line in lines if line.strip()][-1:]
        raise SetupError("Making " + venv + " failed: " + "".join(last) + ". Delete that folder and start again.")


def install(python, requirements, stamp):
    """Install `requirements`, its progress visible: with uv, which is several times as fast, else with pip. Raises
    SetupError.
    """
    say("Installing the packages of requirements.txt: this takes some minutes, once.")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.call(pip + [UV], **quiet) == 0:  # without it, or where it knows another index, pip does the same
        if subprocess.call([python, "-m", "uv", "pip", "install", "--python", python, "-r", requirements]) == 0:
            return
    failed = subprocess.call(pip + ["-r", requirements])
    if failed:
        os.remove(stamp)  # pip has cleaned up behind itself: what is there can be completed
        raise SetupError(
            "pip could not install the packages (exit code " + str(failed) + ", its reason is above). "
            "Check the network and the free disk space (4 GB), and start again."
        )


def bring_assets(python, failed):
    """Fetch the assets that are missing; what stands in the way is told, and digits are recognised without them.

    The file `failed` is there when the last try failed, and of that time.
    """
    folder = os.environ.get("RECOGNIZER_ASSETS") or os.path.join(REPO, "models", "assets")
    if all(os.path.exists(os.path.join(folder, name)) for name in ASSETS):
        return
    if os.path.exists(failed) and 0 <= time.time() - os.path.getmtime(failed) < FETCH_AGAIN_S:
        return
    code = subprocess.call([python, "-m", "recognizer", "assets"], env=environment())
    if code == 130:
        raise KeyboardInterrupt
    if code:
        try:
            write(failed, "")
        except OSError:
            pass  # then the next start tries again


def environment():
    """The variables of this program, with the project importable."""
    paths = [REPO] + [path for path in [os.environ.get("PYTHONPATH")] if path]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths))


def run(command, cwd=None):
    """Run `command` with the project importable; return its exit code, 130 after Ctrl-C."""
    child = subprocess.Popen(command, cwd=cwd, env=environment())
    try:
        code = child.wait()
    except KeyboardInterrupt:
        # The terminal sends Ctrl-C to the child as well: it is already releasing the camera.
        try:
            child.wait(CHILD_EXIT_S)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            child.terminate()
            child.wait()
        return 130
    return code if code >= 0 else 128 - code  # killed by a signal: as shells count


def read(path):
    """The text of a small file, "" where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()  # before the lines of the programs it runs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
