"""Where the picture and the strip beside it are in the window."""

from dataclasses import dataclass

from recognizer.values import Box

STRIP_SHARE = 0.3  # of the longer side
STRIP_PX = 230  # at least, so that a word and its count fit
STRIP_MOST = 0.5  # at most, so that the picture stays the larger part
SMALLEST_WH = (64, 48)  # of a window: below, the system has not yet given it a size


@dataclass(frozen=True)
class Layout:
    """The window's size, the place of the picture in it, and the place of the strip; None if there is none."""

    size_wh: tuple[int, int]
    picture: Box
    strip: Box | None


def layout_of(size_wh: tuple[int, int], frame_wh: tuple[int, int], has_strip: bool) -> Layout:
    """The layout of a window of `size_wh` pixels. The strip is beside the picture, or below it in a window in portrait format.

    The picture keeps the shape of the frame, and is as large as the rest of the window allows.
    """
    width, height = size_wh
    strip: Box | None = None
    left_wh = size_wh
    if has_strip and width >= height:
        across = min(max(round(STRIP_SHARE * width), STRIP_PX), round(STRIP_MOST * width))
        strip, left_wh = Box(width - across, 0, width, height), (width - across, height)
    elif has_strip:
        down = round(STRIP_MOST * height)
        strip, left_wh = Box(0, height - down, width, height), (width, height - down)
    factor = min(left_wh[0] / frame_wh[0], left_wh[1] / frame_wh[1])
    across, down = max(1, round(factor * frame_wh[0])), max(1, round(factor * frame_wh[1]))
    x, y = (left_wh[0] - across) // 2, (left_wh[1] - down) // 2
    return Layout(size_wh, Box(x, y, x + across, y + down), strip)
