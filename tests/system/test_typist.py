"""Typing into the window in front."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

from recognizer.errors import SettingsError
from recognizer.system import paths, typist
from recognizer.system.typist import ECHO_S, SystemKeys, Typewriter
from tests.helpers.real_window import MISSING, WHY_SKIPPED, virtual_screen
from tests.helpers.waiting import HANG_S


class Field:
    """A text field that gets the keys."""

    def __init__(self) -> None:
        self.text = ""

    def backspace(self, count: int) -> None:
        self.text = self.text[:-count]

    def type(self, text: str) -> None:
        self.text += text


def test_only_what_changed_is_typed_again() -> None:
    field = Field()
    typewriter = Typewriter(field)
    for line in ("hello ", "hello we ", "hello ", "help ", ""):
        typewriter.update(line)
        assert field.text == line
    typewriter.update("a")
    field.text = "somebody moved the cursor"
    typewriter.update("a")
    assert field.text == "somebody moved the cursor", "nothing has changed"


def test_keys_that_come_back_are_no_commands_and_are_typed_again() -> None:
    now_s, echoes = 0.0, []
    field = Field()
    typewriter = Typewriter(field, lambda: echoes.append("own window"), lambda: now_s)
    typewriter.update("qc ")
    assert not typewriter.is_echo("x"), "the user's key"
    assert [typewriter.is_echo(key) for key in "qc q"] == [True, True, True, False]
    assert echoes == ["own window"] * 3
    field.text = ""
    typewriter.update("qc me ")
    assert field.text == "qc me ", "nothing of it has arrived before"
    now_s = 2 * ECHO_S
    assert not typewriter.is_echo("q"), "too late to be one"


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typist, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"^--type needs the package pynput\. Run: python -m pip install "):
        SystemKeys()


TYPE = "from recognizer.system.typist import SystemKeys; k = SystemKeys(); k.type('ab '); k.backspace(1)"


@pytest.mark.slow
@pytest.mark.skipif(
    bool(MISSING) or shutil.which("xev") is None, reason=f"{WHY_SKIPPED}, and xev (apt install x11-utils)"
)
@pytest.mark.skipif(
    importlib.util.find_spec("pynput") is None, reason="needs pynput (pip install -r requirements-actions.txt)"
)
def test_another_window_receives_the_keys() -> None:
    with virtual_screen() as display:
        environment = {"DISPLAY": display, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(paths.ROOT), "HOME": "/"}
        with subprocess.Popen(
            ["xev", "-event", "keyboard"], env=environment, text=True, stdout=subprocess.PIPE
        ) as window:
            find = ["xdotool", "search", "--sync", "--name", "Event Tester", "windowfocus", "--sync"]
            subprocess.run(find, env=environment, timeout=HANG_S, check=True)
            subprocess.run([sys.executable, "-c", TYPE], env=environment, timeout=HANG_S, check=True, cwd=paths.ROOT)
            received = []
            assert window.stdout is not None
            while "BackSpace" not in received:
                line = window.stdout.readline()
                if "(keysym" in line:
                    received.append(line.split("(keysym")[1].split(",")[1].strip(" )"))
            window.terminate()
        assert received[::2] == ["a", "b", "space", "BackSpace"] or received == [
            "a",
            "a",
            "b",
            "b",
            "space",
            "space",
            "BackSpace",
        ]


def test_without_a_screen_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("pynput") is None:
        pytest.skip("needs pynput (pip install -r requirements-actions.txt)")
    program = (
        "from recognizer.system.typist import SystemKeys\ntry: SystemKeys()\nexcept Exception as error: print(error)"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(paths.ROOT), "HOME": "/"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, text=True, capture_output=True, timeout=HANG_S, cwd=paths.ROOT
    )
    assert done.stdout.startswith("--type cannot press keys here: "), done.stderr
    assert done.stdout.count("\n") == 1
