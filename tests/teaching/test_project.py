"""A task's samples and model in one file."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recognizer.cli import main
from recognizer.errors import ModelError, RecognizerError, SamplesError, SamplesStorageError
from recognizer.registry.card import CARD
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.system import files
from recognizer.teaching import project
from recognizer.values import Box, Frame, Region

CARD_BYTES = json.dumps({"labels": ["ok", "stop"], "region": "box", "metrics": {"held_out_after": 0.9}}).encode()


class Machine:
    """The two stores of one machine."""

    def __init__(self, folder: Path) -> None:
        self.models, self.samples = ModelStore(folder / "models"), Samples(folder / "captures")

    def record(self, label: str, seed: int) -> None:
        picture = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
        self.samples.add("signs", label, Region(Box(0, 0, 8, 8), picture), Frame(picture, 0, 0.0, "x"), "first", "x")

    def publish(self, network: bytes = b"network") -> None:
        with self.models.publishing("signs") as draft:
            (draft / CARD).write_bytes(CARD_BYTES)
            (draft / "model.tflite").write_bytes(network)

    @property
    def is_empty(self) -> bool:
        return not self.samples.tasks() and not self.models.tasks()

    def load(self, path: Path) -> project.LoadedProject:
        return project.load(path, self.models, self.samples)

    def save(self, path: Path, task: str = "signs") -> list[str]:
        return project.save(task, self.models, self.samples, path)


@pytest.fixture
def there(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "there")
    machine.samples.create_task("signs", "box", ["ok", "stop"])
    machine.record("ok", 0)
    machine.record("stop", 1)
    machine.publish()
    return machine


@pytest.fixture
def saved(there: Machine, tmp_path: Path) -> Path:
    assert there.save(tmp_path / "signs.zip") == []
    return tmp_path / "signs.zip"


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "here")


def changed(saved: Path, **parts: bytes | None) -> Path:
    """The project with other content of project.json, samples.zip or model.zip; None leaves one out."""
    path = saved.with_name("changed.zip")
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = parts.get(name.partition(".")[0], source.read(name))
            if content is not None:
                target.writestr(name, content)
    return path


def with_another_network(model_zip: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model_zip)) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"netwerk" if name.endswith(".tflite") else source.read(name))
    return made.getvalue()


def test_a_project_brings_samples_and_model_to_another_machine(saved: Path, there: Machine, here: Machine) -> None:
    loaded = here.load(saved)
    assert (loaded.task, len(loaded.samples.added), loaded.is_new_model, loaded.accuracy) == ("signs", 2, True, 0.9)
    assert here.samples.task("signs").labels == ("ok", "stop")
    for sample, other in zip(here.samples.read(), there.samples.read(), strict=True):
        np.testing.assert_array_equal(here.samples.picture(sample), there.samples.picture(other))
    assert (here.models.current("signs") / "model.tflite").read_bytes() == b"network"
    assert loaded.model == here.models.current("signs").name


def test_what_is_there_already_is_not_loaded_twice(saved: Path, here: Machine) -> None:
    here.load(saved)
    again = here.load(saved)
    assert (again.samples.added, again.samples.duplicates, again.is_new_model) == ([], 2, False)
    assert len(here.models.versions("signs")) == 1
    here.publish(b"a better network")
    assert here.load(saved).is_new_model
    assert here.models.rollback("signs")


def test_a_task_may_have_only_samples_or_only_a_model(tmp_path: Path, here: Machine) -> None:
    other = Machine(tmp_path / "other")
    with pytest.raises(SamplesError, match="signs has no samples and no model to save"):
        other.save(tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    other.publish()
    other.save(tmp_path / "a.zip")
    assert here.load(tmp_path / "a.zip").samples.added == []
    assert here.models.tasks() == ["signs"]
    assert here.samples.tasks() == []
    third = Machine(tmp_path / "third")
    third.samples.create_task("signs", "box", ["ok"])
    third.save(tmp_path / "b.zip")
    assert Machine(tmp_path / "fourth").load(tmp_path / "b.zip").model is None


def test_nothing_is_stored_if_the_model_is_damaged(saved: Path, here: Machine) -> None:
    with zipfile.ZipFile(saved) as archive:
        model = archive.read(project.MODEL)
    with pytest.raises(ModelError, match=r"changed.zip: model.zip is not a readable zip file"):
        here.load(changed(saved, model=model[:-30]))
    with pytest.raises(ModelError, match=r"model.tflite is damaged: its SHA-256"):
        here.load(changed(saved, model=with_another_network(model)))
    assert here.is_empty


def test_the_model_is_not_used_if_the_samples_do_not_fit(saved: Path, here: Machine) -> None:
    here.samples.create_task("signs", "hand", ["ok"])
    with pytest.raises(SamplesError, match="has the subject hand here and box in"):
        here.load(saved)
    assert here.models.tasks() == []
    assert here.samples.read() == []


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (None, "is not a project. Give a file that was saved on the page"),
        (b"[]", "has a damaged project.json"),
        (b"{", "has a damaged project.json"),
        (b'{"task": "../x"}', "cannot be the name of a task"),
        (b'{"task": "assets"}', "is the program's own"),
        (b'{"task": "others"}', "holds no task others"),
    ],
)
def test_a_project_needs_its_card(saved: Path, here: Machine, card: bytes | None, expected: str) -> None:
    with pytest.raises(SamplesError, match=expected):
        here.load(changed(saved, project=card))
    assert here.is_empty


def test_a_file_that_is_no_project_is_one_line(saved: Path, here: Machine, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    for content, expected in ((whole[:200], "is not a readable project"), (whole[:-30], "is not a project")):
        saved.write_bytes(content)
        with pytest.raises(SamplesError, match=f"signs.zip {expected}"):
            here.load(saved)
    with pytest.raises(SamplesStorageError, match=r"none.zip cannot be loaded: No such file"):
        here.load(tmp_path / "none.zip")
    with pytest.raises(SamplesStorageError, match=r"Cannot write .*signs.zip: File exists"):
        here.save(saved / "signs.zip")


def test_a_project_without_parts_is_none(saved: Path, here: Machine) -> None:
    with pytest.raises(SamplesError, match="is not a project"):
        here.load(changed(saved, samples=None, model=None))


def test_a_project_that_unpacks_to_too_much_is_refused(
    saved: Path, here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "UNPACKED_LIMIT", 1 << 20)
    with pytest.raises(SamplesError, match="unpacks to more than 0 GiB, the limit"):
        here.load(changed(saved, samples=bytes(2 << 20)))
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("project.json", '{"task": "signs"}')
        archive.writestr(project.SAMPLES, bytes(2 << 20))
    with pytest.raises(SamplesError, match="compressed in a way that is not used here"):
        here.load(saved)
    assert here.is_empty


def test_a_project_that_cannot_be_written_leaves_the_old_file(
    saved: Path, there: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(RecognizerError, match="No space left on device"):
        there.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir() if path.name.startswith(".")] == []


def test_the_commands_save_and_load(
    there: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stores = ["--models", str(there.models.folder), "--samples", str(there.samples.folder)]
    assert main(["tasks", "export", "signs", str(tmp_path / "a.zip"), *stores]) == 0
    stores = ["--models", str(tmp_path / "m"), "--samples", str(tmp_path / "s")]
    assert main(["tasks", "import", str(tmp_path / "a.zip"), *stores]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"Wrote {tmp_path / 'a.zip'}", "Loaded signs: 2 samples"]
    assert lines[2].endswith(", validated where it was trained: 90.0%")
    (there.samples.folder / there.samples.read()[0].path).unlink()
    stores = ["--models", str(tmp_path / "none"), "--samples", str(there.samples.folder)]
    assert main(["tasks", "export", "signs", str(tmp_path / "b.zip"), *stores]) == 1
    assert "is missing and was not exported" in capsys.readouterr().err
    assert main(["tasks", "import", str(tmp_path / "b.zip"), "--samples", str(tmp_path / "s")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Loaded signs: 0 samples, 1 were there already",
        "  no model: train one with python -m recognizer learn signs",
    ]
