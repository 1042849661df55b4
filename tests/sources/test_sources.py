import functools
import http.server
import itertools
import os
import queue
import struct
import subprocess
import sys
import threading
import types

import cv2
import numpy as np
import pytest

from recognizer.errors import SourceError
from recognizer.sources import decoding, newest_frame, opening, pictures, webcam
from recognizer.sources import video as sources_video
from recognizer.system import paths
from recognizer.values import Frame
from tests.helpers.waiting import HANG_S

SIZE_WH = (64, 48)


def picture(value, size_wh=SIZE_WH):
    return np.full((size_wh[1], size_wh[0], 3), value, np.uint8)


class FakeCamera:
    """Replaces cv2.VideoCapture: `read` returns the queued pictures, fails for None, and blocks while the queue is empty."""

    def __init__(self, *reads, opened=True, frame_count=-1.0):
        self.reads = queue.Queue()
        for read in reads:
            self.reads.put(read)
        self.opened = opened
        self.frame_count = frame_count
        self.settings = []
        self.released = threading.Event()
        self.idle = threading.Event()
        self.ended = threading.Event()

    def isOpened(self):
        return self.opened

    def set(self, setting, value):
        self.settings.append((setting, value))
        return True

    def get(self, setting):
        return {cv2.CAP_PROP_FRAME_COUNT: self.frame_count, cv2.CAP_PROP_FPS: 10.0}[setting]

    def read(self):
        while not self.ended.is_set():
            try:
                read = self.reads.get_nowait()
            except queue.Empty:
                self.idle.set()
                self.ended.wait(0.002)
                continue
            if isinstance(read, Exception):
                raise read
            return (False, None) if read is None else (True, read)
        return False, None

    def release(self):
        self.ended.set()
        self.released.set()


class FakeOpener:
    """Returns the fake cameras in turn, then closed ones. Records the arguments of each call in `calls`.

    Every call except the first waits for `plugged_in`.
    """

    def __init__(self, *cameras):
        self.cameras = list(cameras)
        self.calls = []
        self.plugged_in = threading.Event()
        self.plugged_in.set()

    def __call__(self, *what):
        if self.calls:
            assert self.plugged_in.wait(HANG_S)
        self.calls.append(what)
        return self.cameras.pop(0) if self.cameras else FakeCamera(opened=False)


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """A Linux whose only camera is number 0."""
    folder = tmp_path / "dev"
    folder.mkdir()
    (folder / "video0").touch()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webcam.platform, "release", lambda: "6.1.0-generic")
    monkeypatch.setattr(webcam, "_DEVICES", folder)
    return folder


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a slow machine, no camera of these tests counts as silent or gone."""
    for name in ("SILENCE_S", "GONE_S", "FIRST_PICTURE_S", "JOIN_S"):
        monkeypatch.setattr(newest_frame, name, HANG_S)


@pytest.fixture
def impatient(patient, monkeypatch):
    """A camera without a new picture counts as silent and gone at once."""
    for name in ("SILENCE_S", "RETRY_S", "NOTICE_EVERY_S", "READ_PAUSE_S"):
        monkeypatch.setattr(newest_frame, name, 0.01)
    for name in ("GONE_S", "FIRST_PICTURE_S"):
        monkeypatch.setattr(newest_frame, name, 0.0)


@pytest.fixture
def video(tmp_path):
    """Twenty noisy frames at 25 frames a second. Frame n has a mean of about 10 n."""
    path = tmp_path / "ten.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    assert writer.isOpened()
    noise = np.random.default_rng(0).integers(0, 20, (240, 320, 3), np.uint8)
    for index in range(20):
        writer.write(noise + np.uint8(10 * index))
    writer.release()
    return path


@pytest.fixture
def studio(monkeypatch):
    """A studio that draws nothing. It records the requested scenes, sizes and frame rates in the list."""

    calls = []

    class FakeStudio:
        def __init__(self, scene="digits", size_wh=(1280, 720), fps=30.0, seed=0):
            calls.append((scene, size_wh, fps))
            self.fps = fps

        def frame(self, index):
            return Frame(picture(index % 256), index, index / self.fps, "studio")

    monkeypatch.setattr("recognizer.sources.studio.Studio", FakeStudio)
    return calls


def write_picture(path, image):
    is_encoded, data = cv2.imencode(path.suffix, image)
    assert is_encoded
    path.write_bytes(data.tobytes())
    return path


def has_reader_thread(name):
    return any(thread.name == name for thread in threading.enumerate())


@pytest.fixture(params=["webcam", "stream", "video", "folder", "picture", "studio", "paced studio"])
def any_source(request, tmp_path, devices, video, studio):
    endless = FakeCamera()
    endless.read = functools.partial(lambda values: (True, picture(next(values) % 256)), itertools.count())
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        write_picture(folder / f"{index}.png", picture(index))
    spec = {
        "webcam": "0",
        "stream": "rtsp://camera/1",
        "video": str(video),
        "folder": str(folder),
        "picture": str(folder / "0.png"),
        "studio": "studio",
        "paced studio": "studio",
    }[request.param]
    opener = FakeOpener(endless) if request.param in ("webcam", "stream") else cv2.VideoCapture
    return opening.open_source(spec, fps=1000.0, paced=request.param == "paced studio", open_capture=opener)


def test_every_source_numbers_its_frames_and_gives_their_times(any_source):
    with any_source as source:
        frames = list(itertools.islice(source, 3))
    for frame in frames:
        assert frame.image_bgr.dtype == np.uint8
        assert frame.image_bgr.ndim == 3
        assert frame.image_bgr.shape[2] == 3
        assert frame.name
        assert frame.notice is None
    assert frames[0].index == 0
    assert all(before.index < after.index for before, after in itertools.pairwise(frames))
    assert all(before.time_s < after.time_s for before, after in itertools.pairwise(frames))
    assert isinstance(source.live, bool)
    assert source.name


def test_every_source_ends_at_the_first_frame_after_stop(any_source):
    with any_source as source:
        seen = 0
        for _ in source:
            seen += 1
            threading.Thread(target=source.stop).run()
        assert seen == 1


def test_every_source_can_be_closed_twice_and_gives_no_frame_afterwards(any_source):
    any_source.close()
    any_source.close()
    assert list(any_source) == []


def test_webcam_requests_mjpg_before_the_size_and_a_buffer_of_one_frame(devices):
    camera = FakeCamera(picture(1))
    opener = FakeOpener(camera)
    with webcam.open_webcam(0, size_wh=(640, 480), fps=15.0, open_capture=opener):
        camera.ended.set()
    assert opener.calls == [(0, cv2.CAP_V4L2)]
    names = [setting for setting, _ in camera.settings]
    assert camera.settings[0] == (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    assert names.index(cv2.CAP_PROP_FOURCC) < names.index(cv2.CAP_PROP_FRAME_WIDTH)
    assert (cv2.CAP_PROP_FRAME_WIDTH, 640) in camera.settings
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 480) in camera.settings
    assert (cv2.CAP_PROP_BUFFERSIZE, 1) in camera.settings


@pytest.mark.parametrize(
    ("system", "backend"), [("linux", cv2.CAP_V4L2), ("win32", cv2.CAP_DSHOW), ("darwin", cv2.CAP_AVFOUNDATION)]
)
def test_webcam_falls_back_to_any_backend(system, backend, devices, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    closed = FakeCamera(opened=False)
    camera = FakeCamera(picture(1))
    opener = FakeOpener(closed, camera)
    with webcam.open_webcam(0, open_capture=opener):
        camera.ended.set()
    assert opener.calls == [(0, backend), (0, cv2.CAP_ANY)]
    assert closed.released.is_set()


def test_webcam_keeps_only_the_newest_frame(devices):
    camera = FakeCamera(picture(1), picture(2), picture(3))
    with webcam.open_webcam(0, open_capture=FakeOpener(camera)) as source:
        assert camera.idle.wait(HANG_S)
        frames = iter(source)
        assert next(frames).image_bgr[0, 0, 0] == 3
        camera.reads.put(picture(4))
        frame = next(frames)
        assert frame.image_bgr[0, 0, 0] == 4
        assert frame.index == 1
        camera.ended.set()
    assert source.live


def test_webcam_waits_for_a_newer_frame_until_stopped(devices):
    camera = FakeCamera(picture(1))
    source = webcam.open_webcam(0, open_capture=FakeOpener(camera))
    frames = []
    first = threading.Event()

    def consume():
        for frame in source:
            frames.append(frame)
            first.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    assert first.wait(HANG_S)
    source.stop()
    consumer.join(HANG_S)
    assert not consumer.is_alive()
    assert len(frames) == 1
    camera.ended.set()
    source.close()


def test_ctrl_c_releases_the_camera_and_joins_the_thread(devices):
    camera = FakeCamera(picture(1))
    with (
        pytest.raises(KeyboardInterrupt),
        webcam.open_webcam(0, open_capture=FakeOpener(camera)) as source,
    ):
        next(iter(source))
        camera.ended.set()
        raise KeyboardInterrupt
    assert camera.released.is_set()
    assert not has_reader_thread("camera 0")


def test_ctrl_c_before_the_first_frame_releases_the_camera(devices):
    camera = FakeCamera()
    camera.read = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        webcam.open_webcam(0, open_capture=FakeOpener(camera))
    assert camera.released.is_set()


def test_unplugged_webcam_repeats_its_last_picture_with_a_notice_and_reconnects(devices, impatient):
    unplugged = FakeCamera(picture(7))
    back = FakeCamera(picture(9))
    opener = FakeOpener(unplugged, FakeCamera(opened=False), FakeCamera(opened=False), back)
    with webcam.open_webcam(0, open_capture=opener) as source:
        frames = iter(source)
        assert next(frames).notice is None
        opener.plugged_in.clear()
        unplugged.ended.set()
        lost = next(frames)
        assert lost.notice == "camera 0 is gone: plug it in again or press q; trying to reconnect"
        assert lost.image_bgr[0, 0, 0] == 7
        opener.plugged_in.set()
        again = next(frame for frame in itertools.islice(frames, 50_000) if frame.notice is None)
        assert again.image_bgr[0, 0, 0] == 9
        assert again.time_s > lost.time_s
        assert unplugged.released.is_set()
        assert back.settings == unplugged.settings
        back.ended.set()
    assert back.released.is_set()


def test_webcam_whose_read_blocks_gives_a_notice(devices, impatient):
    camera = FakeCamera(picture(7))
    with webcam.open_webcam(0, open_capture=FakeOpener(camera)) as source:
        frames = iter(source)
        next(frames)
        assert "camera 0 is gone" in next(frames).notice
        camera.reads.put(picture(8))
        assert next(frame for frame in itertools.islice(frames, 50_000) if frame.notice is None).image_bgr[0, 0, 0] == 8
        camera.ended.set()


def test_single_failed_reads_and_malformed_frames_are_skipped(devices, monkeypatch):
    monkeypatch.setattr(newest_frame, "READ_PAUSE_S", 0.0)
    empty = np.empty((0, 0, 3), np.uint8)
    camera = FakeCamera(None, picture(1), None, empty, cv2.error("damaged"), picture(2))
    with webcam.open_webcam(0, open_capture=FakeOpener(camera)) as source:
        assert camera.idle.wait(HANG_S)
        frame = next(iter(source))
        assert frame.image_bgr[0, 0, 0] == 2
        assert frame.notice is None
        camera.ended.set()


@pytest.mark.parametrize(
    "odd",
    [
        np.full((4, 6), 50, np.uint8),
        np.full((4, 6, 1), 50, np.uint8),
        np.full((4, 6, 4), 50, np.uint8),
        np.full((4, 6), 50 * 256 + 3, np.uint16),
    ],
    ids=["grey", "one channel", "four channels", "16 bits"],
)
def test_frames_are_always_8_bit_bgr(odd, devices):
    camera = FakeCamera(odd)
    with webcam.open_webcam(0, open_capture=FakeOpener(camera)) as source:
        image_bgr = next(iter(source)).image_bgr
        camera.ended.set()
    assert image_bgr.dtype == np.uint8
    assert np.array_equal(image_bgr, picture(50, (6, 4)))


def test_the_error_for_a_missing_camera_suggests_another_camera(devices):
    opener = FakeOpener()
    with pytest.raises(SourceError, match=r"Camera 3 is not there: .*video3 does not exist\..* try --source 0\.$"):
        opening.open_source("3", open_capture=opener)
    assert opener.calls == []


def test_the_error_for_a_missing_camera_suggests_the_studio_if_there_is_no_camera(devices):
    (devices / "video0").unlink()
    with pytest.raises(SourceError, match=r"Plug it in, or try --source studio\.$"):
        opening.open_source("0", open_capture=FakeOpener())


def test_the_error_for_a_missing_camera_under_wsl_explains_usbipd(devices, monkeypatch):
    monkeypatch.setattr(webcam.platform, "release", lambda: "5.15.167.4-microsoft-standard-WSL2")
    with pytest.raises(SourceError, match="usbipd"):
        opening.open_source("1", open_capture=FakeOpener())


def test_the_error_for_a_camera_without_permission_names_the_video_group(devices, monkeypatch):
    monkeypatch.setattr(decoding.os, "access", lambda *_: False)
    with pytest.raises(SourceError, match="no permission for .*video0.*usermod"):
        opening.open_source("0", open_capture=FakeOpener())


def test_the_error_for_a_busy_camera_says_to_close_other_programs(devices):
    with pytest.raises(SourceError, match="Camera 0 is there but gives no picture: it is busy.*Close other programs"):
        opening.open_source("0", open_capture=FakeOpener())


@pytest.mark.parametrize(("system", "remedy"), [("darwin", "System Settings"), ("win32", "desktop apps")])
def test_the_error_for_a_camera_on_windows_and_macos_names_the_privacy_setting(system, remedy, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(SourceError, match=f"Camera 0 did not open.*{remedy}"):
        opening.open_source("0", open_capture=FakeOpener())


def test_camera_that_opens_without_a_picture_is_released(devices, impatient):
    camera = FakeCamera(None)
    with pytest.raises(SourceError, match="gives no picture"):
        opening.open_source("0", open_capture=FakeOpener(camera))
    assert camera.released.is_set()


def test_find_webcams_opens_only_cameras_that_linux_lists(devices):
    (devices / "video10").touch()
    (devices / "video2").touch()
    (devices / "video-other").touch()
    cameras = [FakeCamera(), FakeCamera(opened=False), FakeCamera()]
    opener = FakeOpener(*cameras)
    assert webcam.find_webcams(opener) == [0, 10]
    assert [index for index, _ in opener.calls] == [0, 2, 10]
    assert all(camera.released.is_set() for camera in cameras)


def test_find_webcams_tries_the_first_numbers_on_other_systems(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    opener = FakeOpener(FakeCamera(opened=False), FakeCamera())
    assert webcam.find_webcams(opener) == [1]
    assert opener.calls == [(index, cv2.CAP_DSHOW) for index in range(4)]


def test_default_source_is_the_first_camera(devices):
    (devices / "video4").touch()
    opener = FakeOpener(FakeCamera(), FakeCamera())
    assert opening.default_source(opener) == ("0", "")
    assert len(opener.calls) == 1


def test_default_source_is_the_studio_without_a_camera(devices):
    spec, line = opening.default_source(FakeOpener())
    assert spec == "studio"
    assert "No camera found" in line
    assert "\n" not in line


def test_stream_gives_the_newest_frame_and_reconnects(impatient):
    broken = FakeCamera(picture(1))
    back = FakeCamera(picture(2))
    opener = FakeOpener(broken, back)
    with opening.open_source("rtsp://anna:secret@camera/1?key=7", open_capture=opener) as source:
        assert source.live
        assert source.name == "rtsp://camera/1"
        frames = iter(source)
        assert next(frames).notice is None
        opener.plugged_in.clear()
        broken.ended.set()
        assert next(frames).notice.startswith("rtsp://camera/1 is silent")
        opener.plugged_in.set()
        assert next(frame for frame in itertools.islice(frames, 50_000) if not frame.notice).image_bgr[0, 0, 0] == 2
        back.ended.set()
    address, backend, parameters = opener.calls[0]
    assert (address, backend) == ("rtsp://anna:secret@camera/1?key=7", cv2.CAP_FFMPEG)
    assert parameters[::2] == [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
    assert broken.settings == []


@pytest.mark.parametrize("cameras", [(), (FakeCamera(None),)], ids=["closed", "no picture"])
def test_stream_without_a_picture_is_an_error(cameras, impatient):
    with pytest.raises(SourceError, match="http://camera/video gives no picture") as caught:
        opening.open_source("http://anna:secret@camera/video", open_capture=FakeOpener(*cameras))
    assert "secret" not in str(caught.value)
    assert all(camera.released.is_set() for camera in cameras)


def test_http_address_of_a_video_with_an_end_is_read_as_a_file():
    camera = FakeCamera(picture(1), picture(2), picture(3), None, frame_count=3.0)
    with opening.open_source("http://host/film.mp4", open_capture=FakeOpener(camera)) as source:
        frames = list(source)
    assert not source.live
    assert [frame.image_bgr[0, 0, 0] for frame in frames] == [1, 2, 3]
    assert [frame.time_s for frame in frames] == [0.0, 0.1, 0.2]
    assert camera.released.is_set()


def test_a_video_is_read_over_http(video, monkeypatch):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=video.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with opening.open_source(f"http://127.0.0.1:{server.server_port}/{video.name}") as source:
                assert len(list(source)) == 20
        finally:
            server.shutdown()


def test_video_gives_every_frame_in_order(video):
    with opening.open_source(str(video)) as source:
        frames = list(source)
    assert not source.live
    assert source.fps == 25
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time_s for frame in frames] == [index / 25 for index in range(20)]
    means = [frame.image_bgr.mean() for frame in frames]
    assert means == sorted(means)
    assert {frame.name for frame in frames} == {str(video)}


def test_paced_video_waits_between_frames_and_skips_none(video, monkeypatch):
    clock_s = [100.0]
    monkeypatch.setattr(sources_video, "time", types.SimpleNamespace(perf_counter=lambda: clock_s[0]))
    waits = []
    with opening.open_source(str(video), paced=True) as source:

        def wait(timeout_s):
            waits.append(timeout_s)
            clock_s[0] += timeout_s

        monkeypatch.setattr(source._stopping, "wait", wait)
        assert len(list(source)) == 20
    assert waits == pytest.approx([0.0] + [1 / 25] * 19)


def test_video_without_a_frame_rate_uses_the_default(video):
    camera = FakeCamera(picture(1), None)
    camera.get = lambda _: float("nan")
    with sources_video.VideoFile(video, fps=12.0, open_capture=FakeOpener(camera)) as source:
        assert source.fps == 12


def test_truncated_video_gives_its_frames_and_a_warning(video, capsys):
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with opening.open_source(str(video)) as source:
        assert 0 < len(list(source)) < 18
    assert "ends early" in capsys.readouterr().err


def test_complete_and_stopped_videos_print_no_warning(video, capsys):
    with opening.open_source(str(video)) as source:
        list(source)
    with opening.open_source(str(video)) as source:
        next(iter(source))
    assert capsys.readouterr().err == ""


def test_video_without_a_picture_is_an_error(video):
    camera = FakeCamera(None)
    with pytest.raises(SourceError, match="holds no picture"):
        sources_video.VideoFile(video, open_capture=FakeOpener(camera))
    assert camera.released.is_set()


def test_a_file_that_is_not_a_video_is_an_error(tmp_path, video):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(SourceError, match="empty.mp4 is empty"):
        opening.open_source(str(empty))
    text = tmp_path / "text.mp4"
    text.write_text("no video" * 100)
    with pytest.raises(SourceError, match="not a video that can be read"):
        opening.open_source(str(text))
    video.write_bytes(video.read_bytes()[:1000])
    with pytest.raises(SourceError, match="not a video that can be read"):
        opening.open_source(str(video))
    with pytest.raises(SourceError, match="is not there"):
        sources_video.VideoFile(tmp_path / "none.mp4")
    with pytest.raises(SourceError, match="is a folder"):
        sources_video.VideoFile(tmp_path)


def test_opencv_and_ffmpeg_print_nothing(tmp_path):
    (tmp_path / "text.mp4").write_text("no video" * 100)
    program = (
        "import sys; from recognizer.sources import opening, webcam\n"
        "for spec in sys.argv[1:]:\n"
        "    try: opening.open_source(spec)\n"
        "    except opening.SourceError as error: print(error)\n"
        "webcam.find_webcams()"
    )
    # In a separate process, because FFmpeg's log level is set when it is first used.
    command = [sys.executable, "-c", program, str(tmp_path / "text.mp4"), "http://127.0.0.1:9/none", "99"]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANG_S, cwd=paths.ROOT)
    assert len(process.stdout.splitlines()) == 3
    assert process.stderr == ""


def test_folder_gives_its_pictures_in_natural_order(tmp_path):
    for name, value in (("10.png", 10), ("2.png", 2), ("a1.PNG", 20), ("1.png", 1)):
        write_picture(tmp_path / name, picture(value))
    write_picture(tmp_path / ".hidden.png", picture(99))
    (tmp_path / "README.md").write_text("no picture")
    with opening.open_source(str(tmp_path)) as source:
        frames = list(source)
    assert not source.live
    assert [frame.image_bgr[0, 0, 0] for frame in frames] == [1, 2, 10, 20]
    assert [frame.name for frame in frames] == [str(tmp_path / name) for name in ("1.png", "2.png", "10.png", "a1.PNG")]


def test_folder_prints_one_line_for_each_unreadable_picture_and_skips_it(tmp_path, capsys):
    write_picture(tmp_path / "2.png", picture(2))
    (tmp_path / "1.png").write_text("no picture")
    (tmp_path / "3.jpg").touch()
    with opening.open_source(str(tmp_path)) as source:
        assert [frame.image_bgr[0, 0, 0] for frame in source] == [2]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "1.png" in lines[0]
    assert "3.jpg" in lines[1]


@pytest.mark.parametrize("names", [(), ("1.png",)], ids=["empty", "unreadable"])
def test_folder_without_a_picture_is_an_error(names, tmp_path):
    for name in names:
        (tmp_path / name).write_text("no picture")
    with pytest.raises(SourceError, match="holds no picture that can be read"):
        opening.open_source(str(tmp_path))


def test_folder_that_only_has_subfolders_is_an_error(tmp_path):
    (tmp_path / "inside").mkdir()
    write_picture(tmp_path / "inside" / "1.png", picture(1))
    with pytest.raises(SourceError, match="name one of the folders inside"):
        opening.open_source(str(tmp_path))


def test_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(decoding.Path, "iterdir", refuse)
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        opening.open_source(str(tmp_path))


def test_paced_folder_waits_after_each_picture(tmp_path, monkeypatch):
    for name in ("1.png", "2.png", "3.png"):
        write_picture(tmp_path / name, picture(1))
    waits = []
    with opening.open_source(str(tmp_path), paced=True) as source:
        monkeypatch.setattr(source._stopping, "wait", waits.append)
        assert [frame.time_s for frame in source] == [0.0, 1.0, 2.0]
    assert waits == [pictures.PICTURE_S] * 2


def test_a_single_picture_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "1.png").write_text("no picture")
    with pytest.raises(SourceError, match="not a picture"):
        opening.open_source(str(tmp_path / "1.png"))


def test_read_image_converts_every_format_to_8_bit_bgr(tmp_path):
    grey = write_picture(tmp_path / "grey.png", np.full((4, 6), 77, np.uint8))
    assert np.array_equal(decoding.read_image(grey), picture(77, (6, 4)))
    deep = write_picture(tmp_path / "deep.png", np.full((4, 6, 3), 77 * 256, np.uint16))
    assert np.array_equal(decoding.read_image(deep), picture(77, (6, 4)))
    colour = write_picture(tmp_path / "Größe 字.bmp", np.full((4, 6, 3), (1, 2, 3), np.uint8))
    assert decoding.read_image(str(colour))[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_read_image_blends_transparent_pixels_with_white(tmp_path, dtype):
    full = np.iinfo(dtype).max
    drawing = np.zeros((2, 3, 4), dtype)
    drawing[0, 0] = (0, 0, full, full)
    drawing[0, 1, 3] = full // 2
    image_bgr = decoding.read_image(write_picture(tmp_path / "drawing.png", drawing))
    assert image_bgr.dtype == np.uint8
    assert image_bgr[0, 0].tolist() == [0, 0, 255]
    assert image_bgr[0, 1].tolist() == [128, 128, 128]
    assert (image_bgr[1] == 255).all()


def test_read_image_applies_the_exif_orientation(tmp_path):
    image_bgr = picture(0, (40, 20))
    image_bgr[:, :20] = 255
    jpeg = cv2.imencode(".jpg", image_bgr)[1].tobytes()
    quarter_turn = 6  # Exif: shown turned clockwise
    tiff = b"MM\x00*\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, quarter_turn, 0, 0)
    exif = b"Exif\x00\x00" + tiff
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    upright = decoding.read_image(path)
    assert upright.shape == (40, 20, 3)
    assert upright[:18].min() > 200
    assert upright[22:].max() < 50


def test_read_image_names_the_problem_and_the_remedy(tmp_path, monkeypatch, capfd):
    with pytest.raises(SourceError, match="none.png is not there"):
        decoding.read_image(tmp_path / "none.png")
    with pytest.raises(SourceError, match="is a folder"):
        decoding.read_image(tmp_path)
    empty = tmp_path / "empty.png"
    empty.touch()
    with pytest.raises(SourceError, match="is empty"):
        decoding.read_image(empty)
    text = tmp_path / "text.png"
    text.write_text("hello")
    with pytest.raises(SourceError, match="not a picture"):
        decoding.read_image(text)
    damaged = write_picture(tmp_path / "damaged.png", picture(1))
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(SourceError, match="damaged"):
        decoding.read_image(damaged)
    heic = tmp_path / "phone.heic"
    heic.write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(20))
    with pytest.raises(SourceError, match=r"(HEIC|damaged).*JPEG or PNG"):
        decoding.read_image(heic)
    monkeypatch.setattr(decoding.np, "fromfile", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(SourceError, match="cannot be read: Input/output error"):
        decoding.read_image(text)
    monkeypatch.setattr(decoding.os, "access", lambda *_: False)
    with pytest.raises(SourceError, match="no permission"):
        decoding.read_image(text)
    assert capfd.readouterr().err == ""


def test_read_image_reports_an_opencv_error_as_a_damaged_file(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise cv2.error("more pixels than allowed")

    monkeypatch.setattr(decoding.cv2, "imdecode", refuse)
    monkeypatch.setattr(decoding.cv2, "imdecodeWithMetadata", refuse)
    with pytest.raises(SourceError, match="not a picture"):
        decoding.read_image(write_picture(tmp_path / "huge.png", picture(1)))


def test_studio_draws_the_requested_scene(studio):
    opening.open_source("studio", size_wh=(640, 480), fps=25.0).close()
    with opening.open_source("studio:blackboard", size_wh=(640, 480), fps=25.0) as source:
        assert not source.live
        assert [frame.index for frame in itertools.islice(source, 3)] == [0, 1, 2]
    assert studio == [("digits", (640, 480), 25.0), ("blackboard", (640, 480), 25.0)]


def test_paced_studio_follows_the_clock_and_skips_late_frames(studio, monkeypatch):
    clock_s = [100.0]
    monkeypatch.setattr("recognizer.sources.studio.time", types.SimpleNamespace(perf_counter=lambda: clock_s[0]))
    with opening.open_source("studio", fps=10.0, paced=True) as source:
        waits = []
        monkeypatch.setattr(source._stopping, "wait", waits.append)
        frames = iter(source)
        assert next(frames).index == 0
        assert next(frames).index == 1
        clock_s[0] += 0.75
        assert next(frames).index == 7
    assert source.live
    assert waits == pytest.approx([0.0, 0.1, 0.0])


@pytest.mark.parametrize(
    "spec",
    ["", "none.mp4", "no such folder/", "-1", "studioo", "ftp://host/film.mp4", "²", "a\0b", "x" * 5000, "~nobody"],
)
def test_the_error_for_an_unknown_source_lists_the_valid_ones(spec):
    with pytest.raises(SourceError, match="A source is a camera number") as caught:
        opening.open_source(spec)
    assert "\n" not in str(caught.value)


def test_opencv_logs_if_its_environment_variable_is_set(monkeypatch):
    levels = []
    monkeypatch.setattr(decoding.cv2.utils.logging, "setLogLevel", levels.append)
    monkeypatch.setitem(os.environ, "OPENCV_LOG_LEVEL", "DEBUG")
    decoding.silence_decoders()
    assert levels == []
    monkeypatch.delitem(os.environ, "OPENCV_LOG_LEVEL")
    decoding.silence_decoders()
    assert levels == [cv2.utils.logging.LOG_LEVEL_SILENT]
