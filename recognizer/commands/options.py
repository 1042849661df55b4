"""Options that several commands have."""

import argparse
from pathlib import Path

from recognizer.errors import SettingsError
from recognizer.system.remote import folder_of


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", default="digits", help="digits (default), letters, rps, or one of your own")
    parser.add_argument(
        "--models", type=folder_of, help="another model folder (default: RECOGNIZER_MODELS, else models/)"
    )


def models_of(options: argparse.Namespace) -> Path:
    from recognizer.registry.synced import models_folder

    return options.models or models_folder()


def size_wh_of(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise SettingsError(f"--size {text} is not a width and a height. Try 1280x720.")
    return int(width), int(height)
