"""start.py with real programs: a small project is set up from a local package index with tiny packages."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recognizer.system import paths
from tests.helpers.local_server import closed_address
from tests.helpers.machine import mounted
from tests.helpers.package_index import Index, make_wheel, running_index
from tests.helpers.waiting import HANG_S, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for uv is a shell script"),
    pytest.mark.skipif(importlib.util.find_spec("uv") is None, reason="uv is not installed: requirements-dev.txt"),
]

MAIN = """
import os, sys
if sys.argv[1:] == ["assets"]:
    folder = os.environ["RECOGNIZER_ASSETS"]
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, "hand_landmarker.task"), "a").close()
    sys.exit()
import base_one, base_two
print(sys.prefix, os.getcwd(), *sys.argv[1:], sep="|")
sys.exit(3)
"""
PYTEST = b"import rest, sys\nprint('tests', *sys.argv[1:])\n"
BASE = ("base_one", "base_two")
REST = ("pytest", "rest")


@dataclass
class Project:
    """A small project, and the environment in which its start.py runs."""

    folder: Path
    caches: Path
    variables: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()  # a program that runs start.py

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start it as a process group of its own."""
        return subprocess.Popen(
            [*self.prefix, sys.executable, str(self.folder / "start.py"), *words],
            cwd=self.caches,  # an empty folder
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, list[str], list[str]]:
        """Exit code, and the lines on stdout and stderr."""
        process = self.start(*words)
        out, err = process.communicate(timeout=HANG_S)
        return process.returncode, out.splitlines(), err.splitlines()

    def window(self, *words: str) -> str:
        """What the recognizer prints when it runs."""
        return "|".join([str(self.venv), str(self.caches), *words])


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index with the packages, and a uv that runs the installed one."""
    wheels = tmp_path / "index"
    wheels.mkdir()
    for name in (*BASE, "rest"):
        make_wheel(wheels, name, {f"{name}/__init__.py": f"name = {name!r}\n".encode() * 2000})
    make_wheel(wheels, "pytest", {"pytest/__init__.py": b"", "pytest/__main__.py": PYTEST})
    from uv import find_uv_bin

    script = f'#!/bin/sh\nexec "{find_uv_bin()}" "$@"\n'.encode()
    version = start_module().UV.partition("==")[2]
    make_wheel(wheels, "uv", {f"uv-{version}.data/scripts/uv": script}, version)
    with running_index(wheels) as index:
        yield index


def start_module():
    spec = importlib.util.spec_from_file_location("start", paths.ROOT / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path, index: Index) -> Project:
    folder, caches = tmp_path / "a project", tmp_path / "caches"
    (folder / "recognizer").mkdir(parents=True)
    caches.mkdir()
    shutil.copy(paths.ROOT / "start.py", folder)
    (folder / "requirements-base.txt").write_text("".join(f"{name}==1.0\n" for name in BASE))
    (folder / "requirements.txt").write_text("".join(f"{name}==1.0\n" for name in BASE + REST))
    (folder / "recognizer" / "__init__.py").touch()
    (folder / "recognizer" / "__main__.py").write_text(MAIN)
    assets = tmp_path / "assets"
    python = Path(sys.executable).parent
    path = [place for place in os.environ["PATH"].split(os.pathsep) if Path(place) != python and not has_uv(place)]
    variables = {"PATH": os.pathsep.join(path), "RECOGNIZER_ASSETS": str(assets), "HOME": str(caches)}
    return Project(folder, caches, {**variables, **index.variables(caches)})


def has_uv(folder: str) -> bool:
    return (Path(folder) / "uv").exists()


def test_the_window_needs_two_packages_and_the_tests_complete_them(project: Project, index: Index) -> None:
    code, out, err = project.run("--source", "studio")
    assert (code, out[-1], err) == (3, project.window("--source", "studio"), [])
    assert index.downloads() == {*BASE, "uv"}
    assert any("Prepared 2 packages" in line for line in out)  # by uv
    assert Path(project.variables["RECOGNIZER_ASSETS"], "hand_landmarker.task").exists()
    index.sent.clear()
    assert project.run() == (3, [project.window()], [])
    assert index.sent == {}
    code, out, err = project.run("test", "-k", "start")
    assert (code, out[-1], err) == (0, "tests -k start", [])
    assert any("training and tests" in line for line in out)
    assert index.downloads() == set(REST)
    pip = subprocess.run([project.venv / "bin" / "python", "-m", "pip", "--version"], check=True, capture_output=True)
    assert pip.stdout.startswith(b"pip ")


def test_without_uv_pip_installs_the_same(project: Project, index: Index) -> None:
    next(index.folder.glob("uv-*.whl")).unlink()
    code, out, err = project.run("--all", "read")
    assert (code, out[-1], err) == (3, project.window("read"), [])
    assert index.downloads() == {*BASE, *REST}
    assert not list(project.venv.rglob("rest/__pycache__"))  # nothing is compiled that nobody has run
    index.sent.clear()
    assert project.run("test")[:2] == (0, ["tests"])
    assert index.sent == {}


def until_stalled(process: "subprocess.Popen[str]", project: Project, index: Index, complete: str) -> None:
    """Wait until uv waits for the stalled package, and has stored the complete one."""
    (stalled,) = index.stalled

    def is_stalled() -> bool:
        assert process.poll() is None, "\n".join(process.communicate())
        stored = (project.caches / "uv").rglob(f"wheels-*/**/{complete.replace('_', '-')}/*.http")
        try:
            return stalled in index.downloads() and any(stored)
        except FileNotFoundError:  # uv deletes folders meanwhile
            return False

    until(is_stalled)


def kill(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)


def press_ctrl_c(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: "subprocess.Popen[str]") -> None:
    process.terminate()


@pytest.mark.parametrize("stop", [kill, press_ctrl_c, terminate])
@pytest.mark.parametrize("command", ["install", "read"])
def test_a_stopped_setup_goes_on_from_what_is_downloaded(
    project: Project, index: Index, stop: Callable[["subprocess.Popen[str]"], None], command: str
) -> None:
    ready = "rest" if command == "install" else "base_one"
    stalled = "pytest" if command == "install" else "base_two"
    if command == "install":
        project.run("read")
        index.sent.clear()
    index.stalled.add(stalled)
    process = project.start(command)
    until_stalled(process, project, index, ready)
    stop(process)
    out, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, err) == ((130, "") if stop is not kill else (-signal.SIGKILL, ""))
    index.stalled.clear()
    index.broken.set()
    index.sent.clear()
    code, out, err = project.run(command)
    assert (code, err) == ((0 if command == "install" else 3), [])
    assert index.downloads() - {"uv"} == {stalled}  # in the first environment, uv was installed by pip
    assert project.run("test")[1:] == (["tests"], []) if command == "install" else out[-1] == project.window("read")


def test_a_network_that_breaks_off_is_one_line_and_the_next_start_goes_on(project: Project, index: Index) -> None:
    index.stalled.add("base_two")
    process = project.start("read")
    until_stalled(process, project, index, "base_one")
    index.broken.set()
    _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 2
    assert err.startswith("Installing requirements-base.txt failed: Failed to download `base-two==1.0`")
    assert err.count("\n") == 1
    index.stalled.clear()
    index.sent.clear()
    assert project.run("read")[0] == 3
    assert index.downloads() - {"uv"} == {"base_two"}


def test_a_full_disk_is_one_line_and_the_next_start_goes_on(project: Project, index: Index, tmp_path: Path) -> None:
    make_wheel(index.folder, "base_two", {"base_two/__init__.py": b"", "base_two/big": os.urandom(3_000_000)})
    with mounted(tmp_path / "disk", "2m") as disk:
        small = {"UV_CACHE_DIR": str(disk / "uv"), "PIP_CACHE_DIR": str(disk / "pip"), "TMPDIR": str(disk)}
        code, _, err = Project(project.folder, project.caches, {**project.variables, **small}).run("read")
        assert (code, len(err)) == (2, 1)
        assert "No space left on device" in err[0]
    code, out, err = project.run("read")
    assert (code, out[-1], err) == (3, project.window("read"), [])


@pytest.mark.parametrize("nowhere", ["network", "proxy"])
def test_without_an_index_the_error_is_one_line(project: Project, nowhere: str) -> None:
    closed = closed_address()
    if nowhere == "network":
        project.variables |= {"PIP_INDEX_URL": closed, "UV_DEFAULT_INDEX": closed}
    else:
        project.variables |= {"HTTP_PROXY": closed, "http_proxy": closed, "NO_PROXY": "", "no_proxy": ""}
    code, _, (line,) = project.run("read")
    assert code == 2
    assert line.startswith("Installing requirements-base.txt failed: ")
    assert "refused" in line
    assert "Check the network" in line


def test_half_written_packages_are_installed_again(project: Project, index: Index) -> None:
    """As if the power had failed while the installer wrote into the environment."""
    project.run("install")
    (site,) = project.venv.glob("lib/python*/site-packages")
    (project.venv / "installed-by-start-requirements.txt").write_text(start_module().INTERRUPTED)
    (site / "rest" / "__init__.py").unlink()
    (site / "rest-1.0.dist-info" / "RECORD").unlink()
    (site / "pytest" / "__main__.py").unlink()
    (site / "pytest-1.0.dist-info" / "METADATA").unlink()
    index.sent.clear()
    assert project.run("test")[:2][1][-1] == "tests"
    assert index.downloads() == set()


def test_if_only_start_py_is_killed_the_next_start_waits_for_its_installer(project: Project, index: Index) -> None:
    index.stalled.add("base_two")
    first = project.start("read")
    until_stalled(first, project, index, "base_one")
    first.kill()
    first.wait(HANG_S)
    second = project.start("read")
    assert second.stdout is not None
    assert second.stdout.readline() == "Another start.py is installing the packages. Waiting until it is done.\n"
    index.stalled.clear()
    index.broken.set()  # the installer of the first one ends
    out, err = second.communicate(timeout=HANG_S)
    assert (second.returncode, out.splitlines()[-1], err) == (3, project.window("read"), "")
    first.communicate()


def test_a_packed_folder_is_set_up_without_a_connection(project: Project, index: Index, tmp_path: Path) -> None:
    for private in ("data/captures/me.png", "runs/one/log", ".secret/key", "models/.lock"):
        (project.folder / private).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / private).touch()
    (project.folder / "data" / "README.md").touch()
    folder = tmp_path / "classroom"
    code, out, err = project.run("pack", str(folder))
    assert (code, err) == (0, [])
    assert out[-1].endswith("In a copy of it run: python3 start.py --offline")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wheels = {f"wheels/{path.name}" for path in index.folder.iterdir()}
    assert files == wheels | {
        "wheels/packed-for.txt",
        "start.py",
        "requirements.txt",
        "requirements-base.txt",
        "recognizer/__init__.py",
        "recognizer/__main__.py",
        "models/assets/hand_landmarker.task",
        "data/README.md",
    }
    index.sent.clear()
    assert project.run("pack", str(folder))[0] == 0  # once more, as after an interruption
    assert index.downloads() == set()

    closed, caches = closed_address(), tmp_path / "other caches"
    caches.mkdir()
    nowhere = {"PIP_INDEX_URL": closed, "UV_DEFAULT_INDEX": closed, "HTTP_PROXY": closed, "NO_PROXY": ""}
    own = {"UV_CACHE_DIR": str(caches / "uv"), "PIP_CACHE_DIR": str(caches / "pip")}
    variables = {**project.variables, **nowhere, **own}
    del variables["RECOGNIZER_ASSETS"]
    cut_off = ("unshare", "-n") if subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL) == 0 else ()
    packed = Project(folder, caches, variables, cut_off)
    code, out, err = packed.run("--offline", "read")
    assert (code, out[-1], err) == (3, packed.window("read"), [])
    assert any("Prepared 2 packages" in line for line in out)
    code, out, err = packed.run("test")  # completes the environment from the folder, too
    assert (code, out[-1], err) == (0, "tests", [])


def test_without_packages_nothing_is_set_up_offline(project: Project, index: Index) -> None:
    code, _, (line,) = project.run("--offline")
    assert code == 2
    assert "wheels does not exist, so nothing can be installed without a network" in line
    (project.folder / "wheels").mkdir()
    (project.folder / "wheels" / "packed-for.txt").write_text("Windows AMD64, Python 3.12")
    code, _, (line,) = project.run("--offline")
    assert code == 2
    assert line.startswith("Installing requirements-base.txt failed: ")
    assert line.endswith("The folder wheels is for: Windows AMD64, Python 3.12")
    assert index.sent == {}


def test_two_starts_at_once_make_one_environment(project: Project) -> None:
    starts = [project.start(), project.start()]
    ended = [process.communicate(timeout=HANG_S) for process in starts]
    assert [process.returncode for process in starts] == [3, 3], ended
    assert sum(out.count("Creating ") for out, _ in ended) == 1
    assert sum(out.count("Waiting until it is done.") for out, _ in ended) == 1
    assert all(out.splitlines()[-1] == project.window() for out, _ in ended)
