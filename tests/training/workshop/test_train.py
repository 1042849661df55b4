import json
import os
import subprocess
import sys

import numpy as np
import pytest

from recognizer.errors import ModelError
from recognizer.preprocess import pictures
from recognizer.preprocess.pictures import mnist_image
from recognizer.registry import card as registry_card
from recognizer.registry.synced import open_models
from recognizer.studio.handwriting import digit_strokes, draw_strokes
from recognizer.system import paths
from training.__main__ import main
from training.datasets import mnist as datasets_mnist
from training.datasets import paper_scenes
from training.shipped import digits

pytestmark = pytest.mark.no_cover

# The complete training, but with a small test set: the full one would take longer than all the rest.
PROGRAM = """
import dataclasses
from training.__main__ import main
from training.shipped import digits

def load_fewer():
    mnist = load()
    return dataclasses.replace(mnist, test_images=mnist.test_images[:200], test_labels=mnist.test_labels[:200])

load, digits.load_mnist = digits.load_mnist, load_fewer
digits.LEAST_HELD_OUT = 48
main()
"""
QUICK = ["shipped", "digits", "--epochs", "1", "--scenes", "120", "--limit", "200"]


def written_digits(count):
    """Ten written digits, repeated: images (count, 28, 28) uint8 and labels (count,) uint8."""
    rng = np.random.default_rng(0)
    digits_28 = np.stack([mnist_image(draw_strokes(digit_strokes(digit, rng), (80, 80), 8)) for digit in range(10)])
    labels = (np.arange(count) % 10).astype(np.uint8)
    return digits_28[labels], labels


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with an npz file of the shapes of MNIST. Its repeated digits compress well."""
    folder = tmp_path_factory.mktemp("data")
    (x_train, y_train), (x_test, y_test) = written_digits(60000), written_digits(10000)
    np.savez_compressed(folder / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A folder with models/ and runs/ after one quick training, which the tests share because it is slow."""
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "training",
            *QUICK,
            "--models",
            str(home / "models"),
            "--runs",
            str(home / "runs"),
        ],
        env={**os.environ, "RECOGNIZER_DATA": str(data), "PYTHONPATH": str(paths.ROOT)},
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Published" in done.stdout
    return home


@pytest.mark.slow
def test_the_card_describes_the_model(trained, data):
    card = registry_card.read_card(open_models(trained / "models").current("digits")).as_json()
    assert card["labels"] == list("0123456789")
    assert card["input"]["shape"] == [28, 28, 1]
    assert card["input"]["range"] == [0, 255]
    assert card["preprocess"] == pictures.VERSION
    assert 0 < card["parameters"] <= 300_000
    assert 0 <= card["rejection"]["min_confidence"] <= 1
    assert card["rejection"]["max_distance"] > 0
    assert card["data"][0]["sha256"] == datasets_mnist.read_mnist_npz(data / "mnist.npz").sha256
    assert card["data"][0]["used"] == 160  # a fifth of the 200 training pictures is held out
    assert card["command"].startswith("python -m recognizer train digits --epochs 1")
    assert card["git_commit"]
    assert all(0 <= value <= 1 for value in card["metrics"].values())
    assert "mnist_test_accuracy" in card["metrics"]


@pytest.mark.slow
def test_the_trained_model_is_current_and_complete(trained):
    home = trained / "models" / "digits"
    versions = [path for path in home.iterdir() if path.is_dir()]
    assert versions == [open_models(trained / "models").current("digits")]
    assert json.loads((home / "current.json").read_text())["version"] == versions[0].name
    names = {path.name for path in versions[0].iterdir()}
    assert names == {"card.json", "last_layer.npz", "model.keras", "model.tflite", "features.npz", "knowledge.npz"}


@pytest.mark.slow
def test_the_exported_network_takes_grey_levels_and_returns_probabilities(trained):
    """The exported network takes grey levels from 0 to 255 and returns probabilities."""
    from recognizer.classifiers.classifier import Classifier

    classifier = Classifier(open_models(trained / "models").current("digits"))
    images, _ = written_digits(10)
    predictions = classifier.predict(list(images))
    assert len(predictions) == 10
    probabilities, features = classifier.run(images[3])
    assert probabilities.shape == (11,)
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert features.shape == classifier.rejection.statistics.means.shape[1:]
    assert np.isfinite(features).all()
    dimmed, _ = classifier.run(images[3] // 255)
    assert not np.allclose(dimmed, probabilities), (
        "the network itself scales grey levels, so its input is not from 0 to 1"
    )


@pytest.mark.slow
def test_a_second_run_uses_the_cached_scenes(trained, data, monkeypatch):
    """With the same seed, the crops of the first run are loaded. Another seed draws new ones."""
    monkeypatch.setattr(digits, "fresh_processes", None)  # drawing again would fail
    mnist = datasets_mnist.read_mnist_npz(data / "mnist.npz")
    rows = np.random.default_rng(0).permutation(60000)[:200]
    drawn = digits.draw_crops(mnist, rows[40:], 120, 0, trained / "runs" / "digits")
    assert len(drawn.images) == len(drawn.classes) >= 120
    assert drawn.images.shape[1:] == (28, 28)
    assert drawn.images.dtype == np.uint8
    assert set(drawn.classes.tolist()) <= set(range(11))
    assert (drawn.classes == paper_scenes.NOTHING).any()
    with pytest.raises(TypeError):
        digits.draw_crops(mnist, rows[40:], 120, 7, trained / "runs" / "digits")
    assert not list((trained / "runs").rglob(".*"))


def run_main(capsys, *words):
    """Run the command. Return its exit code and stderr."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code, capsys.readouterr().err


def test_bad_data_is_a_one_line_error(monkeypatch, capsys, tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"")
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path))
    code, err = run_main(capsys, *QUICK, "--models", str(tmp_path), "--runs", str(tmp_path))
    assert err.startswith(str(tmp_path / "mnist.npz"))
    assert err.count("\n") == 1
    assert code == 2


def test_an_unknown_task_lists_the_known_tasks(capsys):
    code, err = run_main(capsys, "shipped", "numbers")
    assert code == 2
    assert "digits" in err


def test_a_failed_run_publishes_nothing(data, tmp_path, monkeypatch):
    """The previous version stays current if writing the next one fails."""

    def broken(*words):
        (words[-1] / "model.keras").write_bytes(b"half")
        raise ModelError("the disk is full")

    monkeypatch.setenv("RECOGNIZER_DATA", str(data))
    monkeypatch.setattr(digits, "draw_crops", lambda *words: None)
    monkeypatch.setattr(digits, "fit", lambda *words: None)
    monkeypatch.setattr(digits, "publish", broken)
    with pytest.raises(SystemExit):
        main([*QUICK, "--models", str(tmp_path / "m"), "--runs", str(tmp_path / "r")])
    assert list((tmp_path / "m" / "digits").iterdir()) == []


def test_a_fit_that_continues_runs_only_the_later_stages() -> None:
    for epochs in (1, 2, 8, 30):
        stages = digits.stage_epochs(epochs, digits.STAGES[1:])
        assert len(stages) == len(digits.STAGES) - 1
        assert sum(stages) == epochs
    assert digits.stage_epochs(8, digits.STAGES[1:]) == [5, 3]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["letters", "--start", "."], "python -m recognizer train letters: unrecognized arguments: --start ."),
        (["digits", "--start", "nowhere"], "--start nowhere has no model.keras. Name a folder of models/digits."),
    ],
)
def test_an_invalid_starting_point_is_a_one_line_error(words, line, capsys) -> None:
    code, err = run_main(capsys, "shipped", *words)
    assert code == 2
    assert line in err
    assert err.count("\n") == 1
