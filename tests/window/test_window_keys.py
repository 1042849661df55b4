"""Every kind of key, pressed in a real window on a virtual screen."""

import contextlib
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.helpers.real_window import HANG_S, MISSING, WHY_SKIPPED, Running, virtual_screen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED),
    pytest.mark.skipif(shutil.which("setxkbmap") is None, reason="needs setxkbmap (apt install x11-xkb-utils)"),
]

# Prints each key code, each key that the window makes of it, and each command that it carries out.
PROGRAM = """
import time
import cv2
import numpy as np
from recognizer.overlay.overlay import Overlay
from recognizer.values import Frame, Observation
from recognizer.window.window import Window

class Gui:
    def __getattr__(self, name):
        return getattr(cv2, name)

    def waitKeyEx(self, wait_ms):
        code = cv2.waitKeyEx(wait_ms)
        if code != -1:
            print("code", code, flush=True)
        return code

def passed(key):
    print("key", key, flush=True)
    return False

stopped = []
actions = {
    letter: lambda letter=letter: print("command", letter, flush=True) for letter in "cntufpmsxq "
}
with Window(Overlay(), lambda: stopped.append(True), actions=actions, keys=passed, gui=Gui()) as window:
    print("open", flush=True)
    while not stopped:
        window.write(Observation(Frame(np.zeros((240, 320, 3), np.uint8), 0, 0.0, "drawn"), "digits", (), (), ""))
        time.sleep(0.005)
"""


TRIES, LOST_AFTER_S = 5, 20.0
MODIFIERS = [f"code {keysym}" for keysym in (0xFFE1, 0xFFE9, 0xFFEB)]  # Shift, Alt, Super


class Typist:
    """Presses keys in a window, and returns what the window makes of them."""

    def __init__(self, display: str) -> None:
        self.program = Running(display, PROGRAM)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        assert self.line() == "open"
        self.program.focus()

    def layout(self, *words: str) -> None:
        subprocess.run(["setxkbmap", *words], env=self.program.environment, check=True)

    def press(self, *keys: str) -> list[str]:
        """The lines printed for the keys. Each waits for its code: OpenCV keeps only the last one between two frames."""
        lines = []
        for key in keys:
            if key.startswith("ctrl+"):  # Qt's windows report nothing with Ctrl
                self.program.press(key)
                continue
            lines.append(self._answer(key))
            while not lines[-1].startswith("code") or ("+" in key and lines[-1] in MODIFIERS):
                lines.append(self.line())
        lines.append(self._answer("F12"))  # it has a name on every layout, and no command
        while (line := self.line()) != "key F12":
            lines.append(line)
        return [line for line in lines if not line.startswith("code")]

    def line(self) -> str:
        return self.lines.get(timeout=HANG_S)

    def _answer(self, key: str) -> str:
        """Press a key, again if it was lost, as after a change of the layout. Return the first line printed."""
        for _ in range(TRIES):
            self.program.press(key)
            with contextlib.suppress(queue.Empty):
                return self.lines.get(timeout=LOST_AFTER_S)
        raise AssertionError(f"{key} was pressed {TRIES} times, and the window has printed nothing")

    def _read(self) -> None:
        while line := self.program.line():
            self.lines.put(line)


@pytest.fixture(scope="module")
def typist() -> Iterator[Typist]:
    with virtual_screen() as display:
        typist = Typist(display)
        yield typist
        typist.program.close()


# Places of keys, as X's key codes.
Q, C, S, U, T, A, E = "24", "54", "39", "30", "28", "38", "26"


def test_keys_without_a_character_carry_out_no_command(typist: Typist) -> None:
    typist.layout("us")
    names = ["Left", "Up", "Right", "Down", "Prior", "Next", "Home", "End", "Insert", "Delete", "F1", "F5"]
    assert typist.press(*names) == [
        f"key {name.replace('Prior', 'Page Up').replace('Next', 'Page Down')}" for name in names
    ]
    others = ["Num_Lock", "Num_Lock", "Shift_L", "Caps_Lock", "Caps_Lock", "Alt_L", "Super_L", "Menu", "Scroll_Lock"]
    assert typist.press(*others, "alt+q", "super+q", "ctrl+c", "shift+Tab") == []


def test_capitals_by_shift_and_caps_lock(typist: Typist) -> None:
    typist.layout("us")
    assert typist.press("h", "shift+h", "exclam") == ["key h", "key H", "key !"]
    typist.press("Caps_Lock")
    assert typist.press("h", "shift+h") == ["key H", "key h"]
    typist.press("Caps_Lock")


@pytest.mark.parametrize(
    ("layout", "places", "typed"),
    [
        ("de", ["48", "shift+48", "47", "34", "20"], "äÄöüß"),
        ("fr", ["11", "18", "47"], "éçm"),
        ("es", ["47", "shift+47", "48", E, "shift+48", U], "ñÑéü"),
        ("ru", [A, "shift+" + A], "фФ"),
        ("gr", [A, "shift+" + A, "47", A], "αΑά"),
        ("il", [A], "ש"),
        ("ara", [A], "ش"),
        ("jp -variant kana", [A], "チ"),
    ],
)
def test_letters_of_a_layout(typist: Typist, layout: str, places: list[str], typed: str) -> None:
    typist.layout(*layout.split())
    keys = [line for line in typist.press(*places) if line.startswith("key")]
    assert "".join(line.removeprefix("key ") for line in keys) == typed


@pytest.mark.parametrize("layout", ["ru", "ua", "gr", "il", "ara", "jp -variant kana", "th", "ge", "in -variant deva"])
def test_commands_by_place_on_a_layout_without_latin_letters(typist: Typist, layout: str) -> None:
    typist.layout(*layout.split())
    commands = [line for line in typist.press(C, U, T) if line.startswith("command")]
    assert commands == ["command c", "command u", "command t"]
