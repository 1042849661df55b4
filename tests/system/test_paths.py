from collections.abc import Callable
from pathlib import Path

import platformdirs
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
    (tmp_path / "pyproject.toml").touch()
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
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv(paths.DATA_VARIABLE, "elsewhere")
    assert paths.data_folders() == (Path("elsewhere"), tmp_path / "data")
    monkeypatch.delenv(paths.DATA_VARIABLE)
    assert paths.data_folders() == (tmp_path / "data",)


def test_the_root_is_the_repository() -> None:
    assert Path(__file__).resolve().parents[2] == paths.ROOT


def test_former_names_of_the_sync_folder_still_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv(paths.SYNC_VARIABLE, raising=False)
    monkeypatch.setenv(paths.FORMER_SYNC_VARIABLE, "elsewhere")
    assert paths.sync_folder() == Path("elsewhere")
    monkeypatch.delenv(paths.FORMER_SYNC_VARIABLE)
    (tmp_path / "runs" / "mirrors").mkdir(parents=True)
    assert paths.sync_folder() == tmp_path / "runs" / "mirrors"


def test_an_installed_package_keeps_its_files_in_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path / "site-packages")
    for variable in (paths.MODELS_VARIABLE, paths.CAPTURES_VARIABLE, paths.ASSETS_VARIABLE, paths.SYNC_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name, appauthor: tmp_path / "user" / name)
    home = tmp_path / "user" / "webcam-recognizer"
    assert Path(paths.models()) == home / "models"
    assert Path(paths.captures()) == home / "data" / "captures"
    assert paths.assets() == home / "models" / "assets"
    assert paths.runs() == home / "runs"
    assert paths.sync_folder() == home / "runs" / "sync"
    assert paths.shipped_models() == tmp_path / "site-packages" / "recognizer" / "shipped_models"
    assert not home.exists()


def test_a_checkout_ships_its_models_in_models() -> None:
    assert paths.in_checkout()
    assert paths.shipped_models() is None
    assert paths.home() == paths.ROOT
