"""What is deleted goes to the trash, comes back as it was, and is gone when the trash is emptied."""

import os
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import SamplesError
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import SyncedSamples, open_samples
from recognizer.samples.trash import new_entry_name
from recognizer.samples.verify import verify
from recognizer.system.synced_folder import local_folder
from recognizer.values import Box, Frame, Region


def record(store: Samples, label: str, task: str = "things", shade: int = 90) -> Sample:
    frame = Frame(np.full((60, 80, 3), shade, np.uint8), 0, 0.0, "drawn")
    return store.add(task, label, Region(Box(10, 10, 40, 40), frame.image_bgr[10:40, 10:40]), frame, "first", "test")


@pytest.fixture
def store(tmp_path: Path) -> Samples:
    """Three samples of cup and one of pen."""
    made = Samples(tmp_path / "captures")
    made.create_task("things", "box", ["cup", "key", "pen"])
    for label in ("cup", "cup", "pen", "cup"):
        record(made, label)
    return made


def test_deleted_samples_come_back_with_their_ids_and_pictures(store: Samples) -> None:
    first, second, *_ = store.read()
    entry = new_entry_name()
    assert store.delete([first, second], entry=entry) == 2
    (found,) = store.trash()
    assert (found.name, found.kind, found.task, found.labels, len(found.samples)) == (
        entry,
        "samples",
        "things",
        ("cup",),
        2,
    )
    assert [sample.id for sample in store.restore(entry)] == [first.id, second.id]
    assert store.picture(first).shape == (30, 30, 3)
    assert store.counts("things") == {"cup": 3, "key": 0, "pen": 1}
    assert (store.trash(), verify(store), os.listdir(store.unfinished)) == ([], [], [])


def test_a_deleted_label_comes_back_at_its_place(store: Samples) -> None:
    assert store.delete_label("things", "cup") == 3
    assert store.task("things").labels == ("key", "pen")
    store.delete_label("things", "key")  # without samples
    labels, empty = store.trash()
    assert (labels.kind, labels.label, len(labels.samples), len(empty.samples)) == ("label", "cup", 3, 0)
    store.restore(empty.name)
    assert len(store.restore(labels.name)) == 3
    assert store.task("things").labels == ("cup", "key", "pen")
    assert (store.trash(), verify(store)) == ([], [])


def test_a_deleted_task_comes_back_even_without_samples(store: Samples) -> None:
    task = store.create_task("empty", "hand", ["ok"])
    assert (store.delete_task("things"), store.delete_task("empty")) == (4, 0)
    assert (store.tasks(), [one.kind for one in store.trash()]) == ([], ["task", "task"])
    for entry in store.trash():
        store.restore(entry.name)
    assert store.task("empty") == task
    assert store.counts("things") == {"cup": 3, "key": 0, "pen": 1}
    assert verify(store) == []


def test_emptying_the_trash_deletes_for_good(store: Samples) -> None:
    first, second, *_ = store.read()
    store.delete([first])
    store.delete([second])
    chosen = store.trash()[0].name
    assert store.empty_trash([chosen]) == 1
    with pytest.raises(SamplesError, match=r"no '.*' in the trash. See: .* samples trash"):
        store.restore(chosen)
    with pytest.raises(SamplesError, match="in the trash"):
        store.empty_trash([chosen])
    (store.folder / ".trash" / "half").mkdir()  # a killed program left it
    assert store.empty_trash() == 1
    assert os.listdir(store.folder / ".trash") == []
    assert store.empty_trash() == 0


def test_what_was_deleted_follows_a_renamed_task_and_label(store: Samples) -> None:
    first, *_ = store.read()
    store.delete([first])
    store.rename_label("things", "cup", "mug")
    assert store.rename_task("things", "kitchen").labels == ("mug", "key", "pen")
    assert [task.name for task in store.tasks()] == ["kitchen"]
    (back,) = store.restore(store.trash()[0].name)
    assert (back.id, back.task, back.label) == (first.id, "kitchen", "mug")
    assert store.counts("kitchen") == {"mug": 3, "key": 0, "pen": 1}
    assert verify(store) == []


def test_a_sample_of_a_task_that_is_gone_comes_back_with_the_task(store: Samples) -> None:
    first, *_ = store.read()
    store.delete([first])
    store.delete_task("things")
    store.restore(store.trash()[0].name)
    assert store.counts("things") == {"cup": 1}


def test_an_undone_recording_is_not_in_the_trash(store: Samples) -> None:
    assert store.undo(store.read()[:1]) == 1
    assert store.trash() == []


def test_labels_get_another_order(store: Samples) -> None:
    assert store.reorder_labels("things", ["pen", "cup", "key"]).labels == ("pen", "cup", "key")
    assert store.task("things").labels == ("pen", "cup", "key")
    with pytest.raises(SamplesError, match="The labels of things are pen, cup, key. Give all of them, each once."):
        store.reorder_labels("things", ["pen", "cup"])


def test_a_task_cannot_get_the_name_of_another_one(store: Samples) -> None:
    store.create_task("others", "box", ["ok"])
    for name in ("others", "Others", "Things"):
        with pytest.raises(SamplesError, match="exists already. Choose a name that differs in more than its case"):
            store.rename_task("things", name)
    assert store.rename_task("things", "things").name == "things"


def test_a_restored_sample_is_there_for_all_who_share_the_samples(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")
    url = (tmp_path / "far").as_uri()
    one, two = (open_samples(local_folder(url, tmp_path / name)) for name in ("one", "two"))
    assert isinstance(one, SyncedSamples)
    assert isinstance(two, SyncedSamples)
    one.create_task("things", "box", ["cup", "pen"])
    sample = record(one, "cup")
    two.pull()
    one.delete_task("things")
    two.pull()
    assert (two.read(), two.tasks(), two.trash()) == ([], [], [])
    one.restore(one.trash()[0].name)
    two.pull()
    assert [found.id for found in two.read("things")] == [sample.id]
    assert two.picture(sample).shape == (30, 30, 3)
    two.rename_task("things", "kitchen")
    one.pull()
    assert [(task.name, task.labels) for task in one.tasks()] == [("kitchen", ("cup", "pen"))]
    assert [found.task for found in one.read()] == ["kitchen"]
