import hashlib
import json
import threading
import time
import zipfile
from pathlib import Path

import pytest

from recognizer.errors import ModelError
from recognizer.registry import card as registry_card
from recognizer.registry import store
from recognizer.registry.store import title_of
from recognizer.registry.synced import default_models, open_models
from recognizer.system import files, paths


def publish(models: Path, task: str = "digits", note: str = "") -> Path:
    """Publish a version that contains only a card. Return its folder."""
    with open_models(models).publishing(task) as draft:
        (draft / registry_card.CARD).write_text(json.dumps({"labels": ["0", "1"], "note": note}))
    return open_models(models).current(task)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_published_version_is_current_and_complete(tmp_path: Path) -> None:
    with open_models(tmp_path).publishing("digits") as draft:
        (draft / "model.tflite").write_bytes(b"network")
        with pytest.raises(ModelError):
            open_models(tmp_path).current("digits")  # a version is invisible until it is complete
        (draft / registry_card.CARD).write_text('{"labels": []}')
    folder = open_models(tmp_path).current("digits")
    assert names_in(folder) == ["card.json", "model.tflite"]
    assert names_in(tmp_path / "digits") == sorted([folder.name, "current.json"])
    assert registry_card.read_card(folder) == registry_card.ModelCard(
        labels=(), files={"model.tflite": hashlib.sha256(b"network").hexdigest()}
    )


def test_versions_published_in_the_same_second_have_different_names(tmp_path: Path) -> None:
    folders = [publish(tmp_path, note=str(count)) for count in range(4)]
    assert len(set(folders)) == 4
    assert [registry_card.read_card(folder).unknown_fields["note"] for folder in folders] == ["0", "1", "2", "3"]
    assert open_models(tmp_path).current("digits") == folders[-1]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_a_version_that_fails_while_it_is_written_leaves_no_files(tmp_path: Path, error: BaseException) -> None:
    before = publish(tmp_path)
    before_names = names_in(tmp_path / "digits")
    with pytest.raises(type(error)):
        with open_models(tmp_path).publishing("digits") as draft:
            (draft / registry_card.CARD).write_text("{}")
            raise error
    assert names_in(tmp_path / "digits") == before_names
    assert open_models(tmp_path).current("digits") == before


def test_a_model_without_a_card_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no card.json, so it was not published"):
        with open_models(tmp_path).publishing("digits"):
            pass
    assert names_in(tmp_path / "digits") == []


def test_a_model_folder_that_cannot_be_created_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(ModelError, match="models/digits cannot be written.*--models"):
        with store.ModelStore(tmp_path / "models").publishing("digits"):
            pytest.fail("a file is in the place of the folder")


def test_a_current_json_that_cannot_be_replaced_stays_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(ModelError, match="disk full.*Free some space"):
        open_models(tmp_path).set_current("digits", "another")
    assert names_in(tmp_path / "digits") == sorted([first.name, "current.json"])
    assert open_models(tmp_path).current("digits") == first


def test_rollback_goes_back_version_by_version(tmp_path: Path) -> None:
    first, second, third = (publish(tmp_path) for _ in range(3))
    assert open_models(tmp_path).rollback("digits") == second.name
    assert open_models(tmp_path).current("digits") == second
    assert open_models(tmp_path).rollback("digits") == first.name
    with pytest.raises(ModelError, match="has no earlier version"):
        open_models(tmp_path).rollback("digits")
    assert open_models(tmp_path).current("digits") == first
    assert third.is_dir()


def test_rollback_skips_deleted_versions(tmp_path: Path) -> None:
    first, second, _ = (publish(tmp_path) for _ in range(3))
    (second / registry_card.CARD).unlink()
    second.rmdir()
    assert open_models(tmp_path).rollback("digits") == first.name


def test_tasks_are_those_with_a_current_model(tmp_path: Path) -> None:
    assert open_models(tmp_path / "nowhere").tasks() == []
    publish(tmp_path, "signs")
    publish(tmp_path, "digits")
    (tmp_path / "letters").mkdir()
    assert open_models(tmp_path).tasks() == ["digits", "signs"]


def test_the_error_of_a_missing_model_has_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model for the task digits.*python -m recognizer train digits"):
        open_models(tmp_path).current("digits")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "cannot be read as JSON"),
        (b"", "cannot be read as JSON"),
        (b"\xff\xfe\x00", "cannot be read as JSON"),
        (b"[]", "names no version"),
        (b'{"version": 3}', "names no version"),
        (b'{"version": "20200101-000000"}', "names version 20200101-000000, which does not exist"),
    ],
)
def test_a_damaged_current_json_raises_a_one_line_error(tmp_path: Path, content: bytes, expected: str) -> None:
    publish(tmp_path)
    (tmp_path / "digits" / store.CURRENT).write_bytes(content)
    with pytest.raises(ModelError, match=expected) as caught:
        open_models(tmp_path).current("digits")
    assert "recognizer train digits" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_publishing_repairs_a_damaged_current_json(tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / "digits" / store.CURRENT).write_text("{")
    again = publish(tmp_path)
    assert open_models(tmp_path).current("digits") == again


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read as JSON"),
        ("{'labels': 1}", "cannot be read as JSON"),
        ("[1]", r"contains \[1\], not a JSON object"),
        ('{"labels": "0123"}', ': labels is "0123"; it should be a list of strings'),
        ('{"labels": ["a", 1]}', r': labels is \["a", 1\]; it should be a list of strings'),
        ("{}", ": labels is missing; it should be a list of strings"),
        ('{"labels": [], "metrics": 0.9}', ": metrics is 0.9; it should be a JSON object"),
        ('{"labels": [], "kind": ["pose"]}', r': kind is \["pose"\]; it should be a string'),
    ],
)
def test_the_error_of_a_damaged_card_names_its_field(tmp_path: Path, content: str | None, expected: str) -> None:
    folder = publish(tmp_path)
    card = folder / registry_card.CARD
    card.unlink() if content is None else card.write_text(content)
    with pytest.raises(ModelError, match=f"card.json ?{expected}.*recognizer train digits"):
        registry_card.read_card(folder)


def test_unknown_fields_of_a_card_are_written_back(tmp_path: Path) -> None:
    content = {"labels": ["a"], "kind": "pose", "rejection": {"min_confidence": 0.5, "max_distance": 3.0}, "later": [1]}
    card = registry_card.ModelCard.from_json(content, "card.json", "")
    assert card.rejection == registry_card.Thresholds(0.5, 3.0)
    assert card.unknown_fields == {"later": [1]}
    registry_card.write_card(card, tmp_path)
    assert json.loads((tmp_path / registry_card.CARD).read_text()) == content


def test_an_environment_variable_can_set_the_model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOGNIZER_MODELS", str(tmp_path))
    assert default_models().folder == tmp_path
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("RECOGNIZER_MODELS")
        else:
            monkeypatch.setenv("RECOGNIZER_MODELS", unset)
        assert default_models().folder == paths.ROOT / "models"


def test_a_version_that_is_not_current_can_be_deleted(tmp_path: Path) -> None:
    first, second = publish(tmp_path), publish(tmp_path)
    assert open_models(tmp_path).versions("digits") == [first.name, second.name]
    with pytest.raises(ModelError, match="Go back first: python -m recognizer models rollback digits"):
        open_models(tmp_path).delete("digits", second.name)
    open_models(tmp_path).rollback("digits")
    open_models(tmp_path).delete("digits", second.name)
    assert names_in(tmp_path / "digits") == sorted([first.name, "current.json"])
    with pytest.raises(ModelError, match=f"has no version {second.name}. It has: {first.name}"):
        open_models(tmp_path).delete("digits", second.name)
    with pytest.raises(ModelError, match="There is no model for the task chess"):
        open_models(tmp_path).versions("chess")


def test_an_exported_zip_is_complete_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    first = publish(models, note="first")
    (first / "pose").mkdir()
    (first / "pose" / "model.tflite").write_bytes(b"network")
    publish(models)
    path = tmp_path / "out" / "model.zip"
    assert open_models(models).export("digits", path, first.name) == first
    with zipfile.ZipFile(path) as archive:
        inside = {name for name in archive.namelist() if not name.endswith("/")}
        assert inside == {f"digits/{first.name}/card.json", f"digits/{first.name}/pose/model.tflite"}
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ModelError, match="No space left on device"):
        open_models(models).export("digits", path)
    assert names_in(tmp_path / "out") == ["model.zip"]
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has no tzset")
def test_a_version_is_named_by_its_task_and_its_date_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert title_of(Path("models/digits/20261127-193154")) == "digits, trained 28 Nov 2026 01:01:54"
        assert title_of(Path("models/digits/20261127-193154-2")) == "digits, trained 28 Nov 2026 01:01:54"
        assert title_of(Path("models/digits/mine")) == "digits, version mine"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_version_does_not_become_current_while_it_is_deleted(tmp_path: Path) -> None:
    first, second = publish(tmp_path), publish(tmp_path)
    refused: list[str] = []

    def go_back() -> None:
        try:
            store.ModelStore(tmp_path).rollback("digits")
        except ModelError as error:
            refused.append(str(error))

    other = threading.Thread(target=go_back)

    class Slow(store.ModelStore):
        def note_deletion(self, task: str, version: str) -> None:
            other.start()
            other.join(0.2)

    Slow(tmp_path).delete("digits", first.name)
    other.join()
    assert "has no earlier version" in refused[0]
    assert open_models(tmp_path).current("digits") == second
