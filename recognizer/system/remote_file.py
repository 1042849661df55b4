"""A file on a web server, of which only the parts that are read are downloaded."""

import io
import os
import re
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING

from recognizer.errors import DownloadError
from recognizer.system.download import TIMEOUT_S, network_errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TAIL_BYTES = 1 << 18  # of the file, downloaded first: the list of names of a zip archive is at its end
BLOCK_BYTES = 1 << 16  # downloaded for a shorter read


class RemoteFile(io.RawIOBase):
    """The file at a URL, readable and seekable; one block of it is held in memory.

    Raises DownloadError if it cannot be downloaded, or if the server does not support ranges.
    """

    def __init__(self, url: str) -> None:
        self.name = url.rpartition("/")[2]
        self._url = url
        self._position = 0
        self._start, self._size, self._block = _range_of(url, f"-{TAIL_BYTES}")

    def load(self, start: int, count: int) -> None:
        """Download `count` bytes from `start` on as the new block."""
        self._start, _, self._block = _range_of(self._url, f"{start}-{min(start + count, self._size) - 1}")

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._position))
        filled = 0
        while filled < count:
            if not self._start <= self._position < self._start + len(self._block):
                self.load(self._position, max(count - filled, BLOCK_BYTES))
            found = self._block[self._position - self._start :][: count - filled]
            view[filled : filled + len(found)] = found
            self._position += len(found)
            filled += len(found)
        return filled

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _range_of(url: str, bounds: str) -> tuple[int, int, bytes]:
    """Start of a range of bytes, such as "5-9" or "-20", size of the file, and the bytes. Raises DownloadError."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={bounds}"})
    with network_errors(url), urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        match = re.match(r"bytes (\d+)-(\d+)/(\d+)$", response.headers.get("Content-Range", ""))
        if response.status != HTTPStatus.PARTIAL_CONTENT or match is None:
            raise DownloadError(f"{url} cannot be downloaded in parts.")
        start, end, size = map(int, match.groups())
        content = response.read()
    if len(content) != end + 1 - start:
        raise DownloadError(f"{url} broke off after {len(content)} of {end + 1 - start} bytes.")
    return start, size, content
