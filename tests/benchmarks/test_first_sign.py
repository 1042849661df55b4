"""The pictures of the window: like ones are shown as one, and a black screen is no picture."""

from pathlib import Path

import pytest
from PIL import Image, ImageGrab

from benchmarks import first_sign
from benchmarks.first_sign import Camera, Measured
from recognizer.errors import SettingsError


def screen(color: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (1400, 900), color)


def test_like_pictures_are_shown_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [screen(color) for color in ((200, 0, 0), (201, 0, 0), (0, 200, 0))]
    left = iter(shown)
    monkeypatch.setattr(ImageGrab, "grab", lambda xdisplay: next(left))
    camera = Camera(":9", tmp_path)
    for _ in shown:
        camera.shoot()
    camera.write()
    with Image.open(tmp_path / "window.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (2, first_sign.GIF_WH, 2 * first_sign.SHOT_MS)


def test_a_black_screen_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageGrab, "grab", lambda xdisplay: screen((0, 0, 0)))
    with pytest.raises(SettingsError, match="The virtual screen :9 shows nothing"):
        Camera(":9", tmp_path).still("one.png")


def test_a_machine_without_a_virtual_screen_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_sign, "MISSING", ["Xvfb"])
    with pytest.raises(SettingsError, match="needs"):
        first_sign.measure(None)  # type: ignore[arg-type]  # it is not used


def test_the_measured_seconds_add_up() -> None:
    assert Measured(29, 5.0, 9.0, 16.0, 20.0).as_text() == (
        "29 keys, 20.0 s from the start to the first own sign read: 5.0 s to the first frame, 4.0 s to make the task, "
        "7.0 s to record 2 times 10 samples, 4.0 s to train and to read"
    )
