"""Networks that ImageNet taught to see, as LiteRT files that turn a picture into features: made once and kept."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from recognizer.errors import ModelError
from recognizer.registry.store import ModelStore
from recognizer.system import files, paths
from training.networks import transfer
from training.networks.litert import as_litert
from training.networks.tensorflow import import_tensorflow

FOLDER = "backbones"  # among the assets, or beside the tasks of a model folder
LOCK = ".lock"
LOCK_WAIT_S = 120.0  # while another program makes one: seconds, or minutes where it fetches the weights
EXPORT = 2  # counts what `exported` makes of the same weights: a file that it made otherwise is not taken
WEIGHTS = {  # files that data folders may hold, the first one at hand being the default
    "VGG16": "vgg16_imagenet_notop.weights.h5",
    "MobileNetV2": "mobilenet_v2_0.35_224_notop_imagenet.weights.h5",  # what Teachable Machine's image models stand on
}
KERAS_WEIGHTS = {"VGG16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"}  # as Keras' own download calls them
SIDE = 96  # pixels: what is held into a box fills it, and four times as many take four times as long


def backbone_file(
    name: str | None, models: ModelStore, report_progress: Callable[[str], None] = lambda line: None
) -> tuple[str, Path]:
    """The name of a backbone and its LiteRT network, (SIDE, SIDE, 3) BGR 0 to 255 to features; made where it is missing.

    It is kept among the assets, for all model folders, and in the folder of `models` where nothing can be written there.
    Without a name, the first whose weights are at hand. Raises SettingsError where Keras does not know it, or its weights
    are not at hand and cannot be fetched, and ModelError where it cannot be kept.
    """
    name = name or next((known for known in WEIGHTS if find_weights(known)), next(iter(WEIGHTS)))
    folders = paths.assets() / FOLDER, models.folder / FOLDER
    file = _file_name(name)
    kept = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if kept:
        return name, kept
    report_progress(f"making features of {name}")
    try:
        return name, _made(name, folders[0])
    except OSError:
        try:
            return name, _made(name, folders[1])
        except OSError as error:
            raise ModelError(
                f"{folders[1]} cannot be written ({error}). Choose another folder with --models."
            ) from error


def _made(name: str, folder: Path) -> Path:
    """The network's file in that folder; of several programs that want it one makes it. Raises OSError."""
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
    """The file with a backbone's weights in a data folder or Keras' cache, if there is one."""
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    places = [folder / WEIGHTS[name] for folder in paths.data_folders() if name in WEIGHTS]
    places += [keras_home / "models" / KERAS_WEIGHTS[name]] if name in KERAS_WEIGHTS else []
    return next((place for place in places if place.is_file()), None)


def export_backbone(name: str, weights: str) -> bytes:
    """The backbone with its preparation and the mean over the picture, as the bytes of a LiteRT network."""
    import_tensorflow()
    from keras import Input, Model, layers

    base, preprocess_input = transfer.pretrained(name, weights, SIDE)
    picture = Input((SIDE, SIDE, 3), name="image")
    seen = base(transfer.preprocessing_layer(preprocess_input, 3)(picture), training=False)
    network = Model(picture, layers.GlobalAveragePooling2D()(seen), name=name.lower())
    return as_litert(network)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]
