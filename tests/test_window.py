"""A real window on a virtual screen, with real key presses. Slow only in so far as a window takes its time to open."""

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

MISSING = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)} (apt install xvfb xdotool)")

WAIT_S = 20  # for whatever the machine is slow with
REPOSITORY = Path(__file__).resolve().parent.parent

# Tells each change that a key brings, frozen or not, so that the test waits for it and never has to guess.
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from recognizer.overlay import Overlay
from recognizer.sinks import Window, open_sinks
from recognizer.values import Box, Frame, Observation, Prediction, Region

class TellingOverlay(Overlay):
    told = None

    def draw(self, observation):
        picture = super().draw(observation)
        state = f"stages={self.show_stages} mirror={self.mirror} frozen={'frozen' in self.notice}"
        if state != self.told:
            print(state, flush=True)
            self.told = state
        return picture

stopped = []
window = Window(TellingOverlay(), lambda: stopped.append(True), screenshot_dir=Path(sys.argv[1]))
region = Region(Box(200, 120, 330, 330), np.zeros((8, 8), np.uint8))
prediction = Prediction("1", 0.97, (("1", 0.97), ("7", 0.02), ("4", 0.01)), np.eye(28, dtype=np.uint8) * 255)
with open_sinks([window]) as sinks:
    for index in range(100_000):
        if stopped:
            break
        frame = Frame(np.full((480, 640, 3), 190, np.uint8), index, index / 30, "drawn")
        for sink in sinks:
            sink.write(Observation(frame, "digits", (region,), (prediction,), "1", {"find": 2.0, "classify": 1.0}))
        time.sleep(0.01)
print(f"stopped {len(stopped)} closed={window.closed}", flush=True)
"""


@pytest.fixture(scope="module")
def display():
    """The name of a virtual screen, which lives as long as this module's tests."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()  # ends at once where the server dies
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait(WAIT_S)


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent, as long as its XEvent."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    ]


class Running:
    """The program with its window open."""

    def __init__(self, display: str, folder: Path) -> None:
        self.environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)],
            env=self.environment,
            cwd=REPOSITORY,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # A key that gets lost must fail the test, not hang it.
        self.watchdog = threading.Timer(2 * WAIT_S, self.process.kill)
        self.watchdog.start()
        assert self.line() == "stages=False mirror=False frozen=False"
        self.window = self.xdotool("search", "--sync", "--name", "^recognizer$").split()[-1]
        self.xdotool("windowfocus", "--sync", self.window)

    def xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.environment, capture_output=True, text=True, timeout=WAIT_S, check=True
        )
        return done.stdout

    def press(self, key: str) -> None:
        self.xdotool("key", key)

    def ask_to_close(self) -> None:
        """What a desktop does when the X of a window is clicked; the virtual screen has no desktop to do it."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.environment["DISPLAY"].encode()))
        event = ClientMessage(type=33, window=int(self.window), format=32)
        event.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
        event.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
        x11.XSendEvent(display, ctypes.c_ulong(int(self.window)), 0, ctypes.c_long(0), ctypes.byref(event))
        x11.XCloseDisplay(display)

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """The program must have ended well by itself, without a word about fonts or a traceback."""
        _, errors = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0, errors
        assert "Traceback" not in errors
        assert "QFontDatabase" not in errors

    def close(self) -> None:
        self.watchdog.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def running(display, tmp_path):
    program = Running(display, tmp_path)
    yield program
    program.close()


def test_keys_on_a_real_window(running, tmp_path):
    running.press("p")
    assert running.line() == "stages=True mirror=False frozen=False"
    running.press("m")
    assert running.line() == "stages=True mirror=True frozen=False"
    running.press("space")
    assert running.line() == "stages=True mirror=True frozen=True"
    running.press("p")
    assert running.line() == "stages=False mirror=True frozen=True"
    running.press("space")
    assert running.line() == "stages=False mirror=True frozen=False"
    running.press("s")
    assert running.line().startswith("saved ")
    running.press("q")
    assert running.line() == "stopped 1 closed=True"
    running.end()
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"]


def test_escape_on_a_frozen_window(running):
    running.press("space")
    assert running.line() == "stages=False mirror=False frozen=True"
    running.press("Escape")
    assert running.line() == "stopped 1 closed=True"
    running.end()


def test_closing_a_real_window_stops_the_run(running):
    running.ask_to_close()
    assert running.line() == "stopped 1 closed=True"
    running.end()


def test_a_screen_that_answers_is_a_screen(display, monkeypatch):
    from recognizer.sinks import has_screen

    monkeypatch.setenv("DISPLAY", display)
    assert has_screen()
