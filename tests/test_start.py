import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from recognizer.system import paths
from tests.helpers.waiting import HANG_S

START = paths.ROOT / "start.py"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """The module start.py, whose repository is an empty folder with a requirements.txt."""
    spec = importlib.util.spec_from_file_location("start", START)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements.txt").write_text("numpy==2.0\n")
    monkeypatch.setattr(module, "REPO", str(tmp_path))
    monkeypatch.delenv("RECOGNIZER_ASSETS", raising=False)
    return module


class FakePrograms:
    """Replaces the programs that start.py runs. Records the commands, and creates the files that they would create."""

    def __init__(self, folder):
        self.python = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.pip_code = 0
        self.uv_found_code = 1
        self.uv_code = 0
        self.installed_by_uv = 0
        self.assets = folder / "models" / "assets"
        self.assets_code = 0
        self.fetched = 0
        self.code = 0
        self.works = True
        self.installed = 0
        self.made = 0
        self.ran = []

    def call(self, command, env=None, **_):
        if command[-1] == "assets":
            assert self.installed or self.installed_by_uv
            assert env["PYTHONPATH"].split(os.pathsep)[0] == str(self.python.parents[2])
            self.fetched += 1
            if not self.assets_code:
                self.assets.mkdir(parents=True)
                (self.assets / "hand_landmarker.task").touch()
            return self.assets_code
        if command[-1].startswith("uv=="):
            return self.uv_found_code
        if "uv" in command:
            self.installed_by_uv += 1
            return self.uv_code
        if "pip" in command:
            self.installed += 1
            if isinstance(self.pip_code, BaseException):
                raise self.pip_code
            return self.pip_code
        return 0 if self.works else 1

    def run(self, command, **_):
        assert command == [sys.executable, "-m", "venv", str(self.python.parents[1])]
        self.made += 1
        self.python.parent.mkdir(parents=True)
        self.python.touch()
        return subprocess.CompletedProcess(command, 0, b"")

    def popen(self, command, cwd=None, env=None):
        self.ran.append((command, cwd, env))
        return FakeChild(self.code)


class FakeChild:
    def __init__(self, code):
        self.codes = list(code) if isinstance(code, list) else [code]
        self.terminated = False

    def wait(self, timeout=None):
        code = self.codes.pop(0)
        if isinstance(code, BaseException):
            raise code
        return code

    def terminate(self):
        self.terminated = True


@pytest.fixture
def programs(start, tmp_path, monkeypatch):
    fake = FakePrograms(tmp_path)
    monkeypatch.setattr(start.subprocess, "call", fake.call)
    monkeypatch.setattr(start.subprocess, "run", fake.run)
    monkeypatch.setattr(start.subprocess, "Popen", fake.popen)
    return fake


def test_the_first_start_installs_and_forwards_the_arguments(start, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert start.main(["--source", "studio"]) == 0
    assert (programs.made, programs.installed) == (1, 1)
    ((command, cwd, env),) = programs.ran
    assert command == [str(programs.python), "-m", "recognizer", "--source", "studio"]
    assert cwd is None
    assert env["PYTHONPATH"] == os.pathsep.join([str(tmp_path), "elsewhere"])


@pytest.mark.parametrize(("found_code", "uv_code", "by_pip"), [(0, 0, 0), (0, 2, 1), (1, 0, 1)])
def test_uv_installs_and_pip_is_the_fallback(start, programs, found_code, uv_code, by_pip):
    programs.uv_found_code, programs.uv_code = found_code, uv_code
    assert start.main([]) == 0
    assert programs.installed_by_uv == (found_code == 0)
    assert programs.installed == by_pip


def test_the_second_start_installs_nothing(start, programs):
    start.main([])
    assert start.main(["--help"]) == 0
    assert (programs.made, programs.installed) == (1, 1)
    assert programs.ran[1][0][1:] == ["-m", "recognizer", "--help"]


def test_the_first_start_downloads_the_assets(start, programs):
    start.main(["--source", "studio"])
    start.main([])
    start.main(["test"])
    assert (programs.fetched, len(programs.ran)) == (1, 3)


def test_existing_assets_are_not_downloaded(start, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_ASSETS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hand_landmarker.task").touch()
    start.main([])
    assert programs.fetched == 0


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
    programs.assets_code = 130
    assert start.main([]) == 130
    assert programs.ran == []
    assert capsys.readouterr().err == ""


def test_the_command_assets_only_downloads_assets(start, programs):
    programs.code = 2
    assert start.main(["assets"]) == 2
    ((command, _, _),) = programs.ran
    assert command == [str(programs.python), "-m", "recognizer", "assets"]
    assert (programs.installed, programs.fetched) == (1, 0)


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
    start.main([])
    (tmp_path / "requirements.txt").write_text("numpy==2.1\n")
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (1, 2)


def test_another_python_version_creates_a_new_environment(start, programs, monkeypatch):
    start.main([])
    monkeypatch.setattr(start.sys, "version_info", (3, 13 if sys.version_info[1] != 13 else 12, 0))
    programs.works = False
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (2, 2)


def test_packages_are_installed_into_an_existing_environment(start, programs):
    programs.python.parent.mkdir(parents=True)
    programs.python.touch()
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (0, 1)


def test_an_interrupted_installation_is_replaced(start, programs, capsys):
    programs.pip_code = KeyboardInterrupt()
    assert start.main([]) == 130
    assert programs.ran == []
    assert capsys.readouterr().err == ""
    programs.pip_code = 0
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (2, 2)


def test_an_environment_without_python_is_replaced(start, programs):
    start.main([])
    programs.python.unlink()
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (2, 2)


def test_a_pip_failure_prints_one_line_and_the_next_start_continues(start, programs, capsys):
    programs.pip_code = 1
    assert start.main([]) == 2
    assert programs.ran == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "pip could not install the packages (exit code 1" in lines[0]
    programs.pip_code = 0
    assert start.main([]) == 0
    assert (programs.made, programs.installed) == (1, 2)


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


@pytest.mark.slow
def test_a_real_start_works_without_a_network(tmp_path):
    """Without requirements: the environment is created once, assets are tried, and the working folder is unchanged."""
    project = tmp_path / "a project"
    elsewhere = tmp_path / "elsewhere"
    (project / "recognizer").mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copy(START, project)
    (project / "requirements.txt").write_text("# nothing\n")
    (project / "recognizer" / "__init__.py").touch()
    (project / "recognizer" / "__main__.py").write_text(
        "import os, sys\n"
        "if sys.argv[1:] == ['assets']:\n    sys.exit('offline')\n"
        "print(sys.prefix, os.getcwd(), *sys.argv[1:], sep='|')\nsys.exit(3)\n"
    )
    command = [sys.executable, str(project / "start.py"), "--source", "studio"]
    offline = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    first = subprocess.run(
        command, cwd=elsewhere, env=offline, capture_output=True, text=True, check=False, timeout=HANG_S
    )
    expected = f"{project / '.venv'}|{elsewhere}|--source|studio"
    assert first.stdout.splitlines()[-1] == expected, first.stderr
    assert first.returncode == 3
    assert first.stderr.splitlines() == ["offline"]
    second = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert second.stdout.splitlines() == [expected]
    assert second.stderr == ""


def test_a_second_start_waits_for_the_first_and_says_so(start, programs, tmp_path, monkeypatch, capsys):
    first = open(tmp_path / ".venv.lock", "a")  # noqa: SIM115
    assert start.lock(first)
    waits = []

    def finish_first(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            programs.python.parent.mkdir(parents=True)
            programs.python.touch()
            start.write(tmp_path / ".venv" / start.STAMP, start.wanted_stamp(tmp_path / "requirements.txt"))
            programs.assets.mkdir(parents=True)
            (programs.assets / "hand_landmarker.task").touch()
            first.close()

    monkeypatch.setattr(start.time, "sleep", finish_first)
    assert start.main([]) == 0
    assert waits == [start.LOCK_POLL_S] * 3
    assert capsys.readouterr().out.count("Another start.py is installing the packages. Waiting until it is done.") == 1
    assert (programs.made, programs.installed, len(programs.ran)) == (0, 0, 1)


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
    assert (programs.made, programs.installed) == (0, 2)


@pytest.mark.parametrize(("module", "step"), [("os", "mkdir"), ("start", "write"), ("subprocess", "run")])
def test_an_interrupted_creation_of_the_environment_starts_anew(start, programs, tmp_path, module, step, monkeypatch):
    start.main([])
    (tmp_path / ".venv" / "old.txt").touch()
    programs.works = False
    (tmp_path / "requirements.txt").write_text("numpy==2.1\n")

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


@pytest.mark.slow
def test_two_real_starts_at_once_make_one_environment(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "recognizer").mkdir()
    shutil.copy(START, tmp_path)
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "recognizer" / "__init__.py").touch()
    (tmp_path / "recognizer" / "__main__.py").write_text("import sys\nprint('ran', sys.prefix)\n")
    offline = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    starts = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "start.py")],
            cwd=elsewhere,  # the repository has a package of the same name
            env=offline,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=HANG_S) for process in starts]
    assert [process.returncode for process in starts] == [0, 0], ended
    assert sum(out.count("Creating ") for out, _ in ended) == 1
    assert sum(out.count("Waiting until it is done.") for out, _ in ended) == 1
    assert all(out.splitlines()[-1] == f"ran {tmp_path / '.venv'}" for out, _ in ended)
