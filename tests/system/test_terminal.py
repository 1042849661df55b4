import pytest

from recognizer.errors import DataError
from recognizer.system.terminal import INTERRUPTED, USAGE_ERROR, exit_on_error


def test_an_error_that_a_user_can_meet_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, exit_on_error():
        raise DataError("No data. Fetch some.")
    assert end.value.code == USAGE_ERROR
    assert capsys.readouterr() == ("", "No data. Fetch some.\n")


def test_ctrl_c_is_its_exit_code_also_where_a_library_makes_another_error_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end, exit_on_error("Stopped."):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("a native library") from error
    assert end.value.code == INTERRUPTED
    assert capsys.readouterr() == ("Stopped.\n", "")


def test_a_defect_is_a_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_error():
        raise ZeroDivisionError


def test_without_an_error_the_program_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with exit_on_error("Stopped."):
        pass
    assert capsys.readouterr() == ("", "")
