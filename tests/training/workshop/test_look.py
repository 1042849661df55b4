import numpy as np

from training.__main__ import main
from training.datasets import catalogue
from training.datasets.dataset import DataSet


def test_look_prints_counts_and_writes_a_picture(tmp_path, capsys, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 1)).astype(np.uint8)
    labels = np.array([0] * 6 + [1] * 3)
    data = DataSet("shades", ["dark", "light"], "paper", images[:9], labels, images[9:], labels[:3], "here", "0")
    monkeypatch.setattr(catalogue, "load", lambda *words: data)
    main(["look", "--data", "shades", "--runs", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("shades from here: 9 training pictures, 3 test pictures, 28×28×1")
    assert lines[1].split()[:3] == ["dark", "6", "3"]
    assert lines[1].count("█") == 2 * lines[2].count("█")
    assert (tmp_path / "look" / "shades.png").is_file()
