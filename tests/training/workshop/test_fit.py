import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.errors import DataError
from recognizer.preprocess.pictures import HAND_VERSION, hand_image
from recognizer.registry import card as registry_card
from recognizer.registry.synced import open_models
from recognizer.samples.synced import default_samples
from training.__main__ import main
from training.datasets import augment, catalogue, dataset
from training.settings import TrainSettings
from training.workshop import figures, fitting, report, train
from training.workshop import run as workshop_run

pytestmark = pytest.mark.no_cover

LABELS = ("ball", "cross", "wall")


def draw(label, rng):
    """A shape at a random place, in a random shade of grey, (40, 40, 3) uint8."""
    picture = rng.integers(0, 40, (40, 40, 3)).astype(np.uint8)
    x, y, light = int(rng.integers(14, 26)), int(rng.integers(14, 26)), int(rng.integers(150, 255))
    if label == "ball":
        cv2.circle(picture, (x, y), 9, (light,) * 3, -1)
    elif label == "cross":
        cv2.line(picture, (x - 9, y - 9), (x + 9, y + 9), (light,) * 3, 3)
        cv2.line(picture, (x - 9, y + 9), (x + 9, y - 9), (light,) * 3, 3)
    else:
        cv2.rectangle(picture, (x - 3, 0), (x + 3, 39), (light,) * 3, -1)
    return picture


def write_shapes(folder, count, labels=LABELS):
    rng = np.random.default_rng(0)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            assert cv2.imwrite(str(folder / label / f"{number:03}.png"), draw(label, rng))
    return folder


@pytest.fixture(scope="module", autouse=True)
def small_pictures():
    """Draw small figures in reports: large ones take longer than the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DPI", 40)
        patch.setattr(report, "SHEET_ROWS", 2)
        yield


@pytest.fixture(scope="module")
def home(eager, tmp_path_factory):
    """A folder with a data set of shapes, and with the runs and models of two networks and k-NN on it."""
    home = tmp_path_factory.mktemp("home")
    write_shapes(home / "shapes", 60)
    with pytest.MonkeyPatch.context() as without:  # a report takes longer than the training, so only one is written
        without.setattr(report, "write_report", lambda run, samples: None)
        run(home, "--network", "knn")
        run(home, "--network", "linear", "--epochs", "12", "--augment", "none")
    run(home, "--network", "cnn", "--epochs", "4", "--batch-size", "16")
    return home


def run(home, *words):
    folders = ["--runs", str(home / "runs"), "--models", str(home / "models")]
    main(["train", "--data", str(home / "shapes"), *folders, *words])


def failure(capsys, *words):
    """The one line on stderr of a training that exits with code 2."""
    with pytest.raises(SystemExit) as end:
        main(["train", *words])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


@pytest.mark.slow
def test_a_run_saves_metrics_history_network_predictions_and_report(home):
    folder = home / "runs" / "shapes-cnn-0"
    names = {path.name for path in folder.iterdir()}
    assert {"metrics.json", "history.csv", "network.keras", "predictions.npz", "index.html"} <= names
    assert {name for name in names if name.endswith(".png")} == set(report.TITLES)
    metrics = json.loads((folder / "metrics.json").read_text())
    low, high = metrics["accuracy_95"]
    assert 0 <= low < metrics["accuracy"] <= high <= 1
    assert metrics["tested"] == 36
    assert sum(label["right"] for label in metrics["per_class"].values()) == metrics["right"]
    assert metrics["parameters"] > 0
    assert metrics["ms_a_picture"] > 0
    assert metrics["command"].startswith("python -m recognizer workshop train --data ")
    assert "--batch-size 16" in metrics["command"]
    assert len((folder / "history.csv").read_text().splitlines()) == metrics["epochs"] + 1


@pytest.mark.slow
def test_the_report_page_needs_no_other_file(home):
    page = (home / "runs" / "shapes-cnn-0" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(report.TITLES)
    assert "http" not in page
    assert 'src="data' in page


@pytest.mark.slow
@pytest.mark.parametrize("network", ["cnn", "knn"])
def test_a_published_network_can_be_used_by_the_live_loop(home, network):
    folder = open_models(home / "models").current(f"shapes-{network}")
    card = registry_card.read_card(folder).as_json()
    assert (card["labels"], card["region"], card["kind"]) == ([*LABELS], "hand", "pixels")
    classifier = Classifier(folder, HAND_VERSION)
    rng = np.random.default_rng(5)
    images = [hand_image(draw(label, rng)) for label in LABELS * 5]
    predicted = [prediction.top[0][0] for prediction in classifier.predict(images)]
    assert np.mean([found == label for found, label in zip(predicted, LABELS * 5, strict=True)]) > 0.6
    probabilities, _ = classifier.run(images[0])
    assert probabilities.shape == (4,)
    assert probabilities[-1] == 0  # the background class: this network had no training pictures of it


@pytest.mark.slow
def test_runs_are_compared_in_a_table(home, capsys, tmp_path):
    runs = [str(home / "runs" / f"shapes-{network}-0") for network in ("cnn", "knn", "linear")]
    main(["compare", *runs, "--picture", str(tmp_path / "compare.png")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:4]] == ["linear", "knn", "cnn"]
    assert (tmp_path / "compare.png").is_file()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(home, monkeypatch):
    monkeypatch.setattr(report, "write_report", lambda run, samples: None)
    monkeypatch.setattr(train, "publish_run", lambda run, options, samples: None)
    monkeypatch.setattr(report, "draw_sheet", lambda *_: None)

    def history(words):
        run(home, "--network", "linear", "--augment", "light", "--epochs", "2", "--limit", "60", *words)
        folder = home / "runs" / f"shapes-linear-{words[1]}-limit60"
        return (folder / "history.csv").read_text()

    first = history(["--seed", "3"])
    assert history(["--seed", "3"]) == first
    assert history(["--seed", "4"]) != first


@pytest.mark.slow
def test_the_test_set_is_used_neither_for_fitting_nor_for_validation(home):
    data = catalogue.load(str(home / "shapes"), default_samples())
    split = dataset.split_of(data, 0)
    assert not set(split.fitted) & set(split.held_out)
    assert len(split.fitted) + len(split.held_out) == len(data.train_labels)
    assert set(data.train_labels[split.held_out]) == {0, 1, 2}


@pytest.mark.slow
def test_a_nan_loss_publishes_nothing(home, capsys):
    words = ["--data", str(home / "shapes"), "--network", "dense-256", "--rate", "1e38", "--epochs", "3"]
    err = failure(capsys, *words, "--runs", str(home / "runs"), "--models", str(home / "models"))
    assert "NaN" in err
    assert "--rate" in err
    assert not (home / "models" / "shapes-dense-256").exists()


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_samples_are_a_one_line_error(tmp_path, capsys, count):
    write_shapes(tmp_path / "shapes", count)
    err = failure(capsys, "--data", str(tmp_path / "shapes"), "--network", "linear", "--runs", str(tmp_path / "runs"))
    assert "Add more" in err or "Record more" in err


def test_a_single_class_is_a_one_line_error(tmp_path, capsys):
    write_shapes(tmp_path / "shapes", 5, labels=["ball"])
    err = failure(capsys, "--data", str(tmp_path / "shapes"), "--network", "linear", "--runs", str(tmp_path / "runs"))
    assert "has one label only (ball)" in err


@pytest.mark.slow
def test_ctrl_c_restores_the_best_weights(capsys):
    import keras

    from training.networks.image_networks import dense_16

    model = dense_16(2)
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    best = []

    def interrupt(epoch, logs):
        if epoch == 1:
            best.extend(model.get_weights())
        if epoch == 2:
            model.set_weights([np.zeros_like(weights) for weights in best])
            raise KeyboardInterrupt

    losses = iter([3.0, 1.0, 2.0])
    set_loss = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_loss=next(losses)))
    interrupter = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    training_data = {"x": images, "y": targets}
    original = model.fit
    model.fit = lambda *words, callbacks, **options: original(*words, callbacks=[set_loss, *callbacks], **options)
    history = fitting.fit_with_early_stopping(model, training_data, (images, targets), 9, 9, [interrupter])
    assert "keeping the best" in capsys.readouterr().out
    assert len(history["loss"]) == 3
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), best, strict=True))


def test_missing_pytorch_is_a_one_line_error(monkeypatch, capsys):
    monkeypatch.setattr(train, "find_spec", lambda name: None)
    err = failure(capsys, "--data", "mnist", "--network", "linear", "--backend", "torch")
    assert "requirements-torch.txt" in err


def test_a_folder_without_a_finished_run_is_a_one_line_error(tmp_path):
    with pytest.raises(DataError, match="not a finished run"):
        report.write_report(tmp_path, default_samples())


def test_the_confidence_interval_of_an_accuracy_is_wilsons():
    low, high = workshop_run.wilson_interval(9970, 10000)
    assert (low, high) == (pytest.approx(0.9957, abs=1e-4), pytest.approx(0.9979, abs=1e-4))
    assert workshop_run.wilson_interval(5, 5)[1] == pytest.approx(1)


def test_augmentation_preserves_shape_and_dtype():
    for channels in (1, 3):
        image = np.zeros((28, 28, channels), np.uint8)
        image[8:20, 12:16] = 255
        for name, changed in report.changes(image, np.random.default_rng(0)).items():
            assert (changed.shape, changed.dtype) == (image.shape, np.uint8), name


def test_clothes_are_flipped_and_digits_are_never_flipped():
    half = np.zeros((1, 28, 28, 1), np.uint8)
    half[:, 4:24, 4:10] = 255
    mirrored = half[0, :, ::-1]
    for level in augment.LEVELS:
        for data, flips in (("mnist", False), ("fashion-mnist", level != "none")):
            copies = [next(augment.copies(half, level, data, "paper", seed)) for seed in range(20)]
            sides = {bool(copy[:, :14].sum() > copy[:, 14:].sum()) for copy in copies}
            assert sides == ({True, False} if flips else {True}), (level, data)
            if (level, data) == ("light", "fashion-mnist"):
                assert all(np.array_equal(copy, half[0]) or np.array_equal(copy, mirrored) for copy in copies)


def test_the_default_augmentation_depends_on_network_and_data_set():
    settings = TrainSettings("d", "cnn")
    assert fitting.augmentation(settings, "mnist") == "light"
    assert fitting.augmentation(settings, "fashion-mnist") == "none"
    assert fitting.augmentation(replace(settings, augment="strong"), "fashion-mnist") == "strong"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--epochs", "0"], "--epochs 0 is not at least 1"),
        (["--copies", "-1"], "--copies -1 is not at least 0"),
        (["--fine-tune", "-2"], "--fine-tune -2 is not at least 0"),
        (["--network", "linear", "--side", "64"], "--side is for vgg16, and --network is linear"),
    ],
)
def test_an_option_without_effect_is_a_one_line_error(words, line, capsys):
    assert line in failure(capsys, "--data", "mnist", "--network", "vgg16", *words)
