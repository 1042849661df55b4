"""Downloads that go on where they broke off, and that appear only when they are whole and what was expected."""

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

TIMEOUT_S = 15  # without a byte
CHUNK_BYTES = 1 << 18
DIGESTS = {"sha256": "SHA-256", "md5": "MD5", "gunzipped": "the content's SHA-256"}


def download(url: str, path: Path, checksum: str) -> Path:
    """Fetch a file, with progress on a terminal: it appears under `path` only when it is whole and has the checksum.

    `checksum` is "sha256:…" or "md5:…", or "gunzipped:…" for the SHA-256 of what a .gz holds: the same content is packed
    in more than one way. What came before a break stays beside `path` (see `partial_path`), and the next call fetches only the
    rest, where the server can send it; where the file has changed meanwhile, it is fetched from its start. Returns `path`.
    Raises DownloadError where the address does not give the file, and AssetError where it cannot be stored.
    """
    print(f"Downloading {url}", flush=True)
    part = partial_path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                continued = _complete(url, part)
            except DownloadError:
                if part.stat().st_size == 0:
                    part.unlink()
                raise
            with part.open("rb") as file:
                wrong = mismatch(file, checksum)
            if not wrong:
                files.replace(part, path)
                return path
            part.unlink()  # or it would be taken for a good beginning again
            if not continued:
                raise DownloadError(f"{url} {wrong}.")


def partial_path(path: Path) -> Path:
    """The file that holds what has come of a download so far."""
    return path.with_name(path.name + ".part")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the system's refusal to write a file into AssetError, one line with a remedy."""
    try:
        yield
    except OSError as error:
        raise AssetError(
            f"{path} cannot be written ({error}). Make its folder writable, or free some space on the disk."
        ) from error


def mismatch(file: BufferedReader | BufferedRandom, checksum: str) -> str:
    """What is wrong with the file's content, "" where it has the checksum, which is as in `download`."""
    kind, _, expected = checksum.partition(":")
    file.seek(0)
    try:
        if kind == "gunzipped":
            with gzip.open(file) as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        else:
            found = hashlib.file_digest(file, kind).hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"is no whole gzip file ({one_line(error)})"
    return "" if found == expected else f"has {DIGESTS[kind]} {found[:12]}…, and {expected[:12]}… was expected"


def one_line(reason: object) -> str:
    """The reason of an error in one line; the error's name where it gives none."""
    return " ".join(str(reason).split()) or type(reason).__name__


def _complete(url: str, part: Path) -> bool:
    """Fetch what the part lacks, and say whether it goes on from an earlier call.

    Raises DownloadError, and OSError where it cannot be written.
    """
    with part.open("ab") as file:
        held = file.tell()
        continued, done = held > 0, 0
        try:
            for offset, total, chunk in _chunks(url, held):
                if offset == 0:  # the server sends all of it
                    file.truncate(0)
                    continued = False
                file.write(chunk)
                done = offset + len(chunk)
                _show_progress(done, total)
        finally:
            if done and sys.stdout.isatty():
                print()
        file.flush()
        os.fsync(file.fileno())
    return continued


def _chunks(url: str, start: int) -> Iterator[tuple[int, int, bytes]]:
    """The file's bytes from `start` on, or from 0 where the server cannot send a part, each chunk with its offset.

    The number between them is the size of the whole file, 0 where it is not known. Raises DownloadError.
    """
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
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
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is behind what is there
        reason = error.reason if type(error) is urllib.error.URLError else error  # without "urlopen error" around it
        raise DownloadError(f"{url} could not be downloaded ({one_line(reason)}).") from error
    if offset < total:
        raise DownloadError(f"{url} broke off after {offset} of {total} bytes; the next try goes on from there.")


def _show_progress(done: int, total: int) -> None:
    if sys.stdout.isatty():
        print(f"\r  {done / 1e6:.1f} of {max(done, total) / 1e6:.1f} MB", end="", flush=True)
