"""What a picture may take decoded is limited before it is decoded, and what a phone takes is read."""

import io

import numpy as np
import pytest
from PIL import Image

from recognizer.serve.http.problems import Problem
from recognizer.serve.workers import pictures
from recognizer.sources import kinds
from tests.sources.test_files import png_header


@pytest.mark.parametrize(("depth", "colour"), [(16, 2), (16, 6), (8, 6)])
def test_a_picture_within_the_pixels_but_not_the_bytes_is_refused_before_decoding(depth, colour, monkeypatch):
    monkeypatch.setattr(pictures, "decode_image", None)
    with pytest.raises(Problem) as problem:
        pictures.decode_picture(png_header(7680, 4320, depth, colour))
    assert problem.value.status_code == 413
    assert "bytes a pixel" in problem.value.body["found"]


def phone_photo(size_wh: tuple[int, int] = (48, 32)) -> bytes:
    """A HEIC picture whose left half is white, and which Exif says to turn clockwise."""
    heif = pytest.importorskip("pillow_heif", reason="requirements-heic.txt is not installed")
    heif.register_heif_opener()
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    image[:, : size_wh[0] // 2] = 255
    turned = Image.Exif()
    turned[0x0112] = 6
    data = io.BytesIO()
    Image.fromarray(image).save(data, "HEIF", exif=turned.tobytes())
    return data.getvalue()


def test_a_phones_heic_picture_is_read_upright_and_converted_for_browsers() -> None:
    data = phone_photo()
    for image_bgr in (pictures.decode_picture(data), pictures.decode_picture(pictures.to_jpeg(data))):
        assert image_bgr.shape == (48, 32, 3)
        assert image_bgr[:20].mean() > 200
        assert image_bgr[-20:].mean() < 50


def test_a_heic_picture_is_checked_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = phone_photo()
    with pytest.raises(Problem) as damaged:
        pictures.decode_picture(data[: len(data) // 2])
    assert damaged.value.status_code == 422
    monkeypatch.setattr(pictures, "PIXELS_LIMIT", 1000)
    with pytest.raises(Problem) as large:
        pictures.decode_picture(data)
    assert large.value.status_code == 413


def test_without_the_package_a_heic_picture_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "reads_heic", lambda: False)
    with pytest.raises(Problem) as problem:
        pictures.decode_picture(b"\0\0\0\x18ftypheic" + bytes(40))
    assert problem.value.status_code == 415
    assert problem.value.body["remedy"].startswith("To read HEIC run `")
