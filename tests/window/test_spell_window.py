"""Spelling by keys in a real window: a held sign, its word, practice, and the line as an event."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recognizer.registry.store import ModelStore
from recognizer.studio.scenes import Studio
from tests.helpers.drawing import middle_of_card
from tests.helpers.real_window import MISSING, WHY_SKIPPED, Running, virtual_screen

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)]

CARD = 1  # the studio's card that is shown all the time

# The studio shows one sign all the time. Each change of the line is printed.
PROGRAM = """
import json, sys
from dataclasses import replace
from recognizer import cli
from recognizer.studio import scenes
from recognizer.window import practice_panel, spell_panel

shown = int(sys.argv[1])

class StillStudio(scenes.Studio):
    count = 0

    def frame(self, index):
        StillStudio.count += 1  # 10 frames are one second, at any real frame rate
        return replace(super().frame(shown), index=index, time_s=StillStudio.count / 10)

def reporting(panel, state):
    write = panel.write

    def report(self, observation):
        write(self, observation)
        now = {**state(self), "text": observation.text}
        if now != getattr(self, "reported", None):
            print(json.dumps(now), flush=True)
            self.reported = now

    panel.write = report

reporting(spell_panel.SpellPanel, lambda panel: {"on": panel.is_on, "line": panel.line.finished, "word": panel.line.word})
reporting(practice_panel.PracticePanel, lambda panel: {"practice": panel.is_open})
scenes.Studio = StillStudio
sys.exit(cli.main(sys.argv[2:]))
"""


class SimulatedUser:
    """A user who shows the same sign all the time."""

    def __init__(self, display: str, folder: Path, models: ModelStore) -> None:
        shown = middle_of_card(CARD)
        self.sign = Studio("rps", (640, 480), 30).frame(shown).truth[0].label
        self.events = folder / "events.jsonl"
        words = ["--task", "rps", "--source", "studio", "--size", "640x480", "--models", str(models.folder)]
        words += ["--output", str(folder), "--events", str(self.events)]
        self.program = Running(display, PROGRAM, str(shown), *words)
        self.state: dict[str, Any] = {}
        self.until("text", self.sign)
        self.program.focus()

    def until(self, name: str, value: Any) -> None:
        """Wait until the state has this value."""
        while self.state.get(name) != value:
            self.state |= self.program.next_state()


@pytest.fixture
def user(tmp_path: Path, hand_models: ModelStore) -> Iterator[SimulatedUser]:
    with virtual_screen() as display:
        opened = SimulatedUser(display, tmp_path, hand_models)
        yield opened
        opened.program.close()


def test_a_held_sign_is_a_word_that_is_deleted_sent_and_practised(user: SimulatedUser) -> None:
    user.program.press("w")
    user.until("line", f"{user.sign} ")
    user.program.press("BackSpace")
    user.until("word", user.sign)
    user.program.press("space")
    user.until("line", f"{user.sign} ")
    user.program.press("e")
    user.program.press("p")
    user.until("practice", True)
    user.program.press("Escape")
    user.until("practice", False)
    user.program.press("Escape")
    user.until("on", False)
    user.program.press("q")
    user.program.end()
    events = [json.loads(line) for line in user.events.read_text(encoding="utf-8").splitlines()]
    (written,) = [event for event in events if event["event"] == "written"]
    assert (written["label"], written["text"], written["task"]) == (user.sign, user.sign, "rps")
