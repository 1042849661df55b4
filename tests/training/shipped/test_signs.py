import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recognizer.classifiers import hands
from recognizer.classifiers.hands import HandClassifier
from recognizer.errors import DataError, ModelError
from recognizer.preprocess import appearance
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.system import paths
from recognizer.values import Box, Region
from tests.helpers.hand_people import (
    EACH,
    PEOPLE,
    QUICK,
    TRAINED,
    drawn_hands,
    drawn_region,
    drawn_sign_data,
    drawn_sign_mnist,
)
from training.__main__ import main
from training.datasets import hand_photographs, hand_variations
from training.datasets.hand_photographs import LABELS
from training.evaluation import sign_inputs
from training.settings import SIGN_INPUTS
from training.shipped import sign_data, sign_fitting, sign_validation

pytestmark = pytest.mark.no_cover


def test_labels_of_photographs_map_to_the_classes_of_each_task():
    assert hand_photographs.classes("letters", "letters", np.array(["A", "K", "Y"])).tolist() == [0, 9, 23]
    assert hand_photographs.classes("rps", "rps", np.array(["rock", "paper", "scissors"])).tolist() == [0, 1, 2]
    # in the game, a letter is one of its signs, background (class 3), or too similar to a sign and ignored (-1)
    assert hand_photographs.classes("rps", "letters", np.array(["A", "S", "B", "V", "L", "Y", "M"])).tolist() == [
        0, 0, 1, 2, 3, 3, -1,
    ]  # fmt: skip
    assert hand_photographs.classes("letters", "rps", np.array(["rock", "paper"])).tolist() == [-1, 24]
    assert hand_photographs.classes("letters", "nothing", np.array([""])).tolist() == [-1]


def test_a_picture_without_a_detected_hand_is_part_of_the_data():
    hand = hand_photographs.hands_of_region(None, "A", "anna", None, np.random.default_rng(0))
    assert not hand.found[0]
    assert not hand.jointed.any()
    assert np.isnan(hand.landmarks).all()
    assert not hand.images.any()


def test_a_region_without_landmarks_counts_as_detected():
    region = Region(Box(0, 0, 9, 9), np.full((9, 9, 3), 50, np.uint8))
    hand = hand_photographs.hands_of_region(region, "A", "anna", None, np.random.default_rng(0))
    assert hand.found[0]
    assert not hand.jointed.any()
    assert (hand.images == 50).all()


def test_mixed_poses_are_far_from_every_known_pose():
    from recognizer.preprocess import pose

    found = drawn_hands()[np.arange(3 * EACH)]
    points = pose.normalised(found.landmarks[:, 0], found.left[:, 0])
    labels = hand_photographs.classes("rps", "rps", found.labels)
    mixed, palms = hand_variations.mixed_poses(points, labels, 300, np.random.default_rng(0))
    assert 0 < len(mixed) == len(palms) < 300
    assert mixed.shape[1:] == (21, 3)
    flat, known = mixed @ pose.palm_frame(mixed), points @ pose.palm_frame(points)
    nearest = np.sqrt(((flat[:, None] - known[None]) ** 2).sum(axis=(2, 3)).min(axis=1) / 21)
    assert nearest.min() > 0.9 * hand_variations.MIXED_APART


def test_missing_photographs_are_a_one_line_error(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path))
    monkeypatch.setattr(paths, "data", lambda: tmp_path / "data")
    with pytest.raises(DataError) as error:
        hand_photographs.photographs("letters")
    assert str(tmp_path / "photos" / "letters") in str(error.value)
    assert "\n" not in str(error.value)


def test_no_person_is_tested_by_a_network_trained_on_them(tmp_path):
    data = drawn_sign_data(tmp_path)
    assert data.people == PEOPLE
    training_rows = data.training_rows(["ben"])
    assert not (data.hands.sources[training_rows] == "ben").any()
    assert not (data.hands.sources[training_rows] == "room").any()
    assert set(data.hands.sources[training_rows]) == {"anna", "cleo"}


def test_people_are_held_out_in_folds_of_similar_size(tmp_path, monkeypatch):
    data = drawn_sign_data(tmp_path)
    assert sorted(data.folds) == [(person,) for person in PEOPLE]
    monkeypatch.setattr(sign_data, "MAX_FOLDS", 2)
    data = drawn_sign_data(tmp_path)
    assert sorted(person for fold in data.folds for person in fold) == PEOPLE
    assert sorted(len(fold) for fold in data.folds) == [1, 2]


def test_more_photographs_of_letters_are_optional_and_have_the_classes_of_letters(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path))
    monkeypatch.setattr(paths, "data", lambda: tmp_path / "data")
    for name in ("letters", "rps"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    assert hand_photographs.folders_of_signs() == ["letters", "rps"]
    (tmp_path / "photos" / "letters-more").mkdir()
    assert hand_photographs.folders_of_signs() == ["letters", "letters-more", "rps"]
    for task in ("letters", "rps"):
        labels = np.array(["A", "K", "V"])
        of_more = hand_photographs.classes(task, "letters-more", labels)
        assert of_more.tolist() == hand_photographs.classes(task, "letters", labels).tolist()


def test_few_hands_get_a_wrong_label_although_fewer_then_get_the_right_one(tmp_path):
    data = drawn_sign_data(tmp_path)
    rows = np.flatnonzero(data.evaluated)
    probabilities = np.full((len(data.hands), 4), 0.01, np.float32)
    probabilities[data.empty] = np.nan
    confidence = np.linspace(0.5, 0.97, len(rows), dtype=np.float32)
    step = np.zeros(len(rows), int)
    step[[10, -1]] = 1  # two wrong predictions: one of low confidence, one of the highest
    probabilities[rows, (data.classes[rows] + step) % 3] = confidence
    predictions = sign_data.Predictions(probabilities, np.ones(len(probabilities), np.float32))
    allowed = 1.5 / len(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sign_validation, "SIGNS_MAX_WRONG", allowed)
        strict = sign_validation.metrics_of(data, predictions)
        patch.setattr(sign_validation, "SIGNS_MAX_WRONG", 1.0)
        lenient = sign_validation.metrics_of(data, predictions)
    assert strict.average_wrong == pytest.approx(1 / len(rows))
    assert strict.thresholds.min_confidence == pytest.approx(confidence[10], abs=1e-6)
    assert lenient.average_wrong == pytest.approx(2 / len(rows))
    assert strict.average < lenient.average


def test_each_label_has_the_mean_over_people_and_what_it_is_confused_with(tmp_path, monkeypatch):
    monkeypatch.setattr(sign_validation, "SIGNS_MAX_WRONG", 1.0)
    data = drawn_sign_data(tmp_path)
    read_as = np.maximum(data.classes, 0)
    of_anna = np.flatnonzero((data.hands.sources == "anna") & (data.hands.labels == "rock"))
    read_as[of_anna[: EACH // 2]] = 2  # half of her rocks as scissors
    probabilities = np.full((len(data.hands), 4), 0.01, np.float32)
    probabilities[np.arange(len(probabilities)), read_as] = 0.97
    probabilities[data.empty] = np.nan
    predictions = sign_data.Predictions(probabilities, np.ones(len(probabilities), np.float32))
    labels = sign_validation.metrics_of(data, predictions).labels
    sixth = pytest.approx(1 / 6)  # half of the pictures of one of three people
    assert labels["rock"] == sign_validation.LabelResult(pytest.approx(5 / 6), sixth, {"scissors": sixth})
    assert labels["paper"] == sign_validation.LabelResult(pytest.approx(1), 0, {})


def test_the_metrics_count_undetected_hands_as_wrong(tmp_path):
    data = drawn_sign_data(tmp_path)
    probabilities = np.full((len(data.hands), 4), 0.01, np.float32)
    probabilities[np.arange(len(probabilities)), np.maximum(data.classes, 0)] = 0.97
    probabilities[~data.hands.found] = np.nan
    undetected = np.flatnonzero(data.hands.sources == "anna")[: EACH * 3 // 4]
    probabilities[undetected] = np.nan
    distances = np.where(np.isnan(probabilities[:, 0]), np.nan, 1.0).astype(np.float32)
    metrics = sign_validation.metrics_of(data, sign_data.Predictions(probabilities, distances))
    assert metrics.right == {"anna": 0.75, "ben": 1.0, "cleo": 1.0}
    assert metrics.nothing_labelled == 0


def test_a_higher_required_precision_raises_the_confidence_threshold(tmp_path, monkeypatch):
    data = drawn_sign_data(tmp_path)
    probabilities = np.full((len(data.hands), 4), 0.01, np.float32)
    probabilities[data.empty] = np.nan
    rows = np.flatnonzero(data.evaluated)
    # the predictions with confidence 0.6 are wrong
    for part, (step, confidence) in enumerate([(0, 0.5), (1, 0.6), (0, 0.97)]):
        some = rows[part::3]
        probabilities[some, (data.classes[some] + step) % 3] = confidence
    predictions = sign_data.Predictions(probabilities, np.ones(len(probabilities), np.float32))
    monkeypatch.setattr(sign_validation, "SIGNS_MAX_WRONG", 1.0)
    assert sign_validation.metrics_of(data, predictions).thresholds.min_confidence == pytest.approx(0.5)
    assert sign_validation.metrics_of(data, predictions, precision=0.6).thresholds.min_confidence == pytest.approx(0.5)
    strict = sign_validation.metrics_of(data, predictions, precision=0.9)
    assert strict.thresholds.min_confidence == pytest.approx(0.97)
    assert strict.average == pytest.approx(1 / 3)


PROGRAM = """
from tests.helpers import hand_people
from training.__main__ import main
from training.datasets import hand_photographs
from training.networks import hand_networks
from training.networks.tensorflow import import_tensorflow
from training.shipped import sign_data, sign_fitting, signs
signs.load_sign_data = lambda task, runs, seed: hand_people.drawn_sign_data(
    runs / task, hand_people.TRAINED
)
sign_data.load_sign_mnist, sign_data.rps_subset = hand_people.drawn_sign_mnist, lambda signs: signs
hand_photographs.list_sha256 = lambda name: "0" * 64
hand_photographs.folders_of_signs = lambda: ["letters", "rps"]
for name, value in hand_people.QUICK.items():
    setattr(sign_fitting, name, value)
hand_networks.MEMBERS = sign_fitting.MEMBERS
import_tensorflow().config.run_functions_eagerly(True)
main()
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with models/ and runs/ after a quick training of all three inputs on drawn hands, and its output."""
    home = tmp_path_factory.mktemp("home")
    words = ["shipped", "rps", "--models", str(home / "models"), "--runs", str(home / "runs")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return home, done.stdout


@pytest.mark.slow
def test_all_inputs_are_published_and_the_best_is_current(trained):
    home, output = trained
    versions = [path for path in (home / "models" / "rps").iterdir() if path.is_dir()]
    cards = [registry_card.read_card(path).as_json() for path in versions]
    assert sorted(card["kind"] for card in cards) == ["fused", "pixels", "pose"]
    best = registry_card.read_card(open_models(home / "models").current("rps")).as_json()
    averages = {card["kind"]: card["metrics"]["people_left_out_average"] for card in cards}
    assert averages[best["kind"]] == max(averages.values())
    for person in TRAINED:
        assert person in output


@pytest.mark.slow
def test_the_cards_describe_the_models_and_their_data(trained):
    for path in (trained[0] / "models" / "rps").glob("*/card.json"):
        card = json.loads(path.read_text())
        assert card["labels"] == ["rock", "paper", "scissors"]
        assert card["region"] == "hand"
        assert card["command"].startswith("python -m recognizer train rps")
        assert card["git_commit"]
        assert 0 <= card["rejection"]["min_confidence"] <= 1
        assert set(card["metrics"]["people_left_out"]) == set(TRAINED)
        assert any("sha256" in data or "list_sha256" in data for data in card["data"])
        assert ("with_strict_thresholds" in card["metrics"]) == (card["kind"] == "pixels")
        size = sum(file.stat().st_size for file in path.parent.rglob("*") if file.name != "model.keras")
        assert size < 12_000_000


@pytest.mark.slow
def test_each_input_runs_without_tensorflow(trained, monkeypatch):
    """The classifier of the live loop recognises the drawn signs by landmarks and appearance features."""
    rng = np.random.default_rng(1)
    appearance_features = np.zeros(appearance.SIZE, np.float32)
    monkeypatch.setattr(hands, "find_asset", lambda name: Path("none.task"))
    monkeypatch.setattr(
        appearance, "AppearanceExtractor", lambda path: SimpleNamespace(features=lambda *_: appearance_features)
    )
    for folder in (trained[0] / "models" / "rps").glob("*/"):
        classifier = HandClassifier(folder)
        for index, sign in enumerate(LABELS["rps"]):
            appearance_features[:] = np.arange(len(appearance_features)) == index
            (prediction,) = classifier.predict([drawn_region(sign, rng, 50)])
            assert prediction.image.shape == (28, 28)
            assert len(prediction.top) == 3
            if registry_card.read_card(folder).kind != "pixels":
                assert prediction.top[0][0] == sign


@pytest.mark.slow
def test_a_second_run_uses_the_cached_folds(trained, monkeypatch):
    data = drawn_sign_data(trained[0] / "runs" / "rps", TRAINED)
    for name, value in QUICK.items():
        monkeypatch.setattr(sign_fitting, name, value)
    monkeypatch.setattr(sign_data, "load_sign_mnist", drawn_sign_mnist)
    monkeypatch.setattr(sign_data, "rps_subset", lambda signs: signs)
    monkeypatch.setattr(sign_validation, "fit", None)  # fitting again would fail
    metrics_of_input = sign_validation.validate(data, list(SIGN_INPUTS))
    assert set(metrics_of_input) == set(SIGN_INPUTS)
    assert metrics_of_input["pose"].average > 0.8
    assert metrics_of_input["fused"].average > 0.8


@pytest.mark.slow
def test_the_table_compares_all_inputs(trained, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    drawn = drawn_sign_mnist()
    regions = [drawn_region(LABELS["rps"][label], rng) for label in drawn.test_labels]
    monkeypatch.setattr(sign_inputs, "LABELS", {"rps": LABELS["rps"]})
    monkeypatch.setattr(sign_inputs, "load_sign_mnist", lambda: drawn)
    monkeypatch.setattr(sign_inputs, "rps_subset", lambda signs: signs)
    monkeypatch.setattr(sign_inputs, "regions_of", lambda images: [*regions[: len(images) - 1], None])
    appearance_features = SimpleNamespace(features=lambda *_: np.zeros(appearance.SIZE, np.float32))
    monkeypatch.setattr(hands, "find_asset", lambda name: Path("none.task"))
    monkeypatch.setattr(appearance, "AppearanceExtractor", lambda path: appearance_features)
    main(["evaluate", "kinds", "--models", str(trained[0] / "models"), "--results", str(tmp_path / "SIGNS.md")])
    text = (tmp_path / "SIGNS.md").read_text(encoding="utf-8")
    of_people, of_labels = text.split("| label |")
    cells = [
        [cell.strip("* ") for cell in row.strip("| ").split("|")]
        for row in of_people.splitlines()
        if row.startswith("| ")
    ]
    rows = {line[0]: dict(zip(cells[0][1:], line[1:], strict=True)) for line in cells}
    assert [*rows][2 : 4 + len(TRAINED)] == [*TRAINED, "average", "without a sign"]
    assert set(rows["input"]) == set(SIGN_INPUTS)
    assert "120 (rps)" in text
    assert all(f"| {label} | " in of_labels for label in LABELS["rps"])
    card = registry_card.read_card(sign_inputs.versions_of(ModelStore(trained[0] / "models"), "rps")["pose"]).as_json()
    assert f"{100 * card['metrics']['people_left_out']['anna']:.1f} %" in rows["anna"]["pose"]
    tested = float(rows["official test"]["pose"].split()[0])
    assert 70 < tested < 99.5  # undetected hands count as wrong
    current = registry_card.read_card(open_models(trained[0] / "models").current("rps")).kind
    assert f"**{current}**" in text
    assert text.count("**") == 2 * len(rows) - 2  # one column is bold


def test_the_table_leaves_out_an_input_without_a_version(trained, tmp_path):
    copy = shutil.copytree(trained[0] / "models", tmp_path / "models")
    versions = sign_inputs.versions_of(ModelStore(copy), "rps")
    assert [*versions] == list(SIGN_INPUTS)
    shutil.rmtree(versions["pose"])
    assert [*sign_inputs.versions_of(ModelStore(copy), "rps")] == [kind for kind in SIGN_INPUTS if kind != "pose"]


def test_a_task_without_a_model_is_a_one_line_error(tmp_path, capsys):
    with pytest.raises(ModelError, match="python -m recognizer train letters"):
        sign_inputs.versions_of(ModelStore(tmp_path), "letters")
    with pytest.raises(SystemExit):
        main(["evaluate", "kinds", "--models", str(tmp_path)])
    assert capsys.readouterr().err.count("\n") == 1
