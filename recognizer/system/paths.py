"""Where the project's files are: in folders of the repository, or where environment variables say."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent  # of the repository

MODELS_VARIABLE = "RECOGNIZER_MODELS"
CAPTURES_VARIABLE = "RECOGNIZER_CAPTURES"
ASSETS_VARIABLE = "RECOGNIZER_ASSETS"
DATA_VARIABLE = "RECOGNIZER_DATA"
SYNC_VARIABLE = "RECOGNIZER_SYNC"
FORMER_SYNC_VARIABLE = "RECOGNIZER_MIRRORS"


def chosen(variable: str) -> str | None:
    """What the environment variable says; None where it is unset or empty."""
    return os.environ.get(variable) or None


def models() -> str:
    """The folder of the trained models, or its URL: RECOGNIZER_MODELS, else models/."""
    return chosen(MODELS_VARIABLE) or str(ROOT / "models")


def captures() -> str:
    """The folder of the captured samples, or its URL: RECOGNIZER_CAPTURES, else data/captures/."""
    return chosen(CAPTURES_VARIABLE) or str(data() / "captures")


def assets() -> Path:
    """The folder of the fetched files: RECOGNIZER_ASSETS, else models/assets/."""
    return Path(chosen(ASSETS_VARIABLE) or ROOT / "models" / "assets")


def data() -> Path:
    """The repository's own folder of data sets, into which they are downloaded."""
    return ROOT / "data"


def data_folders() -> tuple[Path, ...]:
    """Where data sets are looked for: the folder that RECOGNIZER_DATA names, then data/."""
    named = chosen(DATA_VARIABLE)
    return (Path(named), data()) if named else (data(),)


def runs() -> Path:
    """The folder of what trainings and measurements leave on the way."""
    return ROOT / "runs"


def sync_folder() -> Path:
    """The parent of the local folders that are synced with URLs: RECOGNIZER_SYNC, else runs/sync/.

    RECOGNIZER_MIRRORS and an existing runs/mirrors/, the names of earlier versions, still work.
    """
    named = chosen(SYNC_VARIABLE) or chosen(FORMER_SYNC_VARIABLE)
    if named:
        return Path(named)
    former = runs() / "mirrors"
    return former if former.is_dir() else runs() / "sync"
