"""Downloads that go on where they broke off: data sets of hundreds of megabytes over lines that are not the best."""

import gzip
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import BinaryIO

from recognizer.errors import DataError

TIMEOUT_S = 15  # without a byte
CHUNK_BYTES = 1 << 18
WHOLE = 200  # HTTP: the server sends all of the file
PAST_THE_END = 416  # HTTP: there is nothing behind what is there


def fetch(url: str, path: Path, checksum: str) -> Path:
    """The file at the address, as `path`: it appears there only when it is whole and its checksum is right.

    `checksum` is "sha256:…" or "md5:…", or "gunzipped:…" for the SHA-256 of what a .gz holds: the same content is packed
    in more than one way. What came before a break is kept beside `path` and not asked for again. Raises DataError.
    """
    part = path.with_name(path.name + ".part")
    print(f"Downloading {url}", flush=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _append(url, file)
        found = _checksum(part, checksum.partition(":")[0])
        if found != checksum:
            part.unlink()  # or it would be taken for a good beginning again
            raise DataError(
                f"{url} has {found[:20]}…, and {checksum[:20]}… was expected. Try again later, or put {path.name} into "
                f"{path.parent}."
            )
        part.replace(path)
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise DataError(
            f"{url} could not be downloaded ({' '.join(str(reason).split())}). Try again when online: it goes on where "
            f"it broke off. Or put {path.name} into {path.parent}."
        ) from error
    return path


def _append(url: str, file: BinaryIO) -> None:
    """Write what is missing behind what the file holds. Raises OSError and HTTPException."""
    done = file.tell()
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == PAST_THE_END:
            return
        raise
    with response:
        if done and response.status == WHOLE:  # the server knows no ranges
            file.truncate(0)
            done = 0
        total = done + int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            if sys.stdout.isatty():
                print(f"\r  {done / 1e6:.1f} of {max(done, total) / 1e6:.1f} MB", end="", flush=True)
    if sys.stdout.isatty():
        print()
    if done < total:
        raise OSError(f"broke off after {done} of {total} bytes")


def _checksum(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        if kind != "gunzipped":
            return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"
        try:
            with gzip.open(file) as content:
                return f"{kind}:{hashlib.file_digest(content, 'sha256').hexdigest()}"
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            return f"{kind}:no whole gzip file, {error}"
