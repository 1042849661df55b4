"""Two machines sync samples and models with a URL of fsspec's in-memory file system."""

import json
import threading
import uuid

import numpy as np
import pytest

from recognizer.cli import main
from recognizer.errors import ModelError, SamplesError, SyncError
from recognizer.registry.synced import SyncedModels, default_models, open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import SyncedSamples, default_samples, open_samples
from recognizer.system import remote, synced_folder
from recognizer.system.synced_folder import local_folder
from recognizer.values import Box, Frame, Region
from tests.helpers.waiting import HANG_S

pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path):
    return f"memory://{uuid.uuid4().hex}" if request.param == "memory" else f"{(tmp_path / 'far').as_uri()}"


@pytest.fixture
def machines(url, tmp_path):
    """The local folders of two machines, both synced with the URL."""
    return local_folder(url, tmp_path / "one"), local_folder(url, tmp_path / "two")


def record(store, label, shade=200):
    frame = Frame(np.full((60, 80, 3), shade, np.uint8), 0, 0.0, "drawn")
    return store.add("signs", label, Region(Box(10, 10, 40, 40), frame.image_bgr[10:40, 10:40]), frame, "s1", "test")


def pulled_labels(store):
    """Pull. Return the label of each sample id."""
    store.pull()
    return {sample.id: sample.label for sample in store.read()}


def publish(models, number, task="signs"):
    with open_models(models).publishing(task) as draft:
        (draft / "card.json").write_text(json.dumps({"labels": ["a"], "number": number}))
        (draft / "part").mkdir()
        (draft / "part" / "weights").write_bytes(bytes(number))
    return open_models(models).current(task).name


def test_samples_sync_to_another_machine(machines):
    one, two = map(SyncedSamples, machines)
    one.create_task("signs", "box", ["ok", "stop"])
    recorded = [record(one, "ok", 50), record(one, "stop", 90)]
    assert pulled_labels(two) == {recorded[0].id: "ok", recorded[1].id: "stop"}
    assert (two.picture(two.read()[0]) == 50).all()
    assert two.task("signs") == one.task("signs")

    two.relabel([two.read()[0]], "stop")
    two.delete([two.read()[1]])
    record(two, "ok")
    assert pulled_labels(one) == pulled_labels(two)
    assert sorted(pulled_labels(one).values()) == ["ok", "stop"]
    one.rename_label("signs", "stop", "halt")
    assert set(pulled_labels(two).values()) == {"ok", "halt"}
    assert two.task("signs").labels == ("ok", "halt")
    one.delete_task("signs")
    assert pulled_labels(two) == {}
    assert two.tasks() == []


def test_a_new_machine_pulls_all_samples(machines, url, tmp_path):
    store = SyncedSamples(machines[0])
    store.create_task("signs", "box", ["ok"])
    sample = record(store, "ok")
    assert [one.id for one in SyncedSamples(local_folder(url, tmp_path / "three")).read("signs")] == [sample.id]


def test_concurrent_writers_lose_no_sample(machines):
    one, two = map(SyncedSamples, machines)
    one.create_task("signs", "box", ["ok", "stop", "halt"])
    pulled_labels(two)
    threads = [threading.Thread(target=lambda s=store: [record(s, "ok") for _ in range(6)]) for store in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pulled_labels(one) == pulled_labels(two)
    assert len(pulled_labels(one)) == 12

    one.relabel([one.read()[0]], "stop")  # neither machine has pulled the change of the other
    two.relabel([sample for sample in two.read() if sample.id == one.read()[0].id], "halt")
    one.add_labels("signs", ["left"])
    two.add_labels("signs", ["right"])
    for _ in range(2):
        labels = pulled_labels(one), pulled_labels(two)
    assert labels[0] == labels[1]
    assert set(labels[0].values()) in ({"ok", "stop"}, {"ok", "halt"})
    assert set(one.task("signs").labels) == set(two.task("signs").labels) == {"ok", "stop", "halt", "left", "right"}


def test_a_failed_push_is_repeated_later(machines, monkeypatch):
    one, two = map(SyncedSamples, machines)
    one.create_task("signs", "box", ["ok"])

    def refuse(far, name, data):
        raise SyncError("far cannot be used (no network). Check the address and the connection, and try again.")

    with monkeypatch.context() as offline:
        offline.setattr(remote.Remote, "put", refuse)
        with pytest.raises(SyncError, match="no network"):
            record(one, "ok")
    assert len(one.read()) == 1
    assert pulled_labels(two) == {}
    record(one, "ok")
    assert len(pulled_labels(two)) == 2


def test_an_incomplete_sample_at_the_url_is_ignored(machines, monkeypatch):
    one, two = map(SyncedSamples, machines)
    one.create_task("signs", "box", ["ok"])
    put = remote.Remote.put

    def stopped(far, name, data):
        if name.startswith("rows/"):
            raise KeyboardInterrupt
        put(far, name, data)

    with monkeypatch.context() as stopping:
        stopping.setattr(remote.Remote, "put", stopped)
        with pytest.raises(KeyboardInterrupt):
            record(one, "ok")
    assert pulled_labels(two) == {}


def test_a_published_model_syncs_to_another_machine(machines):
    one, two = machines
    first = publish(one, 1)
    SyncedModels(two).pull()
    assert open_models(two).current("signs").name == first
    assert (open_models(two).current("signs") / "part" / "weights").read_bytes() == b"\0"
    second = publish(two, 2)
    SyncedModels(one).pull()
    assert open_models(one).current("signs").name == second
    assert open_models(one).rollback("signs") == first
    open_models(one).delete("signs", second)
    SyncedModels(two).pull()
    assert open_models(two).current("signs").name == first
    assert open_models(two).versions("signs") == [first]


def test_concurrent_publishing_at_a_url_loses_no_version(machines):
    one, two = machines
    first = publish(one, 1)
    SyncedModels(two).pull()
    second = publish(one, 2)
    third = publish(two, 3)  # this machine has not pulled the second
    SyncedModels(one).pull()
    for models in machines:
        assert open_models(models).current("signs").name == third
        SyncedModels(models).pull()
        assert set(open_models(models).versions("signs")) == {first, second, third}
    assert open_models(two).rollback("signs") == second


def test_an_incomplete_model_at_the_url_is_ignored(machines, monkeypatch):
    one, two = machines
    first = publish(one, 1)
    put = remote.Remote.put

    def stopped(far, name, data):
        if name.endswith("card.json"):
            raise KeyboardInterrupt
        put(far, name, data)

    with monkeypatch.context() as stopping:
        stopping.setattr(remote.Remote, "put", stopped)
        with pytest.raises(KeyboardInterrupt):
            publish(one, 2)
    SyncedModels(two).pull()
    assert open_models(two).current("signs").name == first
    assert open_models(two).versions("signs") == [first]


def test_a_running_program_pulls_new_models(machines, monkeypatch):
    one, two = machines
    publish(one, 1)
    assert open_models(two).tasks() == ["signs"]  # the first read pulls
    second = publish(one, 2)
    monkeypatch.setattr(synced_folder, "PULL_S", 0.0)
    for _ in range(2):
        open_models(two).current("signs")  # starts a pull and does not wait for it
        synced_folder._pulling[two].join(HANG_S)
    assert open_models(two).current("signs").name == second


def test_settings_and_options_accept_a_url(url, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RECOGNIZER_SYNC", str(tmp_path / "here"))
    monkeypatch.setenv("RECOGNIZER_MODELS", url + "/models")
    monkeypatch.setenv("RECOGNIZER_CAPTURES", url + "/samples")
    assert synced_folder.is_synced(default_models().folder)
    assert default_samples().folder.parent == tmp_path / "here"
    default_samples().create_task("signs", "box", ["ok"])
    assert main(["samples", "list", "--samples", url + "/samples"]) == 0
    assert "signs" in capsys.readouterr().out


def test_an_emptied_url_deletes_no_local_files(machines):
    store = SyncedSamples(machines[0])
    store.create_task("signs", "box", ["ok"])
    far = remote.Remote(synced_folder.url_of(machines[0]))
    for name in [*far.names("tasks"), synced_folder.MARK]:
        far.remove(name)
    with pytest.raises(SyncError, match="is empty, but"):
        store.pull()
    assert [task.name for task in store.tasks()] == ["signs"]


def test_an_unusable_url_raises_a_one_line_error(tmp_path):
    with pytest.raises(SyncError, match="cannot be used") as error:
        SyncedSamples(local_folder("nosuch://bucket/samples", tmp_path)).tasks()
    assert "\n" not in str(error.value)


def test_a_url_is_not_contacted_before_the_first_read(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_SYNC", str(tmp_path))
    samples = open_samples("nosuch://bucket/samples")
    assert isinstance(samples, SyncedSamples)
    for read in (
        samples.tasks,
        samples.read,
        lambda: samples.task("signs"),
        lambda: samples.create_task("a", "box", "b"),
    ):
        with pytest.raises(SyncError, match="cannot be used"):
            read()


def test_a_plain_store_in_a_synced_folder_does_not_sync(machines):
    one, two = SyncedSamples(machines[0]), Samples(machines[1])
    one.create_task("signs", "box", ["ok"])
    two.create_task("mine", "box", ["ok"])
    assert [task.name for task in two.tasks()] == ["mine"]
    one.pull()
    assert [task.name for task in one.tasks()] == ["signs"]


def test_a_damaged_sync_state_raises_a_one_line_error(machines):
    (machines[0] / synced_folder.STATE).write_text("{")
    with pytest.raises(SyncError, match="is damaged"):
        SyncedModels(machines[0]).push()


def test_a_plain_folder_is_not_synced(tmp_path):
    assert local_folder(str(tmp_path / "models")) == tmp_path / "models"
    assert publish(tmp_path / "models", 1)[8] == "-"
    assert not synced_folder.is_synced(tmp_path / "models")
    with pytest.raises(ModelError):
        open_models(tmp_path / "models").current("digits")
    with pytest.raises(SamplesError):
        Samples(tmp_path).task("signs")
