"""Finds handwritten digits by their contrast, at any size, on light or dark, plain or lined paper."""

from dataclasses import dataclass

import cv2
import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.finders.paper_lines import are_line_remnants, erase_lines
from recognizer.finders.text_lines import reading_order
from recognizer.values import Box, Frame, Region

WORK_SIDE = 640  # pixels: longer side of the working image
MIN_WORK_SIDE = 320  # pixels: smaller pictures are enlarged to this, so that strokes are wide enough
GROUND_SIDE = 160  # pixels: size at which the background is estimated, since its brightness varies slowly
GROUND_REACH = 0.28  # of the shorter side: kernel of the closing, wider than the thickest stroke of the largest digit
POLARITY_SIDE = 80  # pixels: size at which the polarity is decided, dark ink or light ink
MEDIAN_REACH = 0.5  # of the shorter side: median kernel, large enough that ink covers less than half of it
MIN_CONTRAST = 10  # of 255: lower contrast is camera noise
NOISE_FACTOR = 5.0  # least contrast of ink in standard deviations of the noise
PEAK_SHARE = 0.42  # of the strongest ink nearby: excludes faint lines and smudges next to a stroke
PEAK_REACH = 0.06  # of the shorter side: neighbourhood in which the strongest ink is measured
SMOOTHED = 0.45  # share of the noise left after the 3x3 blur of the working image; 0.375 for white noise
DARKEST_PAPER = 64  # grey level: least divisor, since dividing by a darker background amplifies noise
SOFT_RIM = 0.4  # of the piece's contrast: largest contrast just outside its edge; shadows and creases have softer edges
ROOM_RIM = 0.3  # the same for pictures of a room, whose objects are out of focus
MIN_PIECE = 0.01  # of the shorter side: smaller pieces are specks
BAND = 0.1  # of the shorter side: pieces that touch the border and lie mostly in this band are edges of objects
POINTS = 60  # pixels sampled from a piece to measure distances between pieces
SPECK = 0.12  # of a larger piece's size: smaller pieces are dots or dirt, and join it only if they nearly touch
FRAGMENT = 0.6  # of a larger piece's size: smaller pieces are parts of a character, larger ones neighbours
FAINT = 0.3  # of a larger piece's contrast: fainter pieces were not written with the same pen
STICK = 0.16  # ratio of width to height: a narrower character is a 1 or the remnant of a paper line
MAX_STROKE = 0.34  # of a character's size: thicker strokes are blots
MAX_LENGTH = 7.0  # times a character's size: a longer total stroke length is texture, not writing
MAX_UNEVEN = 3.2  # largest / mean stroke width of a character, whose filled loop is wide; above it, not writing
LARGE_MASK = 160  # pixels: larger masks are measured on every second pixel
MAX_PIECES = 250  # pieces examined in a picture: enough for fifty digits of several pieces each
PART_SIZE = 0.25  # of the shorter side: a larger piece must pass is_writing before it joins others
SPECK_HEIGHT = 0.07  # of the frame's height: a smaller region with less than SPECK_CONTRAST is dirt or texture
SPECK_CONTRAST = 34.0  # of 255, against the paper
MIN_HEIGHT = 0.026  # of the frame's height: least height of a character, which allows digits of 3 %
CROP_SIDE = 112  # pixels: largest side of a crop; the classifier takes 28
ONE_POLARITY = 6.0  # ratio of dark to light contrast energy, or the reverse, from which only one polarity is searched


class DigitFinder(RegionFinder):
    """Finds digits by the contrast of their ink. Each Region's crop is the ink, (h, w) uint8, 0 for the background."""

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions in reading order; `()` for a picture without writing."""
        image = frame.image_bgr
        if min(image.shape[:2]) < 8:
            return ()
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        work, noise = _work_picture(gray)
        if min(work.shape) < 8:  # too narrow to estimate the background
            return ()
        small = _shrink(work, GROUND_SIDE)
        polarities = _polarities(small)
        close_up = len(polarities) == 1
        contrasts = [_contrast(work, small, light) for light in polarities]
        groups = [group for contrast in contrasts for group in _Ink(contrast, work.shape, noise, close_up).groups()]
        groups = _without_line_remnants(groups)
        scale = gray.shape[1] / work.shape[1]
        regions = [_cut_out(group, gray, scale) for group in groups]
        return tuple(reading_order([region for region in regions if region is not None]))


def has_single_polarity(image_bgr: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) uint8 BGR has only dark or only light ink. A page does, a room does not."""
    return len(_polarities(_shrink(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), GROUND_SIDE))) == 1


@dataclass(frozen=True, eq=False)
class _Group:
    """Pieces of ink that belong to one character."""

    box: Box  # in pixels of the working image
    mask: np.ndarray  # (box.height, box.width) uint8, 255 where its ink is
    contrast: "_Contrast"  # of the whole working image
    peak: float  # 90th percentile of the contrast of its ink


@dataclass(frozen=True, eq=False)
class _Contrast:
    """The contrast of each pixel to its background, for ink of one polarity."""

    image: np.ndarray  # (H, W) uint8
    ground: np.ndarray  # (H, W) uint8, grey level of the background
    light: bool  # light ink on a dark background


def _polarities(small: np.ndarray) -> list[bool]:
    """The polarities to search in a grayscale image (h, w) uint8: False for dark ink, True for light ink, or both."""
    small = _shrink(small, POLARITY_SIDE)
    # ink covers less than half of the kernel, so the median is the background
    around = cv2.medianBlur(small, max(3, int(MEDIAN_REACH * min(small.shape)) | 1))
    darker, lighter = _energy(cv2.subtract(around, small)), _energy(cv2.subtract(small, around))
    if darker > ONE_POLARITY * lighter:
        return [False]
    if lighter > ONE_POLARITY * darker:
        return [True]
    return [False, True]


def _energy(difference: np.ndarray) -> float:
    """The sum of squared contrasts above the noise."""
    strong = difference[difference > MIN_CONTRAST].astype(np.float64)
    return float((strong**2).sum())


def _contrast(work: np.ndarray, small: np.ndarray, light: bool) -> _Contrast:
    """Contrast to the background, which is a closing (or opening) of `small`: the working image at GROUND_SIDE."""
    kernel_side = max(3, int(GROUND_REACH * min(small.shape)) | 1)
    # replicated borders, so that dark corners of the picture count as background
    padded = cv2.copyMakeBorder(small, kernel_side, kernel_side, kernel_side, kernel_side, cv2.BORDER_REPLICATE)
    operation = cv2.MORPH_OPEN if light else cv2.MORPH_CLOSE
    ground_small = cv2.morphologyEx(padded, operation, np.ones((kernel_side, kernel_side), np.uint8))
    ground_small = cv2.blur(ground_small, (5, 5))[kernel_side:-kernel_side, kernel_side:-kernel_side]
    ground = cv2.resize(ground_small, work.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return _Contrast(_against(work, ground, light), ground, light)


def _against(gray: np.ndarray, ground: np.ndarray, light: bool) -> np.ndarray:
    """How much darker (or lighter) an image is than its background. All arrays are (H, W) uint8."""
    if light:
        return cv2.subtract(gray, ground)
    # a ratio, since a shadow dims ink and paper by the same factor
    return cv2.divide(cv2.subtract(ground, gray), cv2.max(ground, DARKEST_PAPER), scale=255)


def _pixel_noise(gray: np.ndarray) -> float:
    """Robust standard deviation of the noise: the median absolute difference to a slight blur, times 1.4826."""
    residual = cv2.absdiff(gray, cv2.GaussianBlur(gray, (5, 5), 0))[::2, ::2].copy()
    # grey levels are integers, too coarse for a median below 2, so it is interpolated in the cumulative histogram
    cumulative = np.cumsum(cv2.calcHist([residual], [0], None, [256], [0, 256])) / residual.size
    median_bin = int(np.searchsorted(cumulative, 0.5))
    below = float(cumulative[median_bin - 1]) if median_bin else 0.0
    return 1.4826 * max(0.0, median_bin + (0.5 - below) / max(1e-6, float(cumulative[median_bin]) - below) - 0.5)


class _Ink:
    """Groups the ink of one contrast image into characters."""

    def __init__(self, contrast: _Contrast, shape: tuple[int, int], noise: float, close_up: bool):
        self.whole = contrast
        self.contrast = contrast.image
        self.close_up = close_up
        self.height, self.width = shape
        self.short_side = min(shape)
        self.threshold = max(float(MIN_CONTRAST), NOISE_FACTOR * noise)
        self.mask = self._mask()

    def _mask(self) -> np.ndarray:
        """The ink mask (H, W) uint8: pixels above the noise and not much fainter than the strongest ink nearby."""
        small = cv2.resize(self.contrast, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        reach = max(3, int(PEAK_REACH * self.short_side / 4) * 2 + 1)
        peak = cv2.blur(cv2.dilate(small, np.ones((reach, reach), np.uint8)), (reach, reach))
        floor = cv2.convertScaleAbs(cv2.resize(peak, (self.width, self.height)), alpha=PEAK_SHARE)
        return cv2.compare(self.contrast, cv2.max(floor, self.threshold), cv2.CMP_GT)

    def groups(self) -> list[_Group]:
        """The groups that have the size and the strokes of a character."""
        mask, corridor = erase_lines(self.mask, close_up=self.close_up)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
        are_pieces, strength = self._are_pieces(labels, stats)
        if corridor is not None:
            are_pieces &= ~are_line_remnants(labels, stats, corridor)
        candidates = np.flatnonzero(are_pieces)
        if len(candidates) > MAX_PIECES:  # a texture has thousands of pieces
            candidates = candidates[np.argsort(-stats[candidates, cv2.CC_STAT_AREA])[:MAX_PIECES]]
        # large pieces are checked alone, since the outline of furniture would join the writing that it surrounds
        size = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        is_small = size < PART_SIZE * self.short_side
        pieces = [
            int(index)
            for index in candidates
            if is_small[index] or is_writing(_member_mask(labels, [index], _box(stats[index])))
        ]
        boxes = stats[pieces, :4].copy().reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        groups = []
        for members in join_pieces(boxes, labels, np.array(pieces), strength[pieces]):
            x1, y1 = boxes[members, :2].min(axis=0)
            x2, y2 = boxes[members, 2:].max(axis=0)
            box = Box(int(x1), int(y1), int(x2), int(y2))
            if not self._fits(box):
                continue
            member_mask = _member_mask(labels, [pieces[member] for member in members], box)
            is_checked = len(members) == 1 and not is_small[pieces[members[0]]]
            if is_checked or is_writing(member_mask):
                ink = self.contrast[box.y1 : box.y2, box.x1 : box.x2][member_mask > 0]
                strongest = len(ink) * 9 // 10
                peak = float(np.partition(ink, strongest)[strongest])
                if peak >= SPECK_CONTRAST or box.height >= SPECK_HEIGHT * self.height:
                    groups.append(_Group(box, member_mask, self.whole, peak))
        return groups

    def _are_pieces(self, labels: np.ndarray, stats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which labelled components are ink, (N,) bool: large enough, and with an edge as sharp as a stroke's.

        Also returns the mean contrast of each component, (N,).
        """
        count = len(stats)
        size = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        large = size >= max(3.0, MIN_PIECE * self.short_side)
        large[0] = False
        # subsampled by 2 in both directions for speed
        half_labels, contrast = labels[::2, ::2], self.contrast[::2, ::2].ravel()
        near, far = (cv2.dilate(half_labels, np.ones((reach, reach), np.uint8)) for reach in (3, 5))
        inside = np.flatnonzero(half_labels)
        rim = np.flatnonzero((near == 0) & (far > 0))
        inner = _mean_per_label(half_labels.ravel()[inside], contrast[inside], count)
        outer = _mean_per_label(far.ravel()[rim], contrast[rim], count)
        softest = SOFT_RIM if self.close_up else ROOM_RIM
        return large & (outer < softest * inner) & ~self._run_along_border(labels, stats), inner

    def _run_along_border(self, labels: np.ndarray, stats: np.ndarray) -> np.ndarray:
        """Which labelled components touch the picture's border and lie mostly along it, (N,) bool."""
        band = max(2, int(BAND * self.short_side))
        # every second pixel in both directions, hence the factor 4
        area_inside = 4 * np.bincount(labels[band:-band:2, band:-band:2].ravel(), minlength=len(stats))
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        touches = (left <= 1) | (top <= 1) | (right >= self.width - 1) | (bottom >= self.height - 1)
        return touches & (area_inside < 0.3 * stats[:, cv2.CC_STAT_AREA])

    def _fits(self, box: Box) -> bool:
        """Whether a box has the size, aspect ratio and position of a character."""
        touches_border = box.x1 <= 1 or box.y1 <= 1 or box.x2 >= self.width - 1 or box.y2 >= self.height - 1
        # unless paper fills the picture, these are objects, sleeves and edges: a hand-held sheet is inside the frame
        if touches_border and not self.close_up:
            return False
        if box.height < MIN_HEIGHT * self.height or box.width > 2.5 * box.height:
            return False
        return box.width < 0.97 * self.width or box.height < 0.97 * self.height


def is_writing(mask: np.ndarray) -> bool:
    """Whether an ink mask (h, w) uint8 has the strokes of a character: thin, even, and not too long for its size."""
    if max(mask.shape) > LARGE_MASK:
        mask = mask[::2, ::2]
    size = max(mask.shape)
    area = np.count_nonzero(mask)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    outline = area - np.count_nonzero(cv2.erode(padded, np.ones((3, 3), np.uint8)))
    width = max(1.0, 2 * area / max(1, outline))
    if width >= MAX_STROKE * size or area / width >= MAX_LENGTH * size:
        return False
    return 2 * float(cv2.distanceTransform(padded, cv2.DIST_L2, 3).max()) < MAX_UNEVEN * width + 2


def _member_mask(labels: np.ndarray, members: list[int], box: Box) -> np.ndarray:
    """The mask of some labelled components inside a box, (box.height, box.width) uint8, 0 or 255."""
    part = labels[box.y1 : box.y2, box.x1 : box.x2]
    is_member = part == members[0]
    for member in members[1:]:
        is_member |= part == member
    return is_member.astype(np.uint8) * 255


def _some_points(labels: np.ndarray, index: int, box_xyxy: np.ndarray) -> np.ndarray:
    """About POINTS pixels sampled from a labelled component: (N, 2) float32 x and y."""
    x1, y1, x2, y2 = box_xyxy
    indices = np.flatnonzero(labels[y1:y2, x1:x2] == index)
    y, x = np.divmod(indices[:: -(-len(indices) // POINTS)], x2 - x1)
    return np.stack([x + x1, y + y1], axis=1).astype(np.float32)


def _mean_per_label(labels: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Mean of the values (N,) that have each of `count` labels (N,): (count,), 0 for a label without values."""
    total = np.bincount(labels, weights=values, minlength=count)
    return total / np.maximum(1, np.bincount(labels, minlength=count))


def join_pieces(boxes: np.ndarray, labels: np.ndarray, indices: np.ndarray, strength: np.ndarray) -> list[list[int]]:
    """Group pieces of ink into characters: lists of indices into `boxes`.

    `boxes` is (N, 4) x1 y1 x2 y2, and `strength` (N,) the contrast of each piece. Piece i is where `labels` (H, W) equals
    indices[i]. A fragment, such as the bar of a 5 or a part of a broken stroke, joins a larger piece nearby. A fragment
    that is much fainter does not, since it may be texture of the paper.
    """
    reach = np.where(strength[None, :] < FAINT * strength[:, None], 0, _join_reach(boxes))
    points: dict[int, np.ndarray] = {}
    group_of = np.arange(len(boxes))
    for large, small in np.argwhere(reach > 0):
        for piece in (large, small):
            if piece not in points:
                points[piece] = _some_points(labels, int(indices[piece]), boxes[piece])
        if group_of[large] != group_of[small] and _are_near(points[large], points[small], reach[large, small]):
            group_of[group_of == group_of[small]] = group_of[large]
    return [list(np.flatnonzero(group_of == group)) for group in np.unique(group_of)]


def _join_reach(boxes: np.ndarray) -> np.ndarray:
    """Largest distance at which piece j joins the larger piece i: (N, N) pixels, 0 for never."""
    x1, y1, x2, y2 = (boxes[:, side].astype(np.float32) for side in range(4))
    width, height = x2 - x1, y2 - y1
    size = np.maximum(width, height)
    share = size[None, :] / size[:, None]  # [i, j]: size of j relative to i
    overlap_x = np.minimum(x2[:, None], x2[None]) - np.maximum(x1[:, None], x1[None])
    overlap_y = np.minimum(y2[:, None], y2[None]) - np.maximum(y1[:, None], y1[None])
    gap_x, gap_y = np.maximum(0, -overlap_x), np.maximum(0, -overlap_y)
    fragment = share < FRAGMENT
    in_column = overlap_x >= 0.4 * np.minimum(width[:, None], width[None])
    relative = np.select(
        [share < SPECK, (gap_x == 0) & (gap_y == 0), (gap_x == 0) & in_column, gap_x == 0],
        [0.04, np.where(fragment, 0.12, 0.08), np.where(fragment, 0.16, 0.06), 0.04],
        np.where(fragment, 0.08, 0.025),
    )
    reach = np.minimum(relative * size[:, None], 0.4 * size[None, :])
    margin = 0.06 * size[:, None]
    enclosed = (
        (x1[None] - x1[:, None] > margin)
        & (y1[None] - y1[:, None] > margin)
        & (x2[:, None] - x2[None] > margin)
        & (y2[:, None] - y2[None] > margin)
    )
    # a drawn frame or a grid cell encloses writing that does not belong to it
    framed = enclosed & (share > 0.25)
    order = np.arange(len(boxes))
    larger = (share < 1) | ((share == 1) & (order[:, None] < order[None]))
    return np.where(larger & ~framed & (gap_x <= reach) & (gap_y <= reach), reach, 0)


def _are_near(points: np.ndarray, others: np.ndarray, reach: float) -> bool:
    """Whether two point sets, (N, 2) and (M, 2), have a pair within `reach` pixels."""
    across, down = (points[:, None, axis] - others[:, axis] for axis in (0, 1))
    return bool((across * across + down * down <= reach * reach).any())


def _cut_out(group: _Group, gray: np.ndarray, scale: float) -> Region | None:
    """The Region of a group, with its ink at the frame's resolution but at most CROP_SIDE pixels; None without ink."""
    height, width = gray.shape
    box = Box(
        max(0, int(group.box.x1 * scale)),
        max(0, int(group.box.y1 * scale)),
        min(width, int(np.ceil(group.box.x2 * scale))),
        min(height, int(np.ceil(group.box.y2 * scale))),
    )
    near = cv2.dilate(group.mask, np.ones((3, 3), np.uint8))
    x1, y1, x2, y2 = group.box.xyxy
    if scale > 1 and max(group.mask.shape) < CROP_SIDE / 2:
        # the frame shows small writing in more detail than the working image
        fine = gray[box.y1 : box.y2, box.x1 : box.x2]
        ground, near = (cv2.resize(image, fine.shape[::-1]) for image in (group.contrast.ground[y1:y2, x1:x2], near))
        ink = cv2.bitwise_and(_against(fine, ground, group.contrast.light), cv2.compare(near, 127, cv2.CMP_GT))
    else:
        ink = cv2.bitwise_and(group.contrast.image[y1:y2, x1:x2], near)
    factor = min(1.0, CROP_SIDE / max(ink.shape))
    size = max(1, round(ink.shape[1] * factor)), max(1, round(ink.shape[0] * factor))
    ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    # the contrast is stretched above this level, which removes the blurred edge of strokes
    low = 0.25 * group.peak
    crop = np.clip((ink.astype(np.float32) - low) * (255 / max(1.0, group.peak - low)), 0, 255).astype(np.uint8)
    return Region(box, crop, group.peak, group.contrast.light) if crop.any() else None


def _without_line_remnants(groups: list[_Group]) -> list[_Group]:
    """The groups without remnants of a broken paper line: narrow groups that are collinear with two others."""
    sticks = [group for group in groups if group.box.width < STICK * group.box.height]
    remnants = set()
    for stick in sticks:
        x, y = stick.box.center_xy
        in_line = [
            other
            for other in sticks
            if abs(other.box.center_xy[0] - x) <= 0.06 * abs(other.box.center_xy[1] - y) + max(2, stick.box.width / 2)
        ]
        if len(in_line) >= 3:
            remnants.update(id(other) for other in in_line)
    return [group for group in groups if id(group) not in remnants]


def _box(stat: np.ndarray) -> Box:
    x, y, width, height, _ = (int(value) for value in stat)
    return Box(x, y, x + width, y + height)


def _work_picture(gray: np.ndarray) -> tuple[np.ndarray, float]:
    """The working image (h, w) uint8 of a grayscale image (H, W) uint8, and the standard deviation of its noise."""
    if max(gray.shape) < MIN_WORK_SIDE:
        scale = MIN_WORK_SIDE / max(gray.shape)
        # enlarging does not lower the noise
        return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), _pixel_noise(gray)
    shrunk = _shrink(gray, WORK_SIDE)
    return cv2.GaussianBlur(shrunk, (3, 3), 0), SMOOTHED * _pixel_noise(shrunk)


def _shrink(gray: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(gray.shape)
    if scale >= 1:
        return gray
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
