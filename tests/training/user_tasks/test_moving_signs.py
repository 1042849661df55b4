"""User training of signs that move: from one demonstration up, proved and rolled back like still signs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recognizer import cli
from recognizer.classifiers.hands import HandClassifier
from recognizer.commands.doctor import check_model
from recognizer.errors import ExportError
from recognizer.export.export import export_folder
from recognizer.motion.classifier import FILE, MotionClassifier
from recognizer.registry.card import read_card
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.teaching import changes
from recognizer.values import Box, Frame, Region
from tests.helpers import movements
from tests.helpers.signs import a_region, record
from training.__main__ import main

STRIP = np.zeros((16, 80, 3), np.uint8)


def train(folder: Path, *more: str) -> int:
    """Run the training command of the task "signs". Return its exit code."""
    words = ["learn", "signs", "--samples", str(folder / "captures"), "--models", str(folder / "models"), *more]
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def show(folder: Path, path: movements.Path, label: str, *, times: int = 1, first_seed: int = 0) -> Samples:
    """Add demonstrations to the hand task "signs"."""
    store = record(folder / "captures", {})
    store.add_labels("signs", [label])
    for seed in range(first_seed, first_seed + times):
        movement = movements.a_movement(path, seed=seed, place=(20.0 * seed, 0))
        store.add_movement("signs", label, movement, STRIP, Box(0, 0, 400, 400), "first", "drawn")
    return store


def current(folder: Path) -> Path:
    return open_models(folder / "models").current("signs")


def reads(folder: Path, path: movements.Path, **options: float) -> str | None:
    return MotionClassifier.load(current(folder) / FILE).predict(movements.a_movement(path, seed=77, **options)).label


def test_one_demonstration_is_learned_and_another_label_is_added_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(tmp_path, movements.swipe, "swipe")
    assert train(tmp_path) == 0
    first = current(tmp_path)
    assert read_card(first).labels == ()
    assert read_card(first).all_labels == ("swipe",)
    assert reads(tmp_path, movements.swipe, duration_s=1.3) == "swipe"
    store = show(tmp_path, movements.circle, "circle", times=2)
    assert train(tmp_path, "--json") == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["per_label"] == {"circle": {"of": 1, "before": 0, "after": 1}}
    assert result["before"]["known"] == result["after"]["known"] == 1
    assert reads(tmp_path, movements.circle) == "circle"
    assert reads(tmp_path, movements.swipe) == "swipe"
    # without its demonstration, the first label is still known
    store.delete([sample for sample in store.read() if sample.label == "swipe"])
    show(tmp_path, movements.circle, "circle", first_seed=5)
    assert train(tmp_path) == 0
    assert reads(tmp_path, movements.swipe) == "swipe"
    models = open_models(tmp_path / "models")
    for _ in range(2):
        models.rollback("signs")
    assert models.current("signs") == first
    assert read_card(first).user_training == read_card(current(tmp_path)).user_training


def test_still_and_moving_signs_are_one_model_and_neither_part_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = record(tmp_path / "captures", {"fist": 6, "five": 6})
    show(tmp_path, movements.swipe, "swipe", times=4)
    assert train(tmp_path, "--json") == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {label: counts["of"] for label, counts in result["per_label"].items()} == {"fist": 2, "five": 2, "swipe": 1}
    assert result["why"].startswith("still: ")
    assert read_card(current(tmp_path)).all_labels == ("fist", "five", "swipe")
    still = {name: (current(tmp_path) / name).read_bytes() for name in ("head.npz", "features.npz", "knowledge.npz")}
    # another movement leaves the still signs as they are
    show(tmp_path, movements.circle, "circle")
    assert train(tmp_path) == 0
    card = read_card(current(tmp_path))
    assert card.all_labels == ("fist", "five", "swipe", "circle")
    assert {name: (current(tmp_path) / name).read_bytes() for name in still} == still
    assert card.user_training is not None
    assert card.user_training["samples"] == {"fist": 6, "five": 6}
    assert card.user_training["moving"] == {"swipe": 4, "circle": 1}
    rng = np.random.default_rng(9)
    assert [one.label for one in HandClassifier(current(tmp_path)).predict([a_region("five", rng)])] == ["five"]
    # and another still sign the moving ones, even if nothing of them is in the store
    store.delete([sample for sample in store.read() if sample.moving_s is not None])
    record(tmp_path / "captures", {"two": 6})
    assert train(tmp_path) == 0
    assert read_card(current(tmp_path)).all_labels == ("fist", "two", "five", "swipe", "circle")
    assert reads(tmp_path, movements.circle) == "circle"


def test_a_movement_that_would_be_taken_for_a_known_one_is_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(tmp_path, movements.swipe, "swipe", times=3)
    assert train(tmp_path) == 0
    published = current(tmp_path)
    show(tmp_path, movements.swipe, "the same", times=3)
    assert train(tmp_path) == 3
    assert "Not published" in capsys.readouterr().out
    assert current(tmp_path) == published
    assert train(tmp_path, "--force") == 0
    assert read_card(current(tmp_path)).all_labels == ("swipe", "the same")


def test_a_new_label_with_one_demonstration_is_added_though_nothing_else_became_better(tmp_path: Path) -> None:
    show(tmp_path, movements.swipe, "swipe", times=4)
    show(tmp_path, movements.circle, "nothing", times=4)
    assert train(tmp_path) == 0
    assert read_card(current(tmp_path)).all_labels == ("swipe",)
    assert reads(tmp_path, movements.circle) is None
    show(tmp_path, movements.wave, "wave")
    assert train(tmp_path) == 0
    assert read_card(current(tmp_path)).all_labels == ("swipe", "wave")


def test_moving_labels_are_renamed_merged_and_deleted_in_the_model(tmp_path: Path) -> None:
    store, models = show(tmp_path, movements.swipe, "swpe"), open_models(tmp_path / "models")
    for path, label in ((movements.circle, "circle"), (movements.wave, "wave")):
        show(tmp_path, path, label)
    assert train(tmp_path) == 0
    changes.rename_label(models, store, "signs", "swpe", "swipe")
    assert reads(tmp_path, movements.swipe) == "swipe"
    changes.rename_label(models, store, "signs", "circle", "swipe")
    card = read_card(current(tmp_path))
    assert card.all_labels == ("swipe", "wave")
    assert card.user_training is not None
    assert card.user_training["moving"] == {"swipe": 2, "wave": 1}
    assert reads(tmp_path, movements.circle) == reads(tmp_path, movements.swipe) == "swipe"
    changes.delete_label(models, store, "signs", "swipe")
    assert read_card(current(tmp_path)).all_labels == ("wave",)
    assert reads(tmp_path, movements.wave) == "wave"
    assert changes.delete_label(models, store, "signs", "wave").must_retrain  # a model without a label is none


def test_a_model_of_moving_signs_alone_is_listed_checked_exported_and_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(tmp_path, movements.swipe, "swipe")
    assert train(tmp_path) == 0
    models, store = open_models(tmp_path / "models"), Samples(tmp_path / "captures")
    assert check_model(models, "signs").ok
    monkeypatch.setenv("RECOGNIZER_MODELS", str(tmp_path / "models"))
    assert cli.main(["models", "export", "signs", str(tmp_path / "signs.zip")]) == 0
    other = ["--models", str(tmp_path / "other")]
    assert cli.main(["models", "import", "signs", str(tmp_path / "signs.zip"), *other]) == 0
    assert cli.main(["models", "list", *other]) == 0
    assert "1 labels" in capsys.readouterr().out
    assert read_card(open_models(tmp_path / "other").current("signs")).all_labels == ("swipe",)
    with pytest.raises(ExportError, match="All signs of signs move"):
        export_folder("signs", "litert", tmp_path / "exported", models, store)


def test_a_single_still_sign_beside_movements_needs_another_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "captures", {"fist": 4})
    show(tmp_path, movements.swipe, "swipe")
    assert train(tmp_path) == 2
    assert "All still samples of signs show fist, and training needs two labels" in capsys.readouterr().err


def test_with_sides_the_left_and_the_right_hand_mean_different_things(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, rng = Samples(tmp_path / "captures"), np.random.default_rng(0)
    store.create_task("signs", "hand", ["yes", "no", "other"], sides=True)
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "drawn")

    def region(sign: str, side: str) -> Region:
        right = a_region(sign, rng)
        assert right.hand is not None
        if side == "right":
            return right
        landmarks = right.hand.landmarks * np.float32([-1, 1, 1]) + np.float32([400, 0, 0])
        return replace(right, hand=replace(right.hand, landmarks=landmarks, side="left"))

    for label, sign, side in (("yes", "fist", "right"), ("no", "fist", "left"), ("other", "five", "right")):
        for _ in range(6):
            store.add("signs", label, region(sign, side), frame, "first", "drawn")
    swipe = movements.a_movement(movements.swipe)
    store.add_movement("signs", "other", swipe, STRIP, Box(0, 0, 400, 400), "first", "drawn")
    assert train(tmp_path, "--json") == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["after"]["accuracy"] == 1
    card = read_card(current(tmp_path))
    assert card.sides == {"yes": ["right"], "no": ["left"], "other": ["right"]}
    shown = [region("fist", "right"), region("fist", "left"), region("five", "left")]
    predicted = [one.label for one in HandClassifier(current(tmp_path)).predict(shown)]
    assert predicted[:2] == ["yes", "no"]
    assert predicted[2] != "other"
    moving = MotionClassifier.load(current(tmp_path) / FILE)
    assert moving.predict(swipe).label == "other"
    assert moving.predict(replace(swipe, sides=("left", "right"))).label is None
    assert train(tmp_path, "--network", "vgg16") == 2
    assert "signs tells the left from the right hand" in capsys.readouterr().err
