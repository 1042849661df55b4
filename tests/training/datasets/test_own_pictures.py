"""The user's own pictures and tables as training data."""

import cv2
import numpy as np
import pytest

from recognizer.errors import DataError
from recognizer.samples.sample import new_sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.values import Box
from training.datasets import catalogue, own_pictures


def write(folder, *names, shade=120):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", np.full((40, 50, 3), shade, np.uint8))[1].tobytes())
    return folder


def load(path):
    return catalogue.load(str(path), default_samples())


@pytest.mark.parametrize("held_out", ["test", "val", "anna"])
def test_train_and_test_never_change_places(held_out, tmp_path):
    for label in ("1", "7"):
        write(tmp_path / "set", *(f"train/{label}/{number}.png" for number in range(6)), shade=10)
        write(tmp_path / "set", *(f"{held_out}/{label}/{number}.png" for number in range(2)), shade=200)
    data = load(tmp_path / "set")
    assert len(data.test_labels) == 4
    assert (data.test_images > 190).all()
    assert (data.train_images < 20).all()
    assert len(data.train_series) == 0  # train is no person, series or session


def test_train_with_test_and_val_learns_from_train_only(tmp_path):
    for label in ("1", "7"):
        write(tmp_path / "set", f"train/{label}/0.png", f"train/{label}/1.png", shade=10)
        write(tmp_path / "set", f"test/{label}/0.png", f"val/{label}/0.png", shade=200)
    data = load(tmp_path / "set")
    assert (data.train_images < 20).all()
    assert len(data.test_labels) == 4


@pytest.mark.parametrize("part", ["train", "test"])
def test_one_part_alone_is_split(part, tmp_path):
    data = load(write(tmp_path / "set", *(f"{part}/{label}/{n}.png" for label in ("1", "7") for n in range(5))))
    assert np.bincount(data.test_labels).tolist() == [1, 1]
    assert len(data.train_labels) == 8


def test_people_below_labels_are_split_by_person(tmp_path):
    for person, shade in (("anna", 10), ("ben", 200)):
        write(
            tmp_path / "set", *(f"{label}/{person}/{n}.png" for label in ("one", "seven") for n in (0, 1)), shade=shade
        )
    data = load(tmp_path / "set")
    assert data.labels == ["one", "seven"]
    assert (data.test_images > 190).all()
    assert (data.train_images < 20).all()


def test_one_damaged_picture_is_left_out_and_named(tmp_path, capsys):
    write(tmp_path / "set", *(f"{label}/{n}.png" for label in ("1", "7") for n in range(5)))
    (tmp_path / "set" / "1" / "3.png").write_bytes(b"no picture")
    (tmp_path / "set" / "1" / "4.png").write_bytes(b"")
    data = load(tmp_path / "set")
    assert len(data.train_labels) + len(data.test_labels) == 8
    damaged, empty = capsys.readouterr().err.splitlines()
    assert damaged.startswith("Left out: ")
    assert "3.png is not a picture" in damaged
    assert "4.png is empty" in empty


def test_one_damaged_sample_is_left_out_and_named(tmp_path, capsys):
    store = Samples(tmp_path / "captures")
    store.create_task("signs", "box", ["ok", "stop"])
    png = cv2.imencode(".png", np.full((40, 50, 3), 90, np.uint8))[1].tobytes()
    samples = [new_sample("signs", label, "first", "x", Box(0, 0, 50, 40)) for label in ["ok", "stop"] * 4]
    store.place([(sample, png) for sample in samples])
    (store.folder / samples[2].path).write_bytes(png[:40])
    data = own_pictures.load_captures(store, "signs")
    assert len(data.train_labels) + len(data.test_labels) == 7
    assert capsys.readouterr().err.startswith("Left out: ")


def test_what_is_left_out_is_reported(tmp_path, capsys):
    write(tmp_path / "set", *(f"{label}/{n}.png" for label in ("1", "7") for n in range(5)), ".cache/9/0.png")
    (tmp_path / "set" / "7" / "film.webm").write_bytes(b"\x1a\x45\xdf\xa3")
    assert load(tmp_path / "set").labels == ["1", "7"]
    assert capsys.readouterr().err == "1 file of 7 was left out: video\n"


def test_a_label_that_is_not_allowed_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="invisible character"):
        load(write(tmp_path / "set", "a\u200bb/0.png", "c/0.png"))


def test_training_set_and_test_set_never_change_places(tmp_path):
    for label in ("1", "7"):
        write(tmp_path / "set", *(f"training_set/{label}/{number}.png" for number in range(6)), shade=10)
        write(tmp_path / "set", *(f"test_set/{label}/{number}.png" for number in range(2)), shade=200)
    data = load(tmp_path / "set")
    assert (data.test_images > 190).all()
    assert (data.train_images < 20).all()
