from pathlib import Path

import pytest

from recognizer.system import fonts


def test_font_files_are_found_in_all_subfolders_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/B.TTF", "a/a.otf", "a/c.ttc", "a/readme.txt", "a/a.pcf.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(fonts, "font_folders", lambda: [tmp_path, tmp_path / "missing"])
    assert [path.name for path in fonts.font_files()] == ["a.otf", "c.ttc", "B.TTF"]


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("win32", "Windows/Fonts"), ("darwin", "/System/Library/Fonts"), ("linux", "/usr/share/fonts")],
)
def test_each_operating_system_has_its_font_folders(
    platform: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts.sys, "platform", platform)
    monkeypatch.delenv("XDG_DATA_DIRS", raising=False)
    assert any(str(path.as_posix()).endswith(folder) for path in fonts.font_folders())
