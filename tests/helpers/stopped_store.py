"""Run by test_samples.py: kills programs that write to a store of samples, and checks the files that are left.

python -m tests.helpers.stopped_store steps OPERATION FOLDER    stop before each file system call of the operation
python -m tests.helpers.stopped_store kill ROUNDS FOLDER        kill -9 at random moments while samples are added and changed
python -m tests.helpers.stopped_store add LABEL FOLDER          add 25 samples
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recognizer.motion.movement import Movement
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.verify import verify
from recognizer.values import Box, Frame, Hand, Region

STEPS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
STOPPED = 9


def add(store: Samples, label: str = "ok") -> Sample:
    image = np.random.default_rng(time.monotonic_ns()).integers(0, 255, (48, 64, 3), np.uint8)
    hand = Hand(np.arange(63, dtype=np.float32).reshape(21, 3), "left", 0.9)
    region = Region(Box(4, 4, 36, 36), image[4:36, 4:36], hand=hand)
    return store.add("signs", label, region, Frame(image, 0, 0.0, "drawn"), "first", "drawn")


def add_movement(store: Samples) -> Sample:
    """A moving sample: its joints are in its picture."""
    rng = np.random.default_rng(time.monotonic_ns())
    joints = rng.uniform(0, 400, (5, 2, 21, 3)).astype(np.float32)
    movement = Movement(np.arange(5) / 30, joints, ("left", "right"))
    strip = rng.integers(0, 255, (16, 80, 3), np.uint8)
    return store.add_movement("signs", "ok", movement, strip, Box(4, 4, 36, 36), "first", "drawn")


OPERATIONS: dict[str, Callable[[Samples], object]] = {
    "add": add,
    "add movement": add_movement,
    "undo": lambda store: store.undo(store.read("signs")[-2:]),
    "relabel": lambda store: store.relabel(store.read("signs")[:2], "thumbs up"),
    "rename": lambda store: store.rename_label("signs", "ok", "שלום"),
    "merge": lambda store: store.merge("signs", "others"),
    "delete": lambda store: store.delete_task("signs"),
    "delete samples": lambda store: store.delete(store.read("signs")),
    "delete label": lambda store: store.delete_label("signs", "ok"),
    "restore": lambda store: store.restore(store.trash()[0].name),
    "rename task": lambda store: store.rename_task("signs", "gestures"),
}


def stop_at_each_step(operation: str, folder: Path) -> list[dict[str, object]]:
    """The state after each kill. The last state is after the complete operation."""
    change = OPERATIONS[operation]
    store = Samples(folder / "before")
    store.create_task("signs", "hand", ["ok", "thumbs up"])
    store.create_task("others", "hand", ["stop"])
    for number in range(4):
        (add_movement if number % 2 else add)(store)
    if operation == "restore":
        store.delete_task("signs")
    found = []
    for step in range(1, 200):
        copy = folder / f"{operation}-{step}"
        shutil.copytree(store.folder, copy)
        child = os.fork()
        if child == 0:
            here = Samples(copy)
            stop_before(step)
            change(here)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left = Samples(copy)
        tasks = {task.name for task in left.tasks()}
        labels = [sample.label for sample in left.read()]
        problems = [str(problem) for problem in verify(left)]
        unfinished = os.listdir(left.unfinished)
        in_trash = [sample for entry in left.trash() for sample in entry.samples]
        lost = [one.path for one in in_trash if not list((copy / ".trash").glob(f"*/{one.id}.png"))]
        state = {"labels": labels, "trash": [sample.label for sample in in_trash], "tasks": sorted(tasks)}
        found.append({"status": status, "problems": problems + unfinished + lost, **state})
        if status == 0:
            break
    return found


def stop_before(step: int) -> None:
    """Exit without cleanup before that file system call, counted from 1."""
    steps = iter(range(1, 10_000))
    sys.addaudithook(lambda event, _: os._exit(STOPPED) if event in STEPS and next(steps) == step else None)


def add_many(label: str, folder: Path) -> int:
    return len([add(Samples(folder), label) for _ in range(25)])


def kill_at_random(rounds: int, folder: Path) -> dict[str, object]:
    """After all rounds: samples that were reported as stored but are missing, and inconsistencies of the store."""
    rng = random.Random(0)
    Samples(folder).create_task("signs", "hand", ["ok", "thumbs up"])
    began_s = time.perf_counter()
    Samples(folder).undo([add(Samples(folder))])
    took_s = time.perf_counter() - began_s
    stored: set[str] = set()
    lost: set[str] = set()
    problems: list[str] = []
    for _ in range(rounds):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            while True:
                here = Samples(folder)
                relabelled = add(here)
                os.write(write_end, f"+{relabelled.id}\n".encode())
                here.relabel([relabelled], "thumbs up")
                undone = add_movement(here)
                os.write(write_end, f"+{undone.id}\n-{undone.id}\n".encode())
                here.undo([undone])
        os.close(write_end)
        output = (
            os.read(read_end, 1 << 16) if rng.random() < 0.7 else b""
        )  # otherwise it may be killed while it adds its first sample
        time.sleep(rng.uniform(0.0, 3 * took_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(read_end, "rb") as rest:
            output += rest.read()
        for line in output.decode().split():
            (stored.add if line[0] == "+" else stored.discard)(line[1:])
        left = Samples(folder)
        lost |= stored - {sample.id for sample in left.read()}
        problems += [str(problem) for problem in verify(left)] + os.listdir(left.unfinished)
    return {"stored": len(stored), "lost": sorted(lost), "problems": problems}


COMMANDS: dict[str, Callable[[str, Path], object]] = {
    "steps": stop_at_each_step,
    "kill": lambda rounds, folder: kill_at_random(int(rounds), folder),
    "add": add_many,
}

if __name__ == "__main__":
    command, what, where = sys.argv[1:]
    print(json.dumps(COMMANDS[command](what, Path(where))))
