"""Recording without a window: sharp and new frames are saved, the others are counted."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer import cli
from recognizer.commands import record
from recognizer.finders.finder import RegionFinder
from recognizer.finders.guide_box import guide_box
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.sources.source import Source
from recognizer.teaching.capture import CaptureCounts, capture
from recognizer.values import Frame, Region
from tests.helpers.drawing import as_frame, paper, write
from tests.helpers.fakes import FakeFinder

FLAT = np.full((480, 640, 3), 128, np.uint8)


def an_object(seed: int) -> np.ndarray:
    """A picture without repeated structure, (480, 640, 3) uint8."""
    blocks = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return cv2.resize(blocks, (640, 480), interpolation=cv2.INTER_NEAREST)


def test_only_sharp_and_new_frames_are_saved(tmp_path: Path) -> None:
    class GuideBoxFinder(RegionFinder):
        """Finds the guide box in each frame except number 4."""

        def find(self, frame: Frame) -> tuple[Region, ...]:
            box = guide_box(640, 480)
            return (Region(box, frame.image_bgr[box.y1 : box.y2, box.x1 : box.x2]),) if frame.index != 4 else ()

    store = Samples(tmp_path)
    store.create_task("objects", "box", ["mug"])
    images = [an_object(0), FLAT, an_object(0), an_object(1), an_object(2), an_object(3), an_object(4)]
    frames = [Frame(image, index, index / 30, "film.mp4") for index, image in enumerate(images)]
    assert capture(store, "objects", "mug", frames, GuideBoxFinder(), every=1) == CaptureCounts(4, 1, 1, 1)
    samples = store.read("objects")
    assert {sample.source for sample in samples} == {"film.mp4"}
    assert len({sample.session for sample in samples}) == 1
    assert capture(store, "objects", "mug", frames, GuideBoxFinder(), every=3) == CaptureCounts(3, 0, 0, 0)
    assert capture(store, "objects", "mug", frames, GuideBoxFinder(), every=1, max_samples=1).saved == 1
    assert capture(store, "objects", "mug", frames, GuideBoxFinder(), every=1, max_frames=2) == CaptureCounts(
        1, 0, 1, 0
    )
    assert capture(store, "objects", "mug", frames, FakeFinder([])) == CaptureCounts(0, 3, 0, 0)


def test_a_hand_without_landmarks_is_not_saved(tmp_path: Path) -> None:
    store = Samples(tmp_path)
    store.create_task("signs", "hand", ["ok"])
    box = guide_box(640, 480)
    finder = FakeFinder([Region(box, an_object(0)[box.y1 : box.y2, box.x1 : box.x2])])
    frames = [Frame(an_object(0), index, index / 30, "film.mp4") for index in range(2)]
    assert capture(store, "signs", "ok", frames, finder, every=1) == CaptureCounts(0, 2, 0, 0)


def test_the_command_records_samples_from_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    (tmp_path / "film").mkdir()
    for number, x in enumerate((200, 300, 400)):
        sheet = paper()
        write(sheet, number + 3, (x, 240), 120)
        cv2.imwrite(str(tmp_path / "film" / f"{number}.png"), as_frame(sheet).image_bgr)
    words = ["samples", "record", "notes", "--label", "mine", "--source", str(tmp_path / "film"), "--every", "1"]
    assert cli.main(words) == 2
    assert "Create it: python -m recognizer tasks new notes" in capsys.readouterr().err
    assert cli.main(["tasks", "new", "notes", "--subject", "paper", "--labels", "other"]) == 0
    assert cli.main(words) == 2
    assert "The task notes has no label mine. It has: other. Add --new to make it." in capsys.readouterr().err
    assert cli.main([*words, "--new"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-2:] == [
        "notes has a new label: mine",
        "Saved 3 samples of mine in notes. Skipped: 0 without a paper, 0 blurred, 0 similar to an earlier one",
    ]
    assert default_samples().counts("notes") == {"other": 0, "mine": 3}
    assert cli.main([*words, "--max", "0"]) == 2
    assert "--max: 0 is not a whole number of at least 1" in capsys.readouterr().err


def test_a_source_without_the_subject_gives_no_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    cv2.imwrite(str(tmp_path / "empty.png"), FLAT)
    assert cli.main(["tasks", "new", "objects", "--subject", "box", "--labels", "mug"]) == 0
    words = ["objects", "--label", "mug", "--source", str(tmp_path / "empty.png"), "--every", "1"]
    assert cli.main(["samples", "record", *words]) == 1


def test_a_source_that_does_not_open_adds_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    assert cli.main(["tasks", "new", "objects", "--subject", "box", "--labels", "mug"]) == 0
    words = ["objects", "--label", "cup", "--new", "--source", str(tmp_path / "nowhere.mp4")]
    assert cli.main(["samples", "record", *words]) == 2
    assert default_samples().task("objects").labels == ("mug",)


def test_ctrl_c_says_how_many_samples_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    assert cli.main(["tasks", "new", "objects", "--subject", "box", "--labels", "mug"]) == 0

    class Camera(Source):
        def __iter__(self) -> Iterator[Frame]:
            yield Frame(an_object(0), 0, 0.0, self.name)
            raise KeyboardInterrupt

    monkeypatch.setattr(record, "open_source", lambda _: Camera("camera 0", live=True))
    assert cli.main(["samples", "record", "objects", "--label", "mug", "--source", "0"]) == 130
    assert "Stopped. Saved 1 samples of mug in objects." in capsys.readouterr().out
    assert default_samples().counts("objects") == {"mug": 1}
