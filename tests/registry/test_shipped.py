"""A store with a second folder: models that came with an installed program, which is never written to."""

import json
from pathlib import Path

import pytest

from recognizer.commands import doctor
from recognizer.errors import ModelError
from recognizer.registry.card import CARD, ModelCard, write_card
from recognizer.registry.store import CURRENT, ModelStore
from recognizer.registry.synced import open_models
from recognizer.system import paths

SHIPPED = "20260101-000000"


def add_version(store: ModelStore, task: str = "letters", kind: str = "fused") -> str:
    with store.publishing(task) as draft:
        write_card(ModelCard(task=task, labels=("a", "b"), subject="hand", kind=kind), draft)
        (draft / "model.tflite").write_bytes(b"network")
    return store.current(task).name


def ship(folder: Path, version: str, *, kind: str = "fused", current: bool = True) -> None:
    """Put a version of letters into the folder of shipped models."""
    made = folder / "letters" / add_version(ModelStore(folder), kind=kind)
    made.rename(made.with_name(version))
    if current:
        (folder / "letters" / CURRENT).write_text(json.dumps({"version": version, "previous": []}))


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    ship(tmp_path / "shipped", "20251231-000000", kind="pixels")
    ship(tmp_path / "shipped", SHIPPED)
    return tmp_path / "shipped"


@pytest.fixture
def store(shipped: Path, tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "own", shipped)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_shipped_model_is_read_without_writing_anything(store: ModelStore, shipped: Path) -> None:
    assert store.tasks() == ["letters"]
    assert store.has("letters")
    assert store.current("letters") == store.version_folder("letters") == shipped / "letters" / SHIPPED
    assert store.versions("letters") == ["20251231-000000", SHIPPED]
    assert store.newest_version("letters", "pixels") == shipped / "letters" / "20251231-000000"
    assert store.newest_file("letters", "model.tflite") == shipped / "letters" / SHIPPED / "model.tflite"
    assert store.add_checksums("letters", SHIPPED) is False
    assert not store.folder.exists()


def test_a_trained_version_comes_after_the_shipped_one(store: ModelStore, shipped: Path) -> None:
    before = contents(shipped)
    trained = add_version(store)
    assert store.current("letters") == store.folder / "letters" / trained
    assert store.versions("letters") == ["20251231-000000", SHIPPED, trained]
    assert store.newest_version("letters", "pixels") == shipped / "letters" / "20251231-000000"
    add_version(store, "greetings")
    assert store.tasks() == ["greetings", "letters"]
    assert store.rollback("letters") == SHIPPED
    assert store.current("letters") == shipped / "letters" / SHIPPED
    with pytest.raises(ModelError, match="no earlier version"):
        store.rollback("letters")
    store.set_current("letters", trained)
    assert store.current("letters").name == trained
    assert contents(shipped) == before


def test_the_shipped_version_of_a_newer_program_is_there_to_go_back_to(store: ModelStore, shipped: Path) -> None:
    trained = add_version(store)
    (shipped / "letters" / SHIPPED).rename(shipped / "letters" / "20260202-000000")
    (shipped / "letters" / CURRENT).write_text('{"version": "20260202-000000", "previous": []}')
    assert store.current("letters").name == trained
    assert store.rollback("letters") == "20260202-000000"


def test_a_damaged_trained_version_is_replaced_by_the_shipped_one(store: ModelStore) -> None:
    trained = add_version(store)
    (store.folder / "letters" / trained / "model.tflite").write_bytes(b"other")
    assert store.current("letters").name == SHIPPED
    assert "the version after it is damaged" in store.damage("letters")


def test_a_shipped_version_cannot_be_deleted(store: ModelStore, shipped: Path) -> None:
    add_version(store)
    with pytest.raises(ModelError, match="came with the program and cannot be deleted") as refused:
        store.delete("letters", SHIPPED)
    assert "\n" not in str(refused.value)
    assert (shipped / "letters" / SHIPPED / CARD).is_file()


def test_an_installed_package_opens_its_models_beside_those_of_the_user(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only the folder of one of the versions is known, or the folder is given to another process."""
    monkeypatch.setattr(paths, "shipped_models", lambda: shipped)
    monkeypatch.setattr(paths, "default_models", lambda: tmp_path / "own")
    monkeypatch.delenv(paths.MODELS_VARIABLE, raising=False)
    for place in (paths.models(), str(tmp_path / "own"), shipped):
        store = open_models(place)
        assert store.folder == tmp_path / "own"
        assert store.current("letters").name == SHIPPED
    assert open_models(tmp_path / "elsewhere").tasks() == []


def test_doctor_says_where_models_are_kept_and_whether_they_can_be_written(
    store: ModelStore, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "shipped_models", lambda: shipped)
    monkeypatch.setenv(paths.CAPTURES_VARIABLE, str(tmp_path / "captures"))
    models, samples = doctor.check_folders(store)
    assert (models.ok, models.detail) == (
        True,
        f"{store.folder}, beside those that came with the program in {shipped}",
    )
    assert (samples.ok, samples.detail) == (True, str(tmp_path / "captures"))
    assert {check.name: check.ok for check in doctor.check_models(store)} == {
        "model letters": True,
        "model digits": False,
    }
    (tmp_path / "file").touch()
    monkeypatch.setenv(paths.CAPTURES_VARIABLE, str(tmp_path / "file" / "captures"))
    *_, samples = doctor.check_folders(store)
    assert samples.ok is None
    assert samples.remedy.endswith(f"set {paths.CAPTURES_VARIABLE} to another folder")
