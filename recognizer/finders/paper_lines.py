"""Erases paper lines, table edges and drawn frames from an ink mask and keeps the writing."""

import cv2
import numpy as np

MIN_LENGTH = 0.4  # of the shorter side: straight strokes of digits are rarely longer, paper lines rarely shorter
MAX_WIDTH = 0.11  # of the shorter side: thickest line of a printed grid in a close-up
ROOM_WIDTH = 0.03  # of the shorter side: the same if the picture shows more than paper
FAMILY_WIDTH = 0.02  # of the shorter side: thickest of several parallel lines; thicker ones may be strokes
REMNANT_SHARE = 0.7  # of a component's pixels: more of them lie inside the erased lines only in remnants of a line
SIDE_REACH = 0.2  # of the shorter side: largest distance of a frame's side from the picture's border
BORDER = 0.02  # of the shorter side: an end this close to the border counts as leaving the picture
APART = 0.045  # of the shorter side: closer segments belong to one line
FAMILY = 3  # number of parallel horizontal lines that are taken for ruled paper
UPRIGHT_FAMILY = 5  # the same for vertical lines: more, since 111 is a number
ANGLE_STEP = np.pi / 360  # radians: resolution of the Hough transform


def erase_lines(mask: np.ndarray, *, close_up: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Erase long thin straight lines from a mask, but not the strokes that cross them.

    A line is erased if both ends reach the picture's border, or if it is one of several parallel lines. A single long
    stroke that ends inside the picture stays, since it may be a 1.

    Args:
        mask: (H, W) uint8, 255 for ink. It is not modified.
        close_up: whether paper fills the picture, so that lines may be thicker.

    Returns:
        The cleaned mask, and the mask of the erased lines, or None if there are none. Both are (H, W) uint8.
    """
    short_side = min(mask.shape)
    max_width = (MAX_WIDTH if close_up else ROOM_WIDTH) * short_side
    half = _long_parts(_half_thin_parts(mask, max_width), MIN_LENGTH * short_side / 2)
    if half is None:
        return mask, None
    shortest = MIN_LENGTH * short_side / 2
    lines = cv2.HoughLinesP(
        half, 1, ANGLE_STEP, int(shortest / 2), minLineLength=shortest, maxLineGap=0.015 * short_side
    )
    if lines is None:
        return mask, None
    segments = _distinct(2.0 * lines.reshape(-1, 4) + 0.5, short_side)
    segments = [_stretch(segment, mask) for segment in segments]
    angles = np.array([_angle(segment) for segment in segments])
    cleaned = mask.copy()
    corridor = np.zeros_like(mask)
    for segment, angle in zip(segments, angles, strict=True):
        angle_differences = np.abs((angles - angle + np.pi / 2) % np.pi - np.pi / 2)
        min_parallel = UPRIGHT_FAMILY if np.pi / 4 < angle < 3 * np.pi / 4 else FAMILY
        if _runs_out(segment, mask.shape):
            _erase(cleaned, mask, corridor, segment, max_width)
        elif (angle_differences < np.radians(4)).sum() >= min_parallel:
            _erase(cleaned, mask, corridor, segment, FAMILY_WIDTH * short_side)
    return cleaned, corridor if corridor.any() else None


def are_line_remnants(labels: np.ndarray, stats: np.ndarray, corridor: np.ndarray) -> np.ndarray:
    """Which components are remnants of erased lines: pieces at crossings, and sides of a frame.

    `labels` (H, W) and `stats` (N, 5) are from OpenCV's connectedComponentsWithStats of the cleaned mask. `corridor` is the
    mask of erased lines. Returns (N,) bool.
    """
    inside = np.bincount(labels[corridor > 0], minlength=len(stats))
    are_remnants = inside > REMNANT_SHARE * stats[:, cv2.CC_STAT_AREA]
    for index in np.flatnonzero(stats[:, cv2.CC_STAT_HEIGHT] >= MIN_LENGTH * min(labels.shape)):
        are_remnants[index] |= _is_frame_side(stats[index], corridor)
    return are_remnants


def _is_frame_side(stat: np.ndarray, corridor: np.ndarray) -> bool:
    """Whether a vertical component near the left or right border ends at erased lines or at the picture's border."""
    x, y, width, height, _ = (int(value) for value in stat)
    picture_height, picture_width = corridor.shape
    edge = SIDE_REACH * min(corridor.shape)
    if width > 0.3 * height or (x > edge and x + width < picture_width - edge):
        return False
    near = int(2 * BORDER * min(corridor.shape)) + 2
    above, below = corridor[max(0, y - near) : y + near, x : x + width], corridor[y + height - near :, x : x + width]
    starts = y <= near or bool(above.any())
    ends = y + height >= picture_height - near or bool(below[: 2 * near].any())
    return starts and ends


def _half_thin_parts(mask: np.ndarray, max_width: float) -> np.ndarray:
    """The mask at half size, without parts that are thicker than `max_width` pixels of the full mask."""
    half = cv2.compare(cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 60, cv2.CMP_GT)
    size = max(2, int(max_width / 2))
    thick = cv2.morphologyEx(half, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    return cv2.subtract(half, cv2.dilate(thick, np.ones((3, 3), np.uint8)))


def _long_parts(mask: np.ndarray, length: float) -> np.ndarray | None:
    """The mask of the components whose box has a side of at least `length` pixels; None if there are none."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    size = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    is_long = size >= length
    is_long[0] = False
    if not is_long.any():
        return None
    return np.where(is_long, 255, 0).astype(np.uint8)[labels]


def _angle(segment: np.ndarray) -> float:
    """The direction of a segment, 0 to pi."""
    x1, y1, x2, y2 = segment
    return float(np.arctan2(y2 - y1, x2 - x1) % np.pi)


def _distinct(segments: np.ndarray, short_side: int) -> list[np.ndarray]:
    """Non-maximum suppression of segments: keeps the longest of those that lie on one line."""
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    kept: list[np.ndarray] = []
    for index in np.argsort(-lengths)[:400]:
        segment = segments[index]
        if all(_distance(segment, other) > APART * short_side for other in kept):
            kept.append(segment)
    return kept[:60]


def _distance(segment: np.ndarray, line: np.ndarray) -> float:
    """Largest distance of the segment's ends from the infinite line through `line`, in pixels."""
    x1, y1, x2, y2 = line
    length = np.hypot(x2 - x1, y2 - y1)
    points = segment.reshape(2, 2) - (x1, y1)
    return float(np.abs(points[:, 0] * (y2 - y1) - points[:, 1] * (x2 - x1)).max() / length)


def _stretch(segment: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The segment (4,), extended beyond both ends as far as the mask has ink, across small gaps."""
    height, width = mask.shape
    start, end = segment[:2], segment[2:]
    direction = (end - start) / np.linalg.norm(end - start)
    gap = 0.04 * min(mask.shape)

    def follow(point: np.ndarray, step: np.ndarray) -> np.ndarray:
        steps = np.arange(1, int(np.hypot(height, width)))
        path = np.round(point + steps[:, None] * step).astype(int)
        inside = (path >= 0).all(1) & (path[:, 0] < width) & (path[:, 1] < height)
        path = path[: int(np.argmin(inside)) if not inside.all() else len(path)]
        if not len(path):
            return point
        near = mask[path[:, 1], path[:, 0]] > 0
        for shift in (-1, 1):
            shifted = np.round(path + shift * np.array([-step[1], step[0]])).astype(int)
            near |= mask[shifted[:, 1].clip(0, height - 1), shifted[:, 0].clip(0, width - 1)] > 0
        hits = np.flatnonzero(near)
        last = -1
        for hit in hits:
            if hit - last > gap:
                break
            last = hit
        return path[last].astype(np.float64) if last >= 0 else point

    return np.concatenate([follow(start, -direction), follow(end, direction)])


def _runs_out(segment: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether both ends of the segment are at the border of a picture of shape (H, W)."""
    height, width = shape
    near = BORDER * min(shape)
    return all(
        x <= near or y <= near or x >= width - 1 - near or y >= height - 1 - near for x, y in segment.reshape(2, 2)
    )


def _erase(cleaned: np.ndarray, mask: np.ndarray, corridor: np.ndarray, segment: np.ndarray, max_width: float) -> None:
    """Erase the ink across the segment at each of its points, unless a stroke crosses there.

    Modifies `cleaned`, and draws the area of the line into `corridor`. `mask` is the ink before any line was erased.
    """
    height, width = mask.shape
    start, end = segment[:2], segment[2:]
    length = int(np.ceil(np.linalg.norm(end - start)))
    direction = (end - start) / max(length, 1)
    reach = int(np.ceil(max_width)) + 4
    offsets = np.arange(-reach, reach + 1)
    along = start + np.arange(length + 1)[:, None] * direction
    x = np.rint(along[:, :1] - offsets * direction[1]).clip(0, width - 1).astype(np.int32)
    y = np.rint(along[:, 1:] + offsets * direction[0]).clip(0, height - 1).astype(np.int32)
    on = mask[y, x] > 0
    middle = reach
    column = np.arange(2 * reach + 1)
    # the segment may lie a pixel or two next to the line
    for shift in (0, 1, -1, 2, -2):
        seed = middle + shift
        # extent of the ink on both sides, up to the first gap
        up = np.where(on[:, seed:].all(axis=1), 2 * reach + 1 - seed, np.argmin(on[:, seed:], axis=1))
        down = np.where(on[:, : seed + 1].all(axis=1), seed + 1, np.argmin(on[:, seed::-1], axis=1))
        run = np.where(on[:, seed], up + down - 1, 0)
        median_width = np.median(run[run > 0]) if (run > 0).any() else 0
        if median_width > max_width + 2:
            continue
        if shift == 0:
            ends = tuple(tuple(int(value) for value in np.round(end)) for end in (start, end))
            cv2.line(corridor, *ends, 255, int(2 * median_width) + 3)
        thin = (run > 0) & (run <= 1.6 * median_width + 1)
        inside = thin[:, None] & (column > (seed - down)[:, None]) & (column < (seed + up)[:, None])
        cleaned[y[inside], x[inside]] = 0
