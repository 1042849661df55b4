"""What a picture may take decoded is limited before it is decoded."""

import pytest

from recognizer.serve.http.problems import Problem
from recognizer.serve.workers import pictures
from tests.sources.test_files import png_header


@pytest.mark.parametrize(("depth", "colour"), [(16, 2), (16, 6), (8, 6)])
def test_a_picture_within_the_pixels_but_not_the_bytes_is_refused_before_decoding(depth, colour, monkeypatch):
    monkeypatch.setattr(pictures, "decode_image", None)
    with pytest.raises(Problem) as problem:
        pictures.decode_picture(png_header(7680, 4320, depth, colour))
    assert problem.value.status_code == 413
    assert "bytes a pixel" in problem.value.body["found"]
