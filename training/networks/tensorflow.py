"""Configures and imports TensorFlow."""

import importlib
import logging
import os
from types import ModuleType

from recognizer.system.environment import complete
from recognizer.system.native import silent_stderr

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # no start-up messages
    "TF_ENABLE_ONEDNN_OPTS": "1",  # without it, which is the default without AVX-512, a training step takes twice as long
}


def configure_tensorflow() -> None:
    """Set environment variables that are not set yet. Call it before TensorFlow or Keras is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # hides warnings about retracing


def import_tensorflow() -> ModuleType:
    """Import TensorFlow, configured and without its start-up messages.

    The import takes seconds and starts threads, which a later fork would lose: read the data first. If TensorFlow is
    missing, it is installed first. Raises SettingsError if that fails.
    """
    complete()
    configure_tensorflow()
    with silent_stderr():
        return importlib.import_module("tensorflow")
