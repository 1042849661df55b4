"""A sign that moves, in a real window: record a wave once, train, wave again, read "wave", rest, read nothing."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.studio.moving_hands import TURN_S
from tests.helpers.real_window import MISSING, WHY_SKIPPED, Running, virtual_screen

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)]

# The studio plays the part of a scene that is in a file, once, and then holds its last picture: "number from_s to_s".
PROGRAM = """
import json, sys
from dataclasses import replace
from recognizer import cli
from recognizer.overlay import overlay
from recognizer.studio import scenes
from recognizer.teaching import teacher as teaching

STEP_S = 1 / 20
played = sys.argv[1]

class PlayedStudio(scenes.Studio):
    now_s, part, began_s = 0.0, None, 0.0

    def frame(self, index):
        part = open(played).read().split()
        PlayedStudio.now_s += STEP_S  # at any real frame rate
        if part != self.part:
            PlayedStudio.part, PlayedStudio.began_s = part, self.now_s
        first_s, last_s = map(float, part[1:])
        at_s = min(first_s + self.now_s - self.began_s, last_s)
        frame = super().frame(round(at_s * self.fps))
        PlayedStudio.is_over = at_s == last_s
        return replace(frame, index=index, time_s=self.now_s)

class KnownTeacher(teaching.Teacher):
    known = None

    def __init__(self, *words, **named):
        super().__init__(*words, **named, clock=lambda: PlayedStudio.now_s)
        KnownTeacher.known = self

class ReportingOverlay(overlay.Overlay):
    reported = None

    def draw(self, observation, size_wh=None):
        picture = super().draw(observation, size_wh)
        teacher = KnownTeacher.known
        state = {
            "task": observation.task,
            "part": [PlayedStudio.part, PlayedStudio.is_over],
            "text": observation.text,
            "hands": [one.hand for one in observation.predictions if one.moves],
            "is_moving": observation.is_moving,
            "moving": dict(teacher.recording.moving) if teacher.recording else None,
            "event": teacher.recording.event if teacher.recording else None,
            "training": teacher.training is not None,
            "report": teacher.report.title if teacher.report else None,
        }
        if state != self.reported:
            print(json.dumps(state), flush=True)
            self.reported = state
        return picture

scenes.Studio, overlay.Overlay, teaching.Teacher = PlayedStudio, ReportingOverlay, KnownTeacher
sys.exit(cli.main(sys.argv[2:]))
"""

FIRST, SECOND = 17, 10  # numbers of the scene's performances of a wave: two people
UP_S, AFTER_S = 0.8, 0.35  # when the hand is up, and how long it rests after the wave


class WavingUser:
    """Somebody who waves at the window."""

    def __init__(self, display: str, folder: Path) -> None:
        self.played = folder / "played.txt"
        self.number = 0
        self.play(FIRST, UP_S, UP_S)
        words = [
            str(self.played),
            "--source",
            "studio:moves",
            "--size",
            "640x480",
            "--task",
            "greetings",
            "--no-mirror",
        ]
        words += ["--models", str(folder / "models"), "--output", str(folder / "output")]
        self.program = Running(display, PROGRAM, *words, RECOGNIZER_CAPTURES=str(folder / "captures"))
        self.state: dict[str, Any] = {}
        self.texts: list[str] = []
        self.until(lambda state: state["task"] == "greetings")
        self.program.focus()

    def play(self, number: int, first_s: float, last_s: float) -> None:
        """Play a part of one performance. It may be the same one again."""
        self.number += 1
        start_s = number * TURN_S
        part = self.played.with_suffix(".part")
        part.write_text(f"{self.number} {start_s + first_s} {start_s + last_s}")
        part.replace(self.played)

    def wave(self, number: int, last_s: float) -> None:
        self.play(number, UP_S, last_s)
        self.until(lambda state: state["part"][0][0] == str(self.number) and state["part"][1])

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Wait for a state of the program, and return it."""
        while not (self.state and wanted(self.state)):
            self.state = self.program.next_state()
            self.texts.append(self.state["text"])
        return self.state


@pytest.fixture
def user(tmp_path: Path, hand_models: ModelStore) -> Iterator[WavingUser]:
    shutil.copytree(hand_models.folder / "rps", tmp_path / "models" / "rps")
    Samples(tmp_path / "captures").create_task("greetings", "hand", ["wave"])
    with virtual_screen() as display:
        user = WavingUser(display, tmp_path)
        try:
            yield user
        finally:
            user.program.close()


def test_a_wave_is_recorded_once_trained_and_read_and_a_resting_hand_is_not(user: WavingUser, tmp_path: Path) -> None:
    user.program.press("c")
    user.until(lambda state: state["moving"] is not None)
    user.program.xdotool("keydown", "1")
    user.wave(FIRST, 2.30 + AFTER_S)
    user.until(lambda state: not state["is_moving"])
    user.program.xdotool("keyup", "1")
    recorded = user.until(lambda state: state["moving"] == {"wave": 1})
    assert recorded["event"].startswith("moving, 1.")
    screenshot(user)
    user.program.press("Return")
    learned = user.until(lambda state: state["report"])
    assert learned["report"] == "Learned. greetings is too new to be checked"
    user.program.press("Escape")
    user.play(SECOND, UP_S, UP_S)
    user.until(lambda state: not state["is_moving"] and state["part"][0][0] == str(user.number))
    user.texts.clear()
    user.wave(SECOND, 2.80 + AFTER_S)
    read = user.until(lambda state: state["text"])
    assert (read["text"], read["hands"]) == ("wave", ["right"])
    screenshot(user)
    user.until(lambda state: not state["text"])
    user.program.press("k")
    user.until(lambda state: not state["is_moving"])
    changes = [text for before, text in zip(["", *user.texts], user.texts, strict=False) if text != before]
    assert changes == ["wave", ""]
    user.program.press("q")
    user.program.end()
    (sample,) = Samples(tmp_path / "captures").read()
    assert sample.moving_s is not None


def screenshot(user: WavingUser) -> None:
    folder = os.environ.get("RECOGNIZER_SCREENSHOTS")  # to look at the window
    if folder and shutil.which("import"):
        path = f"{folder}/moving-{user.number}.png"
        command = ["import", "-window", user.program.window, path]
        subprocess.run(command, env=user.program.environment, check=True)
