"""A user who teaches in a real window on a virtual screen."""

import shutil
from pathlib import Path
from typing import Any

from recognizer.registry.store import ModelStore
from recognizer.studio.scenes import Studio
from recognizer.subjects.hands import HAND
from tests.helpers.drawing import middle_of_card
from tests.helpers.real_window import Running

# The studio shows the sign of the card whose number is in a file, and rests before each frame for the seconds after it.
# Each change of the program's state is printed.
PROGRAM = """
import json, sys, time
from dataclasses import replace
from recognizer import cli
from recognizer.overlay import overlay
from recognizer.studio import scenes
from recognizer.teaching import teacher as teaching

CARD_S, AT_REST_S, SWAY_S = 2.4, 0.7, 1.0
shown, is_paced_by_frames = sys.argv[1], sys.argv[2] == "frames"

class HeldStudio(scenes.Studio):
    now_s = 0.0

    def frame(self, index):
        card, rest_s = (float(word) for word in open(shown).read().split())
        time.sleep(rest_s)
        # 30 frames are one second, at any real frame rate
        HeldStudio.now_s = HeldStudio.now_s + (rest_s or 1 / 30) if is_paced_by_frames else time.monotonic()
        sway_s = abs(HeldStudio.now_s % (2 * SWAY_S) - SWAY_S)
        frame = super().frame(round((CARD_S * int(card) + AT_REST_S + sway_s) * 30))
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
            "rows": [row.words for row in teacher.editor.rows] if teacher.editor else None,
            "question": teacher.editor.question.words if teacher.editor and teacher.editor.question else None,
            "training": teacher.training is not None,
            "result": teacher.result,
            "notice": self.notice,
        }
        if state != self.reported:
            print(json.dumps(state), flush=True)
            self.reported = state
        return picture

scenes.Studio, overlay.Overlay, teaching.Teacher = HeldStudio, ReportingOverlay, KnownTeacher
sys.exit(cli.main(sys.argv[3:]))
"""


class SimulatedUser:
    """A user of the window. `keys` counts the key presses."""

    def __init__(
        self,
        display: str,
        folder: Path,
        models: ModelStore,
        *,
        task: str = "rps",
        size: str = "640x480",
        pace: str = "frames",
    ) -> None:
        """The program starts with the task and the size of its camera. Its clock counts frames, or with `pace` "real" time."""
        self.models = folder / "models"
        for name in {"rps", task}:
            shutil.copytree(models.folder / name, self.models / name)
        studio = Studio(HAND.studio_scene, (640, 480), 30)
        self.cards = {studio.frame(middle_of_card(card)).truth[0].label: card for card in range(9)}
        self.signs = sorted(self.cards)[:3]
        self.keys = 0
        self.shown = folder / "shown.txt"
        self.show(0)
        words = [str(self.shown), pace, "--source", "studio", "--size", size, "--task", task, "--no-mirror"]
        words += ["--models", str(self.models), "--output", str(folder / "output")]
        self.captures = folder / "captures"
        self.program = Running(display, PROGRAM, *words, RECOGNIZER_CAPTURES=str(self.captures))
        self.state: dict[str, Any] = {}
        self.until(lambda state: state["task"] == task)
        self.program.focus()

    def show(self, card: int, rest_s: float = 0.0) -> None:
        part = self.shown.with_suffix(".part")
        part.write_text(f"{card} {rest_s}")
        part.replace(self.shown)
        self.card = card

    def press(self, *keys: str) -> None:
        """Press keys one after the other, without waiting for frames in between."""
        self.keys += len(keys)
        self.program.xdotool("key", "--delay", "120", *keys)

    def show_sign(self, sign: str) -> None:
        """Show another sign, and wait until it is in the picture."""
        self.show(self.cards[sign])
        self.until(lambda state: state["truth"] == sign)

    def until(self, wanted: Any) -> dict[str, Any]:
        """Wait for a state of the program, and return it."""
        while not (self.state and wanted(self.state)):
            self.state = self.program.next_state()
        return self.state

    def type(self, *words: str) -> None:
        """Fill in the form, faster than the window's frames."""
        self.press("n")
        for word in words:
            self.keys += len(word)
            self.program.xdotool("type", "--delay", "120", word)
            self.press("Return")
        self.until(lambda state: state["counts"] is not None)

    def record(self, key: str, label: str, count: int) -> None:
        """Hold a label's key until the label has that many samples."""
        self.keys += 1
        self.program.xdotool("keydown", key)
        self.until(lambda state: (state["counts"] or {}).get(label, 0) >= count)
        self.program.xdotool("keyup", key)
