"""Finds the font files that are installed on this machine."""

import os
import sys
from pathlib import Path

import platformdirs

SUFFIXES = (".ttf", ".otf", ".ttc")


def font_folders() -> list[Path]:
    """The folders in which the operating system looks for fonts; some may not exist."""
    home = Path.home()
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", local / "Microsoft" / "Windows" / "Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"  # the standard's default
    folders = [Path(folder) / "fonts" for folder in shared.split(os.pathsep)]
    return [*folders, Path(platformdirs.user_data_dir()) / "fonts", home / ".fonts"]


def font_files() -> list[Path]:
    """The installed TrueType and OpenType fonts, sorted by path."""
    found = {path for folder in font_folders() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES}
    return sorted(found)
