import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from recognizer.system import paths

START = paths.ROOT / "start.py"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """The module start.py, whose repository is an empty folder with requirements."""
    spec = importlib.util.spec_from_file_location("start", START)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements-base.txt").write_text("numpy==2.0\n")
    (tmp_path / "requirements.txt").write_text("numpy==2.0\nkeras==3.0 \\\n    --hash=sha256:0\n")
    monkeypatch.setattr(module, "REPO", str(tmp_path))
    monkeypatch.delenv("RECOGNIZER_ASSETS", raising=False)
    return module


class FakePrograms:
    """Replaces the programs that start.py runs. Records the commands, and creates the files that they would create.

    An exception in place of an exit code interrupts start.py while it waits for that program.
    """

    def __init__(self, start, folder):
        self.python = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.requirements = {str(folder / name): name for name in (start.BASE, start.ALL)}
        self.has_uv = False  # in the environment
        self.uv_found_code = 1
        self.uv_code = 0
        self.uv_output = b""
        self.pip_code = 0
        self.pip_output = b""
        self.pip_by_uv_code = 0
        self.ensurepip_code = 0
        self.pips = []  # the programs that installed pip
        self.installed_by_uv = []  # the requirements files
        self.installed = []  # by pip
        self.assets = folder / "models" / "assets"
        self.assets_code = 0
        self.fetched_at_once = 0  # beside the packages
        self.fetched = 0
        self.code = 0
        self.works = True
        self.made = 0
        self.ran = []
        self.children = []

    def call(self, command, env=None, **_):
        if command[-1] == "assets":
            assert self.installed or self.installed_by_uv
            assert env["PYTHONPATH"].split(os.pathsep)[0] == str(self.python.parents[2])
            self.fetched += 1
            return self.fetch()
        assert command[:2] == [str(self.python), "-Ic"]
        return 0 if self.works else 1

    def fetch(self):
        if not self.assets_code:
            self.assets.mkdir(parents=True)
            (self.assets / "hand_landmarker.task").touch()
        return self.assets_code

    def run(self, command, **_):
        assert command == [sys.executable, "-m", "venv", "--without-pip", str(self.python.parents[1])]
        self.made += 1
        self.python.parent.mkdir(parents=True)
        self.python.touch()
        return subprocess.CompletedProcess(command, 0, b"")

    def popen(self, command, cwd=None, env=None, stdin=None, **_):
        if stdin is None:  # what the user wants to run
            self.ran.append((command, cwd, env))
            return FakeChild(self.code)
        self.children.append(FakeChild(*self.helper(command)))
        return self.children[-1]

    def helper(self, command):
        """Exit code and output of a program that installs something."""
        if command[-1] == "assets":
            assert command[0] == sys.executable
            self.fetched_at_once += 1
            return self.fetch(), b""
        if "ensurepip" in command:
            self.pips.append("ensurepip")
            return self.ensurepip_code, b"Traceback\nOSError: no pip\n"
        if command[-1] == "pip":
            self.pips.append("uv")
            return self.pip_by_uv_code, b""
        if command[-1] == "--version":
            return 0, b""
        if any(word.startswith("uv==") for word in command):
            if self.uv_found_code == 0:
                (self.python.parent / f"uv{self.python.suffix}").touch()
            return self.uv_found_code, b""
        name = self.requirements[command[command.index("-r") + 1]]
        if command[1] == "pip":
            self.installed_by_uv.append(name)
            return self.uv_code, self.uv_output
        assert command[:3] == [str(self.python), "-m", "pip"]
        self.installed.append(name)
        return self.pip_code, self.pip_output


class FakeChild:
    def __init__(self, code, output=b""):
        self.codes = list(code) if isinstance(code, list) else [code]
        self.stdout = output.splitlines(keepends=True)
        self.returncode = None
        self.terminated = False

    def wait(self, timeout=None):
        code = self.returncode if self.returncode is not None else self.codes.pop(0)
        if isinstance(code, BaseException):
            self.codes.append(-15)
            raise code
        self.returncode = code
        return code

    def communicate(self):
        self.wait()
        return b"".join(self.stdout), None

    def poll(self):
        return self.returncode

    def terminate(self):
        self.terminated = True


@pytest.fixture
def programs(start, tmp_path, monkeypatch):
    fake = FakePrograms(start, tmp_path)
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    monkeypatch.setattr(start.subprocess, "call", fake.call)
    monkeypatch.setattr(start.subprocess, "run", fake.run)
    monkeypatch.setattr(start.subprocess, "Popen", fake.popen)
    return fake


def test_the_first_start_installs_and_forwards_the_arguments(start, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert start.main(["--source", "studio"]) == 0
    assert (programs.made, programs.installed) == (1, [start.BASE])
    ((command, cwd, env),) = programs.ran
    assert command == [str(programs.python), "-m", "recognizer", "--source", "studio"]
    assert cwd is None
    assert env["PYTHONPATH"] == os.pathsep.join([str(tmp_path), "elsewhere"])


@pytest.mark.parametrize(("found_code", "uv_code", "by_pip"), [(0, 0, False), (0, 2, True), (1, 0, True)])
def test_uv_installs_and_pip_is_the_fallback(start, programs, found_code, uv_code, by_pip):
    programs.uv_found_code, programs.uv_code = found_code, uv_code
    assert start.main([]) == 0
    assert programs.installed_by_uv == [start.BASE] * (found_code == 0)
    assert programs.installed == [start.BASE] * by_pip


def test_a_uv_on_path_is_used(start, programs, tmp_path, monkeypatch):
    (tmp_path / "uv").touch()
    monkeypatch.setattr(start.shutil, "which", lambda name: str(tmp_path / "uv"))
    assert start.main([]) == 0
    assert (programs.installed_by_uv, programs.installed) == ([start.BASE], [])


def test_without_pip_in_this_python_uv_is_installed_by_the_pip_of_the_environment(start, programs, monkeypatch):
    find_spec, helper, ran = importlib.util.find_spec, programs.helper, []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find_spec(name))
    monkeypatch.setattr(programs, "helper", lambda command: ran.append(command) or helper(command))
    programs.works, programs.uv_found_code = False, 0
    assert start.main([]) == 0
    assert [command[0] for command in ran if start.UV in command] == [str(programs.python)]
    assert (programs.pips[0], programs.installed_by_uv) == ("ensurepip", [start.BASE])


def test_the_second_start_installs_nothing(start, programs):
    start.main([])
    assert start.main(["--help"]) == 0
    assert (programs.made, programs.installed) == (1, [start.BASE])
    assert programs.ran[1][0][1:] == ["-m", "recognizer", "--help"]


@pytest.mark.parametrize("words", [["test"], ["install"], ["--all"], ["--all", "read", "a.png"]])
def test_everything_is_installed_where_it_is_needed(start, programs, words):
    assert start.main(words) == 0
    assert programs.installed == [start.ALL]
    assert len(programs.ran) == (words != ["install"])
    start.main([])
    start.main(["test"])
    assert programs.installed == [start.ALL]


def test_the_tests_complete_what_the_window_has_installed(start, programs, capsys):
    start.main([])
    assert start.main(["test"]) == 0
    assert (programs.made, programs.installed) == (1, [start.BASE, start.ALL])
    assert start.ABOUT[start.ALL] in capsys.readouterr().out


def test_the_first_start_downloads_the_assets_beside_the_packages(start, programs):
    start.main(["--source", "studio"])
    start.main([])
    start.main(["test"])
    assert (programs.fetched_at_once, programs.fetched, len(programs.ran)) == (1, 0, 3)


def test_existing_assets_are_not_downloaded(start, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_ASSETS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hand_landmarker.task").touch()
    start.main([])
    assert (programs.fetched_at_once, programs.fetched) == (0, 0)


def test_a_failed_asset_download_does_not_stop_the_start(start, programs, monkeypatch):
    programs.assets_code = 2
    assert start.main([]) == 0
    assert start.main([]) == 0
    assert len(programs.ran) == 2
    assert programs.fetched == 1  # the second start does not wait for the network again
    programs.assets_code = 0
    now = start.time.time()
    monkeypatch.setattr(start.time, "time", lambda: now + start.FETCH_AGAIN_S + 1)
    start.main([])
    assert programs.fetched == 2


def test_ctrl_c_during_the_asset_download_exits_with_130(start, programs, capsys):
    start.main([])
    shutil.rmtree(programs.assets)
    programs.ran.clear()
    programs.assets_code = 130
    assert start.main([]) == 130
    assert programs.ran == []
    assert capsys.readouterr().err == ""


def test_the_command_assets_only_downloads_assets(start, programs):
    programs.code = 2
    assert start.main(["assets"]) == 2
    ((command, _, _),) = programs.ran
    assert command == [str(programs.python), "-m", "recognizer", "assets"]
    assert (programs.installed, programs.fetched) == ([start.BASE], 0)


def test_the_asset_list_matches_the_recognizer(start):
    from recognizer.registry import assets

    assert [asset.file for asset in assets.ASSETS.values()] == list(start.ASSETS)


def test_the_command_test_runs_pytest_in_the_project(start, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_DATA", "sets")
    programs.code = 1
    assert start.main(["test", "-k", "start"]) == 1
    ((command, cwd, env),) = programs.ran
    assert command[1:] == ["-m", "pytest", "-k", "start"]
    assert cwd == str(tmp_path)
    assert env["RECOGNIZER_DATA"] == "sets"


def test_changed_requirements_are_installed_into_the_environment(start, programs, tmp_path):
    start.main(["test"])
    (tmp_path / "requirements-base.txt").write_text("numpy==2.1\n")
    assert start.main([]) == 0
    (tmp_path / "requirements.txt").write_text("numpy==2.1\nkeras==3.1\n")
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (1, [start.ALL, start.BASE])
    assert start.main(["test"]) == 0
    assert (programs.made, programs.installed) == (1, [start.ALL, start.BASE, start.ALL])


def test_another_python_version_creates_a_new_environment(start, programs, monkeypatch):
    start.main([])
    monkeypatch.setattr(start.sys, "version_info", (3, 13 if sys.version_info[1] != 13 else 12, 0))
    programs.works = False
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (2, [start.BASE] * 2)


def test_packages_are_installed_into_an_existing_environment(start, programs):
    programs.python.parent.mkdir(parents=True)
    programs.python.touch()
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (0, [start.BASE])


def test_an_interrupted_installation_is_replaced(start, programs, capsys):
    programs.pip_code = KeyboardInterrupt()
    assert start.main([]) == 130
    assert programs.ran == []
    assert capsys.readouterr().err == ""
    programs.pip_code = 0
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (2, [start.BASE] * 2)


def test_an_interrupted_completion_continues_beside_the_window(start, programs):
    start.main([])
    programs.pip_code = KeyboardInterrupt()
    assert start.main(["test"]) == 130
    assert programs.children[-1].terminated
    assert start.main([]) == 0  # the window needs nothing
    site = programs.python.parents[1] / ("Lib" if os.name == "nt" else "lib/python3.12") / "site-packages"
    for name in ("Keras-3.0", "numpy-2.0", "keras_extra-1.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    programs.pip_code = 0
    assert start.main(["test"]) == 0
    assert (programs.made, programs.installed) == (1, [start.BASE, start.ALL, start.ALL])
    left = {path.name for path in site.iterdir()}  # Keras may be half written; the window uses NumPy
    assert left == {"numpy-2.0.dist-info", "keras_extra-1.0.dist-info"}


def test_an_environment_without_python_is_replaced(start, programs):
    start.main([])
    programs.python.unlink()
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (2, [start.BASE] * 2)


UV_OUTPUT = b"""Using Python 3.11.7 environment at: .venv
Downloading scipy (33.7MiB)
error: Failed to download `scipy==1.17.1`
  cause: I/O operation failed during extraction
  cause: failed to write to file `scipy/a.so`: No space left on device (os error 28)
"""
OLD_UV_OUTPUT = """  \u00d7 Failed to fetch: `https://pypi.org/simple/scipy/`
  \u251c\u2500\u25b6 error sending request
  \u2570\u2500\u25b6 tcp connect error: Connection refused (os error 111)
""".encode()
PIP_OUTPUT = b"""WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')': /simple/
ERROR: Could not find a version that satisfies the requirement absl-py==2.5.1 (from versions: none)
ERROR: No matching distribution found for absl-py==2.5.1
"""


@pytest.mark.parametrize(
    ("uv_found_code", "output", "reason"),
    [
        (
            0,
            UV_OUTPUT,
            "Failed to download `scipy==1.17.1`: failed to write to file `scipy/a.so`: No space left on device",
        ),
        (0, OLD_UV_OUTPUT, "tcp connect error: Connection refused (os error 111)"),
        (1, PIP_OUTPUT, "No matching distribution found for absl-py==2.5.1: ProxyError('Cannot connect to proxy.')"),
        (1, b"", "no reason given"),
    ],
)
def test_a_failed_installation_prints_one_line_and_the_next_start_sets_up_again(
    start, programs, uv_found_code, output, reason, capsys
):
    programs.uv_found_code, programs.uv_code, programs.pip_code = uv_found_code, 2, 1
    programs.uv_output = programs.pip_output = output
    assert start.main([]) == 2
    assert programs.ran == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"Installing requirements-base.txt failed: {reason}")
    assert lines[0].endswith("start again: what is downloaded by then is kept.")
    programs.uv_code = programs.pip_code = 0
    assert start.main([]) == 0
    assert programs.made == 2


@pytest.mark.parametrize(
    ("uv_found_code", "pip_by_uv_code", "pips"), [(0, 0, {"uv"}), (0, 1, {"uv", "ensurepip"}), (1, 0, {"ensurepip"})]
)
def test_pip_comes_from_the_standard_library(start, programs, uv_found_code, pip_by_uv_code, pips):
    programs.works = False
    programs.uv_found_code, programs.pip_by_uv_code = uv_found_code, pip_by_uv_code
    assert start.main([]) == 0
    assert set(programs.pips) == pips


def test_a_failed_installation_of_pip_prints_one_line(start, programs, capsys):
    programs.works = False
    programs.uv_found_code, programs.pip_by_uv_code, programs.ensurepip_code = 0, 1, 1
    assert start.main([]) == 2
    assert capsys.readouterr().err == "Installing pip failed: OSError: no pip. Delete .venv and start again.\n"
    assert programs.ran == []


UV_PROGRESS = b"""Resolved 46 packages in 1s
Downloading tensorflow (545.9MiB)
Downloading numpy (16.1MiB)
 Downloaded numpy
Prepared 2 packages in 3s
"""


def test_downloads_are_shown_as_lines(start, programs, capsys):
    programs.uv_found_code, programs.uv_output = 0, UV_PROGRESS
    start.main([])
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  Downloading tensorflow (545.9MiB)",
        "  Downloading numpy (16.1MiB)",
        "  Downloaded numpy; still downloading tensorflow (545.9MiB)",
        "  Prepared 2 packages in 3s",
    ]


def test_downloads_are_shown_on_one_line_of_a_terminal(start, programs, monkeypatch, capsys):
    programs.uv_found_code, programs.uv_output = 0, UV_PROGRESS
    monkeypatch.setattr(start.sys.stdout, "isatty", lambda: True)
    start.main([])
    *lines, last = capsys.readouterr().out.split("\n")[2].split("\r")[1:]
    assert [line.strip().partition("s  ")[2] for line in lines[1:4]] == [
        "tensorflow (545.9MiB)",
        "tensorflow (545.9MiB), numpy (16.1MiB)",
        "tensorflow (545.9MiB)",
    ]
    assert last == ""
    assert max(map(len, lines)) < 80


def test_pip_shows_one_download_at_a_time(start):
    lines = [
        "Collecting a",
        "  Downloading a.whl (5 MB)",
        "Collecting b",
        "  Downloading b.whl (6 MB)",
        "Installing collected",
    ]
    awaited, seen = [], []
    for line in lines:
        awaited = start.still_awaited(awaited, line)
        seen.append(awaited)
    assert seen == [[], ["a.whl (5 MB)"], ["a.whl (5 MB)"], ["b.whl (6 MB)"], []]


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_prints_how_to_install_it(start, programs, module, monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find_spec(name))
    assert start.main([]) == 2
    assert "sudo apt install python3-venv" in capsys.readouterr().err
    assert programs.made == 0


def test_a_venv_failure_prints_one_line(start, programs, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1, b"Traceback\nOSError: disk full\n\n")
    monkeypatch.setattr(start.subprocess, "run", lambda *_, **__: failed)
    assert start.main([]) == 2
    assert "failed: OSError: disk full. Delete that folder" in capsys.readouterr().err


def test_an_unwritable_folder_prints_one_line(start, programs, monkeypatch, capsys):
    def refuse(path, _):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(start, "write", refuse)
    assert start.main([]) == 2
    error = capsys.readouterr().err
    assert "Permission denied" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("implementation", "version"), [("CPython", (3, 10)), ("CPython", (3, 14)), ("CPython", (2, 7)), ("PyPy", (3, 11))]
)
def test_an_unsupported_python_prints_one_line(start, programs, implementation, version, monkeypatch, capsys):
    monkeypatch.setattr(start.platform, "python_implementation", lambda: implementation)
    monkeypatch.setattr(start.sys, "version_info", (*version, 0))
    assert start.main([]) == 2
    error = capsys.readouterr().err
    assert "The recognizer needs CPython 3.11, 3.12 or 3.13" in error
    assert len(error.splitlines()) == 1
    assert programs.made == 0


def test_old_python_versions_can_parse_start_py():
    compile(START.read_text(), "start.py", "exec", dont_inherit=True)
    import ast

    tree = ast.parse(START.read_text(), feature_version=(3, 4))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.Starred))]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.returns]
    START.read_text(encoding="ascii")


def test_only_the_standard_library_is_imported():
    import ast

    imported = set()
    for node in ast.walk(ast.parse(START.read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= set(sys.stdlib_module_names)


def test_ctrl_c_waits_for_the_child_and_exits_with_130(start, programs, capsys):
    programs.code = [KeyboardInterrupt(), 0]
    assert start.main([]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("second", [KeyboardInterrupt(), subprocess.TimeoutExpired("recognizer", 10)])
def test_a_child_that_ignores_ctrl_c_is_terminated(start, second, monkeypatch):
    child = FakeChild([KeyboardInterrupt(), second, -15])
    monkeypatch.setattr(start.subprocess, "Popen", lambda *_, **__: child)
    assert start.run(["recognizer"]) == 130
    assert child.terminated


def test_the_exit_code_of_the_recognizer_is_returned(start, programs):
    programs.code = 2
    assert start.main([]) == 2
    programs.code = -9
    assert start.main([]) == 137


def test_a_second_start_waits_for_the_first_and_says_so(start, programs, tmp_path, monkeypatch, capsys):
    first = open(tmp_path / ".venv.lock", "a")  # noqa: SIM115
    assert start.lock(first)
    waits = []

    def finish_first(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            programs.python.parent.mkdir(parents=True)
            programs.python.touch()
            start.write(start.stamp(tmp_path / ".venv", start.BASE), start.wanted_stamp(start.BASE))
            programs.assets.mkdir(parents=True)
            (programs.assets / "hand_landmarker.task").touch()
            first.close()

    monkeypatch.setattr(start.time, "sleep", finish_first)
    assert start.main([]) == 0
    assert waits == [start.LOCK_POLL_S] * 3
    assert capsys.readouterr().out.count("Another start.py is installing the packages. Waiting until it is done.") == 1
    assert (programs.made, programs.installed, len(programs.ran)) == (0, [], 1)


def test_a_start_that_was_killed_keeps_nobody_waiting(start, programs, tmp_path, capsys):
    lock_it = f"import sys; sys.path.insert(0, {str(START.parent)!r}); import os, start\n"
    lock_it += f"file = open({str(tmp_path / '.venv.lock')!r}, 'a'); assert start.lock(file); os._exit(9)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", lock_it]) == 9
    assert start.main([]) == 0
    assert "Waiting" not in capsys.readouterr().out


def test_a_ready_environment_needs_no_lock(start, programs, tmp_path, monkeypatch):
    start.main([])
    monkeypatch.setattr(start, "lock", lambda file: pytest.fail("waited for the lock"))
    assert start.main([]) == 0


@pytest.mark.parametrize("number", ["ENOLCK", "EOPNOTSUPP"])
def test_a_file_system_without_locks_is_no_reason_to_wait(start, programs, number, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(getattr(errno, number), "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert start.main([]) == 0


def test_on_windows_a_byte_of_the_file_is_locked(start, monkeypatch, tmp_path):
    calls = []

    def locking(descriptor, mode, count):
        calls.append((mode, count))
        if len(calls) > 1:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(start.os, "name", "nt")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    with open(tmp_path / "lock", "a") as file:
        assert [start.lock(file), start.lock(file)] == [True, False]
    monkeypatch.undo()
    assert calls == [(2, 1), (2, 1)]


@pytest.mark.parametrize("link", [False, True])
def test_an_environment_of_the_user_is_never_replaced(start, programs, tmp_path, link, capsys):
    mine = tmp_path / ("elsewhere" if link else ".venv")
    (mine / "lib").mkdir(parents=True)
    (mine / "lib" / "mine.py").write_text("mine")
    if link:
        (tmp_path / ".venv").symlink_to(mine, target_is_directory=True)
    programs.works = False
    assert start.main([]) == 2
    error = capsys.readouterr().err
    assert "start.py did not make it, so it stays as it is. Rename or delete it, and start again." in error
    assert (mine / "lib" / "mine.py").read_text() == "mine"
    assert programs.made == 0


def test_an_interrupted_installation_into_the_user_s_environment_continues_there(start, programs):
    programs.python.parent.mkdir(parents=True)
    programs.python.touch()
    programs.pip_code = KeyboardInterrupt()
    assert start.main([]) == 130
    programs.pip_code = 0
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (0, [start.BASE] * 2)


@pytest.mark.parametrize(("module", "step"), [("os", "mkdir"), ("start", "write"), ("subprocess", "run")])
def test_an_interrupted_creation_of_the_environment_starts_anew(start, programs, tmp_path, module, step, monkeypatch):
    start.main([])
    (tmp_path / ".venv" / "old.txt").touch()
    programs.works = False
    (tmp_path / "requirements-base.txt").write_text("numpy==2.1\n")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        modules = {"os": start.os, "start": start, "subprocess": start.subprocess}
        during.setattr(modules[module], step, interrupt)
        assert start.main([]) == 130
    assert start.main([]) == 0
    assert not (tmp_path / ".venv" / "old.txt").exists()
    assert not (tmp_path / ".venv.replaced-by-start").exists()
    assert programs.made == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "pack needs the name of a folder"),
        (["a", "b"], "pack needs the name of a folder"),
        (["inside"], "is in the project, which is copied there"),
        (["../full"], "has other files. Choose a new folder"),
        (["../full/file"], "has other files. Choose a new folder"),
    ],
)
def test_a_folder_that_cannot_be_packed_prints_one_line(
    start, programs, tmp_path, words, expected, monkeypatch, capsys
):
    full = tmp_path.parent / f"{tmp_path.name}-full"
    full.mkdir()
    (full / "file").touch()
    monkeypatch.chdir(tmp_path)
    assert start.main(["pack", *(word.replace("../full", str(full)) for word in words)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.splitlines()) == 1
    assert [path.name for path in full.iterdir()] == ["file"]
