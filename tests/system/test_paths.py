from collections.abc import Callable
from pathlib import Path

import pytest

from recognizer.system import paths


@pytest.mark.parametrize(
    ("variable", "folder", "default"),
    [
        (paths.MODELS_VARIABLE, paths.models, "models"),
        (paths.CAPTURES_VARIABLE, paths.captures, "data/captures"),
        (paths.ASSETS_VARIABLE, paths.assets, "models/assets"),
        (paths.SYNC_VARIABLE, paths.sync_folder, "runs/sync"),
    ],
)
def test_environment_variables_set_the_folders(
    variable: str, folder: Callable[[], str | Path], default: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv(variable, "elsewhere")
    assert Path(folder()) == Path("elsewhere")
    monkeypatch.setenv(variable, "")
    assert Path(folder()) == tmp_path / default
    monkeypatch.delenv(variable)
    assert Path(folder()) == tmp_path / default


def test_data_sets_are_searched_in_the_environment_folder_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv(paths.DATA_VARIABLE, "elsewhere")
    assert paths.data_folders() == (Path("elsewhere"), tmp_path / "data")
    monkeypatch.delenv(paths.DATA_VARIABLE)
    assert paths.data_folders() == (tmp_path / "data",)


def test_the_root_is_the_repository() -> None:
    assert Path(__file__).resolve().parents[2] == paths.ROOT


def test_former_names_of_the_sync_folder_still_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.delenv(paths.SYNC_VARIABLE, raising=False)
    monkeypatch.setenv(paths.FORMER_SYNC_VARIABLE, "elsewhere")
    assert paths.sync_folder() == Path("elsewhere")
    monkeypatch.delenv(paths.FORMER_SYNC_VARIABLE)
    (tmp_path / "runs" / "mirrors").mkdir(parents=True)
    assert paths.sync_folder() == tmp_path / "runs" / "mirrors"
