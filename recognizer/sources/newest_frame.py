"""Live sources: a thread reads the device and stores only the newest frame."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from recognizer.sources.decoding import read_picture
from recognizer.sources.source import Source
from recognizer.values import Frame

SILENCE_S = 2.0  # without a frame until the notice is shown: longer than the pauses of a working camera
RETRY_S = 1.0  # between two attempts to reopen the device
NOTICE_EVERY_S = 0.2  # between repeated frames, so that the window still handles keys
GONE_S = 0.5  # of failed reads until a camera counts as disconnected; single failures are normal
FIRST_PICTURE_S = 3.0  # timeout for the first image: some sensors start slowly
READ_PAUSE_S = 0.1  # after a failed read
JOIN_S = 2.0  # a read of a dead device may block for longer: the daemon thread is then abandoned


class LiveSource(Source):
    """A live device, read by a thread that stores only the newest frame.

    The iteration blocks until there is a newer frame. If the device fails, or sends nothing for SILENCE_S, the last
    image is repeated with `notice` while the thread tries to reopen the device every RETRY_S.
    """

    def __init__(
        self,
        name: str,
        capture: cv2.VideoCapture,
        first_bgr: np.ndarray,
        reopen: Callable[[], cv2.VideoCapture | None],
        notice: str,
    ) -> None:
        super().__init__(name, live=True)
        self._reopen = reopen
        self._notice = notice
        self._changed = threading.Condition()
        self._image_bgr = first_bgr
        self._count = 1  # pictures taken so far
        self._lost = False
        self._opened_s = self._taken_s = time.perf_counter()
        self._thread = threading.Thread(target=self._read_frames, args=(capture,), name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        seen = 0
        for index in itertools.count():
            with self._changed:
                self._wait_for_newer_frame(seen)
                if self._stopping.is_set():
                    return
                fresh = self._count > seen
                seen = self._count
                image_bgr = self._image_bgr
                taken_s = self._taken_s if fresh else time.perf_counter()
            yield Frame(image_bgr, index, taken_s - self._opened_s, self.name, notice=None if fresh else self._notice)

    def stop(self) -> None:
        super().stop()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        super().close()
        self._thread.join(JOIN_S)

    def _wait_for_newer_frame(self, seen: int) -> None:
        """Wait for a newer picture than number `seen`, a stop, or a lost or silent device. The caller holds the lock."""

        def news() -> bool:
            return self._stopping.is_set() or self._count > seen

        while not self._changed.wait_for(news, NOTICE_EVERY_S):  # short, since Ctrl-C cannot interrupt it on Windows
            if self._lost or time.perf_counter() - self._taken_s > SILENCE_S:
                return

    def _read_frames(self, device: cv2.VideoCapture) -> None:
        # Only this thread uses the capture: OpenCV crashes if one thread releases it while another one reads.
        capture: cv2.VideoCapture | None = device
        give_up_s = time.perf_counter() + GONE_S  # failed reads are tolerated until then
        try:
            while not self._stopping.is_set():
                if capture is None:
                    self._stopping.wait(RETRY_S)
                    if not self._stopping.is_set():
                        capture = self._reopen()
                        give_up_s = time.perf_counter() + FIRST_PICTURE_S
                    continue
                image_bgr = read_picture(capture)
                now_s = time.perf_counter()
                if image_bgr is not None:
                    give_up_s = now_s + GONE_S
                    with self._changed:
                        self._image_bgr = image_bgr
                        self._taken_s = time.perf_counter()
                        self._count += 1
                        self._lost = False
                        self._changed.notify_all()
                elif now_s < give_up_s:
                    self._stopping.wait(READ_PAUSE_S)
                else:
                    capture.release()
                    capture = None
                    self._lost = True
        finally:
            if capture is not None:
                capture.release()


def first_picture(capture: cv2.VideoCapture | None) -> np.ndarray | None:
    """The first image of a device, (H, W, 3) uint8 BGR. Without one within FIRST_PICTURE_S, releases it and returns None."""
    if capture is None:
        return None
    image_bgr = None
    give_up_s = time.perf_counter() + FIRST_PICTURE_S
    try:
        image_bgr = read_picture(capture)
        while image_bgr is None and time.perf_counter() < give_up_s:
            time.sleep(READ_PAUSE_S)
            image_bgr = read_picture(capture)
    finally:  # also after Ctrl-C
        if image_bgr is None:
            capture.release()
    return image_bgr
