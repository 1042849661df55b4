"""Samples at a URL: pulled into a local folder, pushed from it."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.samples.sample import file_stem
from recognizer.system import paths
from recognizer.system import remote as system_remote
from recognizer.system.remote import Remote, check_not_emptied, mark_as_ours, read_state, short_digest, write_state

if TYPE_CHECKING:
    from recognizer.samples.sample import Sample
    from recognizer.samples.store import Samples

# samples


def pull_samples(folder: Path) -> None:
    """Fetch samples and tasks that are new or were changed there, and drop those that were deleted."""
    from recognizer.samples.sample import Task
    from recognizer.samples.store import Samples
    from recognizer.samples.table import parsed_table, read_card

    state = read_state(folder)
    remote = Remote(state["url"])
    everything = remote.names("rows", "tasks")
    known = set(state["known"])
    check_not_emptied(remote, known, everything)
    there = _latest(everything)
    for key in everything - there:
        remote.remove(key)  # what came before it
    store = Samples(folder, alone=True)
    here = _items(store, known | there)
    new = sorted(there - here.keys())

    told: dict[str, Task] = {}
    changed = {_parts(key)[0] for key in new}
    for key in sorted(key for key in there if key.startswith("tasks/") and _parts(key)[0] in changed):
        if (data := here.get(key) or remote.get(key)) is not None:
            task = read_card(json.loads(data)["name"], data, f"{remote.url}/{key}")
            twice = told.get(task.name, task)  # two machines have changed it at once
            told[task.name] = replace(task, labels=tuple(dict.fromkeys([*twice.labels, *task.labels])))
    rows: dict[str, Sample] = {}
    for key in (key for key in new if key.startswith("rows/")):
        found = parsed_table(remote.get(key) or b"")
        if found and not isinstance(found[0], str):
            rows[_parts(key)[0]] = found[0]
    local = {_parts(key)[0] for key in here}
    lost = {_parts(key)[0] for key in known} - {_parts(key)[0] for key in there}
    taken = sorted(rows.items(), key=lambda item: item[1].time)
    pictures = [(row, remote.get(f"pictures/{name}.png")) for name, row in taken if name not in local]
    store.follow(
        [*told.values()],
        [(row, png) for row, png in pictures if png is not None],
        {name: row for name, row in rows.items() if name in local},
        lost,
        [task.name for task in store.tasks() if short_digest(task.name.encode()) in lost],
    )
    write_state(folder, {**state, "known": sorted(_items(store, known | there).keys() & there)})


def push_samples(store: "Samples") -> None:
    """Send what is new here, and remove what was deleted. Call it under the store's lock."""
    state = read_state(store.folder)
    remote = Remote(state["url"])
    known = set(state["known"])
    here = _items(store, known)
    mark_as_ours(remote, known)
    sent = {_parts(key)[0] for key in known}
    pictures = {file_stem(sample.path): sample.path for sample in store.read()}
    for key in sorted(here.keys() - known):
        name = _parts(key)[0]
        if name in pictures and name not in sent:
            with contextlib.suppress(FileNotFoundError):  # a row may have lost its picture
                remote.put(f"pictures/{name}.png", (store.folder / pictures[name]).read_bytes())
        remote.put(key, here[key])
    for key in sorted(known - here.keys()):
        remote.remove(key)
        if key.startswith("rows/") and _parts(key)[0] not in pictures:
            remote.remove(f"pictures/{_parts(key)[0]}.png")
    write_state(store.folder, {**state, "known": sorted(here)})


def _items(store: "Samples", keys: set[str]) -> dict[str, bytes]:
    """What a store holds as small files; those that `keys` names have not changed, others count one up from there."""
    from recognizer.samples.table import as_card, as_table

    named = {(name, digest): key for key in sorted(keys) for name, _, digest in [_parts(key)]}
    counts: dict[str, int] = {}
    for key in keys:
        name, count, _ = _parts(key)
        counts[name] = max(count, counts.get(name, 0))
    content = {(f"rows/{file_stem(sample.path)}", "csv"): as_table([sample]) for sample in store.read()}
    content |= {(f"tasks/{short_digest(task.name.encode())}", "json"): as_card(task) for task in store.tasks()}
    found = {}
    for (path, kind), data in content.items():
        name, digest = path.partition("/")[2], short_digest(data)
        found[named.get((name, digest)) or f"{path}-{counts.get(name, -1) + 1}-{digest}.{kind}"] = data
    return found


def _latest(keys: set[str]) -> set[str]:
    """Of each sample the one row that counts, of each task its last cards: two where two machines changed it at once."""
    highest: dict[str, tuple[int, str]] = {}
    for key in keys:
        name, count, digest = _parts(key)
        highest[name] = max((count, digest), highest.get(name, (count, digest)))
    return {
        key for key in keys for name, count, digest in [_parts(key)]
        if (count, digest) == highest[name] or (key.startswith("tasks/") and count == highest[name][0])
    }  # fmt: skip


def _parts(key: str) -> tuple[str, int, str]:
    """Name, count of changes and digest of content, in the path of a small file."""
    name, count, digest = key.partition("/")[2].rpartition(".")[0].rsplit("-", 2)
    return name, int(count), digest


def captures_folder() -> Path:
    """The folder that RECOGNIZER_CAPTURES names, or that follows the URL there; else data/captures/ beside the package."""
    return system_remote.folder_of(paths.captures())
