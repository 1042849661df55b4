"""The export as a web page: its files, and the page in a real Chromium."""

import contextlib
import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By

from recognizer.classifiers.classifier import DynamicNetwork
from recognizer.errors import AssetError
from recognizer.export import export, golden, web
from recognizer.finders import characters
from recognizer.registry import assets
from recognizer.registry.synced import default_models
from recognizer.samples.store import Samples
from recognizer.studio.scenes import Studio
from recognizer.system import paths
from tests.helpers import waiting
from tests.helpers.browser import DESKTOP, PHONE, chromium, write_video
from tests.helpers.local_server import closed_address
from tests.helpers.machine import landmarker_path
from tests.helpers.static_server import serving_folder

MODEL = {
    "task": "rps",
    "target": "web",
    "labels": ["rock"],
    "golden": {"count": 1},
}  # of model.json, what its README names
GOLDEN = 2  # inputs: each is a second of work on a slow machine
PAGE = [*web.OWN.glob("*.js"), *(web.SERVED / name for name in web.SHARED if name.endswith(".js"))]
CONSTANTS = {
    name: json.loads(group) for name, group in re.findall(r"^export const (\w+) = (.*);$", web.constants_js(), re.M)
}


@pytest.mark.parametrize("path", PAGE, ids=lambda path: path.name)
def test_the_page_uses_constants_that_the_program_has(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    imported = re.search(r'import \{ (.*) \} from "./constants.js"', text)
    for word in imported[1].split(", ") if imported else []:
        group, _, alias = word.partition(" as ")
        used = set(re.findall(rf"\b{alias or group}\.([A-Z][A-Z0-9_]*)\b", text))
        for names in re.findall(rf"const \{{ ([A-Z0-9_, ]+) \}} = {alias or group};", text):
            used |= set(names.split(", "))
        assert used, f"{path.name} imports {group} and uses nothing of it"
        assert used <= CONSTANTS[group].keys()


@pytest.mark.parametrize("path", PAGE, ids=lambda path: path.name)
def test_the_modules_that_the_page_imports_are_in_the_export(path: Path) -> None:
    there = {page.name for page in PAGE} | {"constants.js", *web.VENDORED[assets.LITERT_JS]}
    text = path.read_text(encoding="utf-8")
    imported = re.findall(r'(?:from|import|import\() ?"\./([^"]+)"', text)
    assert set(imported) <= there


@pytest.mark.parametrize("name", ["verifier", "characters"])
def test_a_network_with_fixed_shapes_computes_the_same(name: str, tmp_path: Path) -> None:
    path = characters.NETWORKS / f"{name}.tflite"
    suffix, content = web.convert(name, path.read_bytes(), tmp_path)
    fixed = tmp_path / f"{name}{suffix}"
    fixed.write_bytes(content)
    shape = (1, *characters.canvas_shape((640, 640))) if name == "characters" else (1, 48, 48, 6)
    values = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    (details,) = _interpreter(fixed).get_input_details()
    assert tuple(details["shape_signature"]) == shape
    np.testing.assert_allclose(DynamicNetwork(fixed).run(values), DynamicNetwork(path).run(values), atol=1e-5)


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path))


@pytest.fixture
def own_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for assets."""
    monkeypatch.setenv("RECOGNIZER_ASSETS", str(tmp_path))
    (tmp_path / "page").mkdir()
    return tmp_path


def test_without_a_network_the_error_says_how_to_get_the_runtime(
    own_assets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = assets.Asset("core.tgz", (assets.Download(closed_address(), "0" * 64),))
    monkeypatch.setitem(assets.EXPORT_ASSETS, assets.LITERT_JS, package)
    with pytest.raises(
        AssetError, match=r"core.tgz could not be downloaded.*run: python -m recognizer assets litert_js"
    ) as error:
        web.write_program(tmp_path / "page", MODEL)
    assert "\n" not in str(error.value)


def test_a_package_of_the_runtime_without_its_files_is_refused(
    own_assets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with tarfile.open(own_assets / "core.tgz", "w:gz"):
        pass
    sha256 = hashlib.sha256((own_assets / "core.tgz").read_bytes()).hexdigest()
    package = assets.Asset("core.tgz", (assets.Download(closed_address(), sha256),))
    monkeypatch.setitem(assets.EXPORT_ASSETS, assets.LITERT_JS, package)
    with pytest.raises(AssetError, match=r"core.tgz is not the expected package .*Delete it and export again"):
        web.write_program(tmp_path / "page", MODEL)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An asset folder with the runtime, which is fetched if it is not there. Skips without the package registry."""
    folder = tmp_path_factory.mktemp("assets")
    for path in paths.assets().glob("*") if paths.assets().is_dir() else ():
        (folder / path.name).symlink_to(path.resolve())
    try:
        for name in assets.EXPORT_ASSETS:
            assets.fetch_asset(name, folder)
    except AssetError as error:
        pytest.skip(f"needs registry.npmjs.org, or LiteRT.js in {paths.assets()}: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOGNIZER_ASSETS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def exports(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exports of digits and rps as web pages, with GOLDEN golden inputs each."""
    landmarker_path()
    folder = tmp_path_factory.mktemp("exports")
    for task in ("digits", "rps"):
        samples = Samples(folder / "samples")
        export.export_folder(task, "web", folder / task, default_models(), samples, golden_count=GOLDEN)
    return folder


@pytest.fixture(scope="module")
def address(exports: Path) -> Iterator[str]:
    with serving_folder(exports) as address:
        yield address


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser with a hand of the studio before its camera."""
    frame = Studio("rps", (640, 480), golden.STUDIO_FPS, golden.SEED).frame(golden.SHEET_FRAMES // 2)
    video = write_video(tmp_path_factory.mktemp("video") / "camera.mjpeg", [frame.image_bgr] * 4)
    with chromium(video) as opened:
        yield opened


def text(window: Chrome, name: str) -> str:
    return window.find_element(By.ID, name).text


def until(found: Callable[[], Any], window: Chrome) -> Any:
    def found_now() -> Any:
        with contextlib.suppress(Exception):  # the page is loaded again once the service worker is there
            return found()

    return waiting.until(found_now, lambda: text(window, "gone") or text(window, "notice"))


def errors(window: Chrome) -> list[str]:
    """What the console shows, without the runtime's own remarks."""
    lines = [line["message"] for line in window.get_log("browser") if line["level"] == "SEVERE"]
    return [line for line in lines if "litert" not in line]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["digits", "rps"])
def test_the_page_answers_as_the_program_on_the_golden_inputs(task: str, address: str, window: Chrome) -> None:
    window.get(f"{address}/{task}/?check")
    result = until(lambda: text(window, "check-result").startswith("The ") and text(window, "check-result"), window)
    assert result == f"The exported model answers the same on {GOLDEN} of {GOLDEN}."
    assert window.find_elements(By.CSS_SELECTOR, "#check-differences li") == []
    assert window.execute_script("return self.crossOriginIsolated")  # so the runtime has threads
    assert errors(window) == []


@pytest.mark.slow
def test_the_check_names_what_was_changed(exports: Path, address: str, window: Chrome) -> None:
    path = exports / "rps" / "model.json"
    whole = path.read_text(encoding="utf-8")
    content = json.loads(whole)
    content["labels"] = content["labels"][::-1]
    path.write_text(json.dumps(content), encoding="utf-8")
    window.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})
    try:
        window.get(f"{address}/rps/?check")
        until(lambda: text(window, "check-result").startswith("The "), window)
        lines = [line.text for line in window.find_elements(By.CSS_SELECTOR, "#check-differences li")]
        assert lines[0].startswith("model.json has the labels [")
    finally:
        path.write_text(whole, encoding="utf-8")


@pytest.mark.slow
def test_a_damaged_file_is_named(exports: Path, address: str, window: Chrome) -> None:
    path = exports / "digits" / "arrays" / "means.float32"
    whole = path.read_bytes()
    path.write_bytes(whole[::-1])
    window.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})
    try:
        window.get(f"{address}/digits/")
        shown = until(lambda: text(window, "gone"), window)
        assert re.match(r"arrays/means.float32 is damaged: its SHA-256 is \w+…, and model.json says \w+…\.", shown)
    finally:
        path.write_bytes(whole)
        window.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})


@pytest.mark.slow
def test_a_hand_before_the_camera_is_recognized_also_offline(exports: Path, window: Chrome) -> None:
    with serving_folder(exports) as address:
        window.get(f"{address}/rps/")
        until(lambda: window.execute_script("return self.crossOriginIsolated"), window)
        read_hand(window)
        assert "mirrored" in window.find_element(By.ID, "stage").get_attribute("class")
        assert not window.find_element(By.ID, "tabs").is_displayed()  # a hand cannot be drawn
    window.execute_script(
        "location.reload()"
    )  # the server is gone; chromedriver's own refresh goes past the service worker
    until(lambda: window.find_element(By.ID, "start").is_displayed(), window)
    read_hand(window)


def read_hand(window: Chrome) -> None:
    until(lambda: window.find_element(By.ID, "start").click() or True, window)
    reading = until(lambda: text(window, "reading"), window)
    assert reading in ("rock", "paper", "scissors")
    (card,) = window.find_elements(By.CSS_SELECTOR, "#seen .thing")
    assert len(card.find_elements(By.CSS_SELECTOR, ".share")) == 3
    assert re.match(r"\d+ ms per frame", window.find_element(By.ID, "figures").get_attribute("title"))


@pytest.mark.slow
@pytest.mark.parametrize("size_wh", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_drawn_digit_and_a_picture_are_read(
    size_wh: tuple[int, int], exports: Path, address: str, window: Chrome
) -> None:
    width, height = size_wh
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    window.get(f"{address}/digits/#draw")
    until(lambda: window.find_element(By.ID, "sheet").is_displayed(), window)
    sheet = window.find_element(By.ID, "sheet")
    pen = ActionChains(window, duration=20).move_to_element_with_offset(sheet, -40, -50).click_and_hold()
    for dx, dy in ((20, 0), (20, 0), (20, 0), (-12, 25), (-12, 25), (-12, 25), (-6, 15)):
        pen = pen.move_by_offset(dx, dy)
    pen.release().perform()
    until(lambda: text(window, "draw-text") == "7", window)
    (first, *_) = json.loads((exports / "digits" / "golden" / "answers.json").read_text(encoding="utf-8"))["inputs"]
    window.find_element(By.ID, "tab-live").click()
    window.find_element(By.ID, "file").send_keys(str(exports / "digits" / "golden" / first["file"]))
    until(lambda: text(window, "reading") == first["text"] != "", window)
    assert window.execute_script("return document.documentElement.scrollWidth") <= width
    assert errors(window) == []
