"""A real window on a virtual screen, with real key presses."""

import pytest

from tests.helpers.real_window import MISSING, WHY_SKIPPED, Running, virtual_screen

pytestmark = pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)

# Prints each change of state, also while the window is frozen, so that the test can wait for it.
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from recognizer.overlay.overlay import Overlay
from recognizer.sinks.sink import open_sinks
from recognizer.values import Box, Frame, Observation, Prediction, Region
from recognizer.window.window import Window

class ReportingOverlay(Overlay):
    reported = None

    def draw(self, observation, size_wh=None):
        picture = super().draw(observation, size_wh)
        state = f"stages={self.show_stages} mirror={self.mirror} frozen={'frozen' in self.notice}"
        if state != self.reported:
            print(state, flush=True)
            self.reported = state
        return picture

stopped = []
window = Window(ReportingOverlay(), lambda: stopped.append(True), screenshot_dir=Path(sys.argv[1]))
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
    with virtual_screen() as name:
        yield name


@pytest.fixture
def running(display, tmp_path):
    program = Running(display, PROGRAM, str(tmp_path))
    assert program.line() == "stages=False mirror=False frozen=False"
    program.focus()
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


def test_escape_ends_the_freeze_and_not_the_program(running):
    running.press("space")
    assert running.line() == "stages=False mirror=False frozen=True"
    running.press("Escape")
    assert running.line() == "stages=False mirror=False frozen=False"
    running.press("Escape")
    running.press("p")
    assert running.line() == "stages=True mirror=False frozen=False"
    running.press("q")
    assert running.line() == "stopped 1 closed=True"
    running.end()


def test_closing_a_real_window_stops_the_run(running):
    running.ask_to_close()
    assert running.line() == "stopped 1 closed=True"
    running.end()


def test_a_responding_display_counts_as_a_screen(display, monkeypatch):
    from recognizer.window.window import has_screen

    monkeypatch.setenv("DISPLAY", display)
    assert has_screen()
