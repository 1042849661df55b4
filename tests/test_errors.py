import pytest

from recognizer.errors import DataError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("scan\n1.png", r"scan\n1.png"),
        ("\x1b[2Jgone\r", r"\x1b[2Jgone\r"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("line\u2028end\u2029", r"line\u2028end\u2029"),
        ("é 日本 שלום 👨\u200d👩\u200d👧", "é 日本 שלום 👨\u200d👩\u200d👧"),
    ],
)
def test_an_error_is_one_line_without_characters_that_steer_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(DataError(f"{text} is not there.")) == f"{shown} is not there."
