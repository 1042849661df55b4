import json

import pytest

from recognizer.errors import DataError
from recognizer.samples.synced import default_samples
from recognizer.system import paths
from training.__main__ import main
from training.datasets import catalogue
from training.settings import NETWORKS, TableSettings
from training.workshop import plan, table_runs
from training.workshop import results as workshop_results
from training.workshop.run import METRICS


def metrics(data, network, accuracy):
    return {"data": data, "network": network, "backend": "tensorflow", "seed": 0, "limit": None, "accuracy": accuracy,
            "accuracy_95": [accuracy - 0.01, accuracy + 0.005], "parameters": 7850, "seconds": 12.3, "fitted": 54000,
            "ms_a_picture": 0.01, "machine": "a machine", "labels": ["0", "1"]}  # fmt: skip


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of two finished runs. There is no data folder with photographs."""
    monkeypatch.setattr(paths, "data_folders", tuple)
    for network, accuracy in (("cnn", 0.99), ("linear", 0.92)):
        folder = tmp_path / "runs" / f"mnist-{network}-0"
        folder.mkdir(parents=True)
        (folder / METRICS).write_text(json.dumps(metrics("mnist", network, accuracy)))
    return tmp_path / "runs"


def test_the_table_is_written_from_finished_runs(runs, tmp_path, capsys):
    main(["table", "--write", "--runs", str(runs), "--results", str(tmp_path / "RESULTS.md")])
    lines = (tmp_path / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert [row.split(" | ")[0] for row in rows] == ["| linear", "| cnn"]
    assert "≥ 91.5 % |" in rows[0]
    assert "≥ 99.2 %, missed" in rows[1]
    assert any("a machine" in line for line in lines)


def test_finished_runs_are_not_repeated(runs, monkeypatch):
    trained = []
    monkeypatch.setattr(table_runs, "_train", lambda settings: trained.append(settings.network))
    monkeypatch.setattr(catalogue, "load", lambda data, samples: None)
    monkeypatch.setattr(plan, "find_spec", lambda name: None)
    table = TableSettings(["mnist"], ["linear", "knn", "cnn", "vgg16"], runs=runs)
    found, missing = table_runs.train_all(table, default_samples())
    assert trained == ["knn"]
    assert [run.name for run in found] == ["mnist-linear-0", "mnist-cnn-0"]
    assert missing == {}


def test_rows_of_earlier_runs_remain_until_they_are_run_again(runs, tmp_path):
    results = tmp_path / "RESULTS.md"
    workshop_results.write_results([runs / "mnist-cnn-0"], {}, runs, results, default_samples())
    repeated = metrics("mnist", "linear", 0.93) | {"machine": "another machine"}
    (runs / "mnist-linear-0" / METRICS).write_text(json.dumps(repeated))
    workshop_results.write_results([runs / "mnist-linear-0"], {"rps": "Not here."}, runs, results, default_samples())
    text = results.read_text(encoding="utf-8")
    assert "| cnn | 99.00 % |" in text
    assert "| linear | 93.00 % |" in text
    assert "A: a machine; B: another machine" in text
    assert "- rps, linear, dense-16, dense-256, dense-512, mlp-512x2, knn, cnn, cnn-bn, vgg16: Not here." in text
    assert "- fashion-mnist, linear" in text
    assert [row["accuracy"] for row in json.loads(results.with_suffix(".json").read_text()).values()] == [0.99, 0.93]


@pytest.mark.parametrize("content", ["[]", "{", '{"mnist-cnn-0": {"accuracy": 1}}', '{"mnist-cnn-0": 5}'])
def test_a_damaged_table_is_a_one_line_error_and_is_not_overwritten(runs, tmp_path, content):
    (tmp_path / "RESULTS.json").write_text(content)
    with pytest.raises(DataError, match="RESULTS.json"):
        workshop_results.write_results([runs / "mnist-cnn-0"], {}, runs, tmp_path / "RESULTS.md", default_samples())
    assert (tmp_path / "RESULTS.json").read_text() == content
    assert not (tmp_path / "RESULTS.md").exists()


def test_a_folder_without_runs_is_a_one_line_error(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["table", "--write", "--runs", str(tmp_path)])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_table_has_pytorch_runs_if_it_is_installed(monkeypatch):
    monkeypatch.setattr(plan, "find_spec", lambda name: object())
    assert ("cnn", "torch") in plan.plan("mnist", NETWORKS)
    assert all(backend == "tensorflow" for _, backend in plan.plan("rps", NETWORKS))
