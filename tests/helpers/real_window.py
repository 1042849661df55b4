"""Runs a program on a virtual screen and sends it real key presses."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recognizer.system import paths
from tests.helpers.waiting import HANG_S

MISSING = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
WHY_SKIPPED = f"needs {' and '.join(MISSING)} (apt install xvfb xdotool)"


@contextmanager
def virtual_screen() -> Iterator[str]:
    """The name of a virtual screen that exists inside the block."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()  # empty if the server dies
    assert number, "Xvfb did not start"
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(HANG_S)


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent, padded to the size of XEvent."""

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
    """A short program with an open window. It prints its state on stdout."""

    def __init__(self, display: str, program: str, *words: str, **environment: str) -> None:
        self.environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(paths.ROOT), **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            env=self.environment,
            cwd=paths.ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.last_state: dict[str, Any] = {}
        # A lost key press must fail the test, not block it.
        self.watchdog = threading.Timer(HANG_S, self.process.kill)
        self.watchdog.start()

    def focus(self) -> None:
        """Wait for the window and focus it."""
        self.window = self.xdotool("search", "--sync", "--name", "^recognizer$").split()[-1]
        self.xdotool("windowfocus", "--sync", self.window)

    def xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.environment, capture_output=True, text=True, timeout=HANG_S, check=True
        )
        return done.stdout

    def press(self, key: str) -> None:
        self.xdotool("key", key)

    def ask_to_close(self) -> None:
        """Close the window like the close button of a desktop, which the virtual screen does not have."""
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
        """The next line that the program prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def next_state(self) -> dict[str, Any]:
        """The next JSON object that the program prints, one a line; other lines are skipped. Fails if the program ends."""
        while line := self.line():
            if line.startswith("{"):
                self.last_state = json.loads(line)
                return self.last_state
        _, errors = self.process.communicate()
        raise AssertionError(f"the program ended in state {self.last_state}: {errors}")

    def end(self) -> None:
        """Check that the program exited with 0, without font warnings and without a traceback."""
        _, errors = self.process.communicate(timeout=HANG_S)
        assert self.process.returncode == 0, errors
        assert "Traceback" not in errors
        assert "QFontDatabase" not in errors

    def close(self) -> None:
        self.watchdog.cancel()
        self.process.kill()
        self.process.communicate()
