"""Names of the files at a URL that hold the versions of samples and tasks.

    rows/NAME-N-HASH.csv               a sample, by the name of its picture; N counts its changes
    tasks/ID-N-HASH.json               a task, by the digest of its name
    deleted/rows/NAME-N-DAY.csv        a sample that was deleted on that day; also deleted/tasks/ID-N-DAY.json

A deletion is one more version. Where several machines changed one item, the highest version is valid on all of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DELETED = "deleted"
KEPT_DAYS = 30  # a machine that was away for longer uploads samples again that were deleted meanwhile
KEY = re.compile(
    r"(?P<deleted>deleted/)?(?P<item>(?:rows|tasks)/[^/\\]{1,200})-(?P<count>\d{1,9})-(?P<mark>[0-9a-f]{8,12})\.(?:csv|json)"
)


@dataclass(frozen=True)
class Version:
    """A version of a sample or task, or its deletion."""

    key: str  # its path below the URL
    item: str  # "rows/NAME" or "tasks/ID"
    count: int  # number of changes before it
    mark: str  # digest of its content; of a deletion: the day
    is_deletion: bool

    @property
    def name(self) -> str:
        return self.item.partition("/")[2]

    @property
    def order(self) -> tuple[int, bool, str]:
        """The highest of an item's versions is valid. A change wins over a deletion that was made at the same time."""
        return self.count, not self.is_deletion, self.mark

    def is_expired(self, today: datetime) -> bool:
        """Whether it is a deletion that every machine has seen by now."""
        return self.is_deletion and self.mark < f"{today - timedelta(days=KEPT_DAYS):%Y%m%d}"


def version_of(key: str) -> Version | None:
    """The version that a file's name states; None for files of other programs."""
    found = KEY.fullmatch(key)
    return found and Version(key, found["item"], int(found["count"]), found["mark"], bool(found["deleted"]))


def versions_of(keys: Iterable[str]) -> dict[str, list[Version]]:
    """The versions of each item, the valid one first. Names of other files are ignored."""
    found: dict[str, list[Version]] = {}
    for version in filter(None, map(version_of, keys)):
        found.setdefault(version.item, []).append(version)
    return {item: sorted(found[item], key=lambda version: version.order, reverse=True) for item in sorted(found)}


def key_of(item: str, count: int, digest: str) -> str:
    return f"{item}-{count}-{digest}.{_suffix(item)}"


def deletion_key(item: str, count: int) -> str:
    """The name of a deletion today."""
    return f"{DELETED}/{item}-{count}-{datetime.now(UTC):%Y%m%d}.{_suffix(item)}"


def _suffix(item: str) -> str:
    return "csv" if item.startswith("rows/") else "json"
