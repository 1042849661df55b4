from dataclasses import FrozenInstanceError

import pytest

from recognizer.errors import RecognizerError, SettingsError
from recognizer.settings import Settings


def test_default_settings_are_valid() -> None:
    settings = Settings()
    assert (settings.task, settings.source, settings.size_wh, settings.headless) == (
        "digits",
        "auto",
        (1280, 720),
        False,
    )


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().fps = 60.0  # type: ignore[misc]


@pytest.mark.parametrize("size_wh", [(0, 0), (63, 720), (1280, 63), (7681, 720), (1280, 4321), (-1280, 720)])
def test_the_error_of_an_impossible_size_suggests_a_valid_one(size_wh: tuple[int, int]) -> None:
    with pytest.raises(SettingsError, match=f"{size_wh[0]}x{size_wh[1]} is not between.*Try 1280x720"):
        Settings(size_wh=size_wh)


@pytest.mark.parametrize("size_wh", [(64, 64), (7680, 4320)])
def test_the_smallest_and_the_largest_size_are_accepted(size_wh: tuple[int, int]) -> None:
    assert Settings(size_wh=size_wh).size_wh == size_wh


@pytest.mark.parametrize("fps", [0.0, -30.0, 241.0, float("nan"), float("inf")])
def test_an_impossible_frame_rate_raises_an_error(fps: float) -> None:
    with pytest.raises(SettingsError, match="--fps .* is not between 1 and 240"):
        Settings(fps=fps)


@pytest.mark.parametrize("max_frames", [0, -1])
def test_fewer_than_one_frame_raises_an_error(max_frames: int) -> None:
    with pytest.raises(SettingsError, match=f"--max-frames {max_frames} is not at least 1"):
        Settings(max_frames=max_frames)
    assert Settings(max_frames=1).max_frames == 1


def test_a_settings_error_is_a_recognizer_error_of_one_line() -> None:
    with pytest.raises(RecognizerError) as caught:
        Settings(fps=0)
    assert "\n" not in str(caught.value)
