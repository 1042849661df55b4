"""Folders of labelled pictures as people have them: which are labels, which are series, and what is left out."""

import os
import unicodedata
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from recognizer.errors import SamplesError
from recognizer.samples.store import Samples
from recognizer.sources import kinds
from recognizer.teaching.import_pictures import folder_labels, import_folder, import_pictures
from recognizer.teaching.label_folders import read_label_folders

HEIC = b"\0\0\0\x18ftypheic" + bytes(40)
VIDEO = b"\0\0\0\x14ftypisom\0\0\0\0mp42"


@pytest.fixture(autouse=True)
def no_heic(monkeypatch):
    monkeypatch.setattr(kinds, "reads_heic", lambda: False)


def write(folder: Path, *names: str) -> Path:
    """Write pictures, or other content by suffix."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.imencode(".png", np.full((8, 8, 3), index % 256, np.uint8))[1].tobytes()
        path.write_bytes({".HEIC": HEIC, ".mp4": VIDEO, ".txt": b"text"}.get(path.suffix, picture))
    return folder


def labels_of(folder: Path, known: tuple[str, ...] = ()) -> dict[str, int]:
    return dict(Counter(picture.label for picture in read_label_folders(folder, known).pictures))


def series_of(folder: Path, known: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    return {(picture.series, picture.label) for picture in read_label_folders(folder, known).pictures}


@pytest.mark.parametrize(
    "nobody_meant",
    [
        ".ipynb_checkpoints/0-checkpoint.png",
        "one/.ipynb_checkpoints/0-checkpoint.png",
        ".Trash-1000/files/x.png",
        ".thumbnails/normal/x.png",
        ".git/objects/x.png",
        "__MACOSX/one/._0.png",
        "@eaDir/0.png/x.png",
        "$RECYCLE.BIN/one/x.png",
        "one/._0.png",
        "one/.DS_Store",
        "one/Thumbs.db",
        "one/desktop.ini",
    ],
)
def test_hidden_and_system_folders_and_files_are_left_out_without_a_word(nobody_meant, tmp_path):
    write(tmp_path, "one/0.png", "seven/0.png", nobody_meant)
    assert labels_of(tmp_path) == {"one": 1, "seven": 1}
    assert read_label_folders(tmp_path).notes == ()


def test_a_folder_named_like_a_picture_is_a_folder(tmp_path):
    write(tmp_path, "one/0.png", "seven/x.png/0.png", "seven/1.png")
    assert labels_of(tmp_path) == {"one": 1, "seven": 2}


def test_every_file_that_is_not_taken_is_counted_by_kind(tmp_path):
    write(tmp_path, "one/0.png", "seven/0.png", *(f"thumb/{number}.HEIC" for number in range(6)))
    write(tmp_path, "nine/nine.mp4", "one/notes.txt", "one/more.txt", "one/film.mp4", "cover.png", "README.txt")
    video, root, texts, heic = sorted(read_label_folders(tmp_path).notes)
    assert video == "1 file of nine was left out: video"
    assert root == f"2 files of {tmp_path} were left out: TXT ×1, in no label's folder ×1"
    assert texts == "3 files of one were left out: TXT ×2, video ×1"
    assert heic.startswith(
        "6 files of thumb were left out: HEIC. To read HEIC run `python -m pip install -r requirements-"
    )


def test_pictures_are_told_by_their_bytes_not_their_suffix(tmp_path):
    write(tmp_path, "one/0.jfif", "one/1.jpe", "seven/noname", "seven/x.dat")
    assert labels_of(tmp_path) == {"one": 2, "seven": 2}


def test_only_heic_is_an_error_that_says_what_to_do(tmp_path):
    write(tmp_path, "one/0.HEIC", "seven/0.HEIC")
    with pytest.raises(
        SamplesError, match=r"contains no pictures .* 1 file of one was left out: HEIC. To read HEIC run"
    ):
        read_label_folders(tmp_path)


def test_a_label_in_nfc_and_nfd_is_one_label(tmp_path):
    for form in ("NFC", "NFD"):
        write(tmp_path, f"{unicodedata.normalize(form, 'é')}/{form}.png")
    write(tmp_path, " lead /0.png")
    assert labels_of(tmp_path) == {"é": 2, "lead": 1}


@pytest.mark.parametrize("label", ["zero\u200bwidth", "x" * 70])
def test_a_label_that_is_not_allowed_is_an_error(label, tmp_path):
    with pytest.raises(SamplesError, match="The label"):
        read_label_folders(write(tmp_path, f"{label}/0.png"))


@pytest.mark.parametrize("test_name", ["test", "Testing", "val", "valid", "VALIDATION"])
@pytest.mark.parametrize("train_name", ["train", "Training"])
def test_folders_named_for_training_and_testing_mean_what_they_say(train_name, test_name, tmp_path):
    write(tmp_path, f"{train_name}/one/0.png", f"{train_name}/seven/0.png", f"{test_name}/one/0.png")
    found = read_label_folders(tmp_path)
    assert {(picture.path.parent.parent.name, picture.for_testing) for picture in found.pictures} == {
        (train_name, False),
        (test_name, True),
    }
    assert labels_of(tmp_path) == {"one": 2, "seven": 1}
    assert found.notes == ()


def test_parts_may_be_above_below_and_between_the_other_folders(tmp_path):
    assert series_of(write(tmp_path / "a", "images/train/one/0.png", "images/test/seven/0.png")) == {
        ("images", "one"),
        ("images", "seven"),
    }
    below = write(tmp_path / "b", "one/train/0.png", "one/test/0.png", "seven/train/0.png")
    assert labels_of(below) == {"one": 2, "seven": 1}
    assert [picture.for_testing for picture in read_label_folders(below).pictures] == [True, False, False]
    persons = write(tmp_path / "c", "train/anna/7/0.png", "test/ben/7/0.png", "train/anna/1/0.png")
    assert series_of(persons) == {("anna", "7"), ("anna", "1"), ("ben", "7")}
    assert {picture.folders for picture in read_label_folders(persons).pictures} == {"train/anna", "test/ben"}


def test_a_label_may_be_called_train(tmp_path):
    write(tmp_path, "train/0.png", "bus/0.png", "car/0.png")
    assert labels_of(tmp_path) == {"train": 1, "bus": 1, "car": 1}
    assert not any(picture.for_testing for picture in read_label_folders(tmp_path).pictures)


def test_parts_without_labels_are_an_error(tmp_path):
    write(tmp_path, "train/cat.0.png", "test/1.png")
    with pytest.raises(SamplesError, match="has no folders named by label"):
        read_label_folders(tmp_path)


@pytest.mark.parametrize("labels", [("one", "seven"), ("1", "7"), ("A", "B"), ("rock", "nothing")])
@pytest.mark.parametrize(
    "people", [("anna", "ben"), ("person1", "person2"), ("s01", "s02"), ("2026-11-01", "20261102")]
)
def test_people_above_and_below_the_labels_are_told_apart(labels, people, tmp_path):
    expected = {(person, label) for person in people for label in labels}
    write(tmp_path / "inside", *(f"{label}/{person}/0.png" for label in labels for person in people))
    write(tmp_path / "above", *(f"{person}/{label}/0.png" for label in labels for person in people))
    for name in ("inside", "above"):
        assert series_of(tmp_path / name) == expected
        assert read_label_folders(tmp_path / name).notes == ()


def test_the_labels_of_the_task_tell_which_folders_are_labels(tmp_path):
    write(tmp_path, "ok/anna/0.png", "ok/ben/0.png", "stop/anna/0.png", "stop/ben/0.png")
    assert labels_of(tmp_path, ("ok", "stop")) == {"ok": 2, "stop": 2}
    assert labels_of(tmp_path, ("anna", "ben")) == {"anna": 2, "ben": 2}


def test_names_that_tell_nothing_are_read_as_series_above_labels_with_a_note(tmp_path):
    write(tmp_path, "ok/anna/0.png", "ok/ben/0.png", "stop/anna/0.png", "stop/ben/0.png")
    assert labels_of(tmp_path) == {"anna": 2, "ben": 2}
    (note,) = read_label_folders(tmp_path).notes
    assert "was read as series/label/picture, with the labels anna, ben. If the labels are ok, stop, rename" in note
    assert "to person-anna" in note
    for label in ("ok", "stop"):
        for person in ("anna", "ben"):
            (tmp_path / label / person).rename(tmp_path / label / f"person-{person}")
    assert labels_of(tmp_path) == {"ok": 2, "stop": 2}
    assert read_label_folders(tmp_path).notes == ()


def test_folders_inside_a_label_that_holds_pictures_are_series(tmp_path):
    write(tmp_path, "ok/0.png", "ok/anna/0.png", "stop/0.png", "cleo/ok/0.png")
    assert series_of(tmp_path) == {("", "ok"), ("anna", "ok"), ("", "stop"), ("cleo", "ok")}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    write(tmp_path, "one/0.png")
    os.mkfifo(tmp_path / "one" / "pipe.png")
    assert labels_of(tmp_path) == {"one": 1}
    assert read_label_folders(tmp_path).notes == ("1 file of one was left out: no regular file",)


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_linked_folders_are_followed_once(tmp_path):
    write(tmp_path / "data", "one/0.png")
    write(tmp_path / "elsewhere", "0.png")
    (tmp_path / "data" / "seven").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "one" / "loop").symlink_to(tmp_path / "data")
    assert labels_of(tmp_path / "data") == {"one": 1, "seven": 1}
    (tmp_path / "data" / "another").symlink_to(tmp_path / "data" / "one")
    assert labels_of(tmp_path / "data") == {"another": 1, "one": 1, "seven": 1}


def test_import_takes_people_below_labels_as_sessions(tmp_path, capsys):
    folder = write(tmp_path / "in", "one/anna/0.png", "one/ben/1.png", "seven/anna/2.png", "seven/anna/3.HEIC")
    store = Samples(tmp_path / "captures")
    import_pictures(store, "numbers", folder, "box")
    assert {(sample.session, sample.label) for sample in store.read()} == {
        ("anna", "one"),
        ("ben", "one"),
        ("anna", "seven"),
    }
    assert "1 file of seven/anna was left out: HEIC" in capsys.readouterr().err
    assert import_folder(store, folder, "numbers").duplicates == 3
    assert folder_labels(folder) == ["one", "seven"]


def test_a_long_path_of_folders_is_a_session(tmp_path):
    nested = "asl_alphabet_train/asl_alphabet_train_with_a_long_name"
    folder = write(tmp_path / "data", *(f"{nested}/{label}/{number}.png" for label in "AB" for number in range(3)))
    store = Samples(tmp_path / "captures")
    import_pictures(store, "signs", folder, "box")
    sessions = {sample.session for sample in store.read("signs")}
    assert len(sessions) == 1
    assert store.counts("signs") == {"A": 3, "B": 3}


def test_an_empty_folder_is_named(tmp_path):
    write(tmp_path, "one/0.png", "seven/0.png")
    (tmp_path / "nine").mkdir()
    (tmp_path / "ten").mkdir()
    (tmp_path / "ten" / ".DS_Store").touch()
    assert sorted(read_label_folders(tmp_path).notes) == [f"{tmp_path / name} is empty." for name in ("nine", "ten")]


@pytest.mark.parametrize("label", ["x" * 61, "zero\u200bwidth"])
def test_the_folder_of_a_label_that_is_not_allowed_is_named(label, tmp_path):
    write(tmp_path, "one/0.png", f"{label}/0.png")
    with pytest.raises(SamplesError, match=f"^The folder {tmp_path / label} cannot be a label. The label "):
        read_label_folders(tmp_path)


@pytest.mark.parametrize(
    ("train", "test"),
    [("training_set", "test_set"), ("seg_train/seg_train", "seg_test/seg_test"), ("Train-Images", "Test-Images")],
)
def test_names_with_a_word_for_training_and_testing_mean_what_they_say(train, test, tmp_path):
    write(tmp_path, f"{train}/cat/0.png", f"{train}/dog/0.png", f"{test}/cat/1.png", f"{test}/dog/1.png")
    found = read_label_folders(tmp_path).pictures
    assert {picture.label for picture in found} == {"cat", "dog"}
    assert {(picture.path.name, picture.for_testing, picture.series) for picture in found} == {
        ("0.png", False, ""),
        ("1.png", True, ""),
    }


def test_a_label_may_have_a_word_for_training_or_testing(tmp_path):
    write(tmp_path / "flat", "bullet train/0.png", "test tube/0.png", "car/0.png")
    assert labels_of(tmp_path / "flat") == {"bullet train": 1, "test tube": 1, "car": 1}
    write(tmp_path / "series", *(f"{label}/person-{n}/0.png" for label in ("bullet train", "car") for n in (1, 2)))
    assert labels_of(tmp_path / "series") == {"bullet train": 2, "car": 2}


def test_importing_a_moving_picture_says_how_to_import_all_of_it(tmp_path, capsys):
    write(tmp_path / "set", "one/0.png", "seven/0.png")
    frames = [Image.fromarray(np.full((8, 8, 3), shade, np.uint8)) for shade in (10, 120, 240)]
    frames[0].save(tmp_path / "set" / "one" / "1.gif", save_all=True, append_images=frames[1:], duration=100)
    store = Samples(tmp_path / "captures")
    store.create_task("signs", "box", ["one", "seven"])
    assert len(import_folder(store, tmp_path / "set", "signs").added) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Only the first of 3 pictures in {tmp_path / 'set' / 'one' / '1.gif'} was imported.")
    assert line.endswith(f"samples record signs --label one --every 1 --source {tmp_path / 'set' / 'one' / '1.gif'}")
