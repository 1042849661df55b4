"""The last layer of a trained network, from which user training starts, in a file that NumPy reads.

An installed package and an environment without TensorFlow have no model.keras or cannot read it.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import Head
from recognizer.errors import ModelError
from recognizer.system.environment import complete

KERAS_NETWORK = "model.keras"  # the same network as model.tflite, for Keras
LAST_LAYER = "last_layer.npz"


def last_layer_of(path: Path, size: int, classes: int) -> Head:
    """The last layer of the network in a .keras file, over `size` features, as one head.

    The layers of ensemble members are joined, each over its part of the features. Raises ModelError if the file is missing or
    damaged, or if the network ends otherwise.
    """
    complete()  # h5py comes with Keras
    import h5py

    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    try:
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights:
            for name, layer in weights["layers"].items():
                parts = [np.array(part) for part in layer["vars"].values()] if "vars" in layer else []
                if len(parts) == 2 and parts[0].ndim == 2 and parts[0].shape[1] == classes:
                    found[name] = parts[0], parts[1]
    except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error
    names = sorted(found, key=lambda name: (len(name), name))  # dense_9 before dense_10
    if not names or sum(len(found[name][0]) for name in names) != size:
        raise ModelError(
            f"{path} has no dense last layer over its {size} features. Train the shipped model again first."
        )
    kernel = np.concatenate([found[name][0] for name in names]) / len(names)
    return Head(kernel, np.mean([found[name][1] for name in names], axis=0))
