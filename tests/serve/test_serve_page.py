"""The page in a real Chromium, with frames of the studio as its camera."""

import contextlib
import re
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.studio.scenes import Studio
from tests.helpers import waiting
from tests.helpers.browser import ALLOW, DENY, DESKTOP, PHONE, chromium, write_video
from tests.helpers.http import png, sheet
from tests.helpers.running_server import Served

pytestmark = pytest.mark.slow

AXE = Path(__file__).parent.parent / "vendored" / "axe.min.js"  # axe-core 4.14.1, https://github.com/dequelabs/axe-core
FRAME = 252  # of the studio: a sheet that does not move


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = Studio("digits", (1280, 720)).frame(FRAME)
    return write_video(tmp_path_factory.mktemp("video") / "camera.mjpeg", [frame.image_bgr] * 4)


@pytest.fixture(scope="module")
def browser(video: Path) -> Iterator[Chrome]:
    with chromium(video) as opened:
        yield opened


@pytest.fixture
def window(served: Served, browser: Chrome) -> Iterator[Chrome]:
    """The newly opened page. Errors in the browser's console fail the test."""
    browser.get("about:blank")
    browser.get(served.address)
    yield browser
    lines = [line["message"] for line in browser.get_log("browser")]
    assert [line for line in lines if " 422 " not in line] == []  # 422: a picture without a region to record


def until(found: Callable[[], Any]) -> Any:
    """Wait until `found` returns a true value, and return it."""

    def found_now() -> Any:
        with contextlib.suppress(StaleElementReferenceException):  # the page has just replaced the element
            return found()

    return waiting.until(found_now)


def by_id(window: Chrome, name: str) -> WebElement:
    return window.find_element(By.ID, name)


def one(window: Chrome, selector: str) -> WebElement:
    """Wait for the first visible element that matches a CSS selector."""
    return until(lambda: next((e for e in window.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()), None))


def start_camera(window: Chrome) -> None:
    until(lambda: by_id(window, "task").text)
    by_id(window, "start").click()
    until(lambda: not by_id(window, "curtain").is_displayed())


def choose(window: Chrome, task: str) -> None:
    until(lambda: task in by_id(window, "task").text)
    Select(by_id(window, "task")).select_by_visible_text(task)


def test_the_camera_shows_digits_and_their_labels(window: Chrome) -> None:
    start_camera(window)
    assert until(lambda: by_id(window, "reading").text) == "237"
    names = until(lambda: [name.text for name in window.find_elements(By.CSS_SELECTOR, "#seen .thing .name")])
    assert names == ["2", "3", "7"]
    assert by_id(window, "figures").text in ("Speed: good", "Speed: fair", "Speed: slow")
    title = by_id(window, "figures").get_attribute("title")
    assert re.match(r"\d+ ms per frame, \d+ ms of it on the server: decode [\d.]+ ms, ", title)
    assert "mirrored" not in by_id(window, "stage").get_attribute("class")  # writing can be read
    drawn = "const c = document.getElementById('overlay'); return c.getContext('2d')"
    drawn += ".getImageData(0, 0, c.width, c.height).data.some((value) => value > 0)"
    assert window.execute_script(drawn)
    by_id(window, "stop").click()
    until(lambda: by_id(window, "curtain").is_displayed())


def test_what_is_held_becomes_a_line_that_keys_and_buttons_change(window: Chrome) -> None:
    by_id(window, "tab-spell").click()
    by_id(window, "spell-space").click()
    until(lambda: by_id(window, "notice").text == "Start the camera first.")
    start_camera(window)
    line, words = by_id(window, "spell-line"), by_id(window, "spell-words")
    until(lambda: line.text == "237")
    assert [button.text.split() for button in words.find_elements(By.TAG_NAME, "button")] == [
        ["1", "237"],
        ["2"],
        ["3"],
    ]
    window.switch_to.active_element.send_keys("1")
    until(lambda: "237" in by_id(window, "spell-line-added").get_attribute("textContent"))
    until(lambda: not words.find_element(By.TAG_NAME, "button").is_enabled())
    ActionChains(window).send_keys(Keys.BACKSPACE, Keys.BACKSPACE).perform()
    until(lambda: line.text == "")
    by_id(window, "tab-live").click()
    until(lambda: by_id(window, "reading").text == "237")


def test_results_are_emptied_and_recording_is_off_while_the_server_does_not_answer(
    served: Served, window: Chrome
) -> None:
    start_camera(window)
    until(lambda: by_id(window, "reading").text == "237")
    served.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: "old" in by_id(window, "overlay").get_attribute("class"))
        until(lambda: by_id(window, "gone").is_displayed())
        until(lambda: by_id(window, "reading").text == "")
        assert window.find_elements(By.CSS_SELECTOR, "#seen .thing") == []
        by_id(window, "tab-teach").click()
        assert not one(window, ".record").is_enabled()
        by_id(window, "tab-live").click()
    finally:
        served.process.send_signal(signal.SIGCONT)
    until(lambda: not by_id(window, "gone").is_displayed())
    until(lambda: by_id(window, "reading").text == "237")
    by_id(window, "tab-teach").click()
    until(lambda: one(window, ".record").is_enabled())


def test_a_file_that_is_no_picture_leaves_the_camera_on(window: Chrome, tmp_path: Path) -> None:
    start_camera(window)
    text = tmp_path / "notes.png"
    text.write_text("no picture")
    by_id(window, "file").send_keys(str(text))
    until(lambda: by_id(window, "notice").text.startswith("notes.png cannot be opened as a picture."))
    assert not by_id(window, "curtain").is_displayed()
    assert by_id(window, "stop").is_displayed()


def test_hands_are_mirrored_and_writing_is_not(window: Chrome) -> None:
    start_camera(window)
    for task, is_mirrored in (("rps", True), ("digits", False)):
        choose(window, task)
        until(lambda expected=is_mirrored: ("mirrored" in by_id(window, "stage").get_attribute("class")) is expected)
        assert by_id(window, "mirror").is_selected() is is_mirrored
    by_id(window, "mirror").click()
    until(lambda: "mirrored" in by_id(window, "stage").get_attribute("class"))


def test_a_sign_can_be_recorded_trained_reviewed_and_corrected(served: Served, window: Chrome) -> None:
    """Create a task in the form, record by button and key, train, and relabel a mistake in three clicks."""
    store = Samples(served.captures)
    start_camera(window)
    by_id(window, "tab-teach").click()
    by_id(window, "new-task-open").click()
    form = by_id(window, "new-task-form")
    name = form.find_element(By.NAME, "name")
    name.send_keys("my/shapes", Keys.TAB)
    form.find_element(By.NAME, "labels").send_keys("seven", Keys.ENTER)
    (wrong,) = until(lambda: form.find_elements(By.ID, "name-wrong"))
    assert wrong.text.startswith("'my/shapes' cannot be the name of a task. Use letters")
    assert window.switch_to.active_element == name
    name.clear()
    form.find_element(By.NAME, "labels").clear()
    name.send_keys("shapes")
    form.find_element(By.CSS_SELECTOR, "[value=paper]").click()
    form.find_element(By.NAME, "labels").send_keys("seven, four", Keys.ENTER)
    until(lambda: not form.is_displayed())
    assert store.task("shapes").labels == ("seven", "four")

    ActionChains(window).click_and_hold(one(window, "[data-label=seven]")).pause(1.2).release().perform()
    until(lambda: by_id(window, "take-back").is_enabled())
    recorded = store.counts("shapes")["seven"]
    assert recorded >= 1
    until(lambda: f"{recorded}" in one(window, "[data-label=seven] .count").text)
    ActionChains(window).send_keys(Keys.ESCAPE).key_down("2").pause(0.5).key_up("2").perform()
    until(lambda: store.counts("shapes")["four"])
    until(lambda: by_id(window, "take-back").is_enabled())
    by_id(window, "take-back").click()
    until(lambda: store.counts("shapes") == {"seven": recorded, "four": 0})
    store.delete(store.read("shapes"))
    window.refresh()
    choose(window, "shapes")
    assert not one(window, ".train").is_enabled()
    assert one(window, ".missing").text == "Before training: no samples yet."

    for seed in range(6):
        for digit, label in ((7, "seven"), (4, "four")):
            words = f"task=shapes&label={label}&session=s{seed // 3}"
            served.client.post(f"/v1/samples?{words}", content=png(sheet(digit, seed=seed)))
    window.refresh()
    choose(window, "shapes")
    assert one(window, ".enough").get_attribute("style") == "--share: 0.6;"
    one(window, ".train").click()
    until(lambda: "Trained" in one(window, ".result .verdict").text)
    until(lambda: "seven" in one(window, ".result table").text)

    mistake = png(sheet(7, seed=1))
    served.client.post("/v1/samples?task=shapes&label=four&session=s1", content=mistake)
    by_id(window, "tab-look").click()
    one(window, "[aria-label^='1 × four predicted as']").click()
    until(lambda: by_id(window, "grid-title").text.startswith("1 × four predicted as"))
    assert len(window.find_elements(By.CSS_SELECTOR, "#grid .sample")) == 1
    fix_button = window.find_elements(By.CSS_SELECTOR, "#grid .cure")
    if fix_button:
        fix_button[0].click()
    else:  # the sample is rejected, so the page suggests no label
        one(window, "#grid select").send_keys("seven")
    until(lambda: store.counts("shapes") == {"seven": 7, "four": 6})
    one(window, ".train").click()
    jobs = until(lambda: [job for job in served.client.get("/v1/jobs").json() if job["task"] == "shapes"][1:])
    assert len(jobs) == 1
    until(
        lambda: all(job["state"] == "done" for job in served.client.get("/v1/jobs").json() if job["task"] == "shapes")
    )
    one(window, "[aria-label^='7 × seven predicted as seven']")

    def deleted() -> bool:
        one(window, "#grid .delete").click()
        return True

    until(deleted)  # repeated if the page replaces the pictures at that moment
    until(lambda: sum(store.counts("shapes").values()) == 12)

    before = open_models(served.models).current("shapes").name
    shutil.copytree(served.models / "shapes" / before, served.models / "shapes" / "20990101-000000")
    open_models(served.models).set_current("shapes", "20990101-000000")
    one(window, ".undo").click()
    until(lambda: "The previous model is in use again." in one(window, ".result .verdict").text)
    assert served.client.get("/v1/models/shapes").json()["current"] == before


def test_digits_can_be_drawn_without_a_camera(window: Chrome) -> None:
    until(lambda: by_id(window, "task").text)
    by_id(window, "tab-draw").click()
    choose(window, "rps")
    words = "rps is about a hand, which cannot be drawn. What you write here is read as digits."
    until(lambda: by_id(window, "draw-task").text == words)
    choose(window, "digits")
    until(lambda: by_id(window, "draw-task").text == "")
    canvas = by_id(window, "sheet")
    pen = ActionChains(window, duration=50)
    pen.move_to_element_with_offset(canvas, -60, -80).click_and_hold().move_by_offset(100, 0)
    pen.move_by_offset(-60, 170).release().perform()
    until(lambda: by_id(window, "draw-text").text == "7")
    by_id(window, "draw-clear").click()
    until(lambda: by_id(window, "draw-text").text == "")
    canvas.send_keys(Keys.ARROW_UP * 8, " ", Keys.ARROW_DOWN * 20, " ", Keys.ARROW_RIGHT)
    until(lambda: by_id(window, "draw-text").text)


def test_arrow_keys_change_the_tab(window: Chrome) -> None:
    by_id(window, "tab-live").send_keys(Keys.ARROW_RIGHT)
    until(lambda: by_id(window, "teach").is_displayed())
    assert window.switch_to.active_element.get_attribute("id") == "tab-teach"
    assert window.current_url.endswith("#teach")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_accessibility_fault_on_any_tab(served: Served, window: Chrome, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        start_camera(window)
        for tab in ("live", "teach", "spell", "look", "draw", "play"):
            by_id(window, f"tab-{tab}").click()
            until(lambda shown=tab: by_id(window, shown).is_displayed())
            window.execute_script(AXE.read_text(encoding="utf-8"))
            faults = window.execute_async_script(
                "axe.run().then((found) => arguments[0](found.violations.map("
                "({ impact, id, nodes }) => [impact, id, ...nodes.map((node) => node.html)])))"
            )
            assert faults == [], tab
    finally:
        window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def is_in_view(window: Chrome, selector: str) -> bool:
    script = "const b = arguments[0].getBoundingClientRect(); return b.top >= 0 && b.bottom <= innerHeight"
    return window.execute_script(script, one(window, selector))


@pytest.mark.parametrize("size_wh", [(1366, 768), PHONE])
def test_train_is_always_in_view_and_so_is_the_camera(served: Served, window: Chrome, size_wh: tuple[int, int]) -> None:
    metrics = {"width": size_wh[0], "height": size_wh[1], "deviceScaleFactor": 1, "mobile": size_wh == PHONE}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        window.get(f"{served.url}/#teach")
        start_camera(window)
        for bottom in (False, True):
            window.execute_script("scrollTo(0, arguments[0] ? document.body.scrollHeight : 0)", bottom)
            assert is_in_view(window, ".train")
            assert is_in_view(window, "#stage")
    finally:
        window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("size_wh", [PHONE, (1366, 768), (2560, 1440)])
def test_the_page_is_never_wider_than_the_window(served: Served, window: Chrome, size_wh: tuple[int, int]) -> None:
    metrics = {"width": size_wh[0], "height": size_wh[1], "deviceScaleFactor": 1, "mobile": size_wh == PHONE}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        until(lambda: by_id(window, "task").text)
        for tab in window.find_elements(By.CSS_SELECTOR, "[role=tab]"):
            tab.click()
            assert window.execute_script("return document.documentElement.scrollWidth") <= size_wh[0]
        by_id(window, "tab-teach").click()
        by_id(window, "edit-open").click()
        assert window.execute_script("return document.documentElement.scrollWidth") <= size_wh[0]
    finally:
        window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(
    ("has_camera", "permission", "expected"),
    [(True, DENY, "The camera is blocked"), (False, ALLOW, "No camera was found")],
)
def test_the_page_explains_why_there_is_no_camera(
    served: Served, video: Path, has_camera: bool, permission: str, expected: str
) -> None:
    with chromium(video if has_camera else None, DESKTOP, permission) as window:
        window.get(served.address)
        by_id(window, "start").click()
        until(lambda: by_id(window, "curtain-title").text == expected)
        assert len(by_id(window, "curtain-words").text) > 30
        assert by_id(window, "start").is_displayed()


def photograph(path: Path, *digits: int) -> Path:
    """A sheet as a phone writes it: the camera was turned, and Exif says how to turn it back. The suffix says the format."""
    turned = Image.Exif()
    turned[0x0112] = 6
    if path.suffix == ".heic":
        heif = pytest.importorskip("pillow_heif", reason="requirements-heic.txt is not installed")
        heif.register_heif_opener()
    picture = cv2.cvtColor(cv2.rotate(sheet(*digits), cv2.ROTATE_90_COUNTERCLOCKWISE), cv2.COLOR_GRAY2RGB)
    Image.fromarray(picture).save(path, exif=turned.tobytes(), quality=95)
    return path


def test_a_phones_photograph_can_replace_the_camera(served: Served, window: Chrome, tmp_path: Path) -> None:
    by_id(window, "file").send_keys(str(photograph(tmp_path / "sheet.jpg", 3, 7, 4)))
    assert until(lambda: by_id(window, "reading").text) == "374"
    by_id(window, "keep-as").send_keys("3")
    until(lambda: "Kept as a sample of 3." in by_id(window, "notice").text)
    assert Samples(served.captures).counts("digits")["3"] == 1
    window.find_element(By.CSS_SELECTOR, "#notice button").click()
    until(lambda: Samples(served.captures).counts("digits")["3"] == 0)
    by_id(window, "stop").click()
    until(lambda: by_id(window, "curtain").is_displayed())


def test_a_heic_photograph_is_converted_by_the_server(window: Chrome, tmp_path: Path) -> None:
    by_id(window, "file").send_keys(str(photograph(tmp_path / "sheet.heic", 5, 2)))
    until(lambda: by_id(window, "reading").text == "52")


def drop(window: Chrome, target: WebElement, path: Path) -> None:
    """Drop a file or folder on an element, as from a file manager."""
    place = window.execute_script("const b = arguments[0].getBoundingClientRect(); return [b.x + 9, b.y + 9]", target)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": place[0], "y": place[1], "data": data}
        window.execute_cdp_cmd("Input.dispatchDragEvent", event)


def test_pictures_and_zip_files_can_be_added_to_a_label_and_deleted_with_undo(
    served: Served, window: Chrome, tmp_path: Path
) -> None:
    """What is left out is named with its reason. Deleting a thumbnail can be undone."""
    task = {"name": "drops", "region": "paper", "labels": ["three", "nine"]}
    assert served.client.post("/v1/tasks", json=task).status_code == 201
    with zipfile.ZipFile(tmp_path / "threes.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("album/first.png", png(sheet(3, seed=1)))
        archive.writestr("album/notes.txt", "no picture")
        archive.writestr("__MACOSX/._first.png", "of the system")
        archive.writestr("album/empty.png", png(sheet()))
    (tmp_path / "second.png").write_bytes(png(sheet(3, seed=2)))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "half.zip").write_bytes((tmp_path / "threes.zip").read_bytes()[:-100])

    window.refresh()
    choose(window, "drops")
    by_id(window, "tab-teach").click()
    names = ("threes.zip", "second.png", "broken.jpg", "half.zip")
    until(lambda: window.find_elements(By.CSS_SELECTOR, "[aria-label='Add pictures to three']"))[0].send_keys(
        "\n".join(str(tmp_path / name) for name in names)
    )
    until(lambda: by_id(window, "record-hint").text.startswith("Samples of three from these files: 2. Left out: 4."))
    left_out = [line.text for line in window.find_elements(By.CSS_SELECTOR, ".left-out li")]
    assert sorted(left_out) == [
        "album/empty.png: no writing in the picture",
        "album/notes.txt: not a picture",
        "broken.jpg: it cannot be opened as a picture",
        "half.zip: not a complete zip file",
    ]
    store = Samples(served.captures)
    assert store.counts("drops") == {"three": 2, "nine": 0}

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "nine.png").write_bytes(png(sheet(9, seed=1)))
    drop(window, one(window, "[data-label=nine]"), tmp_path / "folder")
    until(lambda: by_id(window, "record-hint").text == "Samples of nine from these files: 1.")
    assert store.counts("drops") == {"three": 2, "nine": 1}
    store.delete(store.read("drops")[-1:])

    until(lambda: len(window.find_elements(By.CSS_SELECTOR, ".thumbs img")) >= 2)
    one(window, "[aria-label='Delete this sample of three']").click()
    until(lambda: store.counts("drops")["three"] == 1)
    one(window, "#notice button").click()
    until(lambda: store.counts("drops")["three"] == 2)
    until(lambda: len(window.find_elements(By.CSS_SELECTOR, ".thumbs img")) == 2)


# keeps back the requests that record a sample, until `letGo` is called
KEEP_BACK = """
const send = window.fetch;
const released = new Promise((resolve) => (window.letGo = resolve));
window.fetch = async (path, options) => {
  if (path.startsWith("/v1/samples?") && options.method === "POST") await released;
  return send(path, options);
};
"""


def test_the_page_says_getting_ready_until_it_records(served: Served, window: Chrome) -> None:
    start_camera(window)
    by_id(window, "tab-teach").click()
    window.execute_script(KEEP_BACK)
    button = one(window, "[data-label='0']")
    ActionChains(window).click_and_hold(button).perform()
    until(lambda: by_id(window, "record-hint").text == "Getting ready …")
    assert "recording" not in by_id(window, "stage").get_attribute("class")
    window.execute_script("letGo()")
    until(lambda: "recording" in by_id(window, "stage").get_attribute("class"))
    ActionChains(window).release().perform()
    until(lambda: "recording" not in by_id(window, "stage").get_attribute("class"))
    until(lambda: by_id(window, "take-back").is_enabled())
    store = Samples(served.captures)
    store.undo(store.read("digits"))


def test_nothing_moves_for_who_wants_no_motion(window: Chrome) -> None:
    script = """
    document.getElementById("overlay").className = "old";
    const style = (id) => getComputedStyle(document.getElementById(id));
    return [style("notice").animationName, style("overlay").transitionDuration]"""
    try:
        for value, expected in (("no-preference", ["rise", "0.3s"]), ("reduce", ["none", "0s"])):
            media = {"features": [{"name": "prefers-reduced-motion", "value": value}]}
            window.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            assert window.execute_script(script) == expected
    finally:
        window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_page_and_documentation_load_nothing_from_other_servers(served: Served, window: Chrome) -> None:
    for path in ("/", "/docs"):
        window.get(served.url + path)
        one(window, "#tab-live, .opblock")
        urls = window.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert urls
        assert [url for url in urls if not url.startswith((served.url, "data:", "blob:"))] == []


def test_the_page_logs_out_and_the_token_can_be_typed(served: Served, browser: Chrome) -> None:
    browser.get(served.address)
    one(browser, "#leave button").click()
    one(browser, "#token")
    browser.get(served.url)
    assert "This server requires a token" in browser.page_source
    browser.get(f"{served.url}/enter")
    token = one(browser, "#token")
    token.send_keys(served.address.partition("token=")[2], Keys.ENTER)
    assert one(browser, "#start")
    browser.get("about:blank")
    browser.get_log("browser")  # the refused requests
