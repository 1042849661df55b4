"""Rock, paper, scissors by keys in a real window: rounds, the score, a restart and the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from recognizer.registry.store import ModelStore
from recognizer.studio.scenes import Studio
from recognizer.window.game import BEATS, COUNT_FROM
from tests.helpers.drawing import middle_of_card
from tests.helpers.real_window import MISSING, WHY_SKIPPED, Running, virtual_screen

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)]

CARD = 1  # the studio's card that is shown all the time

# The studio shows one sign all the time. Each change of the game is printed.
PROGRAM = """
import json, sys
from dataclasses import replace
from recognizer import cli
from recognizer.overlay import overlay
from recognizer.studio import scenes
from recognizer.window import game

shown = int(sys.argv[1])

class StillStudio(scenes.Studio):
    count = 0

    def frame(self, index):
        StillStudio.count += 1  # 15 frames are one second, at any real frame rate
        return replace(super().frame(shown), index=index, time_s=StillStudio.count / 15)

class KnownGame(game.RockPaperScissors):
    known = None

    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        KnownGame.known = self

class ReportingOverlay(overlay.Overlay):
    reported = None

    def draw(self, observation, size_wh=None):
        picture = super().draw(observation, size_wh)
        known = KnownGame.known
        state = {
            "text": observation.text,
            "count": known.count,
            "score": [known.wins, known.losses, known.draws],
            "last": known.last and [known.last.yours, known.last.theirs],
        }
        if state != self.reported:
            print(json.dumps(state), flush=True)
            self.reported = state
        return picture

scenes.Studio, overlay.Overlay, game.RockPaperScissors = StillStudio, ReportingOverlay, KnownGame
sys.exit(cli.main(sys.argv[2:]))
"""


class SimulatedUser:
    """A user who plays with the same sign all the time."""

    def __init__(self, display: str, output: Path, models: ModelStore) -> None:
        self.output = output
        shown = middle_of_card(CARD)
        self.sign = Studio("rps", (640, 480), 30).frame(shown).truth[0].label
        words = ["--task", "rps", "--play", "--source", "studio", "--size", "640x480"]
        words += ["--models", str(models.folder), "--output", str(output)]
        self.program = Running(display, PROGRAM, str(shown), *words)
        self.state: dict[str, Any] = {}
        self.until(lambda state: state["text"] == self.sign)
        self.program.focus()

    def line(self) -> str:
        line = self.program.line()
        if not line:
            _, errors = self.program.process.communicate()
            raise AssertionError(f"the program ended in state {self.state}: {errors}")
        return line

    def until(self, wanted: Any) -> list[dict[str, Any]]:
        """Wait for a state of the game. Returns all states until then, the last one included."""
        passed = []
        while not (passed and wanted(self.state)):
            self.state = self.program.next_state()
            passed.append(self.state)
        return passed

    def play(self) -> list[int]:
        """Play a round. Returns the wins, losses and draws."""
        before = self.state["score"]
        self.program.press("space")
        self.until(lambda state: state["count"] == COUNT_FROM)
        passed = self.until(lambda state: state["last"])
        counts = [state["count"] for state in passed if state["count"] is not None]
        assert counts == sorted(counts, reverse=True)
        yours, theirs = self.state["last"]
        assert yours == self.sign
        outcome = [BEATS[yours] == theirs, BEATS[theirs] == yours, yours == theirs]
        assert self.state["score"] == [old + new for old, new in zip(before, outcome, strict=True)]
        return self.state["score"]


@pytest.fixture
def user(tmp_path: Path, hand_models: ModelStore) -> Iterator[SimulatedUser]:
    with virtual_screen() as display:
        table = SimulatedUser(display, tmp_path, hand_models)
        yield table
        table.program.close()


def test_rounds_restart_and_final_score(user: SimulatedUser) -> None:
    assert user.state["score"] == [0, 0, 0]
    user.play()
    user.program.press("s")
    while not (line := user.line()).startswith("saved "):
        pass
    screenshot = cv2.imread(line.removeprefix("saved "))
    assert screenshot is not None
    assert screenshot.shape == (480, 640, 3)
    user.program.press("r")
    user.until(lambda state: state["score"] == [0, 0, 0] and state["last"] is None)
    user.play()
    wins, losses, draws = user.play()
    user.program.press("q")
    while not (line := user.line()).startswith("You "):
        pass
    assert line == f"You {wins}, computer {losses}, {draws} drawn"
    user.program.end()
