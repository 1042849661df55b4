"""The colours of the page that mean right and wrong: the colour-blind tell them apart too, and their numbers can be read."""

import re

import numpy as np
import pytest

from recognizer.serve.routes.pages import PAGE

# what the colour-blind see, on linear RGB: Machado et al. 2009, severity 1.0
SEEN = {
    "all": np.eye(3),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
STRENGTHS = (0.2, 0.7)  # of a cell's colour, from few samples to many, as in look.js
DIFFERENT = 15  # CIE76: two of a class that is seen at a glance
CONTRAST = 4.5  # WCAG 2.2, AA


def colours(scheme: str) -> dict[str, np.ndarray]:
    """The colour variables of style.css, (3,) 0 to 255, of the light or the dark scheme."""
    light, dark = re.findall(r":root \{(.*?)\n *\}", (PAGE / "style.css").read_text(encoding="utf-8"), re.DOTALL)[:2]
    text = light if scheme == "light" else light + dark
    found = {name: np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)])
             for name, code in re.findall(r"--([\w-]+): #(\w{6});", text)}  # fmt: skip
    triples = re.findall(r"--([\w-]+): (\d+), (\d+), (\d+);", text)
    return found | {name: np.array([int(one) for one in rest]) for name, *rest in triples}


def linear(rgb: np.ndarray) -> np.ndarray:
    share = rgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(linear_rgb: np.ndarray) -> np.ndarray:
    share = TO_XYZ @ np.clip(linear_rgb, 0, 1) / WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(rgb)) + 0.05 for rgb in (one, other))
    return high / low


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_right_and_wrong_differ_for_everybody(scheme: str, strength: float) -> None:
    found = colours(scheme)
    cells = {name: strength * found[name] + (1 - strength) * found["surface"] for name in ("good", "bad")}
    for seen in SEEN.values():
        good, bad = (lab(seen @ linear(cells[name])) for name in ("good", "bad"))
        assert np.linalg.norm(good - bad) > DIFFERENT
    for cell in cells.values():
        assert contrast(cell, found["ink"]) > CONTRAST
