"""Feature extractors pretrained on ImageNet, exported once as LiteRT files."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from recognizer.errors import ModelError
from recognizer.registry.store import ModelStore
from recognizer.system import files, paths
from recognizer.system.environment import complete
from training.networks import transfer
from training.networks.litert import as_litert
from training.networks.tensorflow import import_tensorflow

FOLDER = "backbones"  # inside the folder of assets, or of models
LOCK = ".lock"
LOCK_WAIT_S = 120.0  # an export by another process takes seconds, with a download minutes
EXPORT = 2  # version of `export_backbone`: increase it when the export changes, so that older files are not used
WEIGHTS = {  # files in a data folder; the first one that exists is the default backbone
    "VGG16": "vgg16_imagenet_notop.weights.h5",
    "MobileNetV2": "mobilenet_v2_0.35_224_notop_imagenet.weights.h5",  # as in Teachable Machine's image models
}
KERAS_WEIGHTS = {"VGG16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"}  # names of Keras' own downloads
SIDE = 96  # pixels: enough for an object that fills the box; the time grows with the number of pixels


def backbone_file(
    name: str | None, models: ModelStore, report_progress: Callable[[str], None] = lambda line: None
) -> tuple[str, Path]:
    """Name and LiteRT file of a backbone, which is exported first if the file is missing.

    Its input is (SIDE, SIDE, 3) BGR, 0 to 255, and its output features (D,).

    The file is stored among the assets, or in the folder of `models` if the assets are not writable. Without a name, the
    first backbone whose weights exist is taken. If TensorFlow is missing, it is installed. Raises SettingsError if that
    fails, if Keras does not know the backbone or if its weights can be neither found nor downloaded, and ModelError if the
    file cannot be written.
    """
    name = name or next((known for known in WEIGHTS if find_weights(known)), next(iter(WEIGHTS)))
    folders = paths.assets() / FOLDER, models.folder / FOLDER
    file = _file_name(name)
    existing = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if existing:
        return name, existing
    complete(report_progress)
    report_progress(f"preparing the feature extractor {name}")
    try:
        return name, _exported(name, folders[0])
    except OSError:
        try:
            return name, _exported(name, folders[1])
        except OSError as error:
            raise ModelError(
                f"{folders[1]} cannot be written ({error}). Choose another folder with --models."
            ) from error


def _exported(name: str, folder: Path) -> Path:
    """Export the network into the folder; a lock makes sure that only one process does. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder / LOCK, LOCK_WAIT_S):
        path = folder / _file_name(name)
        if not path.is_file():
            weights = find_weights(name)
            network = export_backbone(name, str(weights) if weights else "imagenet")
            path = folder / _file_name(name)  # Keras may have fetched the weights
            with files.atomic_file(path) as file:
                file.write(network)
        return path


def _file_name(name: str) -> str:
    weights = find_weights(name)
    return f"{name}-{SIDE}-{EXPORT}-{_digest(weights) if weights else 'imagenet'}.tflite"


def find_weights(name: str) -> Path | None:
    """The file with a backbone's weights in a data folder or in Keras' cache; None if there is none."""
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    places = [folder / WEIGHTS[name] for folder in paths.data_folders() if name in WEIGHTS]
    places += [keras_home / "models" / KERAS_WEIGHTS[name]] if name in KERAS_WEIGHTS else []
    return next((place for place in places if place.is_file()), None)


def export_backbone(name: str, weights: str) -> bytes:
    """The backbone with its preprocessing and global average pooling, as the bytes of a LiteRT network."""
    import_tensorflow()
    from keras import Input, Model, layers

    backbone, preprocess_input = transfer.pretrained(name, weights, SIDE)
    picture = Input((SIDE, SIDE, 3), name="image")
    features = backbone(transfer.preprocessing_layer(preprocess_input, 3)(picture), training=False)
    network = Model(picture, layers.GlobalAveragePooling2D()(features), name=name.lower())
    return as_litert(network)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]
