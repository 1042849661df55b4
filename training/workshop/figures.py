"""Helpers for the workshop's figures: Matplotlib without a screen, images without axes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
PAD = 0.08  # inches around each part
SIGNED = "RdBu_r"  # colour map for signed values: blue below zero, red above


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of that many inches, with constrained layout."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=PAD, h_pad=PAD)  # type: ignore[union-attr, call-arg]  # a constrained one
    return figure


def save(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def show_image(axes: "Axes", image: np.ndarray, title: str = "", colour: str = "black", **style: Any) -> None:
    """A picture (h, w), (h, w, 1) or (h, w, 3) BGR without axes; grey levels 0 to 255 unless `style` says otherwise."""
    if image.ndim == 3:
        image = image[..., 0] if image.shape[2] == 1 else image[..., ::-1]
    shown: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255, **style}
    axes.imshow(image, **shown)
    axes.set_xticks([])
    axes.set_yticks([])
    if title:
        axes.set_title(title, fontsize=8, color=colour, pad=3)


def show_signed(axes: "Axes", weights: np.ndarray, title: str = "") -> None:
    """Weights (h, w), white at zero."""
    reach = float(np.abs(weights).max()) or 1.0
    show_image(axes, weights, title, cmap=SIGNED, vmin=-reach, vmax=reach)
