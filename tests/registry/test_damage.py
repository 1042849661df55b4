"""Damaged versions: checksums find them, an earlier version is used, and nothing ends in a traceback."""

import contextlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recognizer.classifiers import heads, rejection
from recognizer.classifiers.classifier import Classifier
from recognizer.cli import main
from recognizer.commands import doctor
from recognizer.errors import ModelError
from recognizer.preprocess import pose
from recognizer.registry import store
from recognizer.registry.archive import import_zip
from recognizer.registry.card import CARD, ModelCard, Thresholds, read_card, read_checked_card, write_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.system import files

FLIPS = int(os.environ.get("RECOGNIZER_FUZZ", "0")) or 2000


def publish_neighbours(models: Path, task: str = "signs", *, seed: int = 0) -> Path:
    """Publish a k-NN model of joints, which has no network. Return its folder."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 255, (20, pose.SIZE), dtype=np.uint8)
    with open_models(models).publishing(task) as draft:
        heads.Neighbours(samples, np.arange(20) % 2, 3, "euclidean", 3).save(draft / heads.NEIGHBOURS)
        features = samples.astype(np.float32)
        rejection.FeatureStatistics.of_features(features, np.arange(20) % 2, 2).save(draft / rejection.FEATURES)
        (draft / "model.tflite").write_bytes(b"never opened")
        card = ModelCard(
            task=task,
            labels=("ok", "stop"),
            subject="hand",
            kind="pose",
            features=heads.INPUT,
            preprocess=pose.VERSION,
            rejection=Thresholds(0.5, 1e6),
            user_training={"from": None, "samples": {"ok": 10}},
            metrics={"held_out_after": 0.9},
            command="recognizer learn signs --models ftp://anna:hunter2@host/models",
        )
        write_card(card, draft)
    return ModelStore(models).current(task)


_changes = iter(range(1, 1 << 40))


def write(path: Path, data: bytes) -> None:
    """Write a file with a time of its own: a test writes more often than the clock of a file system ticks."""
    path.write_bytes(data)
    time_ns = path.stat().st_mtime_ns + next(_changes)
    os.utime(path, ns=(time_ns, time_ns))


def flip_a_bit(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    write(path, bytes(data))


def cut_or_flip(path: Path, rng: random.Random) -> None:
    if rng.random() < 0.2:
        data = path.read_bytes()
        write(path, data[: rng.randrange(len(data))])
    else:
        flip_a_bit(path, rng)


def error_of(action: Callable[[], object]) -> str:
    """The message of the ModelError that the action raises; "" if it raises none. Other errors fail the test."""
    try:
        action()
    except ModelError as error:
        return str(error)
    return ""


def test_a_card_has_the_checksum_of_each_file_and_no_password(tmp_path: Path) -> None:
    folder = publish_neighbours(tmp_path)
    card = read_checked_card(folder)
    assert set(card.files or {}) == {heads.NEIGHBOURS, rejection.FEATURES, "model.tflite"}
    assert "hunter2" not in (folder / CARD).read_text()
    assert "ftp://host/models" in (card.command or "")


@pytest.mark.parametrize("name", [heads.NEIGHBOURS, rejection.FEATURES])
def test_one_flipped_bit_is_found_when_the_model_is_opened(tmp_path: Path, name: str) -> None:
    folder = publish_neighbours(tmp_path)
    Classifier(folder, pose.VERSION)
    flip_a_bit(folder / name, random.Random(1))
    with pytest.raises(ModelError, match=f"{name} is damaged: its SHA-256 is"):
        Classifier(folder, pose.VERSION)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip_a_bit(folder / heads.NEIGHBOURS, random.Random(2)),
        lambda folder: (folder / heads.NEIGHBOURS).write_bytes(b""),  # as after a power cut
        lambda folder: (folder / heads.NEIGHBOURS).unlink(),
        lambda folder: (folder / CARD).write_bytes(b""),
        lambda folder: (folder / CARD).unlink(),
        shutil.rmtree,
    ],
)
def test_a_damaged_current_version_is_replaced_by_the_one_before(
    tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = publish_neighbours(tmp_path), publish_neighbours(tmp_path, seed=1)
    damage(second)
    models = ModelStore(tmp_path)
    assert models.current("signs") == first
    assert "is used: the version after it is damaged" in caplog.text
    assert models.damage("signs").count("\n") == 0
    (check,) = [check for check in doctor.check_models(models) if check.name == "model signs"]
    assert (check.ok, "the version after it is damaged" in check.detail) == (None, True)
    third = publish_neighbours(tmp_path, seed=2)
    assert models.current("signs") == third
    assert models.damage("signs") == ""


def test_doctor_finds_a_damaged_model(tmp_path: Path) -> None:
    folder = publish_neighbours(tmp_path)
    flip_a_bit(folder / heads.NEIGHBOURS, random.Random(3))
    checks = {check.name: check for check in doctor.check_models(ModelStore(tmp_path))}
    assert checks["model signs"].ok is None
    assert "is damaged: its SHA-256" in checks["model signs"].detail


def test_checksums_are_added_to_older_cards_and_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = publish_neighbours(tmp_path)
    content = json.loads((folder / CARD).read_text())
    sums = content.pop("files")
    (folder / CARD).write_text(json.dumps(content))
    assert main(["models", "checksums", "--models", str(tmp_path)]) == 0
    assert read_card(folder).files == sums
    assert "checksums added" in capsys.readouterr().out
    flip_a_bit(folder / heads.NEIGHBOURS, random.Random(4))
    assert main(["models", "checksums", "signs", "--models", str(tmp_path)]) == 2
    assert read_card(folder).files == sums


def test_the_files_of_a_version_reach_the_disk_before_current_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def traced_fsync(handle: int) -> None:
        steps.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{handle}')).name}")

    def traced_rename(path: Path, target: Path) -> Path:
        steps.append("rename the folder")
        os.rename(path, target)
        return target

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to name the files")
    monkeypatch.setattr(files.os, "fsync", traced_fsync)
    monkeypatch.setattr(Path, "rename", traced_rename)
    publish_neighbours(tmp_path)
    renamed = steps.index("rename the folder")
    for name in (heads.NEIGHBOURS, rejection.FEATURES, "card.json"):
        assert any(step == f"fsync {name}" for step in steps[:renamed])
    assert steps[renamed - 1].startswith("fsync .draft-")
    assert steps[renamed + 1] == "fsync signs"
    assert steps[renamed + 2].startswith("fsync .current.json-")
    assert steps[-1] == "fsync signs"


def test_a_draft_in_use_survives_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time()
    with open_models(tmp_path).publishing("signs") as draft:
        (draft / CARD).write_text('{"labels": ["ok"]}')
        monkeypatch.setattr(store.time, "time", lambda: now_s + 2 * store.STALE_AFTER_S)
        other = publish_neighbours(tmp_path, seed=5)
        assert draft.is_dir()
    assert set(open_models(tmp_path).versions("signs")) > {other.name}
    assert not [path for path in (tmp_path / "signs").iterdir() if path.name.startswith(".draft")]


DEEP = "[" * 100000


@pytest.mark.parametrize(
    "content",
    [
        DEEP,
        '{"labels": ' + DEEP,
        '{"labels": ["\\ud800"]}',
        '{"labels": [["a"]]}',
        '{"labels": ["a"], "rejection": {"min_confidence": 1' + "0" * 400 + ', "max_distance": 1}}',
        '{"labels": ["a"], "rejection": {"min_confidence": NaN, "max_distance": 1}}',
        '{"labels": ["a"], "taught": {"samples": ["many"]}}',
        '{"labels": ["a"], "files": {"../../x": "00"}}',
        '{"labels": ["a"], "files": {"model.tflite": 3}}',
    ],
)
def test_an_odd_card_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / CARD).write_text(content)
    with pytest.raises(ModelError) as caught:
        read_card(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_input_side_without_bound_is_none() -> None:
    assert ModelCard(labels=("a",), input={"shape": [float("inf")]}).input_side is None


@pytest.mark.parametrize("name", [CARD, heads.NEIGHBOURS, rejection.FEATURES])
def test_damaged_files_without_checksums_raise_one_line_errors(tmp_path: Path, name: str) -> None:
    folder = publish_neighbours(tmp_path)
    content = json.loads((folder / CARD).read_text())
    del content["files"]  # as in an older card: nothing but the border stops the damage
    (folder / CARD).write_text(json.dumps(content))
    good, rng = (folder / name).read_bytes(), random.Random(name)
    inputs = np.zeros((1, pose.SIZE), np.float32)
    for _ in range(FLIPS // 5):
        write(folder / name, good)
        cut_or_flip(folder / name, rng)
        assert "\n" not in error_of(lambda: Classifier(folder, pose.VERSION).predict(inputs))


def test_no_flipped_bit_of_a_file_with_a_checksum_reaches_a_library(tmp_path: Path) -> None:
    folder, rng = publish_neighbours(tmp_path), random.Random(8)
    contents = {name: (folder / name).read_bytes() for name in (read_card(folder).files or {})}
    for _ in range(FLIPS // 5):
        name = rng.choice(sorted(contents))
        cut_or_flip(folder / name, rng)
        assert f"{name} is damaged: its SHA-256" in error_of(lambda: Classifier(folder, pose.VERSION))
        write(folder / name, contents[name])
    Classifier(folder, pose.VERSION)


def test_damaged_zips_are_imported_whole_or_not_at_all(tmp_path: Path) -> None:
    models = ModelStore(tmp_path / "models")
    version = publish_neighbours(models.folder)
    good_zip, bad_zip = tmp_path / "good.zip", tmp_path / "bad.zip"
    models.export("signs", good_zip)
    expected = read_card(version).files
    rng = random.Random(6)
    there = models.versions("signs")
    for _ in range(FLIPS // 5):
        shutil.copyfile(good_zip, bad_zip)
        cut_or_flip(bad_zip, rng)
        error = error_of(lambda: import_zip(models, "signs", bad_zip))
        assert "\n" not in error
        imported = set(models.versions("signs")) - set(there)
        assert len(imported) == (0 if error else 1)
        for name in imported:
            assert read_checked_card(models.folder / "signs" / name).files == expected
            models.rollback("signs")
            models.delete("signs", name)


def test_a_damaged_current_json_never_ends_in_a_traceback(tmp_path: Path) -> None:
    publish_neighbours(tmp_path)
    publish_neighbours(tmp_path, seed=1)
    pointer = tmp_path / "signs" / store.CURRENT
    good, rng = pointer.read_bytes(), random.Random(7)
    for _ in range(FLIPS // 5):
        pointer.write_bytes(good)
        cut_or_flip(pointer, rng)
        with contextlib.suppress(ModelError):
            assert ModelStore(tmp_path).current("signs").is_relative_to(tmp_path / "signs")
        with contextlib.suppress(ModelError):
            ModelStore(tmp_path).rollback("signs")
