import os
import signal
import sys
from pathlib import Path

import pytest

from recognizer.errors import SettingsError
from recognizer.system import environment, paths

INSTALLS = "import sys\nassert sys.argv[1:] == ['install']\nprint('Installing')\nprint('Downloading big')\n"


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "find_spec", lambda name: None)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose .venv, made by start.py, is the environment of this process."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / f"{environment.STAMPS}-base.txt").write_text("a digest")
    (tmp_path / "start.py").write_text(INSTALLS)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(environment, "START", tmp_path / "start.py")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    return tmp_path


def test_nothing_is_installed_where_tensorflow_is_there(checkout: Path) -> None:
    (checkout / "start.py").write_text("raise SystemExit('not wanted')")
    environment.complete(pytest.fail)


def test_start_py_installs_the_rest_and_its_progress_is_reported(checkout: Path, without_tensorflow: None) -> None:
    lines: list[str] = []
    environment.complete(lines.append)
    assert lines == ["Installing", "Downloading big"]


def test_progress_is_printed_beside_the_results(
    checkout: Path, without_tensorflow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.complete()
    assert capsys.readouterr() == ("", "Installing\nDownloading big\n")


def test_an_interrupted_installation_is_repeated_although_tensorflow_seems_to_be_there(checkout: Path) -> None:
    (checkout / ".venv" / f"{environment.STAMPS}.txt").write_text(environment.INTERRUPTED)
    lines: list[str] = []
    environment.complete(lines.append)
    assert lines == ["Installing", "Downloading big"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import sys\nsys.exit('a warning\\nInstalling failed: no network.')", "Installing failed: no network."),
        ("import sys\nsys.exit(3)", "start.py ended with exit code 3"),
    ],
)
def test_a_failed_installation_raises_its_one_line(
    checkout: Path, without_tensorflow: None, script: str, expected: str
) -> None:
    (checkout / "start.py").write_text(script)
    with pytest.raises(SettingsError) as error:
        environment.complete()
    assert str(error.value) == expected


def test_an_environment_of_the_user_is_left_alone(checkout: Path, without_tensorflow: None) -> None:
    (checkout / ".venv" / f"{environment.STAMPS}-base.txt").unlink()
    with pytest.raises(SettingsError, match="TensorFlow is not installed in .*venv. Install it") as error:
        environment.complete(pytest.fail)
    assert str(error.value).endswith(": python -m pip install -r requirements.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_cancelled_training_ends_the_installation(checkout: Path, without_tensorflow: None) -> None:
    (checkout / "start.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)\n")
    started: list[int] = []

    def cancel(line: str) -> None:
        started.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        environment.complete(cancel)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], signal.SIGCONT)
