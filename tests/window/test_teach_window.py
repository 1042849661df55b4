"""Teaching by keys in a real window: create a task, record with a mistake, find it, take it back, train, use, and undo."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recognizer.registry.store import ModelStore, title_of
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.studio.scenes import Studio
from recognizer.subjects.hands import HAND
from tests.helpers.drawing import middle_of_card
from tests.helpers.real_window import MISSING, WHY_SKIPPED, Running, virtual_screen

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)]

# The studio shows the sign of the card whose number is in a file. Each change of the program's state is printed.
PROGRAM = """
import json, sys
from dataclasses import replace
from recognizer import cli
from recognizer.overlay import overlay
from recognizer.studio import scenes
from recognizer.teaching import teacher as teaching

CARD_S, AT_REST_S, SWAY_S = 2.4, 0.7, 1.0
shown = sys.argv[1]

class HeldStudio(scenes.Studio):
    now_s = 0.0

    def frame(self, index):
        card = int(open(shown).read() or 0)
        HeldStudio.now_s += 1 / 30  # 30 frames are one second, at any real frame rate
        sway_s = abs(HeldStudio.now_s % (2 * SWAY_S) - SWAY_S)
        frame = super().frame(round((CARD_S * card + AT_REST_S + sway_s) * 30))
        return replace(frame, index=index, time_s=HeldStudio.now_s)

class KnownTeacher(teaching.Teacher):
    known = None

    def __init__(self, *words, **named):
        super().__init__(*words, **named, clock=lambda: HeldStudio.now_s)
        KnownTeacher.known = self

def review_of(review):
    counts = {label: sum(one.label == label for one in review.samples) for label in review.labels}
    return {"label": review.label, "index": review.index, "counts": counts}

class ReportingOverlay(overlay.Overlay):
    reported = None

    def draw(self, observation, size_wh=None):
        picture = super().draw(observation, size_wh)
        teacher = KnownTeacher.known
        state = {
            "task": observation.task,
            "truth": observation.frame.truth[0].label if observation.frame.truth else None,
            "text": observation.text,
            "form": teacher.form and [teacher.form.name, teacher.form.subject, teacher.form.labels, teacher.form.line],
            "asked": teacher.recording.asked if teacher.recording else None,
            "counts": dict(teacher.recording.counts) if teacher.recording else None,
            "review": review_of(teacher.review) if teacher.review else None,
            "training": teacher.training is not None,
            "result": teacher.result,
            "notice": self.notice,
        }
        if state != self.reported:
            print(json.dumps(state), flush=True)
            self.reported = state
        return picture

scenes.Studio, overlay.Overlay, teaching.Teacher = HeldStudio, ReportingOverlay, KnownTeacher
sys.exit(cli.main(sys.argv[2:]))
"""


class SimulatedUser:
    """A user of the window."""

    def __init__(self, display: str, folder: Path, models: ModelStore) -> None:
        self.models = folder / "models"
        shutil.copytree(models.folder / "rps", self.models / "rps")
        studio = Studio(HAND.studio_scene, (640, 480), 30)
        self.cards = {studio.frame(middle_of_card(card)).truth[0].label: card for card in range(9)}
        self.signs = sorted(self.cards)[:3]
        self.shown = folder / "shown.txt"
        self.show(0)
        words = [str(self.shown), "--source", "studio", "--size", "640x480", "--task", "rps", "--no-mirror"]
        words += ["--models", str(self.models), "--output", str(folder / "output")]
        self.captures = folder / "captures"
        self.program = Running(display, PROGRAM, *words, RECOGNIZER_CAPTURES=str(self.captures))
        self.state: dict[str, Any] = {}
        self.until(lambda state: state["task"] == "rps")
        self.program.focus()

    def show(self, card: int) -> None:
        part = self.shown.with_suffix(".part")
        part.write_text(str(card))
        part.replace(self.shown)

    def show_sign(self, sign: str) -> None:
        """Show another sign, and wait until it is in the picture."""
        self.show(self.cards[sign])
        self.until(lambda state: state["truth"] == sign)

    def until(self, wanted: Any) -> dict[str, Any]:
        """Wait for a state of the program, and return it."""
        while not (self.state and wanted(self.state)):
            line = self.program.line()
            if not line:
                _, errors = self.program.process.communicate()
                raise AssertionError(f"the program ended in state {self.state}: {errors}")
            if line.startswith("{"):
                self.state = json.loads(line)
        return self.state

    def type(self, *words: str) -> None:
        """Fill in the form, faster than the window's frames."""
        self.program.press("n")
        self.until(lambda state: state["form"])
        for word in words:
            self.program.xdotool("type", "--delay", "150", word)
            self.program.press("Return")
        self.until(lambda state: state["counts"] is not None)

    def record(self, key: str, label: str, count: int) -> None:
        """Hold a label's key until the label has that many samples."""
        self.program.xdotool("keydown", key)
        self.until(lambda state: (state["counts"] or {}).get(label, 0) >= count)
        self.program.xdotool("keyup", key)


@pytest.fixture
def user(tmp_path: Path, hand_models: ModelStore) -> Iterator[SimulatedUser]:
    with virtual_screen() as display:
        simulated_user = SimulatedUser(display, tmp_path, hand_models)
        yield simulated_user
        simulated_user.program.close()


def test_new_record_train_swap_and_undo_by_keys(user: SimulatedUser) -> None:
    user.type("mine", "h", "stone,sheet")
    user.until(lambda state: state["task"] == "mine" and state["counts"] == {"stone": 0, "sheet": 0})
    stone, sheet, cut = user.signs
    assert user.state["asked"] == "stone"
    user.show_sign(stone)
    user.record("1", "stone", 8)
    user.program.press("Escape")
    user.until(lambda state: state["counts"] is None)
    user.program.press("c")
    user.until(lambda state: state["counts"] is not None)
    right = user.state["counts"]["stone"]
    user.show_sign(sheet)
    user.record("1", "stone", right + 2)  # the mistake: another sign under this label
    user.program.press("Escape")
    user.until(lambda state: state["counts"] is None)
    user.program.press("k")
    wrong = user.until(lambda state: state["review"])["review"]["counts"]["stone"] - right
    assert user.state["review"]["label"] == "stone"
    for index in range(1, right + 1):
        user.program.press("Right")
        user.until(lambda state, index=index: state["review"]["index"] == index)
    user.program.press("2")  # the first wrong one is given its label
    user.until(lambda state: state["review"]["counts"] == {"stone": right + wrong - 1, "sheet": 1})
    for _ in range(2):  # the key, and then the whole recording, are taken back
        user.program.press("BackSpace")
    user.until(lambda state: state["review"]["counts"] == {"stone": right, "sheet": 0})
    user.program.press("Escape")
    user.until(lambda state: state["review"] is None)
    user.program.press("c")
    user.until(lambda state: state["counts"] is not None)
    user.record("2", "sheet", 8)
    user.program.press("Return")
    user.until(lambda state: state["training"])
    first = user.until(lambda state: state["result"])["result"]["published"]
    assert first is not None, user.state
    user.until(lambda state: state["text"] == "sheet")
    user.show_sign(stone)
    user.until(lambda state: state["text"] == "stone")
    user.program.press("Escape")
    user.until(lambda state: not state["result"])

    user.type("mine", "h", "cut")
    user.show_sign(cut)
    user.record("3", "cut", 8)
    user.program.press("s")
    user.program.press("Return")
    second = user.until(lambda state: state["result"])["result"]["published"]
    assert second not in (None, first), user.state
    user.until(lambda state: state["text"] == "cut")
    user.program.press("Escape")
    user.until(lambda state: not state["result"])

    user.program.press("u")
    user.until(lambda state: "before the last training" in state["notice"] or first in state["notice"])
    user.until(lambda state: title_of(open_models(user.models).folder / "mine" / first) in state["notice"])
    assert open_models(user.models).current("mine").name == first
    user.until(lambda state: state["text"] != "cut")
    user.program.press("q")
    user.program.end()
    assert Samples(user.captures).counts("mine")["cut"] >= 8
