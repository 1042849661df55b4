"""The export as a web page in a real Chromium, beside the program.

python -m benchmarks.web_cost DIR --task letters    photographs below DIR: does the page give the same label?

`report` of benchmarks.export_cost measures its speed. Needs Chromium, its driver and selenium.
"""

import functools
import http.server
import json
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from recognizer.commands.options import Parser, given_path
from recognizer.errors import SettingsError
from recognizer.export.export import export_folder
from recognizer.export.golden import ANSWERS, GOLDEN, SEED, SHEET_FRAMES, STUDIO_FPS
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import open_pipeline
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.studio.scenes import STUDIO_SCENES, Studio
from recognizer.system.terminal import exit_on_error
from recognizer.values import Frame

SIZE_WH = (640, 480)
FRAMES = 60  # of a loop
WARM_UP = 10  # frames before: they compile the page's code
PHOTOS = 200  # with a hand
PICTURES = "pictures"  # a folder beside the page, for its pictures
TIMEOUT_S = 600.0  # of one script in the page
SCRIPT = """
const done = arguments[arguments.length - 1];
const [files, isStream] = arguments;
(async () => {
  const [{ openOnce, answerTo, open }, { Recognizer }, { drawOver, showCards }] =
    await Promise.all(["answers", "recognizer", "seen"].map((name) => import(new URL(`${name}.js`, location))));
  await open();
  const opened = await openOnce();
  const pictures = new Map();
  for (const file of new Set(files)) {
    const bitmap = await createImageBitmap(await (await fetch(file)).blob());
    const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0);
    pictures.set(file, canvas);
  }
  const answers = [];
  for (const file of files) {
    const start = performance.now();
    const camera = { grabCanvas: () => pictures.get(file), isStill: () => !isStream };
    const { text, regions, ...rest } = await answerTo(camera, () => true);
    if (isStream) {
      drawOver(document.getElementById("overlay"), { regions, ...rest }, true);
      showCards(document.getElementById("seen"), regions);
    }
    answers.push({ text, labels: regions.map(({ label }) => label), ms: performance.now() - start });
  }
  return answers;
})().then(done, (error) => done(String(error)));
"""


@dataclass(frozen=True)
class PageAnswer:
    """What the page answered to one picture."""

    text: str
    labels: tuple[str | None, ...]  # of the regions, from left to right
    ms: float  # from the picture's pixels to the answer; in a stream, until it is drawn


class Page:
    """An export that is open in Chromium."""

    def __init__(self, browser: Any, folder: Path):
        self._browser, self._folder = browser, folder

    def answers(self, pictures: Sequence[bytes], *, stream: bool, rounds: int = 1) -> list[PageAnswer]:
        """The answers to encoded pictures, in order; `rounds` shows all of them several times."""
        shown = self._folder / PICTURES
        shutil.rmtree(shown, ignore_errors=True)
        shown.mkdir()
        names = [f"{PICTURES}/{time.time_ns()}-{number}" for number in range(len(pictures))]
        for name, picture in zip(names, pictures, strict=True):
            (self._folder / name).write_bytes(picture)
        found = self._browser.execute_async_script(SCRIPT, names * rounds, stream)
        if not isinstance(found, list):
            raise RuntimeError(f"the page failed: {found}")
        return [PageAnswer(one["text"], tuple(one["labels"]), one["ms"]) for one in found]


@contextmanager
def opened_page(folder: Path) -> Iterator[Page]:
    """The export in `folder`, open in Chromium with threads."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, _chromium() as browser:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.set_script_timeout(TIMEOUT_S)
        browser.get(f"http://127.0.0.1:{server.server_port}/")
        end_s = time.monotonic() + TIMEOUT_S
        while not browser.execute_script("return self.crossOriginIsolated && !document.getElementById('start').hidden"):
            if time.monotonic() > end_s:
                raise RuntimeError(f"the page in {folder} did not start")
            time.sleep(0.2)
        try:
            yield Page(browser, folder)
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Nothing is printed."""


@contextmanager
def _chromium() -> Iterator[Any]:
    from selenium import webdriver  # of the tests' packages

    names = ("chromium", "chromium-browser", "google-chrome")
    browser, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if browser is None or driver is None:
        raise SettingsError("Chromium and its driver are needed: apt install chromium chromium-driver.")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    window = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield window
    finally:
        window.quit()


def chromium_found() -> bool:
    """Whether the page can be measured here."""
    from importlib.util import find_spec

    names = ("chromium", "chromium-browser", "google-chrome")
    return bool(any(map(shutil.which, names)) and shutil.which("chromedriver") and find_spec("selenium"))


def golden_answers(folder: Path) -> tuple[list[float], int]:
    """Of the golden inputs of a web export, as single pictures: milliseconds each, and how many are read the same."""
    inputs = json.loads((folder / GOLDEN / ANSWERS).read_text(encoding="utf-8"))["inputs"]
    pictures = [(folder / GOLDEN / one["file"]).read_bytes() for one in inputs]
    with opened_page(folder) as page:
        page.answers(pictures[:WARM_UP], stream=False)
        answers = page.answers(pictures, stream=False)
    same = sum(answer.text == one["text"] for answer, one in zip(answers, inputs, strict=True))
    return [answer.ms for answer in answers], same


@dataclass(frozen=True)
class Loops:
    """Milliseconds a frame of the loop at 640x480, median of FRAMES: found, classified, smoothed and drawn."""

    page_ms: float
    program_ms: float


def loops(task: str, folder: Path) -> Loops:
    """Both loops on the same frames of the studio, one after the other in the same run. `folder`: the task's web export."""
    studio = Studio(STUDIO_SCENES.get(task, "rps"), SIZE_WH, STUDIO_FPS, SEED)
    frames = [studio.frame(number).image_bgr for number in range(SHEET_FRAMES // 4, 3 * SHEET_FRAMES // 4)]
    rounds = -(-(WARM_UP + FRAMES) // len(frames))
    with opened_page(folder) as page:
        encoded = [cv2.imencode(".png", frame)[1].tobytes() for frame in frames]
        page_ms = [one.ms for one in page.answers(encoded, stream=True, rounds=rounds)][WARM_UP:]
    program_ms = []
    with open_pipeline(task, default_models(), default_samples(), smooth=True) as pipeline:
        overlay = Overlay()
        for number, image_bgr in enumerate(frames * rounds):
            start_s = time.perf_counter()
            overlay.draw(pipeline.step(Frame(image_bgr, number, number / STUDIO_FPS, "studio")))
            program_ms.append(1000 * (time.perf_counter() - start_s))
    return Loops(statistics.median(page_ms), statistics.median(program_ms[WARM_UP:]))


def compare(folder: Path, task: str, count: int) -> str:
    """Whether the page gives the same labels as the program to `count` photographs below `folder` with a hand."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    random.Random(SEED).shuffle(paths)
    pictures, expected = [], []
    with open_pipeline(task, default_models(), default_samples(), smooth=False) as pipeline:
        for path in paths:
            image_bgr = cv2.imread(str(path))
            if image_bgr is None or len(pictures) == count:
                continue
            observation = pipeline.step(Frame(image_bgr, 0, 0.0, path.name))
            if observation.regions:
                pictures.append(path)
                expected.append(tuple(one.label for one in observation.predictions))
    with tempfile.TemporaryDirectory() as parent:
        export = Path(parent) / "page"
        export_folder(task, "web", export, default_models(), default_samples())
        with opened_page(export) as page:
            answers = [page.answers([path.read_bytes()], stream=False)[0] for path in pictures]
    different = [
        f"{path.relative_to(folder)}: {json.dumps(labels)} in the program, {json.dumps(answer.labels)} in the page"
        for path, labels, answer in zip(pictures, expected, answers, strict=True)
        if labels != answer.labels
    ]
    same = len(pictures) - len(different)
    shares = (
        f"{same} of {len(pictures)} photographs with a hand get the same labels ({100 * same / len(pictures):.1f} %)"
    )
    return "\n".join([*different, shares])


def main() -> None:
    parser = Parser("web_cost", __doc__)
    parser.add_argument("folder", type=given_path, metavar="DIR", help="photographs")
    parser.add_argument("--task", default="letters", help="a task of hands (default: letters)")
    parser.add_argument("--count", type=int, default=PHOTOS, help=f"photographs with a hand (default: {PHOTOS})")
    with exit_on_error():
        options = parser.parse_args()
        print(compare(options.folder, options.task, options.count))


if __name__ == "__main__":
    main()
