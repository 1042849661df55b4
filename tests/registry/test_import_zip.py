"""`models import`: what an archive may contain."""

import json
import os
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from recognizer.cli import main
from recognizer.errors import ModelError
from recognizer.registry import archive
from recognizer.registry.archive import import_zip
from recognizer.registry.card import CARD, read_checked_card
from recognizer.registry.store import ModelStore

CARD_BYTES = json.dumps({"labels": ["ok", "stop"], "metrics": {"held_out_after": 0.9}}).encode()
NETWORK = b"network" * 1000


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    models = ModelStore(tmp_path / "there")
    with models.publishing("signs") as draft:
        (draft / CARD).write_bytes(CARD_BYTES)
        (draft / "model.tflite").write_bytes(NETWORK)
    models.export("signs", tmp_path / "exported.zip")
    return tmp_path / "exported.zip"


def zipped_again(exported: Path, top: str, added: dict[str, bytes], changed: dict[str, bytes] | None = None) -> Path:
    """The archive with its version's folder below `top`, with further and changed files."""
    path = exported.with_name("again.zip")
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            name = info.filename.rpartition("/")[2]
            target.writestr(f"{top}{name}", (changed or {}).get(name) or source.read(info))
        for name, content in added.items():
            target.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "top", ["", "20261127-193154/", "downloads/signs/20261127-193154/", "./signs v1/".removeprefix("./")]
)
def test_an_export_that_was_unpacked_and_zipped_again_is_imported(exported: Path, top: str, tmp_path: Path) -> None:
    added = {"__MACOSX/._card.json": b"", ".DS_Store": b"", f"{top}.DS_Store": b"", f"{top}Thumbs.db": b""}
    models = ModelStore(tmp_path / "here")
    version = import_zip(models, "signs", zipped_again(exported, top, added))
    folder = models.folder / "signs" / version
    assert sorted(path.name for path in folder.iterdir()) == [CARD, "model.tflite"]
    assert read_checked_card(folder).labels == ("ok", "stop")


def test_a_file_that_differs_from_its_checksum_is_not_imported(exported: Path, tmp_path: Path) -> None:
    models = ModelStore(tmp_path / "here")
    changed = zipped_again(exported, "signs/1/", {}, {"model.tflite": b"another"})
    with pytest.raises(ModelError, match="model.tflite is damaged: its SHA-256"):
        import_zip(models, "signs", changed)
    added = zipped_again(exported, "signs/1/", {"signs/1/head.npz": b"more"})
    with pytest.raises(ModelError, match=r"'head.npz', which its card.json does not name"):
        import_zip(models, "signs", added)
    assert models.tasks() == []


@pytest.mark.parametrize(
    "name", ["signs/1/nul.npz", "signs/1/../x", "signs/1/a:b", "signs/1/.hidden", "signs/1/x ", "/x"]
)
def test_a_hostile_name_in_an_archive_is_refused(exported: Path, name: str, tmp_path: Path) -> None:
    models = ModelStore(tmp_path / "here")
    with pytest.raises(ModelError, match="not part of a model version"):
        import_zip(models, "signs", zipped_again(exported, "signs/1/", {name: b""}))
    assert models.tasks() == []


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_takes_no_memory(tmp_path: Path, compression: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ZIP_LIMIT", 4 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", compression) as bomb:
        bomb.writestr("signs/1/card.json", CARD_BYTES)
        bomb.writestr("signs/1/model.tflite", bytes(32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"unpacks to more than|is compressed in a way"):
            import_zip(ModelStore(tmp_path / "here"), "signs", path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_the_command_shows_labels_and_validation(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", "mine", str(exported), "--models", str(tmp_path / "here")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  labels: ok, stop"
    assert lines[1] == "  validated where it was trained: 90.0% of held-out samples"
    assert lines[2].endswith("is now the current version of mine")


def test_an_export_has_what_an_import_takes(exported: Path, tmp_path: Path) -> None:
    there = ModelStore(tmp_path / "there")
    folder = there.current("signs")
    (folder / "._model.tflite").write_bytes(b"of a Mac")
    (folder / ".hidden").mkdir()
    there.export("signs", tmp_path / "again.zip")
    here = ModelStore(tmp_path / "here")
    assert import_zip(here, "signs", tmp_path / "again.zip") == here.current("signs").name


def test_an_export_needs_no_clock(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = ModelStore(tmp_path / "there")
    monkeypatch.setattr("time.localtime", lambda *_: time.gmtime(0))  # a board without a battery
    os.utime(there.current("signs") / "model.tflite", (0, 0))
    there.export("signs", tmp_path / "again.zip")
    assert import_zip(ModelStore(tmp_path / "here"), "signs", tmp_path / "again.zip")


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"labels": ["\x1b]0;owned\x07"]}, "control characters, which a terminal would obey"),
        ({"labels": ["ok"], "metrics": {"a": [{"\x9b2J": 1}]}}, "control characters, which a terminal would obey"),
        ({"labels": ["ok"], "command": "a" * (1 << 24)}, "it has more than 16 MB"),
    ],
)
def test_a_card_that_would_harm_is_not_imported(exported: Path, tmp_path: Path, card: object, expected: str) -> None:
    changed = zipped_again(exported, "", {}, {CARD: json.dumps(card).encode()})
    with pytest.raises(ModelError, match=expected) as refused:
        import_zip(ModelStore(tmp_path / "here"), "signs", changed)
    assert str(refused.value).isprintable()


def test_a_task_name_that_a_mac_decomposed_is_composed(exported: Path, tmp_path: Path) -> None:
    import_zip(ModelStore(tmp_path / "here"), "e\u0301te\u0301", exported)
    assert ModelStore(tmp_path / "here").tasks() == ["\u00e9t\u00e9"]


@pytest.mark.parametrize(
    "added", ["model.tflite", "Model.TFLITE", "model.tflite/x", "CARD.json", "\u00e9", "model.tflite/x/y"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_that_some_systems_take_for_one_are_not_imported(exported: Path, tmp_path: Path, added: str) -> None:
    changed = zipped_again(exported, "v/", {f"v/{added}": b"more", "v/e\u0301": b"more"})
    with pytest.raises(ModelError, match="again.zip contains two files that some systems take for one"):
        import_zip(ModelStore(tmp_path / "here"), "signs", changed)
    assert not (tmp_path / "here").exists()


def test_a_damaged_card_is_named_with_its_archive(exported: Path, tmp_path: Path) -> None:
    changed = zipped_again(exported, "", {}, {CARD: b"[1]"})
    expected = "again.zip is not imported: card.json contains [1], not a JSON object. Export it again."
    with pytest.raises(ModelError) as refused:
        import_zip(ModelStore(tmp_path / "here"), "signs", changed)
    assert str(refused.value).endswith(expected)
