"""Trains the networks that detect handwriting, on scenes drawn by training/datasets/rooms.py."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from recognizer.errors import DataError
from recognizer.finders.characters import NETWORKS
from recognizer.finders.verifier import VerifierNetwork
from recognizer.system import files
from training.datasets import rooms
from training.datasets.sheets import LINES, choose, log_uniform
from training.finders import characters, inks, verifier
from training.networks.tensorflow import import_tensorflow
from training.processes import fresh_processes
from training.publishing.card import git_commit

if TYPE_CHECKING:
    import keras

SHARD = 250  # scenes per shard; each shard is one file
SHAPES = ((640, 360), (640, 360), (640, 480), (640, 480), (480, 640), (360, 640), (640, 512))  # pixels of a scene
LARGE_SHARE = 0.3  # of the scenes, drawn at twice the resolution for the ink network
PAGE_SHARE = 0.3  # of the scenes, drawn as a page that fills the picture
LINED_SHARE = 0.7  # of the pages, drawn with lines around the number
PARTS = 8  # crops per scene for the character detector
MAX_PATCHES = 10  # limit of characters per scene for the ink network
NOTHING = 4  # background patches per scene
TEST_SHARE = 0.05  # of the shards, held out


@dataclass(frozen=True)
class FitSettings:
    """Training settings of one network."""

    examples: ModuleType
    arrays: tuple[str, str]  # names in a shard: inputs, targets
    epochs: int
    rate: float  # the highest learning rate
    batch: int
    folder: str = ""  # of the shards, below the finder's folder


NETWORK_FITS = {
    "characters": FitSettings(characters, ("pictures", "targets"), 12, 3e-3, 32),
    "ink": FitSettings(inks, ("patches", "inks"), 10, 3e-3, 64),
    "verifier": FitSettings(verifier, ("views", "wanted"), 8, 2e-3, 64, "proposals"),
}


def draw_shard(number: int, folder: Path, scene_sources: rooms.SceneSources) -> None:
    """Write the training examples of SHARD scenes for the character detector and the ink network."""
    path = folder / f"{number:04}.npz"
    if path.exists():
        return
    rng = np.random.default_rng([20, number])
    found: dict[str, list[np.ndarray]] = {"pictures": [], "targets": [], "patches": [], "inks": []}
    for scene, scale in _scenes(scene_sources, rng):
        clear = [one for one in scene.written if not one.ambiguous]
        pairs = [inks.training_crop(scene, clear[index], rng) for index in rng.permutation(len(clear))[:MAX_PATCHES]]
        for patch, ink in pairs + inks.background_crops(scene, rng, NOTHING):
            found["patches"].append(patch)
            found["inks"].append(ink)
        smaller = rooms.shrunk(scene, scale)
        for _ in range(PARTS):
            picture, target = characters.training_crop(smaller, rng)
            found["pictures"].append(picture)
            found["targets"].append(target.astype(np.float16))
    _store(found, path)


def propose_shard(number: int, folder: Path, scene_sources: rooms.SceneSources) -> None:
    """Write the training examples of SHARD scenes for the verifier network."""
    path = folder / NETWORK_FITS["verifier"].folder / f"{number:04}.npz"
    if path.exists():
        return
    rng = np.random.default_rng([21, number])
    proposals, previous_path = verifier.Proposals(), NETWORKS / "verifier.tflite"
    previous = VerifierNetwork(previous_path) if previous_path.exists() else None
    found: dict[str, list[np.ndarray]] = {"views": [], "wanted": []}
    for scene, _ in _scenes(scene_sources, rng):
        for shown, target in verifier.training_crop(scene, proposals.of(scene.picture_bgr), previous, rng):
            found["views"].append(shown)
            found["wanted"].append(target)
    _store(found, path)


def draw(
    folder: Path, count: int, processes: int, examples: Callable[[int, Path, rooms.SceneSources], None] = draw_shard
) -> None:
    """Draw the missing shards in parallel; `examples` is draw_shard or propose_shard."""
    scene_sources = rooms.scene_sources(held_out=False)
    numbers = range(-(-count // SHARD))
    if processes == 1:
        for number in numbers:
            examples(number, folder, scene_sources)
        return
    with fresh_processes(processes) as pool:
        jobs = [pool.submit(examples, number, folder, scene_sources) for number in numbers]
        for number, job in enumerate(jobs, start=1):
            job.result()
            print(f"{number * SHARD} scenes", flush=True)


def _scenes(scene_sources: rooms.SceneSources, rng: np.random.Generator) -> Iterator[tuple[rooms.Scene, int]]:
    """Yield SHARD scenes, each with its scale factor relative to SHAPES."""
    cv2.setNumThreads(1)  # one process per core
    for _ in range(SHARD):
        width, height = SHAPES[rng.integers(len(SHAPES))]
        scale = 2 if rng.random() < LARGE_SHARE else 1
        size_wh = scale * width, scale * height
        if rng.random() < PAGE_SHARE:
            text = "".join(str(digit) for digit in rng.integers(10, size=rng.choice([1, 1, 2, 3, 4])))
            lines = choose(rng, LINES) if rng.random() < LINED_SHARE else ""
            yield rooms.draw_page(scene_sources, rng, size_wh, text, log_uniform(rng, 0.08, 0.95), lines), scale
        else:
            yield rooms.draw(scene_sources, rng, size_wh), scale


def _store(found: dict[str, list[np.ndarray]], path: Path) -> None:
    with files.atomic_file(path) as file:
        np.savez(file, allow_pickle=False, **{name: np.stack(values) for name, values in found.items()})


def fit(name: str, folder: Path, epochs: int | None, start: Path | None) -> None:
    """Train a network on all shards except the held-out ones, and publish it. Raises DataError if there are no shards."""
    settings = NETWORK_FITS[name]
    folder /= settings.folder
    shard_paths = sorted(folder.glob("*.npz"))
    if len(shard_paths) < 2:
        command = "propose" if settings.folder else "draw"
        raise DataError(f"{folder} has no training scenes. Draw them: python -m training finder {command}")
    epochs = epochs or settings.epochs
    shards = [[np.load(path)[array] for array in settings.arrays] for path in shard_paths]
    count = max(1, round(TEST_SHARE * len(shards)))
    tested, trained = (
        [np.concatenate(arrays) for arrays in zip(*part, strict=True)] for part in (shards[:count], shards[count:])
    )
    del shards
    import_tensorflow()
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(0)
    steps = len(trained[0]) // settings.batch

    def batches():  # type: ignore[no-untyped-def]
        while True:
            order = rng.permutation(len(trained[0]))
            for number in range(steps):
                rows = np.sort(order[number * settings.batch : (number + 1) * settings.batch])
                yield trained[0][rows], trained[1][rows]

    spec = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in trained)
    data = tf.data.Dataset.from_generator(batches, output_signature=spec).unbatch()
    data = data.map(settings.examples.augmented, num_parallel_calls=2, deterministic=False)
    data = data.batch(settings.batch, drop_remainder=True).prefetch(4)
    test = (
        tf.data.Dataset.from_tensor_slices(tuple(tested))
        .map(lambda x, y: (settings.examples.normalised(x), y))
        .batch(settings.batch)
    )
    model = settings.examples.network()
    if start:
        model.load_weights(start)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, epochs * steps, warmup_target=settings.rate, warmup_steps=300, alpha=0.01
    )
    model.compile(keras.optimizers.Adam(rate, clipnorm=2.0), settings.examples.loss)
    save = keras.callbacks.ModelCheckpoint(str(folder / f"{name}.weights.h5"), save_weights_only=True)
    history = model.fit(data, epochs=epochs, steps_per_epoch=steps, validation_data=test, callbacks=[save], verbose=2)
    publish(name, model, {"scenes": SHARD * len(shard_paths), "examples": len(trained[0]), "loss": history.history["loss"][-1],
                          "held_out_loss": history.history["val_loss"][-1]})  # fmt: skip


def publish(name: str, model: "keras.Model", about: dict[str, float]) -> None:
    """Write the LiteRT network into NETWORKS and its metrics `about` into the card there."""
    NETWORKS.mkdir(exist_ok=True)
    model.export(NETWORKS / f"{name}.tflite", format="litert", verbose=False)
    path = NETWORKS / "card.json"
    card = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    card[name] = {**about, "command": f"python -m training finder fit {name}", "git_commit": git_commit()}
    with files.atomic_file(path) as file:
        file.write((json.dumps(card, indent=1) + "\n").encode())
