"""A real Chromium with given frames as its camera."""

import base64
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException

DESKTOP, PHONE = (1360, 860), (390, 844)
ALLOW = "--use-fake-ui-for-media-stream"  # allows the camera without a question to the user
DENY = "--deny-permission-prompts"

# a camera that shows what `hold_up` gives it; the other one plays a file in a loop
HELD_CAMERA = """
const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
const pen = canvas.getContext("2d");
let picture = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
window.holdUp = async (url) => {
  const image = Object.assign(new Image(), { src: url });
  await image.decode();
  picture = image;
};
setInterval(() => pen.drawImage(picture, 0, 0, canvas.width, canvas.height), 40);
navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(25);
"""

# the WebSockets that the page has opened
OPEN_SOCKETS = """
window.openSockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...words) {
    super(...words);
    openSockets.push(this);
  }
};
"""


def hold_up(window: webdriver.Chrome, frame_bgr: np.ndarray) -> None:
    """Show a frame (H, W, 3) uint8 to the camera of a page that was opened with HELD_CAMERA."""
    data = base64.b64encode(cv2.imencode(".jpg", frame_bgr)[1].tobytes()).decode()
    window.execute_async_script("holdUp(arguments[0]).then(arguments[1])", f"data:image/jpeg;base64,{data}")


def write_video(path: Path, frames_bgr: Sequence[np.ndarray]) -> Path:
    """Write the frames, (H, W, 3) uint8, as a motion JPEG, which Chromium plays in a loop. Return its path."""
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames_bgr))
    return path


@contextmanager
def chromium(video: Path | None, size_wh: tuple[int, int] = DESKTOP, *words: str) -> Iterator[webdriver.Chrome]:
    """A browser window of this size. Without a video it has no camera. Skips if Chromium is missing."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium and its driver (apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.add_argument("--headless=new")
    options.add_argument("--no-sandbox")  # Chromium has no sandbox for root
    options.add_argument("--disable-dev-shm-usage")
    options.add_argument("--disable-gpu")
    options.add_argument("--hide-scrollbars")
    options.add_argument(f"--window-size={size_wh[0]},{size_wh[1]}")
    for word in words or (ALLOW,):
        options.add_argument(word)
    if video is not None:
        options.add_argument("--use-fake-device-for-media-stream")
        options.add_argument(f"--use-file-for-fake-video-capture={video}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        window = webdriver.Chrome(options, webdriver.ChromeService(driver))
    except WebDriverException as error:
        pytest.skip(f"Chromium does not start here: {(error.msg or '').splitlines()[0]}")
    try:
        width, height = size_wh
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        yield window
    finally:
        window.quit()
