"""What is read from files and addresses: kinds by first bytes, orientation, transparency, moving pictures, odd names."""

import contextlib
import functools
import http.server
import io
import struct
import sys
import threading
import types
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from recognizer.errors import SourceError
from recognizer.sources import decoding, kinds, opening, snapshot, webcam
from recognizer.sources.decoding import read_image
from recognizer.sources.pictures import picture_files
from tests.sources.test_sources import FakeCamera, FakeOpener, picture, write_picture


def half(size_wh=(40, 20)):
    """A picture whose left half is white, (h, w, 3) uint8."""
    image = picture(0, size_wh)
    image[:, : size_wh[0] // 2] = 255
    return image


def is_upright_half(image_bgr):
    """Whether `half`, turned clockwise by a quarter, is upright: its upper half is white."""
    return image_bgr.shape == (40, 20, 3) and image_bgr[:18].min() > 200 and image_bgr[22:].max() < 50


def with_orientation(path, image_rgb, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image_rgb).save(path, exif=exif.tobytes(), **options)
    return path


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif", ".jpg"])
def test_the_orientation_is_applied_in_every_format_with_and_without_alpha(suffix, alpha, tmp_path):
    image = half()
    if alpha and suffix != ".jpg":
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        image[0, 0, 3] = 254
    assert is_upright_half(read_image(with_orientation(tmp_path / f"photo{suffix}", image, 6)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_those_of_opencv(orientation, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (5, 8, 3), np.uint8)
    coloured = with_orientation(tmp_path / "a.png", image, orientation)
    image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    with_alpha = with_orientation(tmp_path / "b.png", image, orientation)
    expected = cv2.imdecode(np.fromfile(coloured, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(read_image(coloured), expected)
    assert np.array_equal(read_image(with_alpha), expected)


@pytest.mark.parametrize(("ink", "background"), [(255, 0), (0, 255)])
@pytest.mark.parametrize("deep", [False, True])
def test_ink_on_nothing_gets_a_background_that_it_contrasts_with(ink, background, deep, tmp_path):
    drawing = np.full((20, 20, 4), ink, np.uint8)
    drawing[..., 3] = 0
    drawing[8:12, 4:16, 3] = 255
    image = read_image(write_picture(tmp_path / "a.png", drawing.astype(np.uint16) * 257 if deep else drawing))
    assert (image[8:12, 4:16] == ink).all()
    assert (image[:8] == background).all()


def test_the_transparent_corners_of_a_white_page_are_white(tmp_path):
    page = np.full((20, 20, 4), 255, np.uint8)
    page[:2, :2, 3] = 0
    assert (read_image(write_picture(tmp_path / "a.png", page)) == 255).all()


def test_alpha_that_is_0_everywhere_is_none(tmp_path):
    image = np.dstack([half(), np.zeros((20, 40), np.uint8)])
    assert np.array_equal(read_image(write_picture(tmp_path / "a.png", image)), half())


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_pictures_may_hold_values_of_fewer_bits(bits, suffix, tmp_path):
    deep = np.full((4, 6, 3), 200 << (bits - 8), np.uint16)
    assert (read_image(write_picture(tmp_path / f"a{suffix}", deep)) == 200).all()


def test_pictures_of_other_numbers_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), np.full((4, 6), 0.5, np.float32))
    with pytest.raises(SourceError, match="float32 numbers"):
        read_image(path)


def png_header(width, height, depth, colour):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


@pytest.mark.parametrize(
    ("depth", "colour", "each"), [(8, 0, 3), (8, 2, 3), (8, 6, 4), (16, 2, 6), (16, 6, 8), (1, 0, 3)]
)
def test_decoded_bytes_are_known_from_the_header(depth, colour, each):
    data = np.frombuffer(png_header(300, 200, depth, colour), np.uint8)
    assert decoding.decoded_bytes(data) == 300 * 200 * each


def test_a_picture_that_would_take_too_much_memory_is_not_decoded(tmp_path, monkeypatch):
    (tmp_path / "bomb.png").write_bytes(png_header(30000, 30000, 16, 6))
    monkeypatch.setattr(decoding.cv2, "imdecodeWithMetadata", None)
    with pytest.raises(SourceError, match=r"bomb.png would take 6866 MiB decoded, and 1024 MiB is the limit"):
        read_image(tmp_path / "bomb.png")


def test_a_phones_200_megapixels_are_within_the_limit():
    data = np.frombuffer(png_header(16320, 12240, 8, 2), np.uint8)
    assert decoding.decoded_bytes(data) < decoding.DECODED_LIMIT


KINDS = {
    b"\xff\xd8\xff\xe0": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"RIFF\0\0\0\0WEBP": "WEBP",
    b"RIFF\0\0\0\0AVI ": "video",
    b"RIFF\0\0\0\0WAVE": "",
    b"\0\0\0\x1cftypavif\0\0\0\0mif1avif": "AVIF",
    b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic": "HEIC",
    b"\0\0\0\x1cftypmif1\0\0\0\0miafavif": "AVIF",
    b"\0\0\0\x14ftypheic\0\0\0\0mif1": "HEIC",
    b"\0\0\0\x14ftypisom\0\0\0\0mp42": "video",
    b"\x1a\x45\xdf\xa3": "video",
    b"P5 3 3 255\n": "PPM",
    b"\n<SVG xmlns": "SVG",
    b'<?xml version="1.0"?><svg>': "SVG",
    b'<?xml version="1.0"?><html>': "XML",
    b"Paper": "",
    b"": "",
}


@pytest.mark.parametrize("head", KINDS)
def test_the_kind_of_a_file_is_told_by_its_first_bytes(head):
    assert kinds.kind_of(head) == KINDS[head]


@pytest.mark.parametrize("name", ["photo.jfif", "photo.jpe", "photo", "photo.mp4", "photo.txt"])
def test_a_picture_is_read_as_one_whatever_its_name_is(name, tmp_path):
    buffer = io.BytesIO()
    with_orientation(buffer, half(), 6, format="JPEG")
    (tmp_path / name).write_bytes(buffer.getvalue())
    for spec in (tmp_path, tmp_path / name):
        with opening.open_source(str(spec)) as source:
            assert [is_upright_half(frame.image_bgr) for frame in source] == [True]


def test_a_heic_picture_is_never_called_a_video(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "reads_heic", lambda: False)
    (tmp_path / "IMG_0.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(SourceError, match=r"is a HEIC picture. To read HEIC run `python -m pip install"):
        opening.open_source(str(tmp_path / "IMG_0.HEIC"))


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="requirements-heic.txt is not installed")
    heif.register_heif_opener()
    path = with_orientation(tmp_path / "photo.heic", half(), 6, quality=100)
    assert is_upright_half(read_image(path))
    assert picture_files(tmp_path) == [path]


def test_a_missing_pillow_heif_is_found_without_importing_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", types.ModuleType("pillow_heif", "not a real one"))
    sys.modules["pillow_heif"].__spec__ = types.SimpleNamespace()
    assert kinds.is_picture("HEIC")


def test_a_folder_reports_the_files_that_it_leaves_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(kinds, "reads_heic", lambda: False)
    write_picture(tmp_path / "1.png", picture(1))
    for number in (1, 2):
        (tmp_path / f"{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "notes.txt").write_text("notes")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._1.png"):
        (tmp_path / name).write_bytes(b"system")
    with opening.open_source(str(tmp_path)) as source:
        assert len(list(source)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"3 files of {tmp_path} were left out: HEIC ×2, TXT ×1. To read HEIC run")


def save_animation(path, shades=(10, 120, 240), **options):
    first, *others = (Image.fromarray(picture(shade)) for shade in shades)
    if path.suffix != ".tif":
        options = {"duration": 200, "loop": 0, **options}
    first.save(path, save_all=True, append_images=others, **options)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_a_moving_picture_gives_all_its_pictures(suffix, tmp_path):
    path = save_animation(tmp_path / f"moving{suffix}")
    with opening.open_source(str(path)) as source:
        frames = list(source)
    assert [round(int(frame.image_bgr[0, 0, 0]), -1) for frame in frames] == [10, 120, 240]
    assert all(frame.image_bgr.shape == (48, 64, 3) for frame in frames)
    if suffix == ".tif":
        assert source.fps is None
        assert [frame.time_s for frame in frames] == [0.0, 1.0, 2.0]
    else:
        assert source.fps == pytest.approx(5.0)
        assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.2, 0.4])


def test_pages_of_16_bits_keep_their_grey_levels(tmp_path):
    pages = [Image.fromarray(np.full((8, 8), shade * 256, np.uint16)) for shade in (100, 200)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with opening.open_source(str(tmp_path / "pages.tif")) as source:
        assert [frame.image_bgr[0, 0, 0] for frame in source] == [100, 200]


def test_the_still_picture_before_an_animation_is_not_shown(tmp_path):
    path = save_animation(tmp_path / "a.png", default_image=True)
    with opening.open_source(str(path)) as source:
        assert [int(frame.image_bgr[0, 0, 0]) for frame in source] == [120, 240]


def test_a_moving_picture_in_a_folder_gives_all_its_pictures(tmp_path):
    save_animation(tmp_path / "1.gif")
    write_picture(tmp_path / "2.png", picture(50))
    with opening.open_source(str(tmp_path)) as source:
        assert [round(int(frame.image_bgr[0, 0, 0]), -1) for frame in source] == [10, 120, 240, 50]


def test_a_damaged_moving_picture_gives_its_first_pictures_and_a_line(tmp_path, capsys):
    rng = np.random.default_rng(0)
    first, *others = (Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)) for _ in range(3))
    first.save(tmp_path / "a.png", save_all=True, append_images=others, duration=200)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) * 5 // 6])
    with opening.open_source(str(tmp_path / "a.png")) as source:
        assert 1 <= len(list(source)) < 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "ends early" in line


NAMES = [
    "2024-05-01T12:30:05.avi", "12:30.avi", "concat:a|b.avi", "file:x.avi", "100%.avi", "img%03d.avi", "a#b?c.avi", "😀.avi",
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES)
def test_a_video_of_any_name_is_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer = cv2.VideoWriter(str(tmp_path / "plain.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(3):
        writer.write(picture(100))
    writer.release()
    (tmp_path / "plain.avi").rename(tmp_path / name)
    for spec in (name, f"./{name}"):
        with opening.open_source(spec) as source:
            assert len(list(source)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["12:30.png", "img%03d.png", "a#b?c.png", "😀.png"])
def test_a_picture_of_any_name_is_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / name, picture(7))
    with opening.open_source(name) as source:
        assert [frame.image_bgr[0, 0, 0] for frame in source] == [7]


def test_the_error_of_a_missing_camera_mentions_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webcam, "_DEVICES", tmp_path / "dev")
    (tmp_path / "7").mkdir()
    write_picture(tmp_path / "7" / "1.png", picture(1))
    with pytest.raises(SourceError, match=r"Camera 7 .* For the folder 7 give \./7\.$"):
        opening.open_source("7", open_capture=FakeOpener())
    with opening.open_source("./7") as source:
        assert len(list(source)) == 1


@pytest.mark.parametrize("name", ["0", "studio"])
def test_a_line_mentions_the_file_that_is_named_like_what_was_opened(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webcam, "listed_cameras", lambda: [0])
    (tmp_path / name).touch()
    camera = FakeCamera(picture(1), None)
    opening.open_source(name, open_capture=FakeOpener(camera)).close()
    camera.ended.set()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"For the file {name} give ./{name}.")


@contextlib.contextmanager
def served(answer):
    """An HTTP server whose GET is `answer(handler)`. Gives its address without a path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.01), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def send(handler, data, content_type="image/jpeg"):
    handler.send_response(200)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@pytest.fixture
def poll_at_once(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(snapshot, "POLL_S", 0.001)


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream"])
def test_a_snapshot_address_is_polled(content_type, poll_at_once):
    requests = []

    def answer(handler):
        requests.append(handler.path)
        send(handler, cv2.imencode(".png", picture(min(len(requests), 200)))[1].tobytes(), content_type)

    with served(answer) as host, opening.open_source(f"http://{host}/shot.jpg?x=1") as source:
        assert source.live
        assert source.name == f"http://{host}/shot.jpg"
        frames = iter(source)
        shades = [int(next(frames).image_bgr[0, 0, 0]) for _ in range(4)]
    assert shades == sorted(set(shades))
    assert set(requests) == {"/shot.jpg?x=1"}


def test_the_orientation_of_a_snapshot_is_applied(poll_at_once):
    buffer = io.BytesIO()
    with_orientation(buffer, half(), 6, format="JPEG")
    with served(lambda handler: send(handler, buffer.getvalue())) as host:
        with opening.open_source(f"http://{host}/shot.jpg") as source:
            assert is_upright_half(next(iter(source)).image_bgr)


def test_a_snapshot_is_requested_with_user_and_password(poll_at_once):
    def answer(handler):
        if handler.headers.get("Authorization") == "Basic YW5uYTpwQHNz":
            send(handler, cv2.imencode(".jpg", picture(9))[1].tobytes())
            return
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with served(answer) as host, opening.open_source(f"http://anna:p%40ss@{host}/shot.jpg") as source:
        assert source.name == f"http://{host}/shot.jpg"
        assert next(iter(source)).image_bgr[0, 0, 0] == pytest.approx(9, abs=2)


def test_a_stream_of_jpegs_is_not_polled(poll_at_once):
    camera = FakeCamera(picture(1), picture(2))
    with served(lambda handler: send(handler, b"\xff\xd8\xff\xe0" + bytes(99), "video/x-motion-jpeg")) as host:
        with opening.open_source(f"http://{host}/video", open_capture=FakeOpener(camera)) as source:
            next(iter(source))
            camera.ended.set()


def test_a_snapshot_that_fails_is_requested_again(poll_at_once):
    requests = []

    def answer(handler):
        requests.append(handler.path)
        if len(requests) in (3, 4):
            handler.send_error(503)
        else:
            send(handler, cv2.imencode(".png", picture(len(requests)))[1].tobytes())

    with served(answer) as host, opening.open_source(f"http://{host}/shot.png") as source:
        shades = (int(frame.image_bgr[0, 0, 0]) for frame in source if not frame.notice)
        assert next(shade for shade in shades if shade > 4)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp", ".tif", ".avif", ".jpg", ".bmp", ".jp2", ".ppm"])
def test_a_damaged_picture_is_read_or_refused_in_one_line(suffix, tmp_path, recwarn):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (24, 32, 3), np.uint8)
    if suffix in (".gif", ".webp", ".tif"):
        save_animation(tmp_path / f"whole{suffix}")
    else:
        Image.fromarray(noise).save(tmp_path / f"whole{suffix}")
    data = np.fromfile(tmp_path / f"whole{suffix}", np.uint8)
    messages = []
    for number in range(40):
        damaged = data[: rng.integers(1, len(data))].copy() if number % 4 == 0 else data.copy()
        for _ in range(3):
            damaged[rng.integers(min(len(damaged), 200))] = rng.integers(256)
        damaged.tofile(tmp_path / f"damaged{suffix}")
        try:
            for one in decoding.read_pictures(tmp_path / f"damaged{suffix}"):
                assert one.image_bgr.dtype == np.uint8
                assert one.image_bgr.ndim == one.image_bgr.shape[2] == 3
        except SourceError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)
    assert not recwarn.list


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_without_durations_plays_as_in_browsers(suffix, tmp_path):
    path = save_animation(tmp_path / f"moving{suffix}", duration=0)
    with opening.open_source(str(path)) as source:
        assert [frame.time_s for frame in source] == pytest.approx([0.0, 0.1, 0.2])
        assert source.fps == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(40), "JPEG XL"),
        ("a.psd", b"8BPS" + bytes(40), "Photoshop"),
        ("a.jpg", b"%PDF-1.7" + bytes(40), "PDF"),
        ("a.dng", b"II*\0" + bytes(40), "camera raw"),
    ],
)
def test_a_file_of_another_kind_is_named_by_its_kind(name, data, kind, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=f"{name} is a {kind} file, which cannot be read. Save it as JPEG or PNG."):
        opening.open_source(str(tmp_path / name))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_native_libraries_print_nothing_about_a_damaged_picture(suffix, tmp_path, capfd):
    rng = np.random.default_rng(0)
    pages = [Image.fromarray(rng.integers(0, 255, (80, 120, 3), np.uint8)) for _ in range(3)]
    pages_of_tiff = {"save_all": True, "append_images": pages[1:], "compression": "tiff_lzw"}
    options = pages_of_tiff if suffix == ".tif" else {"icc_profile": b"no profile" * 20}
    pages[0].save(tmp_path / f"whole{suffix}", **options)
    data = np.fromfile(tmp_path / f"whole{suffix}", np.uint8)
    for number in range(60):
        damaged = data[: rng.integers(30, len(data))] if number % 6 == 0 else data.copy()
        damaged[rng.integers(len(damaged) if number % 2 else min(300, len(damaged)), size=4)] ^= 4
        damaged.tofile(tmp_path / f"damaged{suffix}")
        with contextlib.suppress(SourceError):
            list(decoding.read_pictures(tmp_path / f"damaged{suffix}"))
    assert capfd.readouterr() == ("", "")


def test_jpeg_pictures_one_after_the_other_are_a_video(tmp_path):
    jpeg = cv2.imencode(".jpg", picture(100))[1].tobytes()
    for name in ("film.mjpeg", "film.MJPG"):
        (tmp_path / name).write_bytes(jpeg * 3)
        with opening.open_source(str(tmp_path / name)) as source:
            assert len(list(source)) == 3


def test_an_animation_of_one_picture_after_a_still_one_shows_that_picture(tmp_path):
    path = save_animation(tmp_path / "a.png", shades=(10, 120), default_image=True)
    with opening.open_source(str(path)) as source:
        assert [int(frame.image_bgr[0, 0, 0]) for frame in source] == [120]
