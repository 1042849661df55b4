import gzip
import struct

import cv2
import numpy as np
import pytest

from recognizer.errors import DataError
from recognizer.samples.synced import default_samples
from recognizer.system import paths
from training.datasets import catalogue, dataset, fashion_mnist


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty project folder, so that no file of this machine is read or written."""
    monkeypatch.delenv("RECOGNIZER_DATA", raising=False)
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    monkeypatch.setattr(paths, "home", lambda: tmp_path / "project")
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FASHION", tmp_path / "nowhere")
    return tmp_path / "project"


def write_pictures(folder, count=6, side=40, shade=120):
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.full((side, side + 10, 3), shade + number, np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), 1))


def write_table(path, rows, columns=784):
    lines = ["label," + ",".join(f"pixel{number + 1}" for number in range(columns))]
    lines += [f"{label}," + ",".join([str(level)] * columns) for label, level in rows]
    path.write_text("\n".join(lines))
    return path


def test_a_folder_of_labels_is_split_the_same_way_each_time(tmp_path):
    write_pictures(tmp_path / "signs" / "ok", shade=10)
    write_pictures(tmp_path / "signs" / "stop", shade=200)
    data = catalogue.load(str(tmp_path / "signs"), default_samples())
    assert (data.name, data.labels, data.subject) == ("signs", ["ok", "stop"], "hand")
    assert data.input_shape == (28, 28, 1)
    assert np.bincount(data.test_labels).tolist() == [1, 1]
    assert len(data.train_labels) == 10
    again = catalogue.load(str(tmp_path / "signs"), default_samples())
    assert np.array_equal(data.test_images, again.test_images)
    assert data.sha256 == again.sha256
    assert (data.train_images[data.train_labels == 0] < 50).all()
    colour = catalogue.load(str(tmp_path / "signs"), default_samples(), 64)
    assert colour.input_shape == (64, 64, 3)


def test_the_last_series_is_the_test_set(tmp_path):
    for person, shade in (("anna", 10), ("bert", 100), ("cleo", 200)):
        for label in ("ok", "stop"):
            write_pictures(tmp_path / "signs" / person / label, 2, shade=shade)
    data = catalogue.load(str(tmp_path / "signs"), default_samples())
    assert len(data.test_labels) == 4
    assert (data.test_images >= 200).all()
    assert (data.train_images < 200).all()


def test_a_table_in_kaggles_layout_is_read(tmp_path):
    path = write_table(tmp_path / "mine.csv", [(3, 10), (7, 200)] * 5)
    data = catalogue.load(str(path), default_samples())
    assert data.labels == ["3", "7"]
    assert np.bincount(data.test_labels).tolist() == [1, 1]
    assert sorted(np.unique(data.train_images)) == [10, 200]
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(catalogue.load(str(packed), default_samples()).train_images, data.train_images)


def test_emnist_letters_are_transposed_to_upright(project):
    images = np.zeros((26, 28, 28), np.uint8)
    images[:, 3, 20] = 255  # column 3, row 20: NIST's files hold each picture transposed
    for part in ("train", "test"):
        write_idx(project / "data" / "emnist" / f"emnist-letters-{part}-images-idx3-ubyte.gz", images)
        write_idx(project / "data" / "emnist" / f"emnist-letters-{part}-labels-idx1-ubyte.gz", np.arange(1, 27))
    data = catalogue.load("emnist-letters", default_samples())
    assert data.labels[0] == "A"
    assert data.labels[-1] == "Z"
    assert data.train_labels.tolist() == list(range(26))
    assert data.test_images[5, 20, 3, 0] == 255


def test_fashion_mnist_is_found_in_its_own_folder(project):
    parts = {"train": 60000, "t10k": 10000}
    for part, count in parts.items():
        write_idx(project / "data" / "fashion-mnist" / f"{part}-images-idx3-ubyte.gz", np.zeros((count, 28, 28)))
        write_idx(project / "data" / "fashion-mnist" / f"{part}-labels-idx1-ubyte.gz", np.arange(count) % 10)
    data = catalogue.load("fashion-mnist", default_samples())
    assert data.labels[9] == "ankle boot"
    assert data.train_images.shape == (60000, 28, 28, 1)


def damaged_table(folder):
    path = write_table(folder / "half.csv", [(1, 1), (2, 2)])
    half = folder / "half.csv.gz"
    half.write_bytes(gzip.compress(path.read_bytes() * 50)[:-30])
    return half


def table_of_other_columns(folder):
    return write_table(folder / "other.csv", [(1, 1), (2, 2)], columns=10)


def folder_of_one_label(folder):
    write_pictures(folder / "one" / "ok")
    return folder / "one"


def folder_without_labels(folder):
    write_pictures(folder / "flat")
    return folder / "flat"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def broken_picture(folder):
    write_pictures(folder / "bad" / "ok")
    (folder / "bad" / "stop").mkdir()
    (folder / "bad" / "stop" / "0.png").write_bytes(b"no picture")
    return folder / "bad"


@pytest.mark.parametrize(
    "make",
    [damaged_table, table_of_other_columns, folder_of_one_label, folder_without_labels, empty_folder, broken_picture],
)
def test_unusable_data_is_a_one_line_error_that_names_it(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(DataError) as error:
        catalogue.load(str(path), default_samples())
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_the_error_of_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(DataError, match="fashion-mnist"):
        catalogue.load("minst", default_samples())


def test_captures_without_samples_raise_an_error():
    with pytest.raises(DataError, match="Nothing is recorded"):
        catalogue.load("captures", default_samples())


def test_a_limit_reduces_the_number_of_pictures(tmp_path):
    write_pictures(tmp_path / "signs" / "ok")
    write_pictures(tmp_path / "signs" / "stop")
    data = dataset.limited(catalogue.load(str(tmp_path / "signs"), default_samples()), 4, seed=1)
    assert len(data.train_labels) == len(data.train_images) == 4
    assert len(data.test_labels) == 2
