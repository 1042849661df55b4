"""Captured samples that are synced with a URL."""

import contextlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from recognizer.samples.sample import Sample, Task, file_stem
from recognizer.samples.store import Samples
from recognizer.samples.table import as_card, as_table, parse_table, read_card
from recognizer.system import paths
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import (
    check_not_emptied,
    is_synced,
    local_folder,
    pull_if_due,
    read_state,
    short_digest,
    write_marker,
    write_state,
)


class SyncedSamples(Samples):
    """Samples in a local folder that is synced with a URL: pulled before reads, pushed after changes."""

    def refresh(self) -> None:
        pull_if_due(self.folder, self.pull)

    def pull(self) -> None:
        """Download new and changed samples and tasks, and delete those that were deleted at the URL."""
        state = read_state(self.folder)
        remote, known = Remote(state.url), state.known
        all_keys = remote.names("rows", "tasks")
        check_not_emptied(remote, known, all_keys)
        remote_keys = _latest(all_keys)
        for key in all_keys - remote_keys:
            remote.remove(key)  # superseded versions
        local = Samples(self.folder)
        local_items = _items(local, known | remote_keys)
        new = sorted(remote_keys - local_items.keys())

        tasks = _pulled_tasks(remote, remote_keys, new, local_items)
        rows = _pulled_rows(remote, new)
        names_here = {_parts(key)[0] for key in local_items}
        deleted = {_parts(key)[0] for key in known} - {_parts(key)[0] for key in remote_keys}
        by_time = sorted(rows.items(), key=lambda item: item[1].time)
        pictures = [(row, remote.get(f"pictures/{name}.png")) for name, row in by_time if name not in names_here]
        local.apply_remote(
            tasks,
            [(row, png) for row, png in pictures if png is not None],
            {name: row for name, row in rows.items() if name in names_here},
            deleted,
            [task.name for task in local.tasks() if short_digest(task.name.encode()) in deleted],
        )
        write_state(
            self.folder, replace(state, known=frozenset(_items(local, known | remote_keys).keys() & remote_keys))
        )

    def push(self) -> None:
        """Upload what is new here, and delete at the URL what was deleted here."""
        state = read_state(self.folder)
        remote, known = Remote(state.url), state.known
        local = Samples(self.folder)
        local_items = _items(local, known)
        write_marker(remote, known)
        pushed_names = {_parts(key)[0] for key in known}
        pictures = {file_stem(sample.path): sample.path for sample in local.read()}
        for key in sorted(local_items.keys() - known):
            name = _parts(key)[0]
            if name in pictures and name not in pushed_names:
                with contextlib.suppress(FileNotFoundError):  # the picture of a row may be missing
                    remote.put(f"pictures/{name}.png", (self.folder / pictures[name]).read_bytes())
            remote.put(key, local_items[key])
        for key in sorted(known - local_items.keys()):
            remote.remove(key)
            if key.startswith("rows/") and _parts(key)[0] not in pictures:
                remote.remove(f"pictures/{_parts(key)[0]}.png")
        write_state(self.folder, replace(state, known=frozenset(local_items)))


def open_samples(place: str | Path) -> Samples:
    """Open the samples in a folder or at a URL. Raises SyncError and SamplesError."""
    folder = local_folder(str(place))
    return SyncedSamples(folder) if is_synced(folder) else Samples(folder)


def default_samples() -> Samples:
    """Open the samples in the folder or at the URL in RECOGNIZER_CAPTURES, else in data/captures/."""
    return open_samples(paths.captures())


def _pulled_tasks(
    remote: Remote, remote_keys: Set[str], new: Sequence[str], local_items: Mapping[str, bytes]
) -> list[Task]:
    """The tasks that changed at the URL. A task that two machines changed at the same time gets the labels of both."""
    tasks: dict[str, Task] = {}
    changed = {_parts(key)[0] for key in new}
    for key in sorted(key for key in remote_keys if key.startswith("tasks/") and _parts(key)[0] in changed):
        if (data := local_items.get(key) or remote.get(key)) is not None:
            task = read_card(json.loads(data)["name"], data, f"{remote.url}/{key}")
            other = tasks.get(task.name, task)
            tasks[task.name] = replace(task, labels=tuple(dict.fromkeys([*other.labels, *task.labels])))
    return [*tasks.values()]


def _pulled_rows(remote: Remote, new: Sequence[str]) -> dict[str, Sample]:
    """The samples that changed at the URL, by name; rows that cannot be parsed are skipped."""
    rows: dict[str, Sample] = {}
    for key in (key for key in new if key.startswith("rows/")):
        found = parse_table(remote.get(key) or b"")
        if found and not isinstance(found[0], str):
            rows[_parts(key)[0]] = found[0]
    return rows


def _items(store: Samples, keys: Set[str]) -> dict[str, bytes]:
    """The store's rows and tasks as contents of small files, by key.

    Unchanged ones keep their key in `keys`; the others get a key with the next count.
    """
    known_keys = {(name, digest): key for key in sorted(keys) for name, _, digest in [_parts(key)]}
    counts: dict[str, int] = {}
    for key in keys:
        name, count, _ = _parts(key)
        counts[name] = max(count, counts.get(name, 0))
    content = {(f"rows/{file_stem(sample.path)}", "csv"): as_table([sample]) for sample in store.read()}
    content |= {(f"tasks/{short_digest(task.name.encode())}", "json"): as_card(task) for task in store.tasks()}
    found = {}
    for (path, kind), data in content.items():
        name, digest = path.partition("/")[2], short_digest(data)
        found[known_keys.get((name, digest)) or f"{path}-{counts.get(name, -1) + 1}-{digest}.{kind}"] = data
    return found


def _latest(keys: set[str]) -> set[str]:
    """The latest key of each sample and task; several for a task that machines changed at the same time."""
    highest: dict[str, tuple[int, str]] = {}
    for key in keys:
        name, count, digest = _parts(key)
        highest[name] = max((count, digest), highest.get(name, (count, digest)))
    return {
        key for key in keys for name, count, digest in [_parts(key)]
        if (count, digest) == highest[name] or (key.startswith("tasks/") and count == highest[name][0])
    }  # fmt: skip


def _parts(key: str) -> tuple[str, int, str]:
    """Split a key into name, number of changes and content digest."""
    name, count, digest = key.partition("/")[2].rpartition(".")[0].rsplit("-", 2)
    return name, int(count), digest
