import errno
import os
import sys
import threading

import pytest

from recognizer.errors import DataError
from recognizer.system import paths
from recognizer.system.native import muted_native_code
from recognizer.system.terminal import INTERRUPTED, USAGE_ERROR, exit_code_of, exit_on_error, print_messages
from tests.helpers.waiting import HANG_S


def test_an_expected_error_prints_one_line_and_exits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_on_error():
        raise DataError("No data. Fetch some.")
    assert end.value.code == USAGE_ERROR
    assert capsys.readouterr() == ("", "No data. Fetch some.\n")


def test_ctrl_c_exits_with_130_even_as_the_cause_of_another_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end, exit_on_error("Stopped."):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("a native library") from error
    assert end.value.code == INTERRUPTED
    assert capsys.readouterr() == ("Stopped.\n", "")


def test_an_unexpected_error_has_a_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_error():
        raise ZeroDivisionError


def test_without_an_error_the_program_continues(capsys: pytest.CaptureFixture[str]) -> None:
    with exit_on_error("Stopped."):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("reason", "strerror"), [(errno.ENAMETOOLONG, "File name too long"), (errno.EACCES, "Permission denied")]
)
def test_a_path_that_cannot_be_looked_at_is_one_line(
    reason: int, strerror: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end, exit_on_error():
        raise OSError(reason, strerror, f"/home/{'x' * 5000}\n")
    assert end.value.code == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("/home/xxx")
    assert line.endswith(f"x… cannot be used: {strerror}. Check its name and permissions.")
    assert len(line) < 400


def test_an_unexpected_system_error_without_a_file_has_a_traceback() -> None:
    with pytest.raises(OSError, match="Bad address"), exit_on_error():
        raise OSError(errno.EFAULT, "Bad address")


def test_messages_wait_while_another_thread_mutes_native_code(capfd: pytest.CaptureFixture[str]) -> None:
    with muted_native_code():
        os.write(2, b"a library's opinion\n")
        printing = threading.Thread(target=print_messages, args=[["scan\n1.png is damaged"]])
        printing.start()
        printing.join(0.05)
        assert printing.is_alive()
    printing.join(HANG_S)
    assert capfd.readouterr() == ("", "scan\\n1.png is damaged\n")


@pytest.mark.parametrize("module", ["tensorflow", "keras.layers", "sklearn.cluster", "pandas"])
def test_a_package_that_only_training_needs_is_asked_for_in_one_line(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(ModuleNotFoundError(f"No module named {module!r}", name=module)) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"This needs {module}, which is not installed. Install it: python -m pip install ")
    assert printed.count("\n") == 1


def test_another_missing_module_is_a_defect() -> None:
    with pytest.raises(ModuleNotFoundError):
        exit_code_of(ModuleNotFoundError("No module named 'nowhere'", name="nowhere"))


@pytest.mark.parametrize(
    ("checkout", "remedy"),
    [(True, "Put python3 start.py in place of python -m recognizer"), (False, "Install it: python -m pip install")],
)
def test_a_python_without_the_packages_names_another_one(
    checkout: bool, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "in_checkout", lambda: checkout)
    assert exit_code_of(ModuleNotFoundError("No module named 'cv2'", name="cv2")) == USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{sys.executable} lacks cv2. {remedy}")
