"""One story on the page, from nothing to a task that is carried to another machine, mostly by keyboard."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from recognizer.cli import main
from recognizer.samples.store import Samples
from recognizer.studio.scenes import Studio
from tests.helpers.browser import HELD_CAMERA, OPEN_SOCKETS, chromium, hold_up
from tests.helpers.drawing import middle_of_card
from tests.helpers.machine import landmarker_path
from tests.helpers.running_server import Served
from tests.serve.test_serve_page import by_id, one, until

pytestmark = pytest.mark.slow

SHOWN_ANSWERS = """
const reading = document.getElementById("reading");
const answer = { task: "waves", size: [640, 480], regions: [], stages_ms: {} };
const send = async (content) => {
  openSockets.at(-1).onmessage({ data: JSON.stringify({ ...answer, ...content }) });
  await new Promise((resolve) => setTimeout(resolve));
  return reading.textContent === content.text ? "shown" : "hidden";
};
(async () => [await send({ frame: -5, text: "old" }), await send({ text: "new" })].join(" "))().then(arguments[0]);
"""


@pytest.fixture
def window(served: Served, tmp_path: Path) -> Iterator[Chrome]:
    """The page, with a camera to which `hold_up` shows frames. It saves files to tmp_path."""
    landmarker_path()
    with chromium(None) as opened:
        opened.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HELD_CAMERA + OPEN_SOCKETS})
        opened.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
        opened.get(served.address)
        until(lambda: by_id(opened, "task").text)
        yield opened
        lines = [line["message"] for line in opened.get_log("browser")]
        assert [line for line in lines if " 422 " not in line] == []  # 422: a picture without a hand to record


@pytest.fixture(scope="module")
def frames() -> dict[str, list[np.ndarray]]:
    """Frames of the studio, (480, 640, 3) uint8 BGR, by the sign that is held up in them."""
    studio = Studio("rps", (640, 480))
    found: dict[str, list[np.ndarray]] = {}
    for card in range(12):
        frame = studio.frame(middle_of_card(card))
        found.setdefault(frame.truth[0].label, []).append(frame.image_bgr)
    return found


def tab_to(window: Chrome, selector: str) -> None:
    """Press Tab until the element has the focus, as who uses no mouse does."""
    for _ in range(40):
        if window.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return
        ActionChains(window).send_keys(Keys.TAB).perform()
    raise AssertionError(f"Tab does not reach {selector}")


def press(window: Chrome, *keys: str) -> None:
    ActionChains(window).send_keys(*keys).perform()


def downloaded(path: Path) -> Path:
    """Wait until a zip file is there as a whole: Chromium begins with an empty file of that name."""
    until(lambda: zipfile.is_zipfile(path))
    return path


def hold(window: Chrome, key: str, store: Samples, label: str, count: int) -> None:
    """Hold the label's key until it has so many samples, and the page knows it."""
    ActionChains(window).key_down(key).perform()
    until(lambda: store.counts("waves")[label] >= count)
    ActionChains(window).key_up(key).perform()
    until(lambda: by_id(window, "take-back").is_enabled())
    until(lambda: one(window, f"[data-label={label}] .count").text == str(store.counts("waves")[label]))


def test_two_signs_are_taught_used_renamed_carried_to_another_machine_and_deleted(
    served: Served, window: Chrome, frames: dict[str, list[np.ndarray]], tmp_path: Path
) -> None:
    store = Samples(served.captures)
    fists, palms = frames["rock"], frames["paper"]

    # a new task, without the mouse
    tab_to(window, "#tab-live")
    press(window, Keys.ARROW_RIGHT)
    until(lambda: by_id(window, "teach").is_displayed())
    tab_to(window, "#start")
    press(window, Keys.ENTER)
    until(lambda: not by_id(window, "curtain").is_displayed())
    tab_to(window, "#new-task-open")
    press(window, Keys.ENTER)
    press(window, "waves", Keys.TAB, Keys.TAB, "fist, palm", Keys.ENTER)
    until(lambda: by_id(window, "task").get_attribute("value") == "waves")
    assert one(window, ".missing").text == "Before training: no samples yet."

    # recording by key; a palm among the fists is noticed and taken back
    hold_up(window, fists[0])
    hold(window, "1", store, "fist", 3)
    hold_up(window, fists[1])
    hold(window, "1", store, "fist", 6)
    right = store.counts("waves")["fist"]
    hold_up(window, palms[0])
    hold(window, "1", store, "fist", right + 1)
    all_of_them = store.counts("waves")["fist"]
    tab_to(window, "#take-back")
    press(window, Keys.ENTER)
    until(lambda: store.counts("waves")["fist"] == right)
    one(window, "#notice button").click()  # what was taken back comes back
    until(lambda: store.counts("waves")["fist"] == all_of_them)
    for count in range(all_of_them, right, -1):  # the newest picture stands first
        until(lambda shown=str(count): one(window, "[data-label=fist] .count").text == shown)
        one(window, ".thumbs button").click()
        until(lambda left=count - 1: store.counts("waves")["fist"] == left)
    assert (
        one(window, ".missing").text == "Before training: all samples show fist: record another label to tell it from."
    )
    hold(window, "2", store, "palm", 3)
    hold_up(window, palms[1])
    hold(window, "2", store, "palm", 6)

    # trained and used
    until(lambda: one(window, ".train").is_enabled())
    tab_to(window, "#teach .train")
    press(window, Keys.ENTER)
    until(lambda: one(window, ".result .verdict").text == "Trained. The new model is in use.")
    for label, shown in (("fist", fists[2]), ("palm", palms[2])):
        hold_up(window, shown)
        until(lambda expected=label: by_id(window, "reading").text == expected)
        until(lambda expected=label: by_id(window, "spoken").get_attribute("textContent") == expected)

    # an answer to another frame than the last one is not shown; one without a number is
    until(lambda: window.execute_async_script(SHOWN_ANSWERS) == "hidden shown")

    # renamed and reordered in place: the model knows the new name at once
    tab_to(window, "#edit-open")
    press(window, Keys.ENTER)
    field = one(window, "[aria-label='Name of the label palm']")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("hello", Keys.ENTER)
    until(lambda: by_id(window, "reading").text == "hello")
    one(window, "[aria-label='Move hello up']").click()
    until(lambda: store.task("waves").labels == ("hello", "fist"))
    until(lambda: window.switch_to.active_element.get_attribute("aria-label") == "Move hello down")
    one(window, "[aria-label='Delete the label fist']").click()
    until(lambda: store.task("waves").labels == ("hello",))
    one(window, "#notice button").click()
    until(lambda: store.task("waves").labels == ("hello", "fist"))

    # saved, loaded on another machine, and saved there
    by_id(window, "project-save").click()
    until(lambda: by_id(window, "project-result").text == "Saved waves.zip with the samples and the model.")
    saved = downloaded(tmp_path / "waves.zip")
    stores = ["--models", str(tmp_path / "m"), "--samples", str(tmp_path / "s")]
    assert main(["tasks", "import", str(saved), *stores]) == 0
    assert Samples(tmp_path / "s").counts("waves") == store.counts("waves")
    assert main(["tasks", "export", "waves", str(tmp_path / "back.zip"), *stores]) == 0

    # exported for another program
    Select(by_id(window, "project-elsewhere")).select_by_visible_text("In Python")
    words = "Saved waves-litert.zip with the model and all that is needed to use it elsewhere."
    until(lambda: by_id(window, "project-result").text == words)
    exported = downloaded(tmp_path / "waves-litert.zip")
    with zipfile.ZipFile(exported) as archive:
        assert "waves-litert/predict.py" in archive.namelist()

    # deleted, brought back, deleted; and loaded
    by_id(window, "edit-delete").click()
    until(lambda: "waves" not in [task.name for task in store.tasks()])
    one(window, "#notice button").click()
    until(lambda: by_id(window, "task").get_attribute("value") == "waves")
    until(lambda: by_id(window, "reading").text == "hello")
    by_id(window, "edit-delete").click()
    until(lambda: by_id(window, "task").get_attribute("value") != "waves")
    (tmp_path / "notes.zip").write_bytes(b"no zip")
    by_id(window, "project-file").send_keys(str(tmp_path / "notes.zip"))
    until(lambda: by_id(window, "notice").text == "notes.zip is not a project. Choose a file that was saved with Save.")
    by_id(window, "project-file").send_keys(str(tmp_path / "back.zip"))
    until(lambda: by_id(window, "project-result").text.startswith("Loaded waves: "))
    result = by_id(window, "project-result").text
    assert re.search(r"Its model is in use. When it was trained, it recognized \d+ % of the samples kept for", result)
    until(lambda: by_id(window, "reading").text == "hello")
    by_id(window, "project-file").send_keys(str(tmp_path / "back.zip"))
    assert one(window, "#confirm-question").text.startswith("There is a task waves here already.")
    one(window, "#confirm [value=no]").click()

    # and a round of the game, with the same hand
    by_id(window, "tab-play").click()
    assert by_id(window, "play-hint").text == "waves does not have the signs rock, paper and scissors."
    assert not by_id(window, "play-start").is_displayed()
    assert by_id(window, "play-hint").text == "waves does not have the signs rock, paper and scissors."
    assert not by_id(window, "play-start").is_displayed()
    by_id(window, "play-task").click()
    until(lambda: by_id(window, "reading").text == "paper")
    by_id(window, "play-start").click()
    until(lambda: window.find_elements(By.CSS_SELECTOR, "#play-yours canvas"))
    theirs = one(window, "#play-theirs b").text
    outcomes = {
        "rock": ("You win: paper beats rock.", "You 1 : 0 computer"),
        "paper": ("Draw: both paper.", "You 0 : 0 computer"),
        "scissors": ("The computer wins: scissors beats paper.", "You 0 : 1 computer"),
    }
    assert (by_id(window, "play-outcome").text, by_id(window, "play-score").text) == outcomes[theirs]
    until(lambda: window.execute_script("return document.querySelector('#play-theirs img').naturalWidth"))
