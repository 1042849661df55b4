"""The few-shot benchmark: bursts are not split between training and testing, and the table shows accuracies."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import few_shot
from recognizer.errors import SamplesError
from recognizer.preprocess import appearance
from recognizer.registry.store import ModelStore
from recognizer.values import Box, Hand, Region
from training.datasets import hand_photographs


def test_a_burst_is_never_split_between_training_and_testing() -> None:
    labels = np.repeat(["ok", "stop"], 40)
    draws = list(few_shot.drawn(labels, 10, 3))
    assert len(draws) == 3
    for learned, tested in draws:
        assert [int((labels[learned] == label).sum()) for label in ("ok", "stop")] == [10, 10]
        assert not set(learned // few_shot.BURST) & set(tested // few_shot.BURST)
        assert len(tested) == 60
    assert draws[0][0].tolist() != draws[1][0].tolist()


def test_the_neighbours_of_a_training_picture_are_not_used_for_testing() -> None:
    ((learned, tested),) = few_shot.drawn(np.repeat(["ok", "stop"], 10), 1, 1)
    assert len(learned) == 2
    assert len(tested) == 10


def test_a_label_with_too_few_pictures_gives_nan() -> None:
    labels = np.repeat(["ok", "stop"], [40, 12])
    assert np.isnan(few_shot.accuracy(np.zeros((52, 2)), labels, few_shot.nearest, 10, 2))


def test_pictures_are_sorted_by_number(tmp_path: Path) -> None:
    (tmp_path / "ok").mkdir()
    for name in ("10.png", "2.png", "1.png", "a.png"):
        cv2.imwrite(str(tmp_path / "ok" / name), np.zeros((8, 8, 3), np.uint8))
    assert [path.name for path in few_shot.pictures(tmp_path)] == ["1.png", "2.png", "10.png", "a.png"]
    with pytest.raises(SamplesError, match="contains no pictures in folders named by label"):
        few_shot.pictures(tmp_path / "ok")


def test_the_table_has_a_line_for_each_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / label / f"{number}.png" for label in ("flat", "tall") for number in range(12)]
    rng = np.random.default_rng(0)
    shapes = dict(zip(("flat", "tall"), rng.normal(size=(2, 21, 3)) * [60, 60, 10] + 200, strict=True))
    parts = []
    for path in paths:
        joints = (shapes[path.parent.name] + rng.normal(0, 1, (21, 3))).astype(np.float32)
        hand = Hand(joints, "right", 0.9) if path != paths[5] else None
        region = Region(Box(0, 0, 40, 40), np.zeros((40, 40, 3), np.uint8), hand=hand)
        parts.append(hand_photographs.hands_of_region(region, path.parent.name, "", None, rng))
    found = hand_photographs.concatenate(parts)
    crops = [np.full((40, 40, 3), 60 if path.parent.name == "flat" else 200, np.uint8) for path in paths]
    monkeypatch.setattr(few_shot, "pictures", lambda folder: paths)
    monkeypatch.setattr(few_shot, "hands_in", lambda *_: (crops, found))
    zero_directions = np.zeros((appearance.SIZE, 4), np.float32), np.zeros(4, np.float32)
    monkeypatch.setattr(few_shot, "unseen_directions", lambda *_: zero_directions)
    models, runs = ModelStore(tmp_path), tmp_path / "runs"
    few_shot.run(tmp_path, models, runs, 2, with_networks=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("24 pictures, 2 labels, hand detected in 95.8 %")
    assert lines[1].split() == ["accuracy,", "%", "1", "3", "5", "10", "20"]
    assert lines[2].split()[-5:] == ["100.0", "100.0", "100.0", "-", "-"]
    assert lines[3].startswith("k-NN on pixels")
    monkeypatch.setattr(few_shot, "pictures", lambda folder: paths[:12])
    monkeypatch.setattr(few_shot, "hands_in", lambda *_: (crops[:12], found[np.arange(12)]))
    with pytest.raises(SamplesError, match="Hands were detected for 1 labels"):
        few_shot.run(tmp_path, models, runs, 2, with_networks=False)
