"""Files that the project needs but does not ship, such as MediaPipe's hand model: their URLs and checksums.

`python -m recognizer assets` downloads the missing ones.
"""

import hashlib
import html
import os
import re
import struct
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

from recognizer.errors import AssetError, DownloadError
from recognizer.system import files, paths
from recognizer.system.download import (
    TIMEOUT_S,
    download,
    mismatch,
    network_errors,
    partial_path,
    storage_errors,
)
from recognizer.system.remote_file import RemoteFile
from recognizer.system.text import one_line

ALIGNMENT_BYTES = 64  # LiteRT copies weights that are not aligned to this, and warns
INDEX = "https://pypi.org/simple"
HEADER_BYTES = 1 << 10  # of a member of a wheel, at most: 30, its name and extra fields
ALIGNMENT_TAG = 0xD935  # ID of the extra field that pads a zip entry, as in Android's zipalign


@dataclass(frozen=True)
class Download:
    """A file that is downloaded from a URL."""

    url: str
    sha256: str

    def fetch(self, path: Path) -> None:
        download(self.url, path, f"sha256:{self.sha256}")


@dataclass(frozen=True)
class Wheel:
    """A zip archive that is packed from members of a wheel on PyPI.

    Where the server supports ranges, nothing else of the wheel is downloaded.
    """

    requirement: str  # a requirement specifier for pip, of one version
    platform: str  # of the wheel that is taken, as in its name; the models in it run on all
    members: tuple[tuple[str, str], ...]  # (name in the archive, path in the wheel)
    sha256: str  # of the archive

    def fetch(self, path: Path) -> None:
        print(f"Extracting {path.name} from the package {self.requirement}", flush=True)
        with storage_errors(path):
            with files.atomic_file(path) as file, tempfile.TemporaryDirectory() as folder:
                try:
                    wheel = _open_wheel(self.requirement, self.platform)
                    pack(wheel, self.members, file, lambda member: _load(member, wheel))
                except DownloadError:
                    file.seek(0)
                    file.truncate()
                    pack(_download_wheel(self.requirement, self.platform, Path(folder)), self.members, file)
                reason = mismatch(file, f"sha256:{self.sha256}")
                if reason:
                    raise DownloadError(f"{self.requirement} {reason}.")
            partial_path(path).unlink(missing_ok=True)  # left by another source


@dataclass(frozen=True)
class Asset:
    """A file in the asset folder. Each of its sources gives a valid file."""

    file: str
    sources: tuple[Download | Wheel, ...]  # tried in this order


ASSETS = {
    "hand_landmarker": Asset(
        "hand_landmarker.task",
        (
            Download(
                "https://storage.googleapis.com/mediapipe-models/hand_landmarker/hand_landmarker/float16/1/"
                "hand_landmarker.task",
                "fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1",
            ),
            Wheel(
                "mediapipe==0.10.21",  # the last version that contains the models
                "cp311-manylinux_2_28_x86_64",
                (
                    ("hand_detector.tflite", "mediapipe/modules/palm_detection/palm_detection_full.tflite"),
                    ("hand_landmarks_detector.tflite", "mediapipe/modules/hand_landmark/hand_landmark_full.tflite"),
                ),
                "3c05a595b195902bc153e97a53fb669db9b45ceabccb39902bc0ab3e6db9974c",
            ),
        ),
    ),
}

LITERT_JS, LITERT_JS_UTILS = "litert_js", "litert_js_utils"
EXPORT_ASSETS = {  # only an export as a web page needs them
    LITERT_JS: Asset(
        "litertjs-core-2.5.3.tgz",
        (
            Download(
                "https://registry.npmjs.org/@litertjs/core/-/core-2.5.3.tgz",
                "a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
            ),
        ),
    ),
    LITERT_JS_UTILS: Asset(
        "litertjs-wasm-utils-2.5.3.tgz",
        (
            Download(
                "https://registry.npmjs.org/@litertjs/wasm-utils/-/wasm-utils-2.5.3.tgz",
                "ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
            ),
        ),
    ),
}


def fetch_command(name: str = "") -> str:
    """The remedy in every error about a missing asset."""
    if name in EXPORT_ASSETS:
        return f"{'python -m ' if paths.in_checkout() else ''}recognizer assets {name}"
    return "python3 start.py assets, or python -m recognizer assets" if paths.in_checkout() else "recognizer assets"


def find_asset(name: str, folder: Path | None = None) -> Path:
    """Verify the asset's checksum and return its path. Never downloads. Raises AssetError if it is missing or damaged."""
    reason = problem(name, folder)
    if reason:
        raise AssetError(f"{reason}. Fetch it: {fetch_command(name)}.")
    return _path(name, folder)


def problem(name: str, folder: Path | None = None) -> str:
    """Why the asset cannot be used; "" if it can."""
    path = _path(name, folder)
    try:
        digest = _sha256(path)
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error})"
    if digest not in {source.sha256 for source in _asset(name).sources}:
        return f"{path} is damaged or another version (SHA-256 {digest[:12]}…)"
    return ""


def fetch_asset(name: str, folder: Path | None = None) -> Path:
    """Return the path of the asset. If it is missing or damaged, download it from the first source that works.

    Raises AssetError if none works.
    """
    path = _path(name, folder)
    if not problem(name, folder):
        return path
    reasons = []
    for source in _asset(name).sources:
        try:
            source.fetch(path)
            return path
        except DownloadError as error:
            reasons.append(str(error))
    raise AssetError(
        f"{path.name} could not be downloaded. {' '.join(reasons)} "
        f"Connect to the internet and run: {fetch_command(name)}. Or copy the file into {path.parent}."
    )


def pack(
    wheel: Path | RemoteFile,
    members: tuple[tuple[str, str], ...],
    file: BinaryIO,
    before: Callable[[zipfile.ZipInfo], None] = lambda member: None,
) -> None:
    """Copy members of a wheel into a zip archive whose bytes are the same on every machine. Raises DownloadError.

    The members are uncompressed and aligned to ALIGNMENT_BYTES, so that they can be memory-mapped. `before` is called with
    each member before it is read.
    """
    try:
        with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, path in members:
                before(source.getinfo(path))
                entry = zipfile.ZipInfo(name)  # dated 1980, the earliest time of the zip format
                entry.create_system = 3  # Unix, on every system
                entry.external_attr = 0o644 << 16
                header_bytes = 30 + len(name) + 4  # entry header, name, tag and length of the padding
                padding = bytes(-(file.tell() + header_bytes) % ALIGNMENT_BYTES)
                entry.extra = struct.pack("<HH", ALIGNMENT_TAG, len(padding)) + padding
                archive.writestr(entry, source.read(path))
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error) as error:
        raise DownloadError(f"{wheel.name} is not the expected wheel ({error}).") from error


def _asset(name: str) -> Asset:
    return ASSETS[name] if name in ASSETS else EXPORT_ASSETS[name]


def _path(name: str, folder: Path | None) -> Path:
    return (folder or paths.assets()) / _asset(name).file


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_wheel(requirement: str, platform: str) -> RemoteFile:
    """The wheel on the package index, of which only what is read is downloaded. Raises DownloadError."""
    if os.environ.get("PIP_NO_INDEX"):
        raise DownloadError("PIP_NO_INDEX forbids to use a package index.")
    name, _, version = requirement.partition("==")
    page = f"{(os.environ.get('PIP_INDEX_URL') or INDEX).rstrip('/')}/{name}/"
    request = urllib.request.Request(page, headers={"Accept": "text/html"})
    with network_errors(page), urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        links = response.read().decode("utf-8", "replace")
    python, _, system = platform.partition("-")
    link = re.search(rf'href="([^"#]*/{name}-{re.escape(version)}-{python}-[^"#-]*-{system}\.whl)', links)
    if link is None:
        raise DownloadError(f"{page} has no wheel of {requirement} for {platform}.")
    return RemoteFile(urljoin(page, html.unescape(link[1])))


def _load(member: zipfile.ZipInfo, wheel: RemoteFile) -> None:
    """Download a member of a wheel in one piece."""
    wheel.load(member.header_offset, member.compress_size + HEADER_BYTES)


def _download_wheel(requirement: str, platform: str, folder: Path) -> Path:
    """Download the whole wheel with pip, which knows other sources, too. Raises DownloadError."""
    python, _, system = platform.partition("-")
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--dest", str(folder), "--quiet"]
    command += ["--only-binary=:all:", f"--platform={system}", f"--python-version={python.removeprefix('cp')}"]
    command += ["--disable-pip-version-check", f"--timeout={TIMEOUT_S}", "--retries=1"]
    completed = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    wheels = list(folder.glob("*.whl"))
    if completed.returncode != 0 or not wheels:
        reason = ([line for line in completed.stderr.splitlines() if line.strip()] or ["no reason given"])[-1]
        raise DownloadError(f"pip could not download {requirement} ({one_line(reason.removeprefix('ERROR: '))}).")
    return wheels[0]
