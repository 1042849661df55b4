"""Sets up and runs the project: `python3 start.py`. Runs the tests: `python3 start.py test`, with slow ones: `test --all`.

Creates .venv, installs what the window needs (requirements-base.txt), downloads the hand model beside that, and passes all
arguments to `python -m recognizer`. The next start installs and downloads nothing. The rest (requirements.txt) is installed
when it is needed: by `test`, by training that needs TensorFlow, or at once by `--all`.

python3 start.py install       install everything, and run nothing
python3 start.py assets        only download the hand model
python3 start.py pack DIR      make a folder that needs no network: the project, its packages and the hand model
python3 start.py --offline     set up in such a folder, without a connection

Uses only the standard library, without annotations and f-strings: an old Python must be able to run this file to report
that it is too old.
"""

import errno
import glob
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

REPO = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 11)
NEWEST = (3, 13)  # the packages in requirements.txt have wheels for these versions
UV = "uv==0.13.9"
BASE = "requirements-base.txt"  # what the window and the server need
ALL = "requirements.txt"  # the same, and what training and the tests need
WHEELS = "wheels"  # folder of `pack`: packages are installed from it first
PACKED_FOR = "packed-for.txt"  # file in it: the kind of machine
NOT_PACKED = ("__pycache__", "output", "runs", WHEELS)  # and hidden files, except HIDDEN
HIDDEN = (".ci", ".gitignore")
INTERRUPTED = "interrupted"  # content of a stamp file while an installation runs
STAMP = "installed-by-start-"  # + BASE or ALL, files in .venv: which version of it is installed
MADE_BY_START = "made-by-start"  # file in .venv: this program made it, so this program may replace it
LOCK_POLL_S = 0.5  # interval at which a second start looks whether the first one is done
STATUS_S = 1.0  # interval at which a terminal shows how far the downloads are
CHILD_EXIT_S = 10  # time for the recognizer to finish its video after Ctrl-C
ASSETS = ("hand_landmarker.task",)  # the files that recognizer/registry/assets.py downloads
FETCH_AGAIN_S = 3600  # pause after a failed download, so that not every offline start waits for the network
PIP_OPTIONS = ["--disable-pip-version-check", "--no-input", "--retries", "1", "--progress-bar", "off"]
ABOUT = {  # about how much is downloaded; measured by: python -m recognizer benchmark setup
    BASE: "Installing the packages for the window: about 132 MB to download, only once.",
    ALL: "Installing the packages for training and tests: up to 970 MB to download, only once.",
}
REMEDY = "Check the network and the free disk space, and start again: what is downloaded by then is kept."
PROGRESS = re.compile(r"\s*(Downloading|Downloaded|Building|Built|Prepared|Installing|Installed)\b")


class SetupError(Exception):
    """Setup failed. The message is one line: what happened, and what to do."""


def main(words):
    """Set up and run. Return the exit code: the child's, 2 if setup fails, 130 after Ctrl-C."""
    try:
        check_python()
        options, words = split_options(words)
        command = words[:1]
        offline = "--offline" in options
        venv = os.path.join(REPO, ".venv")
        everything = "--all" in options or command in (["test"], ["install"])
        python = prepare(venv, ALL if everything else BASE, offline)
        if command == ["install"]:
            return 0
        if command == ["pack"]:
            return pack(python, words[1:])
        if command == ["assets"]:
            return run([python, "-m", "recognizer"] + words)
        if not offline:
            bring_assets(python, os.path.join(venv, "assets-failed"))
        if command == ["test"]:
            return run([python, "-m", "pytest"] + words[1:], cwd=REPO)
        return run([python, "-m", "recognizer"] + words)
    except SetupError as error:
        sys.stderr.write(str(error) + "\n")
        return 2
    except KeyboardInterrupt:
        return 130


def split_options(words):
    """The options of this program, which stand first, and the other words."""
    count = 0
    while words[count : count + 1] in (["--all"], ["--offline"]):
        count += 1
    return words[:count], words[count:]


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


def prepare(venv, name, offline=False):
    """Install BASE or ALL into the virtual environment `venv`. Return its interpreter. Raises SetupError.

    Stamp files in `venv` record what is installed. If they are up to date, nothing is done. Otherwise one process sets up,
    and others wait for it. An environment that the user created is completed, but never replaced. One that this program
    made is replaced if it has another Python version, or if the installation of BASE was interrupted: until then nobody
    uses it. Downloaded packages stay in the cache of the installer, so that the next attempt goes on from there.
    """
    python = program(venv, "python")
    try:
        if not is_ready(venv, python, name):
            with only_one(venv + ".lock") as lock_file, ended_by_sigterm():
                if not is_ready(venv, python, name):  # the process that this one has waited for may have done it
                    set_up(venv, python, name, offline, lock_file)
    except OSError as error:
        raise SetupError(
            "Setting up " + venv + " failed: " + str(error) + ". Make the folder writable, "
            "free some space, close programs that use it, and start again."
        )
    return python


def program(venv, name):
    """The path of a program in a virtual environment."""
    return os.path.join(venv, "Scripts", name + ".exe") if os.name == "nt" else os.path.join(venv, "bin", name)


def files_of(name):
    """The requirements files that are installed with `name`: ALL contains BASE."""
    return [BASE] if name == BASE else [BASE, ALL]


def is_ready(venv, python, name):
    """Whether the current content of BASE or ALL is installed."""
    return os.path.exists(python) and all(read(stamp(venv, file)) == wanted_stamp(file) for file in files_of(name))


def stamp(venv, name):
    """The file that records which version of the requirements file `name` is installed."""
    return os.path.join(venv, STAMP + name)


def wanted_stamp(name):
    """The content of the stamp file when the requirements file `name` is installed for this Python version."""
    with open(os.path.join(REPO, name), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return digest + " " + ".".join(str(part) for part in sys.version_info[:2])


def set_up(venv, python, name, offline, lock_file):
    """Make the environment if there is none that works, install BASE or ALL, and write the stamps. Raises SetupError.

    The hand model is downloaded at the same time. If the installation was interrupted, the packages that it may have
    left half written are installed again.
    """
    with Helpers(lock_file) as helpers:
        ours = os.path.exists(os.path.join(venv, MADE_BY_START))
        if not works(python) or (ours and read(stamp(venv, BASE)) == INTERRUPTED):
            make_venv(venv)
        assets = None
        if not offline and assets_missing():
            assets = helpers.start([sys.executable, "-m", "recognizer", "assets"])  # it needs no packages
        has_base = name == ALL and is_ready(venv, python, BASE)
        unfinished = [ALL] if has_base else files_of(name)
        names = packages(name) - (packages(BASE) if has_base else set())
        if any(read(stamp(venv, file)) == INTERRUPTED for file in unfinished):
            forget(venv, names)
        for file in unfinished:
            write(stamp(venv, file), INTERRUPTED)
        install(python, name, offline, names, helpers)
        for file in unfinished:
            write(stamp(venv, file), wanted_stamp(file))
        if assets:
            assets.wait()


def packages(name):
    """The names of the packages in the requirements file `name`, in the form that `normal` gives."""
    with open(os.path.join(REPO, name)) as file:
        return {normal(found) for found in re.findall(r"^([\w.-]+)\s*==", file.read(), re.MULTILINE)}


def normal(name):
    """The name of a package in the one form that is compared."""
    return re.sub("[-_.]+", "-", name).lower()


def forget(venv, names):
    """Delete the records that these packages are installed, which may be half written: their files will be replaced."""
    records = os.path.join("site-packages", "*.dist-info")
    windows = glob.glob(os.path.join(venv, "Lib", records))
    for folder in windows or glob.glob(os.path.join(venv, "lib", "python*", records)):
        if normal(os.path.basename(folder).split("-")[0]) in names:
            shutil.rmtree(folder)


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
        yield file  # the operating system unlocks the file when it is closed or the process ends


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


@contextmanager
def ended_by_sigterm():
    """In the block, SIGTERM raises KeyboardInterrupt, so that the installing programs are ended as well."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Helpers:
    """The programs that a set-up runs. They end with the block `with Helpers()`.

    They hold the lock of the set-up, too: if only this process is killed, the next start waits until they have ended.
    """

    def __init__(self, lock_file=None):
        self.running = []
        self.options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if lock_file and os.name != "nt":
            self.options["pass_fds"] = (lock_file.fileno(),)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.running:
            if child.poll() is None:
                child.terminate()
            child.wait()

    def start(self, command, **options):
        """Start a program. By default its output is dropped."""
        child = subprocess.Popen(command, env=environment(), **dict(self.options, **options))
        self.running.append(child)
        return child

    def run(self, command):
        """Run a program without output. Return whether it succeeded."""
        try:
            return self.start(command).wait() == 0
        except OSError:
            return False

    def follow(self, command):
        """Run an installer and show its progress. Return its exit code, and the reason if it failed."""
        try:
            child = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            return 1, str(error)
        lines = list(shown(child.stdout))
        return child.wait(), reason_in(lines)


def shown(output):
    """Yield the lines of an installer's output. Shows what it downloads: a line each, or on a terminal one that changes."""
    import queue
    import threading

    lines = queue.Queue()

    def read_lines():
        for line in output:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read_lines, daemon=True).start()
    terminal = sys.stdout.isatty()
    began_s, awaited = time.time(), []
    while True:
        try:
            line = lines.get(timeout=STATUS_S)
        except queue.Empty:
            line = b""
        if line is None:
            break
        line = re.sub("\x1b\\[[0-9;]*m", "", line.decode("utf-8", "replace")).rstrip()
        if line:
            awaited = still_awaited(awaited, line)
            if PROGRESS.match(line) and not terminal:
                rest = "; still downloading " + in_short(awaited) if "Downloaded" in line and awaited else ""
                say("  " + line.strip() + rest)
            yield line
        if terminal:
            status = str(int(time.time() - began_s)) + " s  " + in_short(awaited)
            sys.stdout.write("\r  " + status[:76].ljust(76))
            sys.stdout.flush()
    if terminal:
        sys.stdout.write("\r" + " " * 78 + "\r")


def in_short(names):
    """The first names, and how many there are more."""
    return ", ".join(names[:2]) + (" and " + str(len(names) - 2) + " more" if len(names) > 2 else "")


def still_awaited(awaited, line):
    """The downloads in progress after this line of uv, or of pip, which downloads one after the other."""
    word, _, rest = line.strip().partition(" ")
    if word == "Downloaded":
        return [name for name in awaited if name.split(" ")[0] != rest]
    if word == "Downloading":
        return (awaited if not line.startswith(" ") else []) + [rest]
    return [] if PROGRESS.match(line) else awaited


def reason_in(lines):
    """Why an installer failed, from its output, in one line."""
    text = "\n".join(line.strip() for line in lines)
    errors = re.findall("^error: (.*)", text, re.MULTILINE | re.IGNORECASE)
    causes = re.findall("^(?:cause|Caused by): (.*)", text, re.MULTILINE)
    broken = re.findall("connection broken by '(.*)'", text)  # pip's own error names only the package
    parts = errors[-1:] + causes[-1:] + broken[-1:] or [last_line(text)]
    return ": ".join(part.strip(" .") for part in parts)[:400]


def last_line(text):
    """The last line that is not empty, in ASCII."""
    lines = [line.strip() for line in re.sub("[^ -~\n]", " ", text).split("\n") if line.strip()]
    return lines[-1] if lines else "no reason given"


def works(python):
    """Whether `python` runs, has pip, and has the same version as this Python."""
    if not os.path.exists(python):
        return False
    command = [
        python,
        "-Ic",  # what lies in the working folder does not count
        "import pip, sys; sys.exit(sys.version_info[:2] != " + repr(tuple(sys.version_info[:2])) + ")",
    ]
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_venv(venv):
    """Create a virtual environment without pip. Replaces one that this program made. Raises SetupError for any other."""
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
    command = [sys.executable, "-m", "venv", "--without-pip", venv]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        reason = last_line(result.stdout.decode("utf-8", "replace"))
        raise SetupError("Creating " + venv + " failed: " + reason + ". Delete that folder and start again.")


def install(python, name, offline, names, helpers):
    """Install the requirements file `name` with uv, which is several times faster, else with pip. Raises SetupError.

    `names` are the packages in it that are not there yet. Without `offline`, what the folder WHEELS lacks is downloaded.
    """
    say(ABOUT[name])
    venv = os.path.dirname(os.path.dirname(python))
    requirements = ["-r", os.path.join(REPO, name)]
    reason = ""
    for source in sources(offline):
        uv = find_uv(python, source, helpers)
        if uv:
            code, reason = helpers.follow([uv, "pip", "install", "--python", python] + requirements + source)
            if code == 0:
                bring_pip(python, uv, helpers)
                return
            forget(venv, names)
        bring_pip(python, uv, helpers)
        pip = [python, "-m", "pip", "install", "--no-compile"] + PIP_OPTIONS
        code, reason_of_pip = helpers.follow(pip + requirements + source)
        if code == 0:
            return
        reason = reason or reason_of_pip
    packed_for = "The folder " + WHEELS + " is for: " + read(os.path.join(REPO, WHEELS, PACKED_FOR))
    raise SetupError("Installing " + name + " failed: " + reason + ". " + (packed_for if offline else REMEDY))


def sources(offline):
    """The options of uv and pip for the places that packages come from, in the order in which they are tried."""
    wheels = os.path.join(REPO, WHEELS)
    packed = [["--no-index", "--find-links", wheels]] if os.path.isdir(wheels) else []
    if offline and not packed:
        raise SetupError(
            wheels + " does not exist, so nothing can be installed without a network. "
            "On a machine with a network, python3 start.py pack DIR makes a folder that has it."
        )
    return packed if offline else packed + [[]]


def find_uv(python, source, helpers):
    """The path of a uv that runs: in the environment, on PATH, or installed into the environment now. "" without one."""
    from importlib.util import find_spec

    own = program(os.path.dirname(os.path.dirname(python)), "uv")
    for found in (own, shutil.which("uv")):
        if found and os.path.exists(found) and helpers.run([found, "--version"]):
            return found
    pip = [sys.executable, "-m", "pip", "--python", python]
    if find_spec("pip") is None:
        bring_pip(python, "", helpers)
        pip = [python, "-m", "pip"]
    helpers.run(pip + ["install", UV, "--no-compile"] + PIP_OPTIONS + source)
    return own if os.path.exists(own) else ""


def bring_pip(python, uv, helpers):
    """Install pip from the copy in Python's standard library, if it is not there. uv is quicker. Raises SetupError."""
    import ensurepip
    import sysconfig

    if works(python):
        return
    for folder in (
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
        os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"),
    ):
        command = [uv, "pip", "install", "--python", python, "--no-index", "--find-links", str(folder), "pip"]
        if uv and folder and helpers.run(command):
            return
    code, reason = helpers.follow([python, "-Im", "ensurepip", "--upgrade", "--default-pip"])
    if code:
        raise SetupError("Installing pip failed: " + reason + ". Delete .venv and start again.")


def pack(python, words):
    """Make a folder that can be set up without a network: the project, the packages and the hand model. Return the exit code.

    Samples, runs and hidden files stay here. What is in the folder already is not downloaded again. Raises SetupError.
    """
    if len(words) != 1:
        raise SetupError("pack needs the name of a folder: python3 start.py pack DIR")
    folder = os.path.abspath(words[0])
    wheels = os.path.join(folder, WHEELS)
    if (os.path.realpath(folder) + os.sep).startswith(os.path.realpath(REPO) + os.sep):
        raise SetupError(folder + " is in the project, which is copied there. Choose a folder outside of it.")
    if os.path.lexists(folder) and not os.path.isdir(wheels) and (os.path.isfile(folder) or os.listdir(folder)):
        raise SetupError(folder + " has other files. Choose a new folder.")
    machine = platform.system() + " " + platform.machine() + ", Python " + ".".join(platform.python_version_tuple()[:2])
    try:
        if not os.path.isdir(wheels):
            os.makedirs(wheels)
        copy_project(folder)
        write(os.path.join(wheels, PACKED_FOR), machine)
    except OSError as error:
        raise SetupError(
            "Packing into " + folder + " failed: " + str(error) + ". Free some space, or choose another folder."
        )
    assets = dict(environment(), RECOGNIZER_ASSETS=os.path.join(folder, "models", "assets"))
    code = subprocess.call([python, "-m", "recognizer", "assets"], env=assets)
    if code:
        return code
    say("Downloading the packages in " + ALL)
    command = [python, "-m", "pip", "download", "--only-binary=:all:", "--dest", wheels] + PIP_OPTIONS
    for wanted in ([UV], ["-r", os.path.join(REPO, ALL)]):
        with Helpers() as helpers:
            code, reason = helpers.follow(command + wanted)
        if code:
            raise SetupError("Downloading the packages failed: " + reason + ". " + REMEDY)
    say(folder + " is complete, for " + machine + ". In a copy of it run: python3 start.py --offline")
    return 0


def copy_project(folder):
    """Copy the project's files. Raises OSError."""
    for here, names, files in os.walk(REPO):
        inside = os.path.relpath(here, REPO)
        names[:] = [] if inside == "data" else [name for name in names if is_packed(name)]
        there = os.path.join(folder, inside)
        if not os.path.isdir(there):
            os.makedirs(there)
        for name in files:
            if is_packed(name):
                shutil.copy2(os.path.join(here, name), os.path.join(there, name))


def is_packed(name):
    """Whether a file or folder belongs into a pack."""
    return name in HIDDEN or not (name.startswith(".") or name in NOT_PACKED)


def assets_missing():
    folder = os.environ.get("RECOGNIZER_ASSETS") or os.path.join(REPO, "models", "assets")
    return not all(os.path.exists(os.path.join(folder, name)) for name in ASSETS)


def bring_assets(python, failed):
    """Download missing assets. A failure is printed, but is not fatal: digits need no assets.

    The file `failed` records the time of the last failure.
    """
    if not assets_missing():
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
