"""Training runs on a Ray cluster of two nodes on this machine."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.errors import SettingsError
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.synced import default_samples
from recognizer.system.ray_cluster import connected
from tests.helpers.ray_nodes import workers
from tests.helpers.waiting import HANG_S, until
from training.__main__ import main
from training.datasets import catalogue, dataset
from training.settings import TableSettings
from training.workshop import cluster, plan
from training.workshop.run import HISTORY, METRICS, PREDICTIONS, child_environment, read_metrics

pytestmark = pytest.mark.no_cover

DIFFERENT = {"seconds", "ms_a_picture", "published"}  # metrics that differ between two runs with the same seed
PICTURES = 120
CELL = "ray::train_cell"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder in which drawn bars replace MNIST. Each label has its bar in another column."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)

    def part(count):
        labels = np.arange(count) % 3
        images = rng.integers(0, 90, (count, 28, 28, 1)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4:24, 6 + 6 * label : 10 + 6 * label] += 120
        return images, labels

    catalogue.store(dataset.DataSet("mnist", [*"abc"], "paper", *part(PICTURES), *part(60), "drawn", "0" * 64), folder)
    catalogue.store(dataset.DataSet("rps", [*"ab"], "hand", *part(2), *part(2), "drawn", "0" * 64), folder)  # too few
    return folder


def words(home, *more):
    return ["--data", "mnist", "--networks", "linear", "knn", "--seeds", "1", "--limit", "60", "--epochs", "2", "--runs",
            str(home / "runs"), "--models", str(home / "models"), "--results", str(home / "R.md"), *more]  # fmt: skip


def start(data, home, *more):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "training", "table", *words(home, *more)],
        env=child_environment(RECOGNIZER_DATA=str(data)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def read_until(process, text):
    """The lines of the output up to that with the text."""
    output = []
    for line in process.stdout:
        output.append(line)
        if text in line:
            return output
    raise AssertionError("".join(output))


@pytest.mark.slow
def test_a_cluster_gives_the_same_results_as_one_machine(nodes, data, tmp_path, monkeypatch):
    """The command is interrupted, repeated, and loses a worker. It resumes, and its results are those of one machine."""
    alone, clustered = tmp_path / "alone", tmp_path / "home"
    monkeypatch.setenv("RECOGNIZER_DATA", str(data))
    main(["table", *words(alone)])

    command = ["--cluster", nodes.address]
    process = start(data, clustered, *command)
    try:
        first = read_until(process, "mnist-knn-1-limit60 is done")
        until(lambda: workers(nodes, CELL))
        process.send_signal(signal.SIGINT)
        first += process.stdout.readlines()
    finally:
        process.kill()
    status = process.wait()
    assert status in (0, 130), "".join(first)
    if status == 130:
        assert "continues from here" in first[-1]
    else:  # both runs had ended before the interruption: repeat one in the second command
        (clustered / "runs" / "mnist-linear-1-limit60" / METRICS).unlink()
    assert first[0] == "2 of 2 runs to do on 2 machines, 1 cores each\n"
    until(lambda: not workers(nodes, CELL))  # no worker outlives the command
    written_ns = (clustered / "runs" / "mnist-knn-1-limit60" / METRICS).stat().st_mtime_ns

    process = start(data, clustered, *command)
    try:
        read_until(process, "mnist-linear-1-limit60 runs on")
        (worker,) = until(lambda: workers(nodes, CELL))
        os.kill(worker, signal.SIGKILL)
        output = process.communicate(timeout=HANG_S)[0]
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "2 of 2 done, 0 running, 0 failed" in output
    assert (clustered / "runs" / "mnist-knn-1-limit60" / METRICS).stat().st_mtime_ns == written_ns

    for name in ("mnist-linear-1-limit60", "mnist-knn-1-limit60"):
        one, other = (folder / "runs" / name for folder in (alone, clustered))
        assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}
        expected, found = ({k: v for k, v in read_metrics(run).items() if k not in DIFFERENT} for run in (one, other))
        assert found == expected
        assert (one / PREDICTIONS).read_bytes() == (other / PREDICTIONS).read_bytes()
    one, other = (folder / "runs" / "mnist-linear-1-limit60" for folder in (alone, clustered))
    assert (one / HISTORY).read_text() == (other / HISTORY).read_text()
    folder = open_models(clustered / "models").current("mnist-linear")
    assert read_metrics(other)["published"] == str(folder)
    assert str(folder) in (other / "index.html").read_text(encoding="utf-8")
    assert Classifier(folder, card.read_card(folder).preprocess or "").labels == [*"abc"]


@pytest.mark.slow
def test_a_failed_run_does_not_stop_the_others(nodes, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RECOGNIZER_DATA", str(data))
    with pytest.raises(SystemExit) as end:
        main(["table", *words(tmp_path, "--cluster", nodes.address), "--networks", "knn", "--data", "rps", "mnist"])
    output = capsys.readouterr()
    assert end.value.code == 2
    assert output.err == "1 of 2 runs failed; see above. The same command repeats them.\n"
    assert re.search("^rps-knn-1-limit60 failed: rps has 2 training pictures for 2 labels", output.out, re.MULTILINE)
    assert [path.parent.name for path in (tmp_path / "runs").glob(f"*/{METRICS}")] == ["mnist-knn-1-limit60"]


def test_every_seed_has_its_own_runs(tmp_path):
    table = TableSettings(networks=["linear", "knn"], seeds=[0, 2], runs=tmp_path, models=ModelStore(tmp_path))
    cells = plan.cells_of(["mnist"], table)
    assert [cell.run.name for cell in cells] == ["mnist-linear-0", "mnist-knn-0", "mnist-linear-2", "mnist-knn-2"]
    assert [cell.settings.seed for cell in cells] == [0, 0, 2, 2]


def test_a_run_uses_the_smallest_machine_and_a_gpu_if_there_is_one():
    machines = [{"CPU": 4.0, "memory": 1e9}, {"CPU": 2.0, "GPU": 1.0}, {"memory": 1e9}]
    assert cluster.needs_of(machines, None) == (2, 1)
    assert cluster.needs_of(machines[:1], 1) == (1, 0)
    for found, cores in ((machines, 8), (machines, 0), ([], None)):
        with pytest.raises(SettingsError, match="largest machine of the cluster has . cores"):
            cluster.needs_of(found, cores)


def test_missing_ray_is_a_one_line_error(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RECOGNIZER_DATA", str(data))
    monkeypatch.setattr("recognizer.system.ray_cluster.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as end:
        main(["table", *words(tmp_path, "--cluster")])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert "requirements-cluster.txt" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:99999"])
def test_an_address_without_a_cluster_is_a_one_line_error(address):
    pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-cluster.txt")
    with pytest.raises(SettingsError, match=re.escape(f"--cluster {address}")) as error:
        with connected(address):
            pass
    assert "ray start --head" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_data_set_is_stored_and_loaded_unchanged(data, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_DATA", str(data))
    found = catalogue.load("mnist", default_samples())
    assert (found.name, found.labels, found.source) == ("mnist", [*"abc"], "drawn")
    assert found.train_images.shape == (PICTURES, 28, 28, 1)
