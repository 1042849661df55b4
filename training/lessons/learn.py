"""The story of a taught model: read the samples, learn a head over features that stay, prove it, publish.

python -m training.lessons.learn --task signs
python -m training.lessons.learn --task signs --from DIR    from pictures in folders that are named by their label
"""

import argparse
import json
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from recognizer.errors import SamplesError
from recognizer.registry import card, synced
from recognizer.registry import store as registry_store
from recognizer.samples.sample import REGIONS, Sample, Task
from recognizer.samples.store import Samples
from recognizer.system.remote import folder_of
from recognizer.system.terminal import exit_on_error, spell_what_cannot_be_shown
from recognizer.teaching.import_pictures import import_pictures
from training.lessons import new_signs
from training.lessons.lesson import Lesson
from training.lessons.starting_point import Tell, base_of, current_version, sees_colours
from training.lessons.verdict import percent
from training.lessons.views import colour_view, view_of
from training.networks.backbones import SIDE


def main(words: Sequence[str] | None = None) -> None:
    options = parse(words)
    spell_what_cannot_be_shown()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cancelled by the window: nothing half-written stays
    with exit_on_error():
        learn(options, told_in_json() if options.json else told_in_words())


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.lessons.learn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--task", required=True, help="of python -m recognizer new, or a new one with --from")
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="first add its label/picture files")
    parser.add_argument("--region", choices=REGIONS, help="of a new task; found out from the pictures unless given")
    parser.add_argument("--full", action="store_true", help="fine-tune the whole network: minutes, and TensorFlow")
    parser.add_argument("--network", choices=["vgg16"], help="learn hands from their pictures instead of their joints")
    parser.add_argument(
        "--backbone", metavar="NAME", help="of keras.applications, for pictures (VGG16, or what is at hand)"
    )
    parser.add_argument("--force", action="store_true", help="publish what did not prove itself as well")
    parser.add_argument("--json", action="store_true", help="tell the progress in one JSON object a line")
    parser.add_argument("--captures", "--data", type=folder_of, help="folder of the samples")
    parser.add_argument("--models", type=folder_of, default=synced.models_folder())
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


def learn(options: argparse.Namespace, tell: Tell) -> Path | None:
    """The new version's folder, or None where it did not prove itself."""
    began_s = time.perf_counter()
    tell("reading", 0.0)
    store = Samples(options.captures)
    if options.folder is not None:
        import_pictures(store, options.folder, options.task, options.region)
    task = store.task(options.task)
    rows = store.read(task.name)
    current = current_version(options.models, task)
    _check_labels(task, rows, current)
    colour = sees_colours(task, current, options)
    kind = card.read_card(current).get("kind") if current else None
    looked = kind == "fused" or (current is None and new_signs.newest(options.models) is not None)
    view = colour_view(rows, store, SIDE) if colour else view_of(task.region, rows, store, looked=looked)
    if len(view.samples) < len(rows):
        missing = len(rows) - len(view.samples)
        tell(f"in {missing} of {len(rows)} samples no {task.region} is found again: they are left out", 0.1)
        _check_labels(task, view.samples, current)
    base = base_of(options, task, view, current, tell)
    with ExitStack() as stack:
        if options.full:
            from training.lessons.fine_tuning import fine_tuned

            base = stack.enter_context(fine_tuned(base, task, view, options.seed, tell))
        lesson = Lesson(task, view, base, current, store, options.seed, tell)
        verdict = lesson.prove()
        folder = None
        if verdict.passed or options.force:
            tell("publishing", 0.9)
            with registry_store.publishing(options.models, task.name) as draft:
                lesson.publish(verdict, draft)
            folder = registry_store.current(options.models, task.name)
    result = {
        "published": None if folder is None else folder.name,
        "before": {"accuracy": verdict.before, "known": verdict.known_before},
        "after": {"accuracy": verdict.after, "known": verdict.known_after},
        "per_label": verdict.per_label,
        "confused": verdict.confused,
        "why": verdict.why,
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    tell("done", 1.0, result)
    return folder


def told_in_words() -> Tell:
    last = ""

    def tell(stage: str, progress: float, result: dict[str, Any] | None = None) -> None:
        nonlocal last
        if result is None:
            if stage != last:
                print(f"{stage} …", flush=True)
            last = stage
            return
        before, after = result["before"], result["after"]
        print(f"Held-out samples read right: {percent(before['accuracy'])} before, {percent(after['accuracy'])} after")
        if after["known"] is not None:
            print(f"What was known read right:   {percent(before['known'])} before, {percent(after['known'])} after")
        for label, counts in result["per_label"].items():
            print(f"  {label}: {counts['after']} of {counts['of']} ({counts['before']} before)")
        for said, meant, count in result["confused"]:
            print(f"  {count} of {meant} read as {said}")
        version = result["published"]
        print(f"{'Published ' + version if version else 'Not published'} after {result['seconds']} s: {result['why']}")

    return tell


def told_in_json() -> Tell:
    began_s = time.perf_counter()

    def tell(stage: str, progress: float, result: dict[str, Any] | None = None) -> None:
        elapsed_s = time.perf_counter() - began_s
        left_s = round(elapsed_s / progress * (1 - progress), 1) if progress else None
        line = {"stage": stage, "progress": round(progress, 3), "left_s": left_s} if result is None else result
        print(json.dumps(line, ensure_ascii=False), flush=True)

    return tell


def _check_labels(task: Task, rows: Sequence[Sample], current: Path | None) -> None:
    """Raise SamplesError where there is nothing to tell apart."""
    labels = {row.label for row in rows}
    known = card.read_card(current)["labels"] if current else []
    if not labels:
        raise SamplesError(
            f"The task {task.name} has no samples. Record some with c in the window, or give --from DIR."
        )
    if len(labels | set(known)) < 2:
        raise SamplesError(f"All samples of {task.name} show {labels.pop()}. Record another label to tell it from.")


if __name__ == "__main__":
    main()
