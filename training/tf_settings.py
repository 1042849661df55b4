"""How TensorFlow is set before it is imported."""

import os

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # its greetings are of no use here
    "TF_ENABLE_ONEDNN_OPTS": "1",  # off by itself on processors without AVX-512, where a step then takes twice as long
}


def settle_tensorflow() -> None:
    """Set what the environment does not say otherwise. To be called before TensorFlow or Keras is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
