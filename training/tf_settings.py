"""How TensorFlow is set and imported."""

import importlib
import logging
import os

from recognizer.quiet import silent_stderr

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # its greetings are of no use here
    "TF_ENABLE_ONEDNN_OPTS": "1",  # off by itself on processors without AVX-512, where a step then takes twice as long
}


def settle_tensorflow() -> None:
    """Import TensorFlow with what the environment does not say otherwise, before Keras or anything else imports it."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # that a function is traced anew is nothing to mend
    with silent_stderr():  # some of its greetings come whatever the level
        importlib.import_module("tensorflow")
