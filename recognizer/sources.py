"""Where frames come from: webcam, stream, video file, pictures or the studio, all iterated the same way.

with open_source("0") as source:
    for frame in source:
        ...
"""

import itertools
import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from recognizer.errors import SourceError
from recognizer.values import Frame

OpenCapture = Callable[..., cv2.VideoCapture]  # called with (index or address, backend[, parameters])

VALID_SOURCES = (
    "a camera number (0), a video file, a picture, a folder of pictures, "
    "an rtsp:// or http:// address, studio or studio:SCENE"
)
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif", ".jp2", ".pgm", ".ppm")
_STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https")
_DEVICES = Path("/dev")  # where Linux keeps its cameras
_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_INDICES_TRIED = 4  # where cameras cannot be listed; each try costs a fraction of a second

SILENCE_S = 2.0  # longer than the pause of any working camera, short enough to wonder about
RETRY_S = 1.0  # between two tries to reopen: quick after plugging in, no load meanwhile
NOTICE_EVERY_S = 0.2  # the window stays answerable to keys while nothing comes
GONE_S = 0.5  # of failing reads until a camera counts as gone; single ones happen
FIRST_PICTURE_S = 3.0  # some cameras fail to give one until their sensor has woken up
READ_PAUSE_S = 0.1  # after a failed read
JOIN_S = 2.0  # a read of a dead device may block for longer: then the daemon thread is left behind
OPEN_TIMEOUT_MS = 5000  # for a stream: a far camera answers within this or not at all
READ_TIMEOUT_MS = 5000
PICTURE_S = 1.0  # each picture of a folder: long enough to look at, longer than what the smoother remembers


class Source:
    """A context manager that iterates `Frame` once, from its opening to its end.

    name: what is read, for people. live: frames come in real time, and those nobody waits for are dropped.
    """

    name: str
    live: bool

    def __init__(self, name: str, live: bool) -> None:
        self.name = name
        self.live = live
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def stop(self) -> None:
        """End the iteration at the next frame. From any thread, any number of times."""
        self._stopping.set()

    def close(self) -> None:
        """Release what was opened. Closing twice is fine."""
        self.stop()


class Live(Source):
    """A device read by its own thread, of which only the newest frame is kept.

    The iteration never gives a frame twice: it blocks until there is a newer one. When the device fails or keeps silent
    for SILENCE_S, the last picture is repeated with `notice`, while the thread tries to reopen it every RETRY_S.
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
        self._thread = threading.Thread(target=self._keep_newest, args=(capture,), name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        seen = 0
        for index in itertools.count():
            with self._changed:
                self._wait_for_news(seen)
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

    def _wait_for_news(self, seen: int) -> None:
        """Return at a newer picture than `seen`, at a stop, or when the device is gone or silent; needs the lock."""

        def news() -> bool:
            return self._stopping.is_set() or self._count > seen

        while not self._changed.wait_for(news, NOTICE_EVERY_S):  # short, as Ctrl-C cannot interrupt it on Windows
            if self._lost or time.perf_counter() - self._taken_s > SILENCE_S:
                return

    def _keep_newest(self, device: cv2.VideoCapture) -> None:
        # This thread alone touches the capture: releasing one that another thread reads from crashes OpenCV.
        capture: cv2.VideoCapture | None = device
        give_up_s = time.perf_counter() + GONE_S  # failing reads are forgiven until then
        try:
            while not self._stopping.is_set():
                if capture is None:
                    self._stopping.wait(RETRY_S)
                    if not self._stopping.is_set():
                        capture = self._reopen()
                        give_up_s = time.perf_counter() + FIRST_PICTURE_S
                    continue
                image_bgr = _read(capture)
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


class VideoFile(Source):
    """Every frame of a video in order, at the times of its own frame rate; ends with it.

    path: a file or the address of one. capture: that video already opened, if it is.
    fps: taken where the video does not say. paced: wait for each frame's time, as when one watches it.
    Raises SourceError for what is no video, and for one without a single picture.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float = 30.0,
        paced: bool = False,
        capture: cv2.VideoCapture | None = None,
        open_capture: OpenCapture = cv2.VideoCapture,
    ) -> None:
        super().__init__(_without_secrets(str(path)), live=False)
        if capture is None:
            _check_file(Path(path), "a video file")
            backend = cv2.CAP_FFMPEG if cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG) else cv2.CAP_ANY
            capture = open_capture(str(path), backend)
        self._capture = capture
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f"{self.name} is not a video that can be read, or it is damaged. "
                "Try another file, or convert it to MP4 (H.264)."
            )
        first_bgr = _read(capture)
        if first_bgr is None:
            capture.release()
            raise SourceError(f"{self.name} holds no picture: it is cut off or damaged. Try another file.")
        self._first_bgr = first_bgr
        stated_fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = stated_fps if 0 < stated_fps < 1000 else fps  # 0, NaN and time bases stand where it is not known
        self._stated_count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._paced = paced

    def __iter__(self) -> Iterator[Frame]:
        image_bgr: np.ndarray | None = self._first_bgr
        due_s = time.perf_counter()
        for index in itertools.count():
            if image_bgr is None:
                break
            if self._paced:
                self._stopping.wait(max(0.0, due_s - time.perf_counter()))
                due_s = max(due_s + 1 / self.fps, time.perf_counter())  # late frames are shown, not raced through
            if self._stopping.is_set():
                return
            yield Frame(image_bgr, index, index / self.fps, self.name)
            if self._stopping.is_set():
                return
            image_bgr = _read(self._capture)
        if index < 0.9 * self._stated_count:  # what containers state is off by a few frames in sound videos too
            print(f"{self.name} ends early: {index} of {self._stated_count:.0f} frames could be read.", file=sys.stderr)

    def close(self) -> None:
        super().close()
        self._capture.release()


class ImageFolder(Source):
    """The pictures of a folder in natural order (2.png before 10.png), or a single one; each frame is named by its file.

    A file that cannot be read is skipped with a line on stderr; a single one that cannot raises SourceError, and so does
    a folder without any that can. paced: show each for PICTURE_S seconds.
    """

    def __init__(self, path: str | Path, *, paced: bool = False) -> None:
        super().__init__(str(path), live=False)
        path = Path(path)
        self._paced = paced
        if not path.is_dir():
            self._pictures: Iterator[tuple[Path, np.ndarray]] = iter([(path, read_image(path))])
            return
        pictures = _readable(_picture_files(path))
        first = next(pictures, None)
        if first is None:
            remedy = "Put JPEG or PNG files into it"
            if any(inside.is_dir() for inside in path.iterdir()):
                remedy += ", or name one of the folders inside, which are not entered"
            raise SourceError(f"{path} holds no picture that can be read. {remedy}.")
        self._pictures = itertools.chain([first], pictures)

    def __iter__(self) -> Iterator[Frame]:
        for index, (path, image_bgr) in enumerate(self._pictures):
            if self._paced and index:
                self._stopping.wait(PICTURE_S)
            if self._stopping.is_set():
                return
            yield Frame(image_bgr, index, index * PICTURE_S, str(path))
            if self._stopping.is_set():
                return


class StudioSource(Source):
    """A scene drawn by code, without end. paced: the scene follows the clock, and frames that are late are left out."""

    def __init__(self, scene: str, size_wh: tuple[int, int], fps: float, *, paced: bool = False) -> None:
        from recognizer.studio import Studio

        super().__init__("studio", live=paced)
        self._open_scene = lambda scene: Studio(scene, size_wh, fps)
        self._studio = self._open_scene(scene)
        self._fps = fps
        self._paced = paced

    def show(self, scene: str) -> None:
        """Go on with another scene. Raises SourceError for one that there is not."""
        self._studio = self._open_scene(scene)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        opened_s = time.perf_counter()
        while not self._stopping.is_set():
            if self._paced:
                elapsed_s = time.perf_counter() - opened_s
                index = max(index, int(elapsed_s * self._fps))
                if self._stopping.wait(max(0.0, index / self._fps - elapsed_s)):
                    return
            yield self._studio.frame(index)
            index += 1


def open_source(
    spec: str,
    *,
    size_wh: tuple[int, int] = (1280, 720),
    fps: float = 30.0,
    paced: bool = False,
    open_capture: OpenCapture = cv2.VideoCapture,
) -> Source:
    """The source that `spec` names; see VALID_SOURCES.

    size_wh and fps are asked of a camera, which may give others, and drawn by the studio. paced: files and the studio
    run at their own speed, as a window wants it, instead of as fast as they are read. Raises SourceError.
    """
    _silence_opencv()
    scheme = spec.partition("://")[0].lower() if "://" in spec else ""
    if spec.isascii() and spec.isdecimal():
        return open_webcam(int(spec), size_wh=size_wh, fps=fps, open_capture=open_capture)
    if spec == "studio" or spec.startswith("studio:"):
        return StudioSource(spec.partition(":")[2] or "digits", size_wh, fps, paced=paced)
    if scheme in _STREAM_SCHEMES:
        return open_stream(spec, fps=fps, paced=paced, open_capture=open_capture)
    path = Path(os.path.expanduser(spec))
    if not spec or scheme or not os.path.exists(path):
        found = f"{scheme}:// addresses are not known" if scheme else f"There is no file or folder {spec!r}"
        raise SourceError(f"{found}. A source is {VALID_SOURCES}.")
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return ImageFolder(path, paced=paced)
    return VideoFile(path, fps=fps, paced=paced, open_capture=open_capture)


def open_webcam(
    index: int,
    *,
    size_wh: tuple[int, int] = (1280, 720),
    fps: float = 30.0,
    open_capture: OpenCapture = cv2.VideoCapture,
) -> Live:
    """The newest frames of camera `index`. Raises SourceError, with the remedy, when it gives no picture."""

    def open_device() -> cv2.VideoCapture | None:
        capture = _open_device(index, (_BACKENDS.get(sys.platform, cv2.CAP_ANY), cv2.CAP_ANY), open_capture)
        if capture is not None:
            # Uncompressed pictures of this size come at 10 a second over USB 2, and the format decides on the sizes.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
            capture.set(cv2.CAP_PROP_FPS, fps)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    known = cameras_there()
    capture = open_device() if known is None or index in known else None
    first_bgr = _first_picture(capture)
    if capture is None or first_bgr is None:
        raise SourceError(why_no_camera(index))
    return Live(
        f"camera {index}",
        capture,
        first_bgr,
        open_device,
        f"camera {index} is gone: plug it in again or press q; trying to reconnect",
    )


def open_stream(
    url: str,
    *,
    fps: float = 30.0,
    paced: bool = False,
    open_capture: OpenCapture = cv2.VideoCapture,
) -> Source:
    """The newest frames of a network camera; an http address of a video with an end is read as a VideoFile instead.

    Raises SourceError when nothing answers within OPEN_TIMEOUT_MS or no picture comes.
    """
    name = _without_secrets(url)

    def connect() -> cv2.VideoCapture | None:
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            READ_TIMEOUT_MS,
        ]
        capture = open_capture(url, cv2.CAP_FFMPEG, timeouts)
        if capture.isOpened():
            return capture
        capture.release()
        return None

    capture = connect()
    if capture is not None and url.lower().startswith("http") and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return VideoFile(url, fps=fps, paced=paced, capture=capture)
    first_bgr = _first_picture(capture)
    if capture is None or first_bgr is None:
        raise SourceError(f"{name} gives no picture. Check the address, its user and password, and the network.")
    return Live(
        name,
        capture,
        first_bgr,
        connect,
        f"{name} is silent: check the network or press q; trying to reconnect",
    )


def read_image(path: str | Path) -> np.ndarray:
    """The picture in a file as (H, W, 3) uint8 BGR, upright as its camera noted, on white where it is transparent.

    Raises SourceError with one line for a file that is missing, empty, no picture or of an unknown kind.
    """
    path = Path(path)
    _check_file(path, "a picture file")
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread cannot open names outside the code page on Windows
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    return decode_image(data, str(path))


def decode_image(data: np.ndarray, name: str) -> np.ndarray:
    """The picture in the (N,) uint8 bytes of a file, as `read_image` gives it. Raises SourceError with its name."""
    _silence_opencv()
    image_bgr = _decode(data, cv2.IMREAD_COLOR)
    if image_bgr is None:
        if data[4:8].tobytes() == b"ftyp" and data[8:11].tobytes() in (b"hei", b"hev", b"mif"):
            raise SourceError(f"{name} is a HEIC picture, which cannot be read. Save it as JPEG or PNG.")
        raise SourceError(f"{name} is not a picture that can be read, or it is damaged. Use JPEG or PNG.")
    if data[:2].tobytes() == b"\xff\xd8":  # JPEG has no transparency
        return image_bgr
    image_bgra = _decode(data, cv2.IMREAD_UNCHANGED)
    if image_bgra is None or image_bgra.ndim != 3 or image_bgra.shape[2] != 4:
        return image_bgr
    # Drawing programs leave black below what is transparent: black ink would stand on black.
    opaque = _eight_bit(image_bgra)[..., 3:].astype(np.uint16)
    colour = _eight_bit(image_bgra)[..., :3]
    return ((colour * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def find_webcams(open_capture: OpenCapture = cv2.VideoCapture) -> list[int]:
    """The numbers of the cameras that open now, lowest first; a camera in use by another program is not among them."""
    return list(_webcams(open_capture))


def default_source(open_capture: OpenCapture = cv2.VideoCapture) -> tuple[str, str]:
    """The first camera and "", or the studio and the line that says so."""
    index = next(_webcams(open_capture), None)
    if index is not None:
        return str(index), ""
    return "studio", "No camera found: showing the built-in studio scene. `python -m recognizer doctor` says more."


def cameras_there() -> list[int] | None:
    """The cameras that Linux knows, open or not; None on systems that do not list them."""
    if not sys.platform.startswith("linux"):
        return None
    numbers = (re.fullmatch(r"video(\d+)", path.name) for path in _DEVICES.glob("video*"))
    return sorted(int(number[1]) for number in numbers if number)


def why_no_camera(index: int) -> str:
    """One line on why a camera that did not open may not have, and what to do about it."""
    known = cameras_there()
    if known is None:
        allow = {
            "darwin": "allow the terminal to use it in System Settings > Privacy & Security > Camera",
            "win32": "allow desktop apps to use it in Settings > Privacy & security > Camera",
        }.get(sys.platform, "plug it in again")
        return f"Camera {index} did not open. Close other programs that use it, {allow}, or try --source studio."
    device = _DEVICES / f"video{index}"
    others = [other for other in known if other != index]
    instead = f"--source {others[0]}" if others else "--source studio"
    if index not in known:
        if "microsoft" in platform.release().lower():
            return (
                f"Camera {index} is not there: WSL sees no camera until `usbipd attach --wsl` on Windows hands it over. "
                f"Do that, run this under Windows itself, or try {instead}."
            )
        return f"Camera {index} is not there: {device} does not exist. Plug it in, or try {instead}."
    if not os.access(device, os.R_OK | os.W_OK):
        return (
            f"Camera {index} may not be opened: no permission for {device}. "
            f"Run `sudo usermod -aG video $USER` and log in again, or try {instead}."
        )
    return (
        f"Camera {index} is there but gives no picture: it is busy, or {device} is not its picture channel. "
        f"Close other programs that use it, or try {instead}."
    )


def _webcams(open_capture: OpenCapture) -> Iterator[int]:
    _silence_opencv()
    known = cameras_there()
    for index in range(_INDICES_TRIED) if known is None else known:
        capture = _open_device(index, (_BACKENDS.get(sys.platform, cv2.CAP_ANY),), open_capture)
        if capture is not None:
            capture.release()
            yield index


def _open_device(index: int, backends: tuple[int, ...], open_capture: OpenCapture) -> cv2.VideoCapture | None:
    for backend in backends:
        capture = open_capture(index, backend)
        if capture.isOpened():
            return capture
        capture.release()
    return None


def _first_picture(capture: cv2.VideoCapture | None) -> np.ndarray | None:
    """The first picture of a device just opened; without one, the device is released."""
    if capture is None:
        return None
    image_bgr = None
    give_up_s = time.perf_counter() + FIRST_PICTURE_S
    try:
        image_bgr = _read(capture)
        while image_bgr is None and time.perf_counter() < give_up_s:
            time.sleep(READ_PAUSE_S)
            image_bgr = _read(capture)
    finally:  # Ctrl-C comes here too
        if image_bgr is None:
            capture.release()
    return image_bgr


def _read(capture: cv2.VideoCapture) -> np.ndarray | None:
    """The next picture as (H, W, 3) uint8 BGR; infrared cameras give grey ones, some of 16 bits."""
    try:
        there, image = capture.read()
    except cv2.error:  # raised by some drivers for a damaged frame
        return None
    if not there or image is None or image.size == 0:
        return None
    image = _eight_bit(image)
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        return None  # not a picture but raw data, such as a depth camera's
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) if channels == 4 else image


def _eight_bit(image: np.ndarray) -> np.ndarray:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


def _decode(data: np.ndarray, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:  # sizes beyond OpenCV's limits, and headers that make no sense
        return None


def _readable(paths: list[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    for path in paths:
        try:
            image_bgr = read_image(path)
        except SourceError as error:
            print(f"Skipped: {error}", file=sys.stderr)
            continue
        yield path, image_bgr


def _picture_files(folder: Path) -> list[Path]:
    def natural(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())]

    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return sorted((path for path in paths if not path.name.startswith(".")), key=natural)


def _check_file(path: Path, kind: str) -> None:
    if path.is_dir():
        raise SourceError(f"{path} is a folder. Give {kind}.")
    if not os.path.exists(path):
        raise SourceError(f"{path} is not there. Check its name and folder.")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path} may not be read: no permission.")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty. Give {kind}.")


def _without_secrets(address: str) -> str:
    """An address without user, password and query; a path stays as it is."""
    if "://" not in address:
        return address
    return re.sub(r"//[^/]*@", "//", address.partition("?")[0])


def _silence_opencv() -> None:
    # What OpenCV and FFmpeg report on stderr is told here in one line with a remedy; who asks for their log gets it.
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
