import hashlib
import io
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from recognizer.cli import main
from recognizer.commands.assets import run
from recognizer.errors import AssetError, DownloadError, SettingsError
from recognizer.registry import assets
from recognizer.registry.assets import Asset, Download, Wheel
from recognizer.system import paths
from recognizer.system.terminal import INTERRUPTED, USAGE_ERROR
from tests.helpers.local_server import closed_address, serving
from tests.helpers.package_index import make_wheel, running_index
from tests.helpers.waiting import HANG_S

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SYSTEM = "manylinux_2_28_x86_64"
MEMBERS = (("a.tflite", "tiny/modules/palm.tflite"), ("second.tflite", "tiny/modules/hand.tflite"))


@pytest.fixture(scope="module")
def server():
    with serving(CONTENT) as address:
        yield address


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An asset folder that does not exist yet."""
    folder = tmp_path / "models" / "assets"
    monkeypatch.setenv("RECOGNIZER_ASSETS", str(folder))
    return folder


@pytest.fixture
def set_sources(monkeypatch):
    """A function that makes "file" the only asset, with the given sources."""

    def set_only_asset(*sources):
        monkeypatch.setattr(assets, "ASSETS", {"file": Asset("file.bin", sources)})

    return set_only_asset


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A tiny wheel file on the disk."""
    return tiny_wheel(tmp_path_factory.mktemp("wheel"), {path: path.encode() * 100 for _, path in MEMBERS})


def tiny_wheel(folder, files):
    return make_wheel(folder, "tiny", files, tag=f"cp311-none-{SYSTEM}")


@pytest.fixture(autouse=True)
def no_index(monkeypatch):
    """No test uses a package index on the internet."""
    monkeypatch.setenv("PIP_INDEX_URL", closed_address())


@pytest.fixture
def index(wheel, tmp_path, monkeypatch):
    """A package index that serves the wheel."""
    with running_index(wheel.parent) as index:
        for name, value in index.variables(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield index


def from_wheel(requirement, sha256, members=MEMBERS):
    return Wheel(str(requirement), f"cp311-{SYSTEM}", members, sha256)


def packed(wheel):
    """The bytes of the archive that is packed from a wheel."""
    file = io.BytesIO()
    assets.pack(wheel, MEMBERS, file)
    return file.getvalue()


def files_in(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def one_line(error):
    """The message of a caught error. Fails if it has more than one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


def test_an_asset_is_downloaded_once(server, folder, set_sources, capsys):
    set_sources(Download(f"{server}/good", SHA256))
    assert assets.fetch_asset("file") == folder / "file.bin"
    assert (folder / "file.bin").read_bytes() == CONTENT
    assert files_in(folder) == ["file.bin"]
    assert capsys.readouterr().out == f"Downloading {server}/good\n"
    set_sources(Download(closed_address(), SHA256))
    assert assets.fetch_asset("file") == assets.find_asset("file") == folder / "file.bin"
    assert capsys.readouterr().out == ""


def test_the_command_downloads_the_assets_that_it_names(server, folder, set_sources, monkeypatch, capsys):
    set_sources(Download(closed_address(), SHA256))
    monkeypatch.setattr(
        assets, "EXPORT_ASSETS", {"runtime": Asset("runtime.tgz", (Download(f"{server}/good", SHA256),))}
    )
    assert run(["runtime"]) == 0
    assert capsys.readouterr().out.endswith(f"runtime: {folder / 'runtime.tgz'}\n")
    assert files_in(folder) == ["runtime.tgz"]
    with pytest.raises(SettingsError, match="There is no file 'other'. Choose one of file, runtime"):
        run(["other"])


def test_the_error_of_a_missing_asset_says_how_to_get_it(folder, set_sources):
    set_sources(Download(closed_address(), SHA256))
    with pytest.raises(AssetError, match="file.bin is missing. Fetch it: python3 start.py assets") as error:
        assets.find_asset("file")
    assert one_line(error).startswith(str(folder))
    assert not folder.exists()


def test_a_damaged_asset_is_reported_and_replaced(server, folder, set_sources):
    set_sources(Download(f"{server}/good", SHA256))
    folder.mkdir(parents=True)
    (folder / "file.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(AssetError, match="is damaged or another version") as error:
        assets.find_asset("file")
    one_line(error)
    assets.fetch_asset("file")
    assert assets.find_asset("file").read_bytes() == CONTENT


def test_an_unreadable_asset_is_reported(folder, set_sources):
    set_sources(Download(closed_address(), SHA256))
    (folder / "file.bin").mkdir(parents=True)
    with pytest.raises(AssetError, match="file.bin cannot be read") as error:
        assets.find_asset("file")
    one_line(error)


def test_the_asset_folder_can_be_given(server, tmp_path, folder, set_sources):
    set_sources(Download(f"{server}/good", SHA256))
    assert assets.fetch_asset("file", tmp_path / "here") == tmp_path / "here" / "file.bin"
    assert assets.find_asset("file", tmp_path / "here").is_file()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/short", f"broke off after {len(CONTENT) // 2} of {len(CONTENT)} bytes"),
        ("/chunked", "could not be downloaded \\(IncompleteRead"),
        ("/gone", "could not be downloaded \\(HTTP Error 404: Not Found\\)"),
    ],
)
def test_an_incomplete_download_is_not_stored_as_an_asset(server, folder, set_sources, path, reason):
    set_sources(Download(server + path, SHA256))
    with pytest.raises(AssetError, match=reason) as error:
        assets.fetch_asset("file")
    assert one_line(error).startswith(f"file.bin could not be downloaded. {server}{path} ")
    assert "file.bin" not in files_in(folder)
    assert assets.problem("file").endswith("is missing")


def test_a_wrong_checksum_leaves_no_file(server, folder, set_sources):
    set_sources(Download(f"{server}/good", "0" * 64))
    with pytest.raises(AssetError, match=f"has SHA-256 {SHA256[:12]}…, and 000000000000… was expected") as error:
        assets.fetch_asset("file")
    one_line(error)
    assert files_in(folder) == []


def test_without_a_network_the_error_says_what_to_do(folder, set_sources):
    set_sources(Download(closed_address(), SHA256))
    with pytest.raises(AssetError, match="Connect to the internet and run: python3 start.py assets") as error:
        assets.fetch_asset("file")
    assert "refused" in one_line(error)
    assert "urlopen" not in one_line(error)
    assert files_in(folder) == []


def test_the_second_source_is_tried_when_the_first_fails(server, folder, set_sources):
    set_sources(
        Download(closed_address(), "0" * 64), Download(f"{server}/short", SHA256), Download(f"{server}/good", SHA256)
    )
    assert assets.fetch_asset("file").read_bytes() == CONTENT
    assert files_in(folder) == ["file.bin"]
    assert assets.find_asset("file") == folder / "file.bin"


def test_the_error_gives_the_reason_of_each_source(server, folder, set_sources):
    set_sources(Download(f"{server}/short", SHA256), Download(f"{server}/gone", SHA256))
    with pytest.raises(AssetError, match="broke off.*404") as error:
        assets.fetch_asset("file")
    one_line(error)


def test_a_folder_that_cannot_be_written_raises_an_error(server, folder, set_sources, monkeypatch):
    opened = Path.open

    def denied(self, mode="r", *words, **named):
        if "a" in mode:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode, *words, **named)

    set_sources(Download(f"{server}/good", SHA256), Download(f"{server}/good", SHA256))
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(AssetError, match="file.bin cannot be written .*Permission denied.* Make its folder") as error:
        assets.fetch_asset("file")
    assert (
        one_line(error).count("Permission denied") == 1
    )  # no second attempt: the other source would fail in the same way
    assert files_in(folder) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_raises_an_error(server, folder, set_sources):
    set_sources(Download(f"{server}/good", SHA256))
    folder.mkdir(parents=True, mode=0o555)
    with pytest.raises(AssetError, match="Make its folder writable"):
        assets.fetch_asset("file")
    assert files_in(folder) == []


def test_a_file_in_place_of_the_asset_folder_raises_an_error(server, folder, set_sources):
    set_sources(Download(f"{server}/good", SHA256))
    folder.parent.mkdir()
    folder.write_text("a file")
    with pytest.raises(AssetError, match="cannot be written") as error:
        assets.fetch_asset("file")
    one_line(error)


def test_progress_is_shown_on_a_terminal(server, folder, set_sources, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    set_sources(Download(f"{server}/good", SHA256))
    assets.fetch_asset("file")
    assert capsys.readouterr().out.endswith("\r  1.0 of 1.0 MB\n")


def test_packing_does_not_depend_on_the_wheel_timestamps(wheel, tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile.time, "localtime", lambda *_: (2030, 1, 2, 3, 4, 6, 0, 1, 0))
    other = tiny_wheel(tmp_path, {path: path.encode() * 100 for _, path in reversed(MEMBERS)})
    assert other.read_bytes() != wheel.read_bytes()
    assert packed(other) == packed(wheel)
    digest = hashlib.sha256(packed(wheel)).hexdigest()
    assert digest == "837184e09014d2bf77c2d315828e140209ccc000447eea8b4ab679878cabe7a0"


def test_packed_members_are_uncompressed_and_aligned(wheel):
    content = packed(wheel)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [name for name, _ in MEMBERS]
        for name, path in MEMBERS:
            entry = archive.getinfo(name)
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert archive.read(name) == path.encode() * 100
            assert content.index(path.encode()) % assets.ALIGNMENT_BYTES == 0


def test_an_asset_can_be_extracted_from_a_wheel(wheel, server, folder, set_sources, capfd):
    archive = packed(wheel)
    set_sources(Download(f"{server}/gone", SHA256), from_wheel(wheel, hashlib.sha256(archive).hexdigest()))
    assert assets.fetch_asset("file").read_bytes() == archive
    assert files_in(folder) == ["file.bin"]
    printed = capfd.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[-1] == f"Extracting file.bin from the package {wheel}"


@pytest.mark.parametrize("ranges", [True, False])
def test_nothing_else_of_the_wheel_is_downloaded_where_the_server_supports_ranges(
    index, tmp_path, folder, set_sources, ranges
):
    files = {path: path.encode() * 100 for _, path in MEMBERS}
    rest = random.Random(0).randbytes(3_000_000)
    index.folder = tmp_path / "wheels"
    index.folder.mkdir()
    wheel = tiny_wheel(index.folder, {"tiny/before.so": rest, **files, "tiny/between.so": rest})
    archive = packed(wheel)
    index.ranges = ranges
    set_sources(from_wheel("tiny==1.0", hashlib.sha256(archive).hexdigest()))
    assert assets.fetch_asset("file").read_bytes() == archive
    assert files_in(folder) == ["file.bin"]
    sent = index.sent[f"/files/{wheel.name}"]
    assert sent < 300_000 if ranges else sent >= wheel.stat().st_size


def test_a_damaged_wheel_on_the_index_raises_an_error(index, tmp_path, folder, set_sources):
    index.folder = tmp_path
    (tmp_path / f"tiny-1.0-cp311-none-{SYSTEM}.whl").write_bytes(bytes(1000))
    set_sources(from_wheel("tiny==1.0", "0" * 64))
    with pytest.raises(AssetError, match="tiny==1.0") as error:
        assets.fetch_asset("file")
    one_line(error)
    assert files_in(folder) == []


def test_a_partial_download_is_deleted_when_a_wheel_contains_the_asset(index, wheel, server, folder, set_sources):
    archive = packed(wheel)
    set_sources(Download(f"{server}/short", SHA256), from_wheel("tiny==1.0", hashlib.sha256(archive).hexdigest()))
    assert assets.fetch_asset("file").read_bytes() == archive
    assert files_in(folder) == ["file.bin"]


def test_a_wheel_with_another_model_leaves_no_file(index, wheel, folder, set_sources):
    set_sources(from_wheel("tiny==1.0", "0" * 64))
    with pytest.raises(AssetError, match="has SHA-256 .*, and 000000000000… was expected") as error:
        assets.fetch_asset("file")
    one_line(error)
    assert files_in(folder) == []


def test_a_wheel_without_the_model_leaves_no_file(index, wheel, folder, set_sources):
    set_sources(from_wheel("tiny==1.0", "0" * 64, (*MEMBERS, ("third.tflite", "tiny/third.tflite"))))
    with pytest.raises(AssetError, match=f"{wheel.name} is not the expected wheel") as error:
        assets.fetch_asset("file")
    one_line(error)
    assert files_in(folder) == []


def test_a_wheel_that_pip_cannot_download_raises_an_error(tmp_path, folder, set_sources, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    set_sources(from_wheel("nowhere==1.0", "0" * 64))
    with pytest.raises(AssetError, match="pip could not download nowhere==1.0 \\(No matching") as error:
        assets.fetch_asset("file")
    one_line(error)
    assert files_in(folder) == []


def test_a_damaged_wheel_raises_an_error(tmp_path):
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(DownloadError, match="broken.whl is not the expected wheel") as error:
        packed(broken)
    one_line(error)


def test_the_command_downloads_assets_and_prints_their_paths(server, folder, set_sources, monkeypatch, capsys):
    set_sources(Download(f"{server}/good", SHA256))
    assert main(["assets"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"file: {folder / 'file.bin'}"
    set_sources(Download(f"{server}/gone", "0" * 64))
    assert main(["assets"]) == USAGE_ERROR
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr(assets, "fetch_asset", interrupted)
    assert main(["assets"]) == INTERRUPTED


def interrupted(*_):
    raise KeyboardInterrupt


def test_the_command_without_a_network_prints_one_line(folder):
    closed = closed_address()
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "http_proxy": closed, "https_proxy": closed, "no_proxy": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "recognizer", "assets"],
        cwd=paths.ROOT,
        env={**os.environ, **nowhere, "PIP_CONFIG_FILE": os.devnull, "RECOGNIZER_ASSETS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("hand_landmarker.task could not be downloaded. https://storage.googleapis.com/")
    assert "pip could not download mediapipe==0.10.21" in line
    assert files_in(folder) == []


def test_the_hand_model_contains_two_uncompressed_networks():
    try:
        path = assets.find_asset("hand_landmarker")
    except AssetError as error:
        pytest.skip(str(error))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["hand_detector.tflite", "hand_landmarks_detector.tflite"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
