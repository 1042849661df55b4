"""Rock, paper, scissors in a real window: a round, its score, a restart and the end by keys."""

import json
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

CARD = 1  # of the studio, which is held up all the time

# The studio holds one sign still, and each change of the game is told.
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
        StillStudio.count += 1  # time goes on with the frames, however few a second there are
        return replace(super().frame(shown), index=index, time_s=StillStudio.count / 15)

class KnownGame(game.RockPaperScissors):
    known = None

    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        KnownGame.known = self

class TellingOverlay(overlay.Overlay):
    told = None

    def draw(self, observation):
        picture = super().draw(observation)
        known = KnownGame.known
        state = {
            "said": observation.text,
            "count": known.count,
            "score": [known.wins, known.losses, known.draws],
            "last": known.last and [known.last.yours, known.last.theirs],
        }
        if state != self.told:
            print(json.dumps(state), flush=True)
            self.told = state
        return picture

scenes.Studio, overlay.Overlay, game.RockPaperScissors = StillStudio, TellingOverlay, KnownGame
sys.exit(cli.main(sys.argv[2:]))
"""


class Table:
    """A person who plays, and holds up the same sign all the time."""

    def __init__(self, display: str, output: Path, models: ModelStore) -> None:
        self.output = output
        shown = middle_of_card(CARD)
        self.sign = Studio("rps", (640, 480), 30).frame(shown).truth[0].label
        words = ["--task", "rps", "--play", "--source", "studio", "--size", "640x480"]
        words += ["--models", str(models.folder), "--output", str(output)]
        self.program = Running(display, PROGRAM, str(shown), *words)
        self.state: dict[str, Any] = {}
        self.until(lambda state: state["said"] == self.sign)
        self.program.focus()

    def line(self) -> str:
        line = self.program.line()
        if not line:
            _, errors = self.program.process.communicate()
            raise AssertionError(f"the program ended in state {self.state}: {errors}")
        return line

    def until(self, wanted: Any) -> list[dict[str, Any]]:
        """Wait for a state of the game; returns those on the way, and it."""
        passed = []
        while not (passed and wanted(self.state)):
            line = self.line()
            if line.startswith("{"):
                self.state = json.loads(line)
                passed.append(self.state)
        return passed

    def play(self) -> list[int]:
        """A round; returns the score of you, the computer and none."""
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
def at(tmp_path: Path, hand_models: ModelStore) -> Iterator[Table]:
    with virtual_screen() as display:
        table = Table(display, tmp_path, hand_models)
        yield table
        table.program.close()


def test_rounds_a_restart_and_the_score_at_the_end(at: Table) -> None:
    assert at.state["score"] == [0, 0, 0]
    at.play()
    at.program.press("s")
    while not (line := at.line()).startswith("saved "):
        pass
    screenshot = cv2.imread(line.removeprefix("saved "))
    assert screenshot is not None
    assert screenshot.shape == (480, 640, 3)
    at.program.press("r")
    at.until(lambda state: state["score"] == [0, 0, 0] and state["last"] is None)
    at.play()
    wins, losses, draws = at.play()
    at.program.press("q")
    while not (line := at.line()).startswith("You "):
        pass
    assert line == f"You {wins}, computer {losses}, {draws} drawn"
    at.program.end()
