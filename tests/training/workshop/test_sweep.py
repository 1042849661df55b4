"""Hyperparameter sweeps on a Ray cluster."""

import json
import pickle
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from recognizer.errors import DataError, SettingsError
from recognizer.samples.synced import default_samples
from tests.helpers.hand_people import PEOPLE, drawn_sign_data
from tests.helpers.waiting import HANG_S
from training.__main__ import main
from training.commands import shipped
from training.datasets import catalogue, dataset
from training.networks import hand_networks, hyperparameters
from training.networks.hyperparameters import Hyperparameters
from training.networks.image_networks import WORKSHOP
from training.settings import SignsSettings, SweepSettings, TrainSettings
from training.shipped import sign_data, sign_fitting, sign_validation
from training.workshop import run, sweep, train
from training.workshop.run import child_environment

pytestmark = pytest.mark.no_cover

EACH = 10  # pictures of each label and series


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures by series and label, of three "people". Each label has its bar in another column."""
    folder = tmp_path_factory.mktemp("bars")
    rng = np.random.default_rng(0)
    for person in ("ann", "ben", "cleo"):
        for column, label in enumerate("abc"):
            home = folder / person / label
            home.mkdir(parents=True)
            for number in range(EACH):
                picture = rng.integers(0, 90, (28, 28)).astype(np.uint8)
                picture[4:24, 6 + 6 * column : 10 + 6 * column] += 120
                cv2.imwrite(str(home / f"{number}.png"), picture)
    return folder


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.json"
    path.write_text(json.dumps({"rate": [0.003, 1e-7], "keep": [1.0]}))
    return path


def words(pictures, space, *more):
    return ["--task", str(pictures), "--seed", "1", "--network", "dense-256", "--space", str(space), "--epochs", "8", "--runs",
            str(space.parent / "runs"), *more]  # fmt: skip


def workshop_settings(monkeypatch, command):
    """The settings of the training that the command would start."""
    assert command[:5] == ["python", "-m", "recognizer", "workshop", "train"]
    started = []
    monkeypatch.setattr(train, "train", lambda settings, samples: started.append(settings) or settings.runs)
    main(command[4:])
    return started[0]


# Replaces each fit with a score, because other tests cover the fit. A bad trial waits for a file.
PROGRAM = """
import sys, time
from pathlib import Path
from training.__main__ import main
from training.workshop import sweep

class Scored(sweep.DataSetObjective):
    def score(self, chosen, part):
        bad = chosen.get("rate") == 1e-7
        while bad and not Path({continue_file!r}).exists():
            time.sleep(0.05)
        return 0.1 if bad else 0.6

objective_of = sweep.objective_of
sweep.objective_of = lambda settings, samples: Scored(**vars(objective_of(settings, samples)))
main(["sweep", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_a_sweep_resumes_after_ctrl_c_stops_bad_trials_and_prints_the_command_for_the_best(
    nodes, pictures, space, tmp_path, monkeypatch
):
    continue_file = tmp_path / "continue"

    command = [sys.executable, "-u", "-c", PROGRAM.format(continue_file=str(continue_file))]
    command += words(pictures, space, "--cluster", nodes.address)
    options = {"env": child_environment(), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process, output = subprocess.Popen(command, **options), []
    watchdog = threading.Timer(HANG_S, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            output.append(line)
            if sum("is done" in before for before in output) == 2:  # the third trial waits
                process.send_signal(signal.SIGINT)
                break
        output += process.stdout.readlines()
        assert process.wait(HANG_S) == 130, "".join(output)
    finally:
        watchdog.cancel()
        process.kill()
    assert "continues with the trials that are not done" in output[-1]
    done = next(line.split(" is done")[0] for line in output if "is done" in line)

    for state in space.parent.glob("runs/sweeps/*/experiment_state*"):  # as Ctrl-C can leave it
        state.write_text("")
    continue_file.touch()
    again = subprocess.run(command, **options, timeout=HANG_S)
    assert again.returncode == 0, again.stdout
    lines = again.stdout.splitlines()
    assert any(line.startswith("Resuming") for line in lines)
    assert not any(line.startswith(f"{done}:") for line in lines)
    table = {int(line.split()[0]): line for line in lines if re.match(r"\d     ", line)}
    assert sorted(table) == [0, 1, 2]
    best = workshop_settings(monkeypatch, lines[-1].split())
    assert (best.data, best.network, best.epochs) == (str(pictures), "dense-256", 8)
    assert best.rate in (None, 0.003)
    assert re.match("2 .* 1e-07 .*stopped$", table[2])  # a bad trial stops before both folds


def test_a_resumed_sweep_compares_with_earlier_trials(pictures):
    pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-cluster.txt")
    bad, good = SimpleNamespace(trial_id="bad"), SimpleNamespace(trial_id="good")
    scheduler = sweep.scheduler_of(2, [[0.5, 0.7]])
    scheduler.set_search_properties("score", "max")
    scheduler.on_trial_add(None, bad)
    scheduler.on_trial_add(None, good)
    assert scheduler.on_trial_result(None, bad, {"training_iteration": 1, "score": 0.4}) == "STOP"
    assert scheduler.on_trial_result(None, good, {"training_iteration": 1, "score": 0.6}) == "CONTINUE"


@pytest.mark.slow
def test_each_person_is_tested_by_a_network_trained_without_them(eager, pictures):
    objective = sweep.data_set_objective(
        catalogue.load(str(pictures), default_samples()), TrainSettings("d", "linear", epochs=12, batch_size=8)
    )
    assert objective.folds == ["source 1", "source 2"]  # the third person is the test set
    assert [len(fold) for fold in objective.fold_rows] == [3 * EACH] * 2
    assert sorted(np.concatenate(objective.fold_rows)) == list(range(6 * EACH))
    accepted, strict = (objective.score({"rate": 0.003, "keep": keep}, 0) for keep in (1.0, 0.3))
    assert accepted > 0.3
    assert 0 < strict < accepted  # a rejected picture adds nothing to the score


def test_data_without_people_is_split_at_random(capsys):
    images, labels = np.zeros((8, 28, 28, 1), np.uint8), np.arange(8) % 2
    data = dataset.DataSet("drawn", ["a", "b"], "paper", images, labels, images, labels, "drawn", "")
    objective = sweep.data_set_objective(data, TrainSettings("d", "linear"))
    assert sorted(np.concatenate(objective.fold_rows)) == list(range(8))
    assert "drawn does not name the source" in capsys.readouterr().out
    with pytest.raises(DataError, match="one person, series or session for training"):
        sweep.data_set_objective(replace(data, train_series=np.zeros(8, np.int64)), TrainSettings("d", "linear"))


def test_a_sweep_of_a_user_task_splits_by_session(monkeypatch):
    default_samples().create_task("signs", "hand", ["ok", "stop"])
    loaded = []
    monkeypatch.setattr(catalogue, "load", lambda name, samples: loaded.append(name) or "data")
    monkeypatch.setattr(dataset, "limited", lambda data, limit, seed: data)
    monkeypatch.setattr(sweep, "data_set_objective", lambda data, settings: settings)
    objectives = [sweep.objective_of(SweepSettings(task, Path("s")), default_samples()) for task in ("signs", "digits")]
    assert loaded == ["captures/signs", "mnist"]
    assert objectives[1].command == "python -m recognizer workshop train --data mnist --network cnn-bn"


@pytest.mark.slow
def test_a_sweep_of_hands_holds_out_people(eager, tmp_path, monkeypatch):
    monkeypatch.setattr(sign_fitting, "POSE_ROUNDS", 1)
    monkeypatch.setattr(sign_fitting, "POSE_COPIES", 2)
    objective = sweep.hands_objective(drawn_sign_data(tmp_path), "pose", 20)
    assert objective.folds == PEOPLE
    assert len(objective.data.hands) == 3 * 20 + 2
    sent = pickle.loads(pickle.dumps(objective))  # Ray pickles it
    assert 0 < sent.score({"rate": 0.01, "augment": 0.5}, 0) <= 1
    wide, narrow = (hand_networks.pose_network(3, 0, width)[0].count_params() for width in (1.0, 0.5))
    assert narrow < wide
    assert objective.command({"rate": 1e-3}) == "python -m recognizer train rps --kind pose --rate 0.001"


def test_a_picture_without_a_sign_counts_only_if_it_gets_a_label(tmp_path, monkeypatch):
    objective = sweep.hands_objective(drawn_sign_data(tmp_path), "pose", None)
    own = objective.data.evaluated & (objective.data.hands.sources == PEOPLE[0])
    rows = own | objective.data.empty
    probabilities = np.full((rows.sum(), 4), 0.01, np.float32)
    probabilities[np.arange(len(probabilities)), np.maximum(objective.data.classes[rows], 0)] = 0.97

    def score(empty_probability: float) -> float:
        probabilities[objective.data.empty[rows]] = empty_probability
        predictions = sign_data.Predictions(probabilities, np.ones(len(probabilities), np.float32))
        monkeypatch.setattr(sign_fitting, "fit", lambda *_: SimpleNamespace(predict=lambda hands: predictions))
        return objective.score({}, 0)

    assert score(np.nan) == 1
    count = own.sum()
    assert score(0.99) == pytest.approx((count - 2) / (count + 2))


def test_the_options_of_the_best_trial_reach_the_training_of_signs(monkeypatch):
    trained = []
    monkeypatch.setattr(shipped, "train_signs", trained.append)
    main(["shipped", "rps", "--kind", "pose", "--rate", "0.001", "--width", "2", "--augment", "0.5", "--keep", "0.9"])
    (settings,) = trained
    assert settings == SignsSettings("rps", "pose", 0.001, 2, 0.5, 0.9, models=settings.models)
    assert Hyperparameters.of(settings.rate, settings.width, settings.augment, settings.keep) == Hyperparameters(
        0.001, 2, 0.5, 0.9
    )


def test_fits_with_different_hyperparameters_have_different_cache_keys(tmp_path):
    data = drawn_sign_data(tmp_path)
    default = sign_validation._digest(data, "pose")
    changes = (
        Hyperparameters(keep=0.5),
        Hyperparameters(rate=1e-3),
        Hyperparameters(width=2),
        Hyperparameters(augment=0.5),
    )
    digests = [sign_validation._digest(replace(data, hyperparameters=changed), "pose") for changed in changes]
    assert digests[0] == default  # a threshold does not affect the fit
    assert len({default, *digests[1:]}) == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("shipped digits --rate 0.1", "unrecognized arguments: --rate 0.1"),
        ("shipped rps --width 2", "--width is for networks that read joints. Add --kind pose"),
        ("shipped rps --kind pose --augment 3", "--augment 3 is not between 0 and 1"),
        ("train --data mnist --network linear --rate 0", "--rate 0 is not between"),
        ("train --data mnist --network knn --width 2", "--width scales hidden layers, and knn has none"),
    ],
)
def test_an_invalid_hyperparameter_is_a_one_line_error(words, expected, capsys):
    with pytest.raises(SystemExit) as end:
        main(words.split())
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1


def test_augmentation_of_strength_zero_leaves_hands_unchanged():
    landmarks, left = np.random.default_rng(0).normal(0, 9, (5, 21, 3)), np.array([True, False, True, True, False])
    points, sides = Hyperparameters(augment=0.0).augmented(landmarks, left, np.random.default_rng(1))
    assert (points == landmarks).all()
    assert (sides == left).all()


@pytest.mark.parametrize("name", ["dense-256", "cnn", "cnn-bn"])
def test_a_width_factor_changes_only_the_layer_widths(name):
    plain, wide = WORKSHOP[name].build(3, 0), hyperparameters.widened(WORKSHOP[name].build(3, 0), 2, 0)
    assert [type(layer) for layer in wide.layers] == [type(layer) for layer in plain.layers]
    assert wide.count_params() > 1.9 * plain.count_params()
    assert wide.output_shape == plain.output_shape == (None, 3)
    assert bool(wide.compiled) == bool(plain.compiled)
    assert hyperparameters.widened(plain, 1, 0) is plain


def test_a_network_without_hidden_layers_cannot_be_wider():
    with pytest.raises(SettingsError, match="--width scales hidden layers, and linear has none"):
        hyperparameters.widened(WORKSHOP["linear"].build(3, 0), 2, 0)


def test_trials_differ_and_the_first_uses_the_defaults():
    space = {"rate": {"from": 1e-4, "to": 1e-2}, "width": [0.5, 1]}
    trials = sweep.draw(space, 9, 0)
    assert trials[0] == {}
    assert len({json.dumps(trial) for trial in trials}) == len(trials) == 9
    assert all(1e-4 <= trial["rate"] <= 1e-2 and trial["width"] in (0.5, 1) for trial in trials[1:])
    assert sweep.draw(space, 9, 0) == trials
    assert len(sweep.draw({"width": [1, 2]}, 9, 0)) == 3  # the space has only three trials


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "cannot be read as JSON or TOML"),
        ("{}", "names nothing. Name one or more of rate, augment, width, keep"),
        ('{"speed": [1]}', "names speed"),
        ('{"rate": 1}', "rate is neither a list nor a range"),
        ('{"rate": []}', "rate is neither a list nor a range"),
        ('{"rate": ["fast"]}', "'fast' is not a number"),
        ('{"rate": [true]}', "True is not a number"),
        ('{"rate": {"from": 1, "to": 0.1}}', "rate is not a range"),
        ('{"keep": [2]}', "keep 2 is not between 0.01 and 1"),
        ('{"augment": ["much"]}', "augment 'much' is not one of none, light, strong"),
        ('{"augment": [["none"]]}', "augment ['none'] is not one of"),
    ],
)
def test_an_invalid_search_space_is_a_one_line_error(text, expected, tmp_path, capsys):
    path = tmp_path / "space.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as end:
        main(["sweep", "--task", "mnist", "--space", str(path)])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1


def test_a_search_space_for_hands_is_read_from_toml(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text("rate = {from = 1e-4, to = 1e-2}\naugment = [0, 0.5, 1]\n")
    assert sweep.read_space(path, of_hands=True) == {"rate": {"from": 1e-4, "to": 1e-2}, "augment": [0, 0.5, 1]}
    with pytest.raises(SettingsError, match="augment 0 is not one of"):
        sweep.read_space(path, of_hands=False)


def test_missing_ray_is_a_one_line_error(space, monkeypatch, capsys):
    monkeypatch.setattr("recognizer.system.ray_cluster.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as end:
        main(["sweep", "--task", "mnist", "--space", str(space)])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert "requirements-cluster.txt" in err
    assert err.count("\n") == 1


def test_a_failed_fit_is_a_bad_trial(monkeypatch):
    def failing(parameters, fold):
        raise run.TrainingError("NaN")

    reports = []
    tune = pytest.importorskip("ray.tune", reason="Ray is not installed: pip install -r requirements-cluster.txt")
    monkeypatch.setattr(tune, "report", reports.append)
    sweep.run_trial({"trial": 0}, SimpleNamespace(folds=["a"], score=failing), [{}])
    assert reports == [{"score": -1.0, "scores": "[-1.0]"}]
