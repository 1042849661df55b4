"""The contract of every store, in a local folder or at a URL: one writer reads what another one has written."""

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import ModelError, RecognizerError, SamplesError
from recognizer.registry.card import CARD
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import SyncedModels, open_models
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import SyncedSamples, open_samples
from recognizer.system.synced_folder import local_folder
from recognizer.values import Box, Frame, Region
from tests.contracts.implementations import classes_with, is_one_line

PLACES = ("a folder", "a file:// URL", "a memory:// URL")
WRITES = 4  # of each of two concurrent writers


@pytest.fixture(params=PLACES)
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The folders of two writers: the same folder, or two folders that are synced with one URL."""
    if request.param == "a folder":
        return tmp_path / "here", tmp_path / "here"
    pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")
    url = (tmp_path / "far").as_uri() if "file" in request.param else f"memory://{uuid.uuid4().hex}"
    return local_folder(url, tmp_path / "one"), local_folder(url, tmp_path / "two")


@dataclass
class SampleWriter:
    """One of two writers of the same samples."""

    store: Samples

    def pull(self) -> list[Sample]:
        """The current samples, including the other writer's latest changes."""
        if isinstance(self.store, SyncedSamples):
            self.store.pull()
        return self.store.read()

    def record(self, label: str, shade: int = 90) -> Sample:
        frame = Frame(np.full((60, 80, 3), shade, np.uint8), 0, 0.0, "drawn")
        region = Region(Box(10, 10, 40, 40), frame.image_bgr[10:40, 10:40])
        return self.store.add("things", label, region, frame, "first", "test")


@pytest.fixture
def samples(folders: tuple[Path, Path]) -> tuple[SampleWriter, SampleWriter]:
    """Two writers with the task "things", whose labels are cup and pen."""
    one = SampleWriter(open_samples(folders[0]))
    one.store.create_task("things", "box", ["cup", "pen"])
    two = SampleWriter(open_samples(folders[1]))
    two.pull()
    return one, two


@dataclass
class ModelWriter:
    """One of two writers of the same models."""

    store: ModelStore

    def pull(self) -> None:
        """Fetch the other writer's latest changes."""
        if isinstance(self.store, SyncedModels):
            self.store.pull()

    def publish(self, content: bytes, task: str = "things") -> str:
        with self.store.publishing(task) as draft:
            (draft / CARD).write_text(json.dumps({"labels": ["cup"], "kind": "box"}))
            (draft / "part").mkdir()
            (draft / "part" / "weights").write_bytes(content)
        return self.store.current(task).name

    def content(self, task: str = "things") -> bytes:
        return (self.store.current(task) / "part" / "weights").read_bytes()


@pytest.fixture
def models(folders: tuple[Path, Path]) -> tuple[ModelWriter, ModelWriter]:
    return ModelWriter(open_models(folders[0])), ModelWriter(open_models(folders[1]))


def concurrently(*writers: Callable[[], object]) -> None:
    """Run the functions at the same time, each in a thread."""
    threads = [threading.Thread(target=writer) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_every_store_is_listed() -> None:
    sample_stores = {cls.__name__ for cls in classes_with("create_task", "add", "read", "delete")}
    model_stores = {cls.__name__ for cls in classes_with("publishing", "current", "versions", "delete")}
    assert sample_stores == {"Samples", "SyncedSamples"}
    assert model_stores == {"ModelStore", "SyncedModels"}


def test_both_writers_read_a_sample(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, two = samples
    written = one.record("cup", shade=120)
    for reader in (one, two):
        (found,) = reader.pull()
        assert (found.id, found.label, found.task, found.session) == (written.id, "cup", "things", "first")
        assert found.box == Box(10, 10, 40, 40)
        assert np.array_equal(reader.store.picture(found), np.full((30, 30, 3), 120, np.uint8))
        assert reader.store.task("things") == one.store.task("things")


def test_samples_are_listed_in_the_order_of_recording(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, two = samples
    taken = [one.record(label).id for label in ("cup", "pen", "cup")]
    assert [sample.id for sample in one.pull()] == taken
    assert sorted(sample.id for sample in two.pull()) == sorted(taken)
    assert two.store.counts("things") == {"cup": 2, "pen": 1}
    assert [task.name for task in two.store.tasks()] == ["things"]
    assert list(two.store.table("things")["label"]) == [sample.label for sample in two.pull()]


def test_a_sample_deleted_by_one_writer_is_deleted_for_the_other(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, two = samples
    remaining, deleted = one.record("cup"), one.record("pen")
    two.pull()
    assert two.store.delete([deleted]) == 1
    assert two.store.delete([deleted]) == 0
    for writer in samples:
        assert [sample.id for sample in writer.pull()] == [remaining.id]
    assert not (one.store.folder / deleted.path).exists()


def test_a_task_deleted_by_one_writer_is_deleted_for_the_other(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, two = samples
    one.record("cup")
    two.pull()
    assert two.store.delete_task("things") == 1
    for writer in samples:
        assert writer.pull() == []
        assert writer.store.tasks() == []


def test_labels_changed_by_one_writer_are_changed_for_the_other(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, two = samples
    sample = one.record("cup")
    two.pull()
    assert two.store.relabel([sample], "pen") == 1
    two.store.add_labels("things", ["key"])
    for writer in samples:
        assert [found.label for found in writer.pull()] == ["pen"]
        assert set(writer.store.task("things").labels) == {"cup", "pen", "key"}


def test_two_concurrent_recorders_lose_no_sample(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, two = samples
    concurrently(
        lambda: [one.record("cup") for _ in range(WRITES)],
        lambda: [two.record("pen") for _ in range(WRITES)],
    )
    for writer in samples:
        assert sorted(sample.label for sample in writer.pull()) == ["cup"] * WRITES + ["pen"] * WRITES
        assert all(writer.store.picture(sample).shape == (30, 30, 3) for sample in writer.store.read())


def test_missing_samples_give_a_one_line_error(samples: tuple[SampleWriter, SampleWriter]) -> None:
    one, _ = samples
    sample = one.record("cup")
    one.store.delete([sample])
    for action in (
        lambda: one.store.task("nobody"),
        lambda: one.record("mug"),
        lambda: one.store.picture(sample),
        lambda: one.store.create_task("things", "box", ["cup"]),
        lambda: one.store.create_task("more", "ear", ["cup"]),
        lambda: one.store.delete_label("things", "mug"),
    ):
        with pytest.raises(SamplesError) as error:
            action()
        assert is_one_line(error.value)


def test_both_writers_read_a_model(models: tuple[ModelWriter, ModelWriter]) -> None:
    one, two = models
    version = one.publish(b"first")
    for reader in models:
        reader.pull()
        assert reader.content() == b"first"
        assert reader.store.current("things").name == version
        assert reader.store.tasks() == ["things"]
        assert reader.store.versions("things") == [version]
        assert reader.store.has("things")
        assert not reader.store.has("others")
    assert two.store.newest_version("things", "box") == two.store.current("things")


def test_a_version_is_not_published_if_writing_it_fails(models: tuple[ModelWriter, ModelWriter]) -> None:
    one, two = models
    one.publish(b"first")
    with pytest.raises(RuntimeError, match="stopped"), one.store.publishing("things") as draft:
        (draft / CARD).write_text("{}")
        raise RuntimeError("stopped")
    for reader in models:
        reader.pull()
        assert reader.content() == b"first"
        assert len(reader.store.versions("things")) == 1
    assert not [path.name for path in (two.store.folder / "things").iterdir() if path.name.startswith(".draft")]


def test_a_rollback_by_one_writer_applies_to_both(models: tuple[ModelWriter, ModelWriter]) -> None:
    one, two = models
    first, second = one.publish(b"first"), one.publish(b"second")
    two.pull()
    assert two.content() == b"second"
    assert two.store.rollback("things") == first
    one.pull()
    assert one.content() == b"first"
    one.store.set_current("things", second)
    two.pull()
    assert two.content() == b"second"


def test_a_version_deleted_by_one_writer_is_deleted_for_the_other(models: tuple[ModelWriter, ModelWriter]) -> None:
    one, two = models
    first, second = one.publish(b"first"), one.publish(b"second")
    two.pull()
    two.store.delete("things", first)
    for reader in models:
        reader.pull()
        assert reader.store.versions("things") == [second]
        assert reader.content() == b"second"


def test_two_concurrent_publishers_lose_no_version(models: tuple[ModelWriter, ModelWriter]) -> None:
    one, two = models
    concurrently(
        lambda: [one.publish(b"one") for _ in range(WRITES)],
        lambda: [two.publish(b"two") for _ in range(WRITES)],
    )
    for reader in models:
        reader.pull()
    assert one.store.versions("things") == two.store.versions("things")
    assert len(one.store.versions("things")) == 2 * WRITES
    assert one.content() == two.content()
    assert one.content() in (b"one", b"two")


def test_missing_models_give_a_one_line_error(models: tuple[ModelWriter, ModelWriter]) -> None:
    one, _ = models
    version = one.publish(b"first")
    for action in (
        lambda: one.store.current("nobody"),
        lambda: one.store.versions("nobody"),
        lambda: one.store.version_folder("things", "20000101-000000"),
        lambda: one.store.delete("things", version),
        lambda: one.store.rollback("things"),
    ):
        with pytest.raises(ModelError) as error:
            action()
        assert is_one_line(error.value)
    with pytest.raises(ModelError) as error, one.store.publishing("things"):
        pass
    assert is_one_line(error.value)


def test_a_folder_that_cannot_be_written_gives_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(RecognizerError) as error:
        Samples(tmp_path / "taken").create_task("things", "box", ["cup"])
    assert is_one_line(error.value)
    with pytest.raises(RecognizerError) as error, ModelStore(tmp_path / "taken").publishing("things"):
        pass
    assert is_one_line(error.value)
