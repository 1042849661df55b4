"""Sets up and runs the project: `python3 start.py`. Runs the tests: `python3 start.py test`, with slow ones: `test --all`.

Creates .venv, installs requirements.txt, downloads the hand model, and passes all arguments to `python -m recognizer`. The
next start installs and downloads nothing. `python3 start.py assets` only downloads. Uses only the standard library, without
annotations and f-strings: an old Python must be able to run this file to report that it is too old.
"""

import errno
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

REPO = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 11)
NEWEST = (3, 13)  # the packages in requirements.txt have wheels for these versions
UV = "uv==0.13.9"
INTERRUPTED = "interrupted"  # content of the stamp file while an installation runs
STAMP = "installed-by-start"  # file in .venv: what is installed
MADE_BY_START = "made-by-start"  # file in .venv: this program made it, so this program may replace it
LOCK_POLL_S = 0.5  # interval at which a second start looks whether the first one is done
CHILD_EXIT_S = 10  # time for the recognizer to finish its video after Ctrl-C
ASSETS = ("hand_landmarker.task",)  # the files that recognizer/registry/assets.py downloads
FETCH_AGAIN_S = 3600  # pause after a failed download, so that not every offline start waits for the network


class SetupError(Exception):
    """Setup failed. The message is one line: what happened, and what to do."""


def main(words):
    """Set up and run. Return the exit code: the child's, 2 if setup fails, 130 after Ctrl-C."""
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
    """Raise SetupError unless this is CPython from OLDEST to NEWEST."""
    implementation = platform.python_implementation()
    if implementation == "CPython" and OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        return
    raise SetupError(
        "The recognizer needs CPython 3.11, 3.12 or 3.13; "
        + str(sys.executable)
        + " is "
        + implementation
        + " "
        + platform.python_version()
        + ". Run it with one of those, for example: python3.12 start.py"
    )


def prepare(venv, requirements):
    """Install the file `requirements` into the virtual environment `venv`. Return its interpreter. Raises SetupError.

    A stamp file in `venv` records what is installed. If it is up to date, nothing is done. Otherwise one process sets up,
    and others wait for it. An environment that the user created is completed, but never replaced. One that this program
    made is replaced if the installation was interrupted or if it has another Python version.
    """
    python = os.path.join(venv, "Scripts", "python.exe") if os.name == "nt" else os.path.join(venv, "bin", "python")
    try:
        wanted = wanted_stamp(requirements)
        if not is_ready(venv, python, wanted):
            with only_one(venv + ".lock"):
                if not is_ready(venv, python, wanted):  # the process that this one has waited for may have done it
                    set_up(venv, python, requirements, wanted)
    except OSError as error:
        raise SetupError(
            "Setting up " + venv + " failed: " + str(error) + ". Make the folder writable, "
            "close programs that use it, and start again."
        )
    return python


def is_ready(venv, python, wanted):
    """Whether everything in the stamp `wanted` is installed."""
    return read(os.path.join(venv, STAMP)) == wanted and os.path.exists(python)


def set_up(venv, python, requirements, wanted):
    """Make the environment if there is none that works, install `requirements`, and write the stamp. Raises SetupError."""
    stamp = os.path.join(venv, STAMP)
    ours = os.path.exists(os.path.join(venv, MADE_BY_START))
    if not works(python) or (ours and read(stamp) == INTERRUPTED):
        make_venv(venv)
    write(stamp, INTERRUPTED)
    install(python, requirements, stamp)
    write(stamp, wanted)


@contextmanager
def only_one(path):
    """Holds the lock file `path` in the block. Waits, and says so, while another process holds it."""
    with open(path, "a") as file:
        waits = False
        while not lock(file):
            if not waits:
                say("Another start.py is installing the packages. Waiting until it is done.")
            waits = True
            time.sleep(LOCK_POLL_S)
        yield  # the operating system unlocks the file when it is closed or the process ends


def lock(file):
    """Lock an open file. Return False if another process has locked it."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Other errors come from file systems without locks: there nobody can wait.
        return error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True


def wanted_stamp(requirements):
    """The stamp file's content if `requirements` is installed for this Python version."""
    with open(requirements, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return digest + " " + ".".join(str(part) for part in sys.version_info[:2])


def works(python):
    """Whether `python` runs, has pip, and has the same version as this Python."""
    if not os.path.exists(python):
        return False
    command = [
        python,
        "-c",
        "import pip, sys; sys.exit(sys.version_info[:2] != " + repr(tuple(sys.version_info[:2])) + ")",
    ]
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_venv(venv):
    """Create an empty virtual environment. Replaces one that this program made. Raises SetupError for any other."""
    from importlib.util import find_spec

    marker = os.path.join(venv, MADE_BY_START)
    if os.path.isdir(venv) and not os.listdir(venv):
        os.rmdir(venv)  # of a start that was interrupted before it wrote the marker
    if os.path.lexists(venv) and not os.path.exists(marker):
        version = ".".join(str(part) for part in sys.version_info[:2])
        raise SetupError(
            venv
            + " has no working Python "
            + version
            + " with pip, and start.py did not make it, so it stays as it is. "
            "Rename or delete it, and start again."
        )
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        version = ".".join(str(part) for part in sys.version_info[:2])
        raise SetupError(
            "This Python cannot create virtual environments. Install the missing package and start again: "
            "sudo apt install python3-venv (or python" + version + "-venv)"
        )
    say("Creating " + venv)
    old = venv + ".replaced-by-start"
    shutil.rmtree(old, ignore_errors=True)  # of a start that was interrupted
    if os.path.lexists(venv):
        os.rename(venv, old)  # in one step: a folder that is in use stays whole
    os.mkdir(venv)
    write(marker, "")  # first: an environment that is interrupted from here on may be replaced
    shutil.rmtree(old, ignore_errors=True)
    command = [sys.executable, "-m", "venv", venv]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        lines = result.stdout.decode("utf-8", "replace").split("\n")
        last_line = [line.strip() for line in lines if line.strip()][-1:]
        raise SetupError(
            "Creating " + venv + " failed: " + "".join(last_line) + ". Delete that folder and start again."
        )


def install(python, requirements, stamp):
    """Install `requirements` with uv, which is several times faster, else with pip. Shows progress. Raises SetupError."""
    say("Installing the packages in requirements.txt. This takes some minutes, but only once.")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.call(pip + [UV], **quiet) == 0:  # without uv, or if it fails, pip does the same
        if subprocess.call([python, "-m", "uv", "pip", "install", "--python", python, "-r", requirements]) == 0:
            return
    failed = subprocess.call(pip + ["-r", requirements])
    if failed:
        os.remove(stamp)  # pip has cleaned up: the next start can complete the environment
        raise SetupError(
            "pip could not install the packages (exit code " + str(failed) + ", see its message above). "
            "Check the network and the free disk space (4 GB), and start again."
        )


def bring_assets(python, failed):
    """Download missing assets. A failure is printed, but is not fatal: digits need no assets.

    The file `failed` records the time of the last failure.
    """
    folder = os.environ.get("RECOGNIZER_ASSETS") or os.path.join(REPO, "models", "assets")
    if all(os.path.exists(os.path.join(folder, name)) for name in ASSETS):
        return
    if os.path.exists(failed) and 0 <= time.time() - os.path.getmtime(failed) < FETCH_AGAIN_S:
        return
    exit_code = subprocess.call([python, "-m", "recognizer", "assets"], env=environment())
    if exit_code == 130:
        raise KeyboardInterrupt
    if exit_code:
        try:
            write(failed, "")
        except OSError:
            pass  # without the file, the next start tries again at once


def environment():
    """This program's environment variables, with the project on PYTHONPATH."""
    paths = [REPO] + [path for path in [os.environ.get("PYTHONPATH")] if path]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths))


def run(command, cwd=None):
    """Run `command` with the project on PYTHONPATH. Return its exit code, 130 after Ctrl-C."""
    child = subprocess.Popen(command, cwd=cwd, env=environment())
    try:
        code = child.wait()
    except KeyboardInterrupt:
        # The terminal sends Ctrl-C to the child as well; it is already closing the camera.
        try:
            child.wait(CHILD_EXIT_S)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            child.terminate()
            child.wait()
        return 130
    return code if code >= 0 else 128 - code  # ended by a signal: the exit code that shells use


def read(path):
    """The text of a small file; "" if it does not exist."""
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
    sys.stdout.flush()  # so that it appears before the output of child processes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
