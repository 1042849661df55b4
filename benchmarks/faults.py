"""Damages files of every kind that the program reads, and opens them as a user does.

python -m benchmarks.faults --each 100

Each damaged file has to be read, or refused in one line, within HANG_S; nothing that lies beside it may change. The exit
code is 1 if one was not.
"""

import argparse
import gzip
import io
import multiprocessing
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from benchmarks.report import table
from recognizer.commands.options import at_least_1
from recognizer.errors import RecognizerError
from recognizer.pipeline import open_pipeline
from recognizer.registry.archive import import_zip as import_model
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.archive import export_zip
from recognizer.samples.archive import import_zip as import_samples
from recognizer.samples.store import TABLE, Samples
from recognizer.samples.synced import open_samples
from recognizer.samples.verify import verify
from recognizer.sources.decoding import read_pictures, silence_decoders
from recognizer.sources.opening import open_source
from recognizer.subjects.box import BOX
from recognizer.system.terminal import SOME_FAILED, exit_on_error
from recognizer.values import Box, Frame, Region
from training.datasets import catalogue
from training.workshop.sweep import read_space

EACH = 100  # damaged files of a kind: about 2,500 in all
HANG_S = 60.0  # any of these files is read in less than a second
FRAMES = 30  # that are read of a damaged video
SAMPLES = "captures"  # folder of a store of samples, beside the damaged file
MODELS = "models"


@dataclass(frozen=True)
class Kind:
    """A kind of file: how to write intact ones into an empty folder, which of them is damaged, and how it is opened."""

    write: Callable[[Path], None]
    file: str  # path in the folder, with * for what differs
    use: Callable[[Path, Path], object]  # called with the folder and the damaged file; may raise RecognizerError
    writes: tuple[str, ...] = ()  # folders that `use` may add files to, but whose files it may not change


@dataclass(frozen=True)
class Outcome:
    """What opening one damaged file led to. All texts are empty if it was read."""

    refused: str = ""  # the error's line
    fault: str = ""  # a traceback, a hang, a crash, or a file that has changed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--each", type=at_least_1, default=EACH, metavar="N", help=f"damaged files of a kind ({EACH})")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind; may be repeated")
    options = parser.parse_args()
    with exit_on_error():
        outcomes = run(options.kind or KINDS, options.each)
        print(as_markdown(outcomes))
        sys.exit(SOME_FAILED if faults_in(outcomes) else 0)


def report() -> str:
    """The section in Markdown."""
    return as_markdown(run(KINDS, EACH))


def run(names: Collection[str], each: int) -> dict[str, list[Outcome]]:
    """Damage `each` files of each kind in KINDS, and open them. The n-th damage is the same in each run."""
    with Worker() as worker:
        return {name: [worker.outcome(name, seed) for seed in range(each)] for name in names}


def faults_in(outcomes: Mapping[str, list[Outcome]]) -> list[str]:
    return [
        f"{name} {seed}: {outcome.fault}"
        for name, found in outcomes.items()
        for seed, outcome in enumerate(found)
        if outcome.fault
    ]


def as_markdown(outcomes: Mapping[str, list[Outcome]]) -> str:
    rows = []
    for name, found in outcomes.items():
        refused = sum(bool(outcome.refused) for outcome in found)
        faulty = sum(bool(outcome.fault) for outcome in found)
        rows.append((name, len(found), len(found) - refused - faulty, refused, faulty))
    faults = faults_in(outcomes)
    total = sum(map(len, outcomes.values()))
    return (
        "## Damaged files\n\n"
        "`python -m benchmarks.faults`: bits flipped; bytes replaced, repeated or removed; files cut off. Each is opened "
        f"as by a user. {total} damaged files, **{len(faults)} faults**: a fault is a traceback, a crash, a changed file, "
        f"or more than {HANG_S:g} s.\n\n"
        + table(["kind", "damaged", "read all the same", "refused in one line", "faults"], rows)
        + "".join(f"\n- {' '.join(fault.split())}" for fault in faults[:20])
    )


class Worker:
    """Another process that opens damaged files, and that is started again after a crash or a hang. A context manager."""

    def __enter__(self) -> "Worker":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def outcome(self, name: str, seed: int) -> Outcome:
        self._connection.send((name, seed))
        try:
            if self._connection.poll(HANG_S):
                found: Outcome = self._connection.recv()
                return found
            fault = f"it took more than {HANG_S:g} s"
        except EOFError:
            self._process.join(HANG_S)
            fault = f"the process ended with {self._process.exitcode}"
        self._stop()
        self._start()
        return Outcome(fault=fault)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def work(connection: Connection) -> None:
    """Answer each (name of a kind, seed) with an Outcome, until the process is killed."""
    silence_decoders()
    with tempfile.TemporaryDirectory() as folder:
        while True:
            name, seed = connection.recv()
            intact = Path(folder) / name
            if not intact.exists():
                KINDS[name].write(intact)
            connection.send(outcome_of(KINDS[name], intact, np.random.default_rng([seed, len(name), *name.encode()])))


def outcome_of(kind: Kind, intact: Path, rng: np.random.Generator) -> Outcome:
    """Copy a folder of intact files, damage one of them, and open it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "copy"
        shutil.copytree(intact, folder)
        file = next(folder.glob(kind.file))
        file.write_bytes(damaged(file.read_bytes(), rng))
        before = contents(folder)
        try:
            with silence():
                kind.use(folder, file)
        except RecognizerError as error:
            line = str(error)
            return Outcome(line, fault=changes(before, contents(folder), kind.writes))
        except Exception:
            return Outcome(fault=traceback.format_exc())
        return Outcome(fault=changes(before, contents(folder), kind.writes))


@contextmanager
def silence() -> Iterator[None]:
    """Drop what is printed on stderr: the lines on what was left out."""
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        yield
    finally:
        sys.stderr = stderr


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with some of them changed, removed, repeated or cut off. Half of the places are near the beginning."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(0, len(changed)) if rng.random() < 0.5 else rng.integers(0, min(64, len(changed))))
        length = int(rng.integers(1, 9))
        mutation = int(rng.integers(0, 5))
        if mutation == 0:
            changed[place] ^= 1 << int(rng.integers(0, 8))
        elif mutation == 1:
            changed[place : place + length] = rng.bytes(length)
        elif mutation == 2:
            del changed[place : place + length]
        elif mutation == 3:
            changed[place:place] = changed[place : place + 8 * length]
        else:
            changed[place : place + 2] = b"\xff\xff" if rng.random() < 0.5 else b"\0\0"
        if rng.random() < 0.1:
            del changed[int(rng.integers(1, len(changed) + 1)) :]
        changed = changed or bytearray(b"\xff")
    return bytes(changed)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changes(before: Mapping[str, bytes], after: Mapping[str, bytes], writes: Collection[str]) -> str:
    """The files that were changed, deleted or added where nothing may be; "" if there are none.

    In the folders `writes` files may be added, and may grow. Locks may be anywhere. A table of samples may lose a row that is
    cut off at its end: it counts as half written.
    """

    def may_become(name: str, data: bytes) -> bool:
        now = after.get(name)
        whole_rows = data[: data.rfind(b"\n") + 1] if name.endswith(TABLE) else data
        grows = name.partition("/")[0] in writes and now is not None and now.startswith(whole_rows)
        return grows or now in (data, whole_rows)

    lost = sorted(name for name, data in before.items() if not may_become(name, data))
    added = sorted(
        name for name in after.keys() - before.keys() if name.partition("/")[0] not in writes and ".lock" not in name
    )
    return f"changed: {', '.join(lost + added)}" if lost or added else ""


def a_picture(seed: int = 0, side: int = 48) -> np.ndarray:
    """A picture (side, side, 3) uint8 with edges and noise."""
    picture = np.random.default_rng(seed).integers(0, 60, (side, side, 3), np.uint8)
    cv2.putText(
        picture, str(seed % 10), (side // 4, 3 * side // 4), cv2.FONT_HERSHEY_SIMPLEX, side / 40, (255, 255, 255), 3
    )
    return picture


def write_picture(suffix: str, count: int = 1, **options: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        first, *others = (Image.fromarray(a_picture(seed)) for seed in range(count))
        animated = {"save_all": True, "append_images": others} if others else {}
        first.save(folder / f"picture{suffix}", **animated, **options)

    return write


def write_video(suffix: str, codec: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        writer = cv2.VideoWriter(str(folder / f"video{suffix}"), cv2.VideoWriter.fourcc(*codec), 25, (64, 64))
        assert writer.isOpened()
        for seed in range(20):
            writer.write(a_picture(seed, 64))
        writer.release()

    return write


def write_table(folder: Path) -> None:
    """A training table in Kaggle's layout, plain and compressed."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = [",".join(["label", *(f"pixel{index}" for index in range(784))])]
    lines += [",".join(map(str, [label, *rng.integers(0, 256, 784)])) for label in "0011"]
    text = "\n".join(lines).encode()
    (folder / "table.csv").write_bytes(text)
    (folder / "table.csv.gz").write_bytes(gzip.compress(text))


def write_stored_set(folder: Path) -> None:
    write_table(folder)
    catalogue.store(catalogue.load(str(folder / "table.csv"), Samples(folder)), folder)


def write_space(folder: Path) -> None:
    folder.mkdir()
    (folder / "space.toml").write_text('rate = [1e-4, 1e-2]\nwidth = [0.5, 1.0]\naugment = ["none", "light"]\n')
    (folder / "space.json").write_text('{"rate": [1e-4, 1e-2], "width": [0.5, 1.0], "augment": ["none", "light"]}\n')


def write_samples(folder: Path) -> None:
    """A store with two labels of three samples, and its export."""
    store = Samples(folder / SAMPLES)
    store.create_task("signs", BOX.name, ["ok", "stop"])
    for seed in range(6):
        picture = a_picture(seed, 24)
        label, region = ("ok", "stop")[seed % 2], Region(Box(0, 0, 24, 24), picture)
        store.add("signs", label, region, Frame(picture, seed, 0.0, "drawn"), "first", "drawn")
    export_zip(store, folder / "samples.zip")


def write_models(folder: Path) -> None:
    """The shipped model of digits, and its export."""
    shipped = default_models()
    version = shipped.current("digits")
    shutil.copytree(version, folder / MODELS / "digits" / version.name)
    shutil.copy(shipped.pointer("digits"), folder / MODELS / "digits")
    shipped.export("digits", folder / "model.zip")


def read_samples(folder: Path, _: Path) -> None:
    store = open_samples(folder / SAMPLES)
    for task in store.tasks():
        store.counts(task.name)
        for sample in store.read(task.name):
            store.picture(sample)
    store.damage()


def check_samples(folder: Path, _: Path) -> None:
    verify(Samples(folder / SAMPLES))


def add_sample(folder: Path, _: Path) -> None:
    store, picture = Samples(folder / SAMPLES), a_picture(9, 24)
    store.add("signs", "ok", Region(Box(0, 0, 24, 24), picture), Frame(picture, 0, 0.0, "drawn"), "second", "drawn")


def open_model(folder: Path, _: Path) -> None:
    picture = a_picture(7, 200)
    with open_pipeline("digits", open_models(folder / MODELS), Samples(folder / SAMPLES), smooth=False) as pipeline:
        pipeline.step(Frame(picture, 0, 0.0, "drawn"))


def list_models(folder: Path, _: Path) -> None:
    models = ModelStore(folder / MODELS)
    for task in models.tasks():
        models.damage(task)
        models.versions(task)


def play(_: Path, file: Path) -> None:
    with open_source(str(file)) as source:
        for frame in source:
            if frame.index == FRAMES:
                source.stop()


def picture_kind(suffix: str, count: int = 1, **options: Any) -> Kind:
    return Kind(
        write_picture(suffix, count, **options), f"picture{suffix}", lambda _, file: [*map(np.shape, read_all(file))]
    )


def read_all(file: Path) -> Iterator[np.ndarray]:
    return (picture.image_bgr for picture in read_pictures(file))


def table_kind(file: str) -> Kind:
    return Kind(write_table, file, lambda folder, file: catalogue.load(str(file), Samples(folder)))


def space_kind(file: str) -> Kind:
    return Kind(write_space, file, lambda _, file: read_space(file, of_hands=False))


def sample_kind(file: str, use: Callable[[Path, Path], object] = read_samples, writes: tuple[str, ...] = ()) -> Kind:
    return Kind(write_samples, file, use, writes)


def model_kind(file: str, use: Callable[[Path, Path], object] = open_model) -> Kind:
    return Kind(write_models, file, use)


KINDS: dict[str, Kind] = {
    "JPEG": picture_kind(".jpg"),
    "JPEG, progressive": picture_kind(".jpg", progressive=True),
    "PNG": picture_kind(".png"),
    "BMP": picture_kind(".bmp"),
    "JPEG 2000": picture_kind(".jp2"),
    "AVIF": picture_kind(".avif"),
    "GIF, animated": picture_kind(".gif", 3, duration=100),
    "PNG, animated": picture_kind(".png", 3, duration=100),
    "WebP, animated": picture_kind(".webp", 3, duration=100),
    "TIFF of three pages": picture_kind(".tif", 3, compression="tiff_lzw"),
    "AVI": Kind(write_video(".avi", "MJPG"), "video.avi", play),
    "MP4": Kind(write_video(".mp4", "mp4v"), "video.mp4", play),
    "WebM": Kind(write_video(".webm", "VP80"), "video.webm", play),
    "training table": table_kind("table.csv"),
    "training table, compressed": table_kind("table.csv.gz"),
    "stored data set": Kind(write_stored_set, "*.npz", lambda _, file: catalogue.read_stored(file)),
    "search space, TOML": space_kind("space.toml"),
    "search space, JSON": space_kind("space.json"),
    "table of samples": sample_kind(f"{SAMPLES}/{TABLE}"),
    "table of samples, verified": sample_kind(f"{SAMPLES}/{TABLE}", check_samples),
    "table of samples, added to": sample_kind(f"{SAMPLES}/{TABLE}", add_sample, (SAMPLES,)),
    "card of a task": sample_kind(f"{SAMPLES}/signs/task.json"),
    "picture of a sample": sample_kind(f"{SAMPLES}/signs/*/*/*.png"),
    "export of samples": sample_kind(
        "samples.zip", lambda folder, file: import_samples(Samples(folder / "new"), file), ("new",)
    ),
    "card of a model": model_kind(f"{MODELS}/digits/*/card.json"),
    "card of a model, listed": model_kind(f"{MODELS}/digits/*/card.json", list_models),
    "current.json": model_kind(f"{MODELS}/digits/current.json"),
    "network": model_kind(f"{MODELS}/digits/*/model.tflite"),
    "features of a model": model_kind(f"{MODELS}/digits/*/last_layer.npz"),
    "export of a model": Kind(
        write_models,
        "model.zip",
        lambda folder, file: import_model(ModelStore(folder / "new"), "digits", file),
        ("new",),
    ),
}


if __name__ == "__main__":
    main()
