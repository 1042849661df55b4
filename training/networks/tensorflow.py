"""How TensorFlow is set and imported."""

import importlib
import logging
import os
from types import ModuleType

from recognizer.system.native import silent_stderr

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # its greetings are of no use here
    "TF_ENABLE_ONEDNN_OPTS": "1",  # off by itself on processors without AVX-512, where a step then takes twice as long
}


def configure_tensorflow() -> None:
    """Set what the environment does not say otherwise. To be called before TensorFlow or Keras is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # that a function is traced anew is nothing to mend


def import_tensorflow() -> ModuleType:
    """TensorFlow, settled, without its greetings, of which some come whatever the level. It takes seconds, and threads
    that a fork would miss: to be called once the data is read.
    """
    configure_tensorflow()
    with silent_stderr():
        return importlib.import_module("tensorflow")
