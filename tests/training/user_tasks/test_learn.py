"""User training: a model from a few samples is published only if validation finds it better."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.teaching_cost import a_plus
from recognizer.classifiers import rejection
from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.hands import HandClassifier
from recognizer.pipeline import open_pipeline
from recognizer.preprocess import pose
from recognizer.registry import card as registry_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.subjects.hands import HandSubject
from recognizer.subjects.subject import Subject
from recognizer.system.terminal import NOT_PUBLISHED
from recognizer.teaching import import_pictures
from recognizer.values import Box, Frame, Hand, Region
from tests.helpers.signs import a_region, record
from training.__main__ import main
from training.user_tasks import starting_point, validation
from training.user_tasks.validation import may_replace, split


def train(folder: Path, *more: str, task: str = "signs") -> int:
    """Run the training command. Return its exit code."""
    words = ["learn", task, "--samples", str(folder / "captures"), "--models", str(folder / "models"), *more]
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def result_of(capsys: pytest.CaptureFixture[str]) -> dict:
    """The last line that --json prints."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_signs_are_trained_published_and_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "captures", {"fist": 6, "two": 6, "five": 6})
    assert train(tmp_path, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["stage"] for line in lines[:2]] == ["reading samples", "computing features"]
    assert all(0 <= line["progress"] <= 1 for line in lines[:-1])
    result = lines[-1]
    assert result["after"]["accuracy"] == 1
    assert result["before"] == {"accuracy": None, "known": None}
    assert result["per_label"]["two"] == {"of": 2, "before": 0, "after": 2}
    folder = open_models(tmp_path / "models").current("signs")
    assert folder.name == result["published"]
    card = registry_card.read_card(folder).as_json()
    assert card["labels"] == ["fist", "two", "five"]  # in the order of the task, without labels that have no samples
    assert card["taught"]["samples"] == {"fist": 6, "two": 6, "five": 6}
    rng = np.random.default_rng(9)
    predicted = HandClassifier(folder).predict(
        [a_region(sign, rng) for sign in ("fist", "two", "five") for _ in range(10)]
    )
    assert [prediction.label for prediction in predicted].count(None) <= 2
    assert all(
        prediction.label in (None, sign)
        for prediction, sign in zip(predicted, np.repeat(["fist", "two", "five"], 10), strict=True)
    )
    scattered = Region(
        Box(0, 0, 9, 9), np.zeros((9, 9, 3), np.uint8), hand=Hand(rng.uniform(0, 300, (21, 3)), "right", 1)
    )
    assert HandClassifier(folder).predict([scattered])[0].label is None


def test_a_new_sign_is_added_to_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "captures", {"fist": 6, "five": 6})
    assert train(tmp_path) == 0
    record(tmp_path / "captures", {"one": 6}, seed=1)
    assert train(tmp_path, "--json") == 0
    result = result_of(capsys)
    assert result["before"]["accuracy"] < 1 == result["after"]["accuracy"]
    folder = open_models(tmp_path / "models").current("signs")
    assert Classifier(folder, pose.VERSION).labels == ["fist", "one", "five"]


def test_feature_replay_preserves_a_sign_without_samples(tmp_path: Path) -> None:
    store = record(tmp_path / "captures", {"fist": 6, "five": 6})
    assert train(tmp_path) == 0
    store.delete([sample for sample in store.read("signs") if sample.label == "five"])
    record(tmp_path / "captures", {"two": 6}, seed=1)
    assert train(tmp_path) == 0
    folder = open_models(tmp_path / "models").current("signs")
    rng = np.random.default_rng(9)
    predicted = HandClassifier(folder).predict([a_region(sign, rng) for sign in ("fist", "five", "two")])
    assert [prediction.top[0][0] for prediction in predicted] == ["fist", "five", "two"]


def test_background_samples_are_rejected_after_training(tmp_path: Path) -> None:
    record(tmp_path / "captures", {"fist": 6, "five": 6, "nothing": 6}, shown={"nothing": "two"})
    assert train(tmp_path) == 0
    folder = open_models(tmp_path / "models").current("signs")
    rng = np.random.default_rng(9)
    predicted = HandClassifier(folder).predict([a_region(sign, rng) for sign in ("fist", "five", "two", "two")])
    assert [prediction.label for prediction in predicted] == ["fist", "five", None, None]


def test_one_sample_per_label_is_enough_for_a_first_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "captures", {"fist": 1, "five": 1})
    assert train(tmp_path, "--json") == 0
    assert "one sample a label" in result_of(capsys)["why"]
    assert train(tmp_path, "--json") == NOT_PUBLISHED
    assert result_of(capsys)["published"] is None  # the second model is not better


@pytest.mark.slow
def test_a_model_of_landmarks_and_appearance_is_trained_on_both(
    tmp_path: Path, hand_models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign of the user is added to the shipped letters model, which still recognises the letters."""
    monkeypatch.setattr(
        "training.user_tasks.linear_head.REPLAYED_FEATURES", 50
    )  # four times as fast, with the same result
    shutil.copytree(hand_models.folder / "letters", tmp_path / "models" / "letters")
    shipped = registry_card.read_card(open_models(tmp_path / "models").current("letters")).as_json()
    assert shipped["kind"] == "fused"
    store, rng = Samples(tmp_path / "captures"), np.random.default_rng(0)
    store.create_task("letters", "hand", ["five"])
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "drawn")
    for _ in range(6):
        store.add("letters", "five", a_region("five", rng), frame, "first", "drawn")
    assert train(tmp_path, task="letters") == 0
    folder = open_models(tmp_path / "models").current("letters")
    card = registry_card.read_card(folder).as_json()
    assert (card["kind"], card["preprocess"]) == ("fused", shipped["preprocess"])
    assert card["labels"] == [*shipped["labels"], "five"]
    assert card["metrics"]["known_after"] >= card["metrics"]["known_before"] - 0.003
    predicted = HandClassifier(folder).predict([a_region("five", rng) for _ in range(6)])
    assert [prediction.top[0][0] for prediction in predicted].count("five") >= 5


@pytest.mark.slow
def test_a_new_hand_task_uses_the_feature_extractor_of_the_letters(tmp_path: Path, hand_models: ModelStore) -> None:
    """With the shipped letters model, a new task also uses appearance features, and training can be continued."""
    shutil.copytree(hand_models.folder / "letters", tmp_path / "models" / "letters")
    record(tmp_path / "captures", {"fist": 6, "two": 6, "nothing": 6}, shown={"nothing": "one"})
    assert train(tmp_path) == 0
    record(tmp_path / "captures", {"five": 6}, seed=1)
    assert train(tmp_path) == 0
    folder = open_models(tmp_path / "models").current("signs")
    card = registry_card.read_card(folder).as_json()
    assert (card["kind"], card["labels"]) == ("fused", ["fist", "two", "five"])
    rng = np.random.default_rng(9)
    predicted = HandClassifier(folder).predict([a_region(sign, rng) for sign in ("fist", "two", "five", "one", "one")])
    assert [prediction.label for prediction in predicted] == ["fist", "two", "five", None, None]


def test_a_model_that_is_not_better_is_refused_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "captures", {"fist": 6, "five": 6})
    assert train(tmp_path) == 0
    before = open_models(tmp_path / "models").current("signs")
    record(tmp_path / "captures", {"fist": 6, "five": 6}, shown={"fist": "five", "five": "fist"}, seed=1)
    assert train(tmp_path, "--json") == NOT_PUBLISHED
    result = result_of(capsys)
    assert result["published"] is None
    assert result["after"]["accuracy"] <= result["before"]["accuracy"]
    assert f"{100 * result['after']['accuracy']:.2f} %" in result["why"]
    assert f"{100 * result['before']['accuracy']:.2f} %" in result["why"]
    assert open_models(tmp_path / "models").current("signs") == before
    assert train(tmp_path, "--force") == 0
    assert open_models(tmp_path / "models").current("signs") != before


@pytest.mark.parametrize(
    ("before", "after", "known_before", "known_after", "expected"),
    [
        (None, 0.9, None, None, True),
        (None, 0.2, None, None, False),
        (0.5, 0.6, 0.99, 0.99, True),
        (0.5, 0.5, 0.99, 0.99, False),
        (1.0, 1.0, 0.99, 0.989, True),
        (0.5, 1.0, 0.99, 0.986, False),
    ],
    ids=["first", "first at chance level", "better", "not better", "still perfect", "worse on known labels"],
)
def test_a_version_is_published_if_it_is_better_and_not_worse_on_known_labels(
    before: float | None, after: float, known_before: float | None, known_after: float | None, expected: bool
) -> None:
    published, why = may_replace(before, after, known_before, known_after, 3)
    assert published is expected
    assert "%" in why


def test_the_last_session_or_the_latest_samples_are_held_out(tmp_path: Path) -> None:
    store = record(tmp_path, {"fist": 20, "five": 1})
    rows = store.read("signs")
    fitted, held_out = split(rows)
    assert held_out.tolist() == [15, 16, 17, 18, 19]
    assert fitted.tolist() == [*range(13), 20]  # neighbours of held-out samples are not used for training
    rng, frame = np.random.default_rng(0), Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0, "drawn")
    for _ in range(3):
        store.add("signs", "fist", a_region("fist", rng), frame, "second", "drawn")
    fitted, held_out = split(store.read("signs"))
    assert held_out.tolist() == [21, 22, 23]
    assert len(fitted) == 21


def test_an_interrupted_publication_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / "captures", {"fist": 4, "five": 4})

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rejection.FeatureStatistics, "save", stopped)
    assert train(tmp_path) == 130
    assert list((tmp_path / "models" / "signs").iterdir()) == []


def test_each_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*more: str, task: str = "signs") -> str:
        assert train(tmp_path, *more, task=task) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    record(tmp_path / "captures", {})
    assert "There are: signs" in error(task="sings")
    assert "has no samples" in error()
    record(tmp_path / "captures", {"fist": 2})
    assert "All samples of signs show fist" in error()
    assert "is not a folder" in error("--from", str(tmp_path / "missing"))
    record(tmp_path / "captures", {"five": 2})
    assert "joints have none. Add --network vgg16" in error("--full")
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    (tmp_path / "pictures" / "a" / "1.png").write_bytes(b"no picture")
    assert train(tmp_path, "--from", str(tmp_path / "pictures"), "--subject", "paper", task="bad") == 2
    lines = capsys.readouterr().err.splitlines()
    assert "1.png" in lines[0]
    assert "can be read" in lines[-1]
    assert "bad" not in [task.name for task in Samples(tmp_path / "captures").tasks()]


def pictures(folder: Path, count: int, rng: np.random.Generator) -> Path:
    (folder / "+").mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / "+" / f"{number}.png"), a_plus(rng))
    return folder


def test_a_plus_sign_is_added_to_the_digits(
    tmp_path: Path, published_models: ModelStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        starting_point, "has_mnist", lambda: False
    )  # without MNIST, only feature replay preserves the digits
    shutil.copytree(published_models.folder / "digits", tmp_path / "models" / "digits")
    rng = np.random.default_rng(0)
    folder = pictures(tmp_path / "pictures", 8, rng)
    assert train(tmp_path, "--from", str(folder), "--subject", "paper", "--json", task="digits") == 0
    result = result_of(capsys)
    assert result["after"]["accuracy"] == 1
    assert result["after"]["known"] >= result["before"]["known"] - validation.MAX_LOSS
    with open_pipeline("digits", open_models(tmp_path / "models"), default_samples(), smooth=False) as pipeline:
        assert pipeline.classifier.labels == [*"0123456789", "+"]
        predicted = [pipeline.step(Frame(a_plus(rng), 0, 0.0, "drawn")).text for _ in range(5)]
    assert predicted.count("+") >= 4
    open_models(tmp_path / "models").rollback("digits")
    assert Classifier(open_models(tmp_path / "models").current("digits")).labels == [*"0123456789"]


def test_the_subject_is_inferred_from_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pictures(tmp_path / "pictures", 3, np.random.default_rng(0))
    hands: list[Region] = []

    @contextmanager
    def finder(subject: Subject):  # type: ignore[no-untyped-def]
        yield lambda frame: hands

    monkeypatch.setattr(HandSubject, "picture_finder", finder)
    assert import_pictures.detect_subject(folder) == "paper"
    hands.append(a_region("five", np.random.default_rng(0)))
    assert import_pictures.detect_subject(folder) == "hand"
    hands.clear()
    for number in range(3):
        cv2.imwrite(str(folder / "+" / f"{number}.png"), np.full((240, 320, 3), 200, np.uint8))
    assert import_pictures.detect_subject(folder) == "box"
