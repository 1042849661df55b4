"""Teaching by keys in a real window: create a task, record with a mistake, find it, take it back, train, use, undo, rename,
save, load on another machine, and delete.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.api import Recognizer
from recognizer.cli import main
from recognizer.registry.store import ModelStore, title_of
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.studio.scenes import Studio
from recognizer.subjects.hands import HAND
from tests.helpers.drawing import middle_of_card
from tests.helpers.real_window import MISSING, WHY_SKIPPED, virtual_screen
from tests.helpers.simulated_user import SimulatedUser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=WHY_SKIPPED)]


@pytest.fixture
def user(tmp_path: Path, hand_models: ModelStore) -> Iterator[SimulatedUser]:
    with virtual_screen() as display:
        simulated_user = SimulatedUser(display, tmp_path, hand_models)
        yield simulated_user
        simulated_user.program.close()


TWO_FRAMES_A_SECOND = 0.5  # seconds of rest before each frame


def test_a_task_is_made_taught_corrected_used_renamed_moved_and_deleted_by_keys(
    user: SimulatedUser, tmp_path: Path
) -> None:
    user.show(user.card, TWO_FRAMES_A_SECOND)
    user.type("mine", "h", "stone,sheet")
    user.until(lambda state: state["task"] == "mine" and state["counts"] == {"stone": 0, "sheet": 0})
    stone, sheet, cut = user.signs
    assert user.state["asked"] == "stone"
    user.show_sign(stone)
    user.record("1", "stone", 8)
    user.press("Escape")
    user.until(lambda state: state["counts"] is None)
    user.press("c")
    user.until(lambda state: state["counts"] is not None)
    right = user.state["counts"]["stone"]
    user.show_sign(sheet)
    user.record("1", "stone", right + 2)  # the mistake: another sign under this label
    user.press("Escape")
    user.until(lambda state: state["counts"] is None)
    user.press("k")
    wrong = user.until(lambda state: state["review"])["review"]["counts"]["stone"] - right
    assert user.state["review"]["label"] == "stone"
    for index in range(1, right + 1):
        user.press("Right")
        user.until(lambda state, index=index: state["review"]["index"] == index)
    user.press("2")  # the first wrong one is given its label
    user.until(lambda state: state["review"]["counts"] == {"stone": right + wrong - 1, "sheet": 1})
    for _ in range(2):  # the key, and then the whole recording, are taken back
        user.press("BackSpace")
    user.until(lambda state: state["review"]["counts"] == {"stone": right, "sheet": 0})
    user.press("Escape")
    user.until(lambda state: state["review"] is None)
    user.press("c")
    user.until(lambda state: state["counts"] is not None)
    user.record("2", "sheet", 8)
    user.press("Return")
    user.until(lambda state: state["training"])
    first = user.until(lambda state: state["result"])["result"]["published"]
    assert first is not None, user.state
    user.until(lambda state: state["text"] == "sheet")
    user.show_sign(stone)
    user.until(lambda state: state["text"] == "stone")
    user.press("Escape")
    user.until(lambda state: not state["result"])

    user.type("mine", "h", "cut")
    user.show_sign(cut)
    user.record("3", "cut", 8)
    user.press("s")
    user.press("Return")
    second = user.until(lambda state: state["result"])["result"]["published"]
    assert second not in (None, first), user.state
    user.until(lambda state: state["text"] == "cut")
    user.press("Escape")
    user.until(lambda state: not state["result"])

    user.press("u")
    user.until(lambda state: "before the last training" in state["notice"] or first in state["notice"])
    user.until(lambda state: title_of(open_models(user.models).folder / "mine" / first) in state["notice"])
    assert open_models(user.models).current("mine").name == first
    user.until(lambda state: state["text"] != "cut")
    samples = Samples(user.captures)
    assert samples.counts("mine")["cut"] >= 8

    user.show(user.cards[stone], TWO_FRAMES_A_SECOND)
    user.press("e", "Return", *["BackSpace"] * 5, *"rock", "Return")  # faster than the frames
    user.until(lambda state: (state["rows"] or [])[:2] == ["mine", "rock"])
    user.show_sign(stone)
    user.until(lambda state: state["text"] == "rock")  # without another training
    counts = samples.counts("mine")

    here = ["--models", str(user.models), "--samples", str(user.captures)]
    there = ["--models", str(tmp_path / "there" / "models"), "--samples", str(tmp_path / "there" / "captures")]
    assert main(["tasks", "export", "mine", str(tmp_path / "mine.zip"), *here]) == 0
    assert main(["tasks", "import", str(tmp_path / "mine.zip"), *there]) == 0
    assert Samples(Path(there[-1])).counts("mine") == counts
    picture = Studio(HAND.studio_scene, (640, 480), 30).frame(middle_of_card(user.cards[stone])).image_bgr
    assert Recognizer("mine", models=there[1]).read(picture).text == "rock"

    user.press("Up", "Delete")
    user.until(lambda state: state["question"])
    assert user.state["question"] == f"Delete mine, {sum(counts.values())}? It goes to the trash."
    user.press("y")
    user.until(lambda state: state["task"] != "mine")
    assert (samples.tasks(), open_models(user.models).tasks()) == ([], ["rps"])
    user.press("e")
    user.until(lambda state: any(row.startswith("task mine") for row in state["rows"] or []))
    user.press("Escape", "q")
    user.program.end()
