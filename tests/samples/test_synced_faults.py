"""Samples at a URL: what cannot be read never counts as deleted, and hostile names write nothing elsewhere."""

import functools
import http.server
import itertools
import json
import math
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recognizer.errors import SamplesError, SyncError
from recognizer.samples import versions
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import SyncedSamples
from recognizer.samples.verify import set_aside, verify
from recognizer.system import synced_folder
from recognizer.system.remote import Remote
from recognizer.system.synced_folder import local_folder, short_digest
from recognizer.values import Box, Frame, Region

pytest.importorskip("fsspec", reason="needs fsspec: pip install -r requirements.txt")

BUCKET = "recognizer"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a bucket on a local S3 server."""
    pytest.importorskip("s3fs", reason="needs a real S3 interface: pip install s3fs 'moto[server]'")
    server = pytest.importorskip(
        "moto.server", reason="needs a real S3 interface: pip install s3fs 'moto[server]'"
    ).ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    import fsspec

    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server.start()
        environment.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        fsspec.filesystem("s3").mkdir(BUCKET)
        yield f"s3://{BUCKET}"
        server.stop()


@pytest.fixture(params=["memory", "file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/{uuid.uuid4().hex}"
    return f"memory://{uuid.uuid4().hex}" if request.param == "memory" else (tmp_path / "far").as_uri()


@pytest.fixture(autouse=True)
def _explicit_pulls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synced_folder, "PULL_S", math.inf)


@pytest.fixture
def machines(url: str, tmp_path: Path) -> tuple[SyncedSamples, SyncedSamples]:
    """Two machines with the task "signs", which synced once."""
    one, two = (SyncedSamples(local_folder(url, tmp_path / name)) for name in ("one", "two"))
    one.create_task("signs", "box", ["ok", "stop"])
    two.pull()
    return one, two


def record(store: Samples, shade: int = 50) -> Sample:
    frame = Frame(np.full((60, 80, 3), shade, np.uint8), 0, 0.0, "drawn")
    return store.add("signs", "ok", Region(Box(10, 10, 40, 40), frame.image_bgr[10:40, 10:40]), frame, "s1", "test")


def ids(store: Samples) -> set[str]:
    return {sample.id for sample in store.read()}


def far(store: Samples) -> Remote:
    return Remote(synced_folder.url_of(store.folder))


def at_url(store: Samples, folder: str) -> set[str]:
    return {name.partition("/")[2] for name in far(store).names(folder)}


def cells_lost(table: bytes) -> bytes:
    return b"\n".join(line.rsplit(b",", 4)[0] for line in table.split(b"\n"))


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "cut": lambda table: table[: len(table) // 2] + b"\n",
    "zeros": lambda table: bytes(len(table)) + b"\n",
    "columns lost": cells_lost,
    "emptied": lambda _: b"",
    "deleted": lambda _: None,
}


def damage(store: Samples, how: str) -> None:
    table = DAMAGES[how](store.table_path.read_bytes())
    store.table_path.unlink()
    if table is not None:
        store.table_path.write_bytes(table)


ORDERS = list(itertools.permutations(["one records", "one pulls", "two records", "two pulls"]))


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_two_machines_and_one_damaged_table_lose_nothing_in_any_order(
    machines: tuple[SyncedSamples, SyncedSamples], every: int
) -> None:
    one, two = machines
    for number, order in list(enumerate(ORDERS))[::every]:
        how = list(DAMAGES)[number % len(DAMAGES)]
        recorded = ids(two) | ids(one) | {record(one, number).id}
        damage(one, how)
        for step in order:
            store = one if step.startswith("one") else two
            if step.endswith("pulls"):
                store.pull()
                continue
            before = ids(store)
            try:
                record(store)
            except SyncError as error:
                assert store is one
                assert "Nothing was uploaded" in str(error)  # noqa: PT017 - it is raised by some orders only
            recorded |= ids(store) - before
        set_aside(one, verify(one))
        for store in (one, two, one, two):
            store.pull()
            record(store)
            recorded |= ids(store)
        one.pull()
        assert ids(one) == ids(two) == recorded, (how, order)
        assert at_url(one, "pictures") == {f"{name}.png" for name in recorded}, (how, order)
        assert all(store.picture(sample).shape == (30, 30, 3) for store in (one, two) for sample in store.read())


def test_a_table_with_lines_that_are_no_samples_stops_the_push_and_says_so(
    machines: tuple[SyncedSamples, SyncedSamples],
) -> None:
    one, _ = machines
    samples = [record(one), record(one)]
    one.table_path.write_bytes(one.table_path.read_bytes().replace(samples[0].path.encode(), b"../x.png"))
    with pytest.raises(SyncError, match=r"Nothing was uploaded, .*row 1 of samples.csv.* Set it aside: .*--set-aside"):
        record(one)
    assert len(one.read()) == 2
    assert len(at_url(one, "rows")) == 2
    set_aside(one, verify(one))
    one.pull()
    assert len(one.read()) == 3


def test_a_damaged_task_card_stops_the_push_and_is_not_deleted_at_the_url(
    machines: tuple[SyncedSamples, SyncedSamples],
) -> None:
    one, two = machines
    (one.folder / "signs" / "task.json").write_text("{")
    with pytest.raises(SyncError, match="Nothing was uploaded, .*task.json is damaged"):
        one.create_task("mugs", "box", ["mug"])
    one.pull()
    two.pull()
    assert (one.folder / "signs" / "task.json").read_text() == "{"
    assert [task.name for task in two.tasks()] == ["signs"]


def test_a_deletion_is_uploaded_after_a_failed_push(
    machines: tuple[SyncedSamples, SyncedSamples], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    sample, other = record(one), record(one)
    two.pull()

    def refuse(*_: object) -> None:
        raise SyncError("no network")

    with monkeypatch.context() as offline:
        offline.setattr(Remote, "put", refuse)
        offline.setattr(Remote, "remove", refuse)
        with pytest.raises(SyncError, match="no network"):
            one.delete([sample])
    one.pull()
    assert ids(one) == {other.id}
    added = record(one)
    two.pull()
    assert ids(two) == {other.id, added.id}


def test_a_deleted_sample_can_be_stored_again(machines: tuple[SyncedSamples, SyncedSamples]) -> None:
    one, two = machines
    sample = record(one)
    picture = (one.folder / sample.path).read_bytes()
    two.pull()
    one.delete([sample])
    two.pull()
    assert ids(two) == set()
    one.place([(sample, picture)])
    for _ in range(2):
        one.pull()
        two.pull()
    assert ids(one) == ids(two) == {sample.id}


def test_deleted_samples_stay_at_the_url_for_some_days(
    machines: tuple[SyncedSamples, SyncedSamples], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    sample = record(one)
    one.delete([sample])
    two.pull()
    assert at_url(one, "rows") == set()
    (deleted,) = at_url(one, "deleted")
    assert sample.path in (far(one).get(f"deleted/{deleted}") or b"").decode()
    assert at_url(one, "pictures") == {f"{sample.id}.png"}
    monkeypatch.setattr(versions, "KEPT_DAYS", -1)
    two.pull()
    assert at_url(one, "deleted") == at_url(one, "pictures") == set()


def test_a_sample_that_somebody_removed_at_the_url_is_uploaded_again(
    machines: tuple[SyncedSamples, SyncedSamples],
) -> None:
    one, two = machines
    sample = record(one)
    two.pull()
    for name in far(one).names("rows", "pictures"):
        far(one).remove(name)
    two.pull()
    assert ids(two) == {sample.id}
    added = record(two)
    assert at_url(one, "pictures") == {f"{sample.id}.png", f"{added.id}.png"}


def test_a_change_that_was_not_uploaded_is_not_undone_by_a_pull(
    machines: tuple[SyncedSamples, SyncedSamples], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    sample = record(one)

    def refuse(*_: object) -> None:
        raise SyncError("no network")

    with monkeypatch.context() as offline:
        offline.setattr(Remote, "put", refuse)
        with pytest.raises(SyncError):
            one.relabel([sample], "stop")
        with pytest.raises(SyncError):
            one.add_labels("signs", ["halt"])
    two.add_labels("signs", ["wave"])
    one.pull()
    assert [found.label for found in one.read()] == ["stop"]
    assert set(one.task("signs").labels) == {"ok", "stop", "halt", "wave"}


def test_a_damaged_file_at_the_url_replaces_no_good_one(machines: tuple[SyncedSamples, SyncedSamples]) -> None:
    one, two = machines
    sample, other = record(one), record(one)
    far(one).put(f"rows/{sample.id}-7-0123456789ab.csv", b"cut off")
    far(one).put(f"tasks/{short_digest(b'signs')}-7-0123456789ab.json", b"{")
    two.pull()
    assert ids(two) == {sample.id, other.id}
    assert [task.name for task in two.tasks()] == ["signs"]
    assert {problem.kind for problem in verify(two)} == {"foreign file"}
    assert [name for name in at_url(one, "rows") if name.startswith(sample.id)]


HOSTILE = [
    "../../victim",
    "/victim",
    "..",
    "con",
    "nul",
    ".hidden",
    "C:victim",
    "a\\b",
    "x" * 300,
    "a\0b",
    "assets",
    7,
    None,
]


@pytest.mark.parametrize("name", HOSTILE, ids=map(repr, HOSTILE))
def test_a_task_with_a_hostile_name_is_ignored(
    machines: tuple[SyncedSamples, SyncedSamples], tmp_path: Path, name: object
) -> None:
    one, two = machines
    before = {path for path in tmp_path.rglob("*") if "far" not in path.parts}
    data = json.dumps({"name": name, "region": "box", "labels": ["ok"]}).encode()
    far(one).put(f"tasks/{short_digest(str(name).encode())}-0-{short_digest(data)}.json", data)
    two.pull()
    assert {path for path in tmp_path.rglob("*") if "far" not in path.parts} == before
    assert [task.name for task in two.tasks()] == ["signs"]


@pytest.mark.parametrize(
    "path",
    [
        "../../x/ok/a.png", "signs/../ok/a.png", "signs/s1/ok/nul.png", "signs/s1/ok/../a.png", "signs/s1/con/a.png",
        "/signs/s1/ok/a.png", "signs/s1/ok/a.png:x.png", "signs/s1/ok /a.png", "signs/s1/ok/COM1.a.png",
    ],
)  # fmt: skip
def test_a_sample_with_a_hostile_path_is_ignored(
    machines: tuple[SyncedSamples, SyncedSamples], tmp_path: Path, path: str
) -> None:
    one, two = machines
    sample = record(one)
    two.pull()
    picture = far(one).get(f"pictures/{sample.id}.png") or b""
    before = {path for path in tmp_path.rglob("*") if "far" not in path.parts}
    row = f"{path},ok,signs,s1,2026-01-01T00:00:00Z,x,,0 0 8 8,\n".encode()
    for name in {path.rsplit("/", 1)[-1].removesuffix(".png"), "a"} - {"..", "."}:
        far(one).put(f"rows/{name}-0-{short_digest(row)}.csv", row)
        far(one).put(f"pictures/{name}.png", picture)
    two.pull()
    assert ids(two) == {sample.id}
    assert {path for path in tmp_path.rglob("*") if "far" not in path.parts} == before


@pytest.mark.parametrize("name", ["rows/notes.txt", "tasks/Thumbs.db", "rows/x.csv", "rows/a/b.csv", "deleted/rows/x"])
def test_a_file_of_another_program_at_the_url_is_ignored_and_reported(
    machines: tuple[SyncedSamples, SyncedSamples], name: str
) -> None:
    one, two = machines
    sample = record(one)
    far(one).put(name, b"hello")
    two.pull()
    assert ids(two) == {sample.id}
    assert [problem.kind for problem in verify(two)] == ["foreign file"]
    record(two)
    assert name in far(one).names("rows", "tasks", "deleted")


@pytest.mark.parametrize("content", [b"[]", b'{"region": "box"}', b"[" * 100_000, b'{"name": []}', b"\xff"])
def test_a_damaged_task_at_the_url_is_ignored(machines: tuple[SyncedSamples, SyncedSamples], content: bytes) -> None:
    one, two = machines
    far(one).put(f"tasks/0123456789ab-0-{short_digest(content)}.json", content)
    two.pull()
    assert [task.name for task in two.tasks()] == ["signs"]


def test_a_row_without_its_task_or_picture_waits(machines: tuple[SyncedSamples, SyncedSamples]) -> None:
    one, two = machines
    sample = record(one)
    far(one).put(f"pictures/{sample.id}.png", b"\x89PNG cut")
    other = record(one)
    two.pull()
    assert ids(two) == {other.id}
    far(one).put(f"pictures/{sample.id}.png", (one.folder / sample.path).read_bytes())
    two.pull()
    assert ids(two) == {sample.id, other.id}


def test_a_local_folder_that_cannot_be_written_gives_a_sync_error(
    machines: tuple[SyncedSamples, SyncedSamples], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synced_folder.files, "atomic_file", full)
    with pytest.raises(SyncError, match="No space left on device"):
        machines[1].pull()


class Listing(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with hostile links in every list of files."""

    hostile = ("../../evil", "%2e%2e%2fevil.csv", "/etc/passwd", "http://192.0.2.1/x.csv", "..", "a%00b")

    def list_directory(self, path: str | os.PathLike[str]):  # type: ignore[no-untyped-def]
        names = [f"{path.name}/" if path.is_dir() else path.name for path in Path(path).iterdir()]
        page = "".join(f'<a href="{name}">{name}</a>' for name in (*names, *self.hostile)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None: ...


def test_samples_are_pulled_from_a_read_only_http_url(tmp_path: Path) -> None:
    one = SyncedSamples(local_folder((tmp_path / "far").as_uri(), tmp_path / "one"))
    one.create_task("signs", "box", ["ok", "stop"])
    sample = record(one)
    one.delete([record(one)])
    handler = functools.partial(Listing, directory=str(tmp_path / "far"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        two = SyncedSamples(local_folder(f"http://127.0.0.1:{server.server_address[1]}", tmp_path / "two"))
        two.pull()
        assert ids(two) == {sample.id}
        with pytest.raises(SyncError, match="cannot be used"):
            record(two)
        two.pull()
        assert len(two.read()) == 2
        server.shutdown()
    assert {path.name for path in tmp_path.iterdir()} == {"far", "one", "two"}


def test_a_url_that_cannot_be_reached_is_an_error_and_not_empty(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        closed = f"http://127.0.0.1:{server.server_address[1]}/samples"
    with pytest.raises(SyncError, match=f"{closed} cannot be used"):
        SyncedSamples(local_folder(closed, tmp_path)).pull()


def test_the_row_of_a_deleted_task_is_not_stored(machines: tuple[SyncedSamples, SyncedSamples]) -> None:
    one, two = machines
    record(one)
    two.pull()
    two.delete_task("signs")
    one.pull()
    assert one.tasks() == []
    assert ids(one) == set()
    with pytest.raises(SamplesError, match="No task signs"):
        one.task("signs")
