"""Renamed, merged and deleted labels and tasks: samples and models change together, and what is deleted comes back."""

import os
from pathlib import Path

import numpy as np
import pytest

from recognizer.classifiers.classifier import Classifier
from recognizer.classifiers.heads import HEAD, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.label_changes import KNOWLEDGE
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.errors import ModelError, RecognizerError, SamplesError
from recognizer.preprocess import pose
from recognizer.registry.card import ModelCard, Thresholds, read_card, write_card
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import SyncedModels, open_models
from recognizer.samples.store import Samples
from recognizer.system.synced_folder import local_folder
from recognizer.teaching import changes
from recognizer.teaching.changes import What
from recognizer.values import Box, Frame, Region

LABELS = ("fist", "palm", "wave")


def signal_of(label: str) -> np.ndarray:
    """A network input that the model of `publish` reads as the label."""
    return 10 * np.eye(pose.SIZE, dtype=np.float32)[LABELS.index(label)]


def publish(
    models: ModelStore, task: str = "signs", labels: tuple[str, ...] = LABELS, file: str = HEAD, shipped: bool = False
) -> str:
    """A version that reads which of the first numbers of its input is the largest."""
    count = len(labels)
    with models.publishing(task) as draft:
        card = ModelCard(
            task=task,
            labels=labels,
            subject="hand",
            kind="pose",
            features="input",
            preprocess=pose.VERSION,
            rejection=Thresholds(0.5, 6.0),
            user_training=None if shipped else {"from": None, "samples": dict.fromkeys(labels, 4)},
            metrics={"per_label": {label: {"after": 1, "of": 1} for label in labels}},
        )
        write_card(card, draft)
        if file == HEAD:
            Head(np.eye(pose.SIZE, count + 1, dtype=np.float32), np.zeros(count + 1, np.float32)).save(draft / HEAD)
        elif file == NEIGHBOURS:
            samples = 10 * np.eye(count, pose.SIZE, dtype=np.uint8)
            Neighbours(samples, np.arange(count), 1, "euclidean", count + 1).save(draft / NEIGHBOURS)
        else:
            (draft / file).write_bytes(b"a network")
        means = 10 * np.eye(count, pose.SIZE, dtype=np.float32)
        FeatureStatistics(means, np.eye(pose.SIZE, dtype=np.float32)).save(draft / FEATURES)
        np.savez(draft / KNOWLEDGE, means=np.zeros((count + 1, 3)), covariances=np.zeros((count + 1, 3, 3)))
    return models.current(task).name


def read(models: ModelStore, label: str) -> str | None:
    """What the current model says to what showed the label when it was trained."""
    return Classifier(models.current("signs"), pose.VERSION).predict_one(signal_of(label)).label


def record(samples: Samples, task: str, label: str) -> None:
    frame = Frame(np.full((60, 80, 3), 90, np.uint8), 0, 0.0, "drawn")
    region = Region(Box(10, 10, 40, 40), frame.image_bgr[10:40, 10:40])
    samples.add(task, label, region, frame, "first", "test")


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Two samples of each label of the task signs."""
    store = Samples(tmp_path / "captures")
    store.create_task("signs", "box", LABELS)
    for label in (*LABELS, *LABELS):
        record(store, "signs", label)
    return store


@pytest.mark.parametrize("file", [HEAD, NEIGHBOURS])
def test_a_renamed_label_is_shown_without_training(models: ModelStore, samples: Samples, file: str) -> None:
    publish(models, file=file)
    publish(models, file=file)
    done = changes.rename_label(models, samples, "signs", "fist", "rock")
    assert (done.samples, done.must_retrain) == (2, False)
    assert [read(models, label) for label in LABELS] == ["rock", "palm", "wave"]
    assert samples.counts("signs") == {"rock": 2, "palm": 2, "wave": 2}
    card = read_card(models.current("signs"))
    assert card.user_training == {"from": None, "samples": {"rock": 4, "palm": 4, "wave": 4}}
    models.rollback("signs")
    assert read(models, "fist") == "rock"  # the model from before has the new name, too
    assert done.model is not None
    assert models.undo_rewrite(done.model) is False  # the rollback has changed it since


def test_a_change_of_the_model_can_be_undone(models: ModelStore, samples: Samples) -> None:
    version = publish(models)
    done = changes.rename_label(models, samples, "signs", "fist", "rock")
    assert done.model is not None
    assert models.undo_rewrite(done.model)
    assert models.current("signs").name == version
    assert models.has_previous("signs") is False


def test_merged_labels_are_one_after_the_next_training(models: ModelStore, samples: Samples) -> None:
    publish(models)
    done = changes.rename_label(models, samples, "signs", "fist", "palm")
    assert (done.samples, done.must_retrain) == (2, True)
    assert samples.counts("signs") == {"palm": 4, "wave": 2}
    assert [read(models, label) for label in LABELS] == [None, "palm", "wave"]


@pytest.mark.parametrize("file", [HEAD, NEIGHBOURS])
def test_a_deleted_label_is_gone_from_samples_and_model(models: ModelStore, samples: Samples, file: str) -> None:
    publish(models, file=file)
    done = changes.delete_label(models, samples, "signs", "palm")
    assert (done.samples, samples.task("signs").labels) == (2, ("fist", "wave"))
    assert [read(models, label) for label in LABELS] == ["fist", None, "wave"]
    with np.load(models.current("signs") / KNOWLEDGE) as stored:
        assert stored["means"].shape == (3, 3)
    (found,) = changes.trash(models, samples)
    assert (found.name, found.kind, found.label, found.samples) == (done.entry, "label", "palm", 2)
    assert changes.restore(models, samples, done.entry) == found
    assert samples.counts("signs") == {"fist": 2, "palm": 2, "wave": 2}


def test_the_last_label_of_a_model_and_one_in_its_network_stay_until_it_is_trained(
    models: ModelStore, samples: Samples
) -> None:
    publish(models, labels=("fist",))
    assert changes.delete_label(models, samples, "signs", "fist").must_retrain
    assert read(models, "fist") == "fist"
    publish(models, file="model.tflite")
    with pytest.raises(ModelError, match="has palm built in. Train it without that label"):
        changes.delete_label(models, samples, "signs", "palm")
    assert samples.counts("signs") == {"palm": 2, "wave": 2}  # nothing was deleted


def test_a_renamed_task_keeps_its_samples_and_models(models: ModelStore, samples: Samples) -> None:
    version = publish(models)
    assert changes.rename_task(models, samples, "signs", "gestures") == "gestures"
    assert (models.tasks(), models.current("gestures").name) == (["gestures"], version)
    assert samples.counts("gestures") == {"fist": 2, "palm": 2, "wave": 2}
    publish(models, "others")
    for name, reason in (("Others", "others exists already"), ("a/b", "cannot be the name")):
        with pytest.raises(SamplesError, match=reason):
            changes.rename_task(models, samples, "gestures", name)
    with pytest.raises(SamplesError, match="There is no task signs"):
        changes.rename_task(models, samples, "signs", "more")


def test_a_task_whose_models_cannot_be_moved_keeps_its_name(
    models: ModelStore, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(models)

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(ModelError, match="cannot be written"):
        changes.rename_task(models, samples, "signs", "gestures")
    assert [task.name for task in samples.tasks()] == models.tasks() == ["signs"]


def test_a_task_whose_samples_cannot_be_deleted_keeps_its_models(
    models: ModelStore, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(models)

    def fail(*_: object, **__: object) -> int:
        raise SamplesError("The disk is full.")

    monkeypatch.setattr(samples, "delete_task", fail)
    with pytest.raises(SamplesError, match="The disk is full"):
        changes.delete_task(models, samples, "signs")
    assert (models.tasks(), read(models, "palm")) == (["signs"], "palm")


@pytest.mark.parametrize("what", What)
def test_a_deleted_task_comes_back(models: ModelStore, samples: Samples, what: What) -> None:
    version = publish(models)
    gone = changes.delete_task(models, samples, "signs", what)
    assert (gone.samples, gone.versions) == {What.ALL: (6, 1), What.SAMPLES: (6, 0), What.MODEL: (0, 1)}[what]
    assert models.tasks() == ([] if gone.versions else ["signs"])
    assert [task.name for task in samples.tasks()] == ([] if gone.samples else ["signs"])
    changes.restore(models, samples, gone.name)
    assert models.current("signs").name == version
    assert read(models, "palm") == "palm"
    assert samples.counts("signs") == {"fist": 2, "palm": 2, "wave": 2}
    assert changes.trash(models, samples) == []


def test_a_task_is_not_restored_over_another_one(models: ModelStore, samples: Samples) -> None:
    publish(models)
    gone = changes.delete_task(models, samples, "signs")
    publish(models)
    with pytest.raises(ModelError, match="There are models of signs again. Rename that task first"):
        changes.restore(models, samples, gone.name)
    changes.empty_trash(models, samples, [gone.name])
    assert changes.trash(models, samples) == []
    with pytest.raises(SamplesError, match="in the trash"):
        changes.restore(models, samples, gone.name)
    changes.delete_task(models, samples, "signs")
    changes.empty_trash(models, samples)
    assert changes.trash(models, samples) == []
    assert os.listdir(models.folder / ".trash") == []


def test_what_came_with_the_program_keeps_its_name_and_its_model(models: ModelStore, samples: Samples) -> None:
    publish(models, "rps", shipped=True)
    samples.create_task("rps", "hand", ["fist", "own"])
    record(samples, "rps", "own")
    for change in (
        lambda: changes.rename_task(models, samples, "rps", "stones"),
        lambda: changes.delete_task(models, samples, "rps"),
        lambda: changes.delete_task(models, samples, "rps", What.MODEL),
        lambda: changes.rename_label(models, samples, "rps", "fist", "rock"),
        lambda: changes.delete_label(models, samples, "rps", "fist"),
        lambda: changes.delete_label(models, samples, "rps", "nobody"),
        lambda: changes.rename_label(models, samples, "rps", "own", "nothing"),
        lambda: changes.delete_task(models, samples, "nobody"),
    ):
        with pytest.raises(RecognizerError) as error:
            change()
        assert "\n" not in str(error.value)
    assert changes.rename_label(models, samples, "rps", "own", "mine").samples == 1
    assert changes.delete_task(models, samples, "rps", What.SAMPLES).samples == 1
    with pytest.raises(SamplesError, match="has no samples"):
        changes.delete_task(models, samples, "rps", What.SAMPLES)
    assert models.tasks() == ["rps"]


def test_a_deleted_and_a_renamed_task_follow_on_other_machines(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")
    url = (tmp_path / "far").as_uri()
    one, two = (open_models(local_folder(url, tmp_path / name)) for name in ("one", "two"))
    assert isinstance(one, SyncedModels)
    assert isinstance(two, SyncedModels)
    version = publish(one)
    publish(one, "others")
    two.pull()
    one.delete_task("signs", "entry")
    two.pull()
    assert two.tasks() == ["others"]
    one.restore("entry")
    two.pull()
    assert (two.tasks(), two.current("signs").name) == (["others", "signs"], version)
    two.rename_task("signs", "gestures")
    one.pull()
    assert (one.tasks(), one.current("gestures").name) == (["gestures", "others"], version)
    assert not list((tmp_path / "far").glob("signs/**/*.json"))
