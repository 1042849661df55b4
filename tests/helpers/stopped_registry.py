"""Run by test_faults.py: kills programs during publishing, and checks the files that are left.

python -m tests.helpers.stopped_registry steps OPERATION FOLDER    stop before each file system call of the operation
python -m tests.helpers.stopped_registry kill ROUNDS FOLDER        kill -9 at random moments while models are published
python -m tests.helpers.stopped_registry publish TIMES FOLDER      publish that many models
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

from recognizer.registry import card
from recognizer.registry.synced import open_models
from tests.helpers.stopped_store import stop_before

TASK = "signs"


def publish(models: Path, note: str = "new") -> None:
    with open_models(models).publishing(TASK) as draft:
        (draft / "model.tflite").write_bytes(note.encode() * 5000)
        (draft / card.CARD).write_text(json.dumps({"labels": ["ok"], "note": note}))


def in_use(models: Path) -> str:
    """The note in the current model's card, or its error."""
    folder = open_models(models).current(TASK)
    note = str(card.read_card(folder).unknown_fields["note"])
    complete = (folder / "model.tflite").read_bytes() == note.encode() * 5000
    return note if complete else f"{folder.name} is not complete"


OPERATIONS: dict[str, Callable[[Path], object]] = {
    "publish": publish,
    "rollback": lambda models: open_models(models).rollback(TASK),
    "delete": lambda models: open_models(models).delete(TASK, open_models(models).versions(TASK)[0]),
}


def stop_at_each_step(operation: str, folder: Path) -> list[dict[str, object]]:
    """The state after each kill, and whether a model can be published then. The last state follows a complete operation."""
    for note in ("first", "second"):
        publish(folder / "before", note)
    found = []
    for step in range(1, 200):
        copy = folder / f"{operation}-{step}"
        shutil.copytree(folder / "before", copy)
        child = os.fork()
        if child == 0:
            stop_before(step)
            OPERATIONS[operation](copy)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left = {"status": status, "in use": in_use(copy), "versions": len(open_models(copy).versions(TASK))}
        publish(copy, "next")
        found.append({**left, "next": in_use(copy)})
        if status == 0:
            break
    return found


def kill_at_random(rounds: int, folder: Path) -> dict[str, object]:
    """The current model after each round, and how often it was older than the last that was reported as published."""
    rng = random.Random(0)
    began_s = time.perf_counter()
    publish(folder, "0")
    took_s = time.perf_counter() - began_s
    published, seen, lost = 0, [], 0
    for _ in range(rounds):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            while True:
                published += 1
                publish(folder, str(published))
                os.write(write_end, f"{published}\n".encode())
        os.close(write_end)
        first = (
            os.read(read_end, 1 << 16).decode() if rng.random() < 0.7 else ""
        )  # otherwise it may be killed while it publishes its first model
        time.sleep(rng.uniform(0.0, 3 * took_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(read_end) as lines:
            published = max([published, *map(int, (first + lines.read()).split())])
        seen.append(in_use(folder))
        lost += seen[-1] not in (str(published), str(published + 1))
        published = int(seen[-1])
    return {"seen": seen, "lost": lost}


def publish_often(times: int, folder: Path) -> int:
    for _ in range(times):
        publish(folder)
    return times


COMMANDS: dict[str, Callable[[str, Path], object]] = {
    "steps": stop_at_each_step,
    "kill": lambda rounds, folder: kill_at_random(int(rounds), folder),
    "publish": lambda times, folder: publish_often(int(times), folder),
}

if __name__ == "__main__":
    command, what, where = sys.argv[1:]
    print(json.dumps(COMMANDS[command](what, Path(where))))
