"""Nobody who can write to a URL of models, or to current.json, writes or reads outside the models' folder."""

import json
import uuid
from pathlib import Path

import pytest

from recognizer.errors import ModelError
from recognizer.registry.store import CURRENT
from recognizer.registry.synced import SyncedModels, open_models
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import STATE, local_folder
from tests.helpers.hostile_keys import HOSTILE_KEYS, LINE, files_below

fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")


@pytest.fixture
def far() -> tuple[str, dict[str, bytes]]:
    """A URL of the memory file system with one version, and its objects by key: as in S3, any key is possible."""
    store = fsspec.filesystem("memory")
    name = uuid.uuid4().hex
    store.pipe({f"/{name}/digits/v1/card.json": LINE, f"/{name}/digits/current.json": b'{"version": "v1"}'})
    return f"memory://{name}", store.store


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_a_hostile_key_at_a_url_writes_nothing_outside_its_version(
    far: tuple[str, dict[str, bytes]], key: str, tmp_path: Path
) -> None:
    url, objects = far
    root = f"/{url.partition('://')[2]}"
    objects[f"{root}/{key}"] = objects[f"{root}/digits/v1/card.json"]
    folder = local_folder(url, tmp_path / "a" / "b" / "here")
    models = open_models(folder)
    try:
        assert models.tasks() == ["digits"]
        assert models.current("digits").name == "v1"
    finally:
        del objects[f"{root}/{key}"]
    here = folder.relative_to(tmp_path).as_posix()
    assert files_below(tmp_path) == {f"{here}/digits/v1/card.json", f"{here}/digits/current.json"}


@pytest.mark.parametrize(
    "pointer",
    [
        b'{"version": "../../victim"}',
        b'{"version": "/tmp"}',
        b'{"version": "current.json"}',
        b'{"version": null}',
        b"[" * 100000,
        b"\xff",
        b"",
        b'"v1"',
    ],
)
def test_a_damaged_or_hostile_current_json_at_a_url_is_passed_over(
    far: tuple[str, dict[str, bytes]], pointer: bytes, tmp_path: Path
) -> None:
    url, _ = far
    models = open_models(local_folder(url, tmp_path))
    assert models.current("digits").name == "v1"
    Remote(url).put("digits/current.json", pointer)
    assert isinstance(models, SyncedModels)
    models.pull()
    assert models.current("digits").name == "v1"


@pytest.mark.parametrize("version", ["../../victim", "/etc", "..", ".", "", "a/b", "a\\b", "current.json"])
def test_current_json_names_a_folder_beside_it_or_nothing(tmp_path: Path, version: str) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "card.json").write_bytes(LINE)
    task = tmp_path / "models" / "digits"
    (task / "20200101-000000").mkdir(parents=True)
    (task / CURRENT).write_text(json.dumps({"version": version}))
    with pytest.raises(ModelError, match="names no version"):
        open_models(tmp_path / "models").current("digits")


def test_what_is_no_version_in_previous_is_passed_over(tmp_path: Path) -> None:
    task = tmp_path / "digits"
    for name in ("one", "two"):
        (task / name).mkdir(parents=True)
        (task / name / "card.json").write_bytes(LINE)
    previous = ["one", None, 3, [], "../../victim", {"a": 1}]
    (task / CURRENT).write_text(json.dumps({"version": "two", "previous": previous}))
    assert open_models(tmp_path).rollback("digits") == "one"


@pytest.mark.parametrize("task", ["assets", "Backbones", "..", "a/b", "nul", "", "-x"])
def test_no_model_is_published_under_the_name_of_a_program_folder(tmp_path: Path, task: str) -> None:
    models = open_models(tmp_path)
    with pytest.raises(ModelError, match="cannot be the name of a task"), models.publishing(task):
        pytest.fail("nothing may be written there")
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_vanished_here_is_not_deleted_at_the_url(
    far: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    url, _ = far
    models = open_models(local_folder(url, tmp_path))
    folder = models.current("digits")
    (folder / "card.json").unlink()
    folder.rename(folder.with_name(".gone"))
    models.push()
    assert "digits/v1/card.json" in Remote(url).names("")
    assert isinstance(models, SyncedModels)
    models.pull()
    assert (folder / "card.json").read_bytes() == LINE


def test_a_version_in_use_is_not_deleted_because_it_is_missing_at_the_url(
    far: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    url, _ = far
    models = open_models(local_folder(url, tmp_path))
    assert isinstance(models, SyncedModels)
    folder = models.current("digits")
    Remote(url).put("letters/v1/card.json", LINE)  # the URL is not empty
    Remote(url).remove("digits/v1/card.json")
    models.pull()
    assert (folder / "card.json").read_bytes() == LINE
    models.push()
    assert "digits/v1/card.json" in Remote(url).names("")


def test_a_damaged_version_at_a_url_is_not_downloaded(
    far: tuple[str, dict[str, bytes]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url, _ = far
    there = Remote(url)
    there.put("digits/v2/model.tflite", b"half")
    there.put("digits/v2/card.json", json.dumps({"labels": ["a"], "files": {"model.tflite": "0" * 64}}).encode())
    there.put("digits/current.json", b'{"version": "v2", "previous": ["v1"]}')
    there.put("notes.txt", b"of a person")
    there.put("digits/v1/.DS_Store", b"of a Mac")
    models = open_models(local_folder(url, tmp_path))
    assert models.current("digits").name == "v1"
    assert models.versions("digits") == ["v1"]
    assert "v2 is damaged and is ignored" in caplog.text
    assert not (models.folder / "notes.txt").exists()


def test_the_local_copy_of_a_url_keeps_its_password_private(tmp_path: Path) -> None:
    folder = local_folder("ftp://anna:hunter2@127.0.0.1:1/models", tmp_path)
    assert "hunter2" not in str(folder)
    assert (folder / STATE).stat().st_mode & 0o077 == 0
    state = (folder / STATE).read_text()
    former = tmp_path / "former" / f"ftp-anna-hunter2-127-0-0-1-1-models-{folder.name.rpartition('-')[2]}"
    former.mkdir(parents=True)
    (former / STATE).write_text(state)
    (former / "kept").touch()
    renamed = local_folder("ftp://anna:hunter2@127.0.0.1:1/models", tmp_path / "former")
    assert (renamed / "kept").exists()
    assert not former.exists()
