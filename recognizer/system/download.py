"""Resumable downloads. A file appears only when it is complete and its checksum is right."""

import gzip
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from io import BufferedRandom, BufferedReader
from pathlib import Path

from recognizer.errors import AssetError, DownloadError
from recognizer.system import files
from recognizer.system.text import one_line

TIMEOUT_S = 15  # since the last received byte
CHUNK_BYTES = 1 << 18
DIGESTS = {"sha256": "SHA-256", "md5": "MD5", "gunzipped": "the content's SHA-256"}


def download(url: str, path: Path, checksum: str) -> Path:
    """Download a file to `path` and return `path`. It appears there only when its checksum is right.

    `checksum` is "sha256:…", "md5:…", or "gunzipped:…": the SHA-256 of the decompressed content of a .gz file. Shows progress
    on a terminal. An interrupted download stays at `partial_path(path)`. The next call resumes it if the server supports
    ranges, and starts over if the file has changed. Raises DownloadError if the URL does not give the expected file, and
    AssetError if it cannot be stored.
    """
    print(f"Downloading {url}", flush=True)
    part = partial_path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                resumed = _complete(url, part)
            except DownloadError:
                if part.stat().st_size == 0:
                    part.unlink()
                raise
            with part.open("rb") as file:
                reason = mismatch(file, checksum)
            if not reason:
                files.replace(part, path)
                return path
            part.unlink()  # a damaged partial download must not be resumed
            if not resumed:
                raise DownloadError(f"{url} {reason}.")


def partial_path(path: Path) -> Path:
    """The path of a partial download."""
    return path.with_name(path.name + ".part")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` into an AssetError."""
    try:
        yield
    except OSError as error:
        raise AssetError(
            f"{path} cannot be written ({error}). Make its folder writable, or free some space on the disk."
        ) from error


@contextmanager
def network_errors(url: str) -> Iterator[None]:
    """Turn the errors of urllib while reading `url` into a DownloadError."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error  # drops the prefix "urlopen error"
        raise DownloadError(f"{url} could not be downloaded ({one_line(reason)}).") from error


def mismatch(file: BufferedReader | BufferedRandom, checksum: str) -> str:
    """Why the file does not match the checksum (see `download`); "" if it does."""
    kind, _, expected = checksum.partition(":")
    file.seek(0)
    try:
        if kind == "gunzipped":
            with gzip.open(file) as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        else:
            found = hashlib.file_digest(file, kind).hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"is not a complete gzip file ({one_line(error)})"
    return "" if found == expected else f"has {DIGESTS[kind]} {found[:12]}…, and {expected[:12]}… was expected"


def _complete(url: str, part: Path) -> bool:
    """Download the rest of a partial file. Return whether it resumed an earlier download.

    Raises DownloadError, and OSError if the file cannot be written.
    """
    with part.open("ab") as file:
        resume_at = file.tell()
        resumed, done = resume_at > 0, 0
        try:
            for offset, total, chunk in _chunks(url, resume_at):
                if offset == 0:  # the server sends the whole file
                    file.truncate(0)
                    resumed = False
                file.write(chunk)
                done = offset + len(chunk)
                _show_progress(done, total)
        finally:
            if done and sys.stdout.isatty():
                print()
        file.flush()
        os.fsync(file.fileno())
    return resumed


def _chunks(url: str, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, total bytes or 0 if unknown, chunk), from `start` or from 0 if the server does not support ranges.

    Raises DownloadError.
    """
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    with network_errors(url):
        try:
            response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # the partial file is already complete
            raise
        with response:
            partial = response.status == HTTPStatus.PARTIAL_CONTENT
            if start and partial and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                yield from _chunks(url, 0)
                return
            offset = start if partial else 0
            length = int(response.headers.get("Content-Length") or 0)
            total = offset + length if length else 0
            while chunk := response.read(CHUNK_BYTES):
                yield offset, total, chunk
                offset += len(chunk)
    if offset < total:
        raise DownloadError(f"{url} broke off after {offset} of {total} bytes. Try again: the download resumes there.")


def _show_progress(done: int, total: int) -> None:
    if sys.stdout.isatty():
        print(f"\r  {done / 1e6:.1f} of {max(done, total) / 1e6:.1f} MB", end="", flush=True)
