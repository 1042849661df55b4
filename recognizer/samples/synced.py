"""Captured samples that are synced with a URL.

Only what this program deleted is deleted at the URL and on other machines: a deletion is noted in the local folder before
it happens, and uploaded as a file of its own. A sample that is merely missing, here or at the URL, is copied again.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from recognizer.errors import SamplesError, SyncError
from recognizer.samples.png import PICTURE_LIMIT, is_complete_png
from recognizer.samples.sample import Sample, Task, checked_task_name, file_stem
from recognizer.samples.store import Samples
from recognizer.samples.table import CARD_LIMIT, as_card, as_table, parse_table, read_card
from recognizer.samples.versions import DELETED, Version, deletion_key, key_of, version_of, versions_of
from recognizer.system import files, paths
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import (
    check_not_emptied,
    is_synced,
    local_folder,
    pull_if_due,
    read_state,
    short_digest,
    sync_errors,
    write_marker,
    write_state,
)

DELETIONS = ".deleted.jsonl"  # deletions that were not uploaded yet: one JSON object per line


@dataclass(frozen=True)
class LocalItem:
    """A sample or task in the local folder, as the content of a file at the URL."""

    key: str  # that of the version at the URL, or of the next one
    data: bytes
    picture: str | None = None  # path of a sample's picture, relative to the folder


@dataclass
class Changes:
    """What a pull found at the URL."""

    tasks: dict[str, Task] = field(default_factory=dict)  # by item
    rows: dict[str, Sample] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)  # items
    seen: set[str] = field(default_factory=set)  # keys of versions that were applied here
    outdated: set[str] = field(default_factory=set)  # keys of versions that a valid one replaced


class SyncedSamples(Samples):
    """Samples in a local folder that is synced with a URL: pulled before reads, pushed after changes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._unreadable_keys: set[str] = set()  # not fetched again: a file at the URL never changes
        self._foreign_keys: set[str] = set()

    def refresh(self) -> None:
        pull_if_due(self.folder, self.pull)

    def ignored(self) -> list[str]:
        return sorted(self._unreadable_keys | self._foreign_keys)

    def deleting(self, samples: Sequence[Sample], tasks: Sequence[Task] = ()) -> None:
        content = {_item_of(sample): as_table([sample]) for sample in samples}
        content |= {_item_of(task): as_card(task) for task in tasks}
        lines = [json.dumps({"item": item, "content": data.decode()}) + "\n" for item, data in content.items()]
        files.append(self.folder / DELETIONS, "".join(lines).encode())

    def pull(self) -> None:
        """Download new and changed samples and tasks, and delete those that another machine deleted. Raises SyncError."""
        with _as_sync_error(self.folder):
            state = read_state(self.folder)
            remote, known = Remote(state.url), state.known
            keys = remote.names("rows", "tasks", DELETED)
            check_not_emptied(remote, known, keys)
            self._foreign_keys = {key for key in keys if version_of(key) is None}
            local = Samples(self.folder)
            here = _local_items(local, known | keys)
            untouched = {*self._deletions(), *_all_items(local)} - here.keys()  # deleted or damaged here
            changes = Changes()
            for item, found in versions_of(keys - self._unreadable_keys).items():
                if item in untouched:
                    changes.seen |= {version.key for version in found} & known
                else:
                    self._compare(remote, found, here.get(item), known, changes)
            _apply(local, remote, here, changes)
            write_state(self.folder, replace(state, known=frozenset(changes.seen)))
            with contextlib.suppress(SyncError):  # a URL may be read-only
                _remove_outdated(remote, changes, keys, here)

    def push(self) -> None:
        """Upload what is new here, and delete at the URL what this program deleted. Raises SyncError."""
        with _as_sync_error(self.folder):
            state = read_state(self.folder)
            remote, known = Remote(state.url), state.known
            local = Samples(self.folder)
            _check_readable(local)
            here = _local_items(local, known)
            write_marker(remote, known)
            _upload(local, remote, here, known)
            deletions = {item: data for item, data in self._deletions().items() if item not in here}
            new_keys = {item.key for item in here.values()}
            known_versions = versions_of(known)
            replaced = set()
            for item in (here.keys() | deletions.keys()) & known_versions.keys():
                replaced |= {version.key for version in known_versions[item]} - new_keys
            for item, data in deletions.items():
                count = max((version.count for version in known_versions.get(item, [])), default=0)
                new_keys.add(key := deletion_key(item, count + 1))
                remote.put(key, data)
            for key in sorted(replaced):
                remote.remove(key)
            write_state(self.folder, replace(state, known=frozenset((known - replaced) | new_keys)))
            (self.folder / DELETIONS).unlink(missing_ok=True)

    def _compare(
        self, remote: Remote, versions: Sequence[Version], mine: LocalItem | None, known: Set[str], changes: Changes
    ) -> None:
        """Add to `changes` what is new in the versions of one item, the valid one first."""
        valid: Sequence[Version] = [version for version in versions if version.order[:2] == versions[0].order[:2]]
        if versions[0].is_deletion:
            valid = versions[:1]
            if mine is not None and mine.key in known:
                changes.deleted.add(versions[0].item)
        elif mine is None or not {version.key for version in valid} <= known | {mine.key}:
            fetch = self._fetch_row if versions[0].item.startswith("rows/") else self._fetch_task
            valid = fetch(remote, versions, mine, known, changes)
        changes.seen |= {version.key for version in valid}
        if valid:
            lowest = min(version.order for version in valid)
            changes.outdated |= {version.key for version in versions if version.order < lowest}

    def _fetch_row(
        self, remote: Remote, versions: Sequence[Version], mine: LocalItem | None, known: Set[str], changes: Changes
    ) -> list[Version]:
        """The highest version that is a sample; lower ones of damaged files."""
        for version in versions:
            if version.is_deletion or (mine is not None and version.key == mine.key):
                return [version]
            data = remote.get(version.key)
            row = None if data is None else _row_in(version, data)
            if row is not None:
                changes.rows[version.item] = row
                return [version]
            if data is not None:
                self._unreadable_keys.add(version.key)
        return []

    def _fetch_task(
        self, remote: Remote, versions: Sequence[Version], mine: LocalItem | None, known: Set[str], changes: Changes
    ) -> list[Version]:
        """The highest versions that are tasks. A task that machines changed at the same time gets the labels of all."""
        valid: list[Version] = []
        found = [] if mine is None or mine.key in known else [_task_in(mine.data)]  # changed here, and not uploaded
        for version in versions:
            if version.is_deletion or (valid and version.count < valid[0].count):
                break
            data = mine.data if mine is not None and version.key == mine.key else remote.get(version.key)
            task = _task_in(data)
            if task is None or version.item != _item_of(task):
                if data is not None:
                    self._unreadable_keys.add(version.key)
                continue
            valid.append(version)
            found.append(task)
        tasks = [task for task in reversed(found) if task is not None]
        if valid and tasks:
            labels = dict.fromkeys(label for task in tasks for label in task.labels)
            changes.tasks[valid[0].item] = replace(tasks[0], labels=tuple(labels))
        return valid

    def _deletions(self) -> dict[str, bytes]:
        """Items that were deleted here and not yet at the URL, with their content."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / DELETIONS).read_text(encoding="utf-8", errors="replace").splitlines()
            return dict(filter(None, map(_deletion_in, lines)))
        return {}


def open_samples(place: str | Path) -> Samples:
    """Open the samples in a folder or at a URL. Raises SyncError and SamplesError."""
    folder = local_folder(str(place))
    return SyncedSamples(folder) if is_synced(folder) else Samples(folder)


def default_samples() -> Samples:
    """Open the samples in the folder or at the URL in RECOGNIZER_CAPTURES, else in data/captures/."""
    return open_samples(paths.captures())


@contextmanager
def _as_sync_error(folder: Path) -> Iterator[None]:
    try:
        with sync_errors(folder):
            yield
    except SamplesError as error:
        raise SyncError(str(error)) from error


def _apply(local: Samples, remote: Remote, here: Mapping[str, LocalItem], changes: Changes) -> None:
    """Write the changes into the local folder. Samples without their picture or task at the URL wait for the next pull."""
    if not (changes.tasks or changes.rows or changes.deleted):
        return
    tasks = {task.name for task in (*local.readable_tasks(), *changes.tasks.values())}
    added, changed = [], {}
    for item, row in sorted(changes.rows.items(), key=lambda found: found[1].time):
        if item in here:
            changed[file_stem(row.path)] = row
            continue
        png = remote.get(f"pictures/{file_stem(row.path)}.png") if row.task in tasks else None
        if png is not None and len(png) <= PICTURE_LIMIT and is_complete_png(png):
            added.append((row, png))
        else:
            changes.seen -= {key for key in changes.seen if key.startswith(f"{item}-")}
    deleted_tasks = [task.name for task in local.readable_tasks() if _item_of(task) in changes.deleted]
    deleted_rows = {item.removeprefix("rows/") for item in changes.deleted if item.startswith("rows/")}
    local.apply_remote(changes.tasks.values(), added, changed, deleted_rows, deleted_tasks)


def _upload(local: Samples, remote: Remote, here: Mapping[str, LocalItem], known: Set[str]) -> None:
    """Upload the new and changed items, each picture before its row."""
    uploaded = versions_of(known)
    for item, content in sorted(here.items()):
        if content.key in known:
            continue
        if content.picture and (item not in uploaded or uploaded[item][0].is_deletion):
            with contextlib.suppress(FileNotFoundError):  # the picture of a row may be missing
                remote.put(f"pictures/{item.removeprefix('rows/')}.png", (local.folder / content.picture).read_bytes())
        remote.put(content.key, content.data)


def _remove_outdated(remote: Remote, changes: Changes, keys: Set[str], here: Mapping[str, LocalItem]) -> None:
    """Delete replaced versions at the URL, and what was deleted so long ago that all machines know it."""
    for key in sorted(changes.outdated):
        remote.remove(key)
    now = datetime.now(UTC)
    for item, versions in versions_of(keys - changes.outdated).items():
        if versions[0].is_expired(now):
            if item.startswith("rows/") and item not in here:
                remote.remove(f"pictures/{versions[0].name}.png")
            remote.remove(versions[0].key)


def _check_readable(local: Samples) -> None:
    """Raise SamplesError if something in the folder is damaged: what cannot be read must not count as deleted."""
    if damage := local.damage():
        more = f" and {len(damage) - 1} more like it" if len(damage) > 1 else ""
        raise SamplesError(
            f"Nothing was uploaded, because {local.folder} holds what is no sample: {damage[0]}{more}. "
            f"Set it aside: python -m recognizer samples verify --set-aside --samples {local.folder}"
        )


def _local_items(local: Samples, keys: Set[str]) -> dict[str, LocalItem]:
    """The samples and tasks here, by item. Unchanged ones have their key in `keys`, others one with the next count."""
    versions = versions_of(keys)
    found: dict[str, LocalItem] = {}
    for sample in local.read():
        item, data = _item_of(sample), as_table([sample])
        found[item] = LocalItem(_local_key(item, data, versions.get(item, [])), data, sample.path)
    for task in local.readable_tasks():
        item, data = _item_of(task), as_card(task)
        found[item] = LocalItem(_local_key(item, data, versions.get(item, [])), data)
    return found


def _local_key(item: str, data: bytes, versions: Iterable[Version]) -> str:
    digest, next_count = short_digest(data), 0
    for version in versions:
        next_count = max(next_count, version.count + 1)
        if version.mark == digest:
            return version.key
    return key_of(item, next_count, digest)


def _all_items(local: Samples) -> set[str]:
    """The items here, also those of lines and task cards that cannot be read."""
    return {f"rows/{name.removesuffix('.png')}" for name in local.file_names()} | set(
        map(_task_item, local.task_names())
    )


def _item_of(found: Sample | Task) -> str:
    return f"rows/{file_stem(found.path)}" if isinstance(found, Sample) else _task_item(found.name)


def _task_item(name: str) -> str:
    return f"tasks/{short_digest(name.encode())}"


def _row_in(version: Version, data: bytes) -> Sample | None:
    """The sample in a file of that name; None if the content is not what the name states."""
    if short_digest(data) != version.mark:
        return None
    rows = parse_table(data)
    row = rows[0] if len(rows) == 1 else None
    return row if isinstance(row, Sample) and _item_of(row) == version.item else None


def _task_in(data: bytes | None) -> Task | None:
    if data is None or len(data) > CARD_LIMIT:
        return None
    try:
        return read_card(checked_task_name(json.loads(data)["name"]), data, "a task")
    except (ValueError, KeyError, TypeError, RecursionError, SamplesError):
        return None


def _deletion_in(line: str) -> tuple[str, bytes] | None:
    """Item and content of a noted deletion; None for a line that was only partly written."""
    try:
        note = json.loads(line)
        return str(note["item"]), str(note["content"]).encode()
    except (ValueError, KeyError, TypeError):
        return None
