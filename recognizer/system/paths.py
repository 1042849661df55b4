"""Folders of the project's files.

In a checkout they are the checkout's. An installed package has the user's in the platform's folder for an application's
data, and its shipped models, which are only read, in itself. Environment variables override all that are written to.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent  # of the checkout, or the folder that has the installed package
APPLICATION = "webcam-recognizer"  # folder of an installed package's data

MODELS_VARIABLE = "RECOGNIZER_MODELS"
CAPTURES_VARIABLE = "RECOGNIZER_CAPTURES"
ASSETS_VARIABLE = "RECOGNIZER_ASSETS"
DATA_VARIABLE = "RECOGNIZER_DATA"
SYNC_VARIABLE = "RECOGNIZER_SYNC"
FORMER_SYNC_VARIABLE = "RECOGNIZER_MIRRORS"


def in_checkout() -> bool:
    """Whether the program runs from a checkout of the repository, and not from an installed package."""
    return (ROOT / "pyproject.toml").is_file()


def own_command(text: str) -> str:
    """A message with the commands in it as the user types them: an installed package has a program of its own."""
    return text if in_checkout() else text.replace("python -m recognizer", "recognizer")


def home() -> Path:
    """The folder of what the user records, trains and downloads: the checkout, or that of the platform.

    On Linux ~/.local/share/webcam-recognizer or in XDG_DATA_HOME, on macOS in ~/Library/Application Support, on Windows in
    %LOCALAPPDATA%.
    """
    if in_checkout():
        return ROOT
    import platformdirs

    return platformdirs.user_data_path(APPLICATION, appauthor=False)


def shipped_models() -> Path | None:
    """The models in an installed package; None in a checkout, whose models/ are both shipped and the user's."""
    return None if in_checkout() else ROOT / "recognizer" / "shipped_models"


def default_models() -> Path:
    """Folder of the trained models where no other is named."""
    return home() / "models"


def chosen(variable: str) -> str | None:
    """The value of an environment variable; None if it is unset or empty."""
    return os.environ.get(variable) or None


def models() -> str:
    """Folder or URL of the trained models: RECOGNIZER_MODELS, else models/."""
    return chosen(MODELS_VARIABLE) or str(default_models())


def captures() -> str:
    """Folder or URL of the captured samples: RECOGNIZER_CAPTURES, else data/captures/."""
    return chosen(CAPTURES_VARIABLE) or str(data() / "captures")


def assets() -> Path:
    """Folder of the downloaded assets: RECOGNIZER_ASSETS, else models/assets/."""
    return Path(chosen(ASSETS_VARIABLE) or default_models() / "assets")


def data() -> Path:
    """The folder of data sets. Downloads go there."""
    return home() / "data"


def data_folders() -> tuple[Path, ...]:
    """Folders that are searched for data sets, in this order: RECOGNIZER_DATA, data/."""
    named = chosen(DATA_VARIABLE)
    return (Path(named), data()) if named else (data(),)


def runs() -> Path:
    """Folder of intermediate results of training runs and measurements."""
    return home() / "runs"


def sync_folder() -> Path:
    """The parent of the local folders that are synced with URLs: RECOGNIZER_SYNC, else runs/sync/.

    RECOGNIZER_MIRRORS and an existing runs/mirrors/, the names of earlier versions, still work.
    """
    named = chosen(SYNC_VARIABLE) or chosen(FORMER_SYNC_VARIABLE)
    if named:
        return Path(named)
    former = runs() / "mirrors"
    return former if former.is_dir() else runs() / "sync"
