"""Polls the address at which a network camera gives its newest picture, such as http://camera/shot.jpg."""

import contextlib
import http.client
import threading
import urllib.error
import urllib.parse
import urllib.request

import numpy as np

from recognizer.errors import SourceError
from recognizer.sources import kinds
from recognizer.sources.decoding import decode_image

TIMEOUT_S = 5.0  # since the last received byte
POLL_S = 0.1  # between two requests: cameras make a new snapshot a few times a second
SNAPSHOT_LIMIT = 1 << 26  # bytes of one picture
STREAM_TYPES = ("multipart/", "video/")  # a stream of JPEG pictures begins like one picture, but does not end


class SnapshotCapture:
    """A network camera's snapshots with the interface of cv2.VideoCapture: each `read` requests the newest picture."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = _opener(url)
        self._released = threading.Event()
        self._waits = False

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return not self._released.is_set()

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Request a picture, (H, W, 3) uint8 BGR. (False, None) without an answer, or if it is not a picture."""
        if self._waits:
            self._released.wait(POLL_S)
        self._waits = True
        # ValueError: urllib's, for a kind of authentication that it does not know
        with contextlib.suppress(OSError, http.client.HTTPException, SourceError, ValueError):
            with self._open.open(_address(self._url), timeout=TIMEOUT_S) as answer:
                data = answer.read(SNAPSHOT_LIMIT)
            return True, decode_image(np.frombuffer(data, np.uint8), "The snapshot")
        return False, None

    def release(self) -> None:
        self._released.set()


def is_snapshot(url: str) -> bool:
    """Whether an HTTP address answers with one picture that can be read."""
    try:
        with _opener(url).open(_address(url), timeout=TIMEOUT_S) as answer:
            if answer.headers.get_content_type().startswith(STREAM_TYPES):
                return False
            kind = kinds.kind_of(answer.read(kinds.HEAD_BYTES))
    except (OSError, http.client.HTTPException, ValueError):  # FFmpeg may know the way, or the error is its to report
        return False
    return kinds.is_picture(kind)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Opens HTTP addresses with the user and password in `url`, whichever of the two methods the camera asks for."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    parts = urllib.parse.urlsplit(url)
    if parts.username is not None:
        user, password = urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")
        passwords.add_password(None, _address(url), user, password)
    return urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords)
    )


def _address(url: str) -> str:
    """The URL without user and password, which urllib would take for a part of the host's name."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
