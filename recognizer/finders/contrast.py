"""Ink on paper: finds handwritten digits at any size, on light or dark, plain or lined ground."""

from dataclasses import dataclass

import cv2
import numpy as np

from recognizer.finders.finder import RegionFinder
from recognizer.finders.paper_lines import are_line_remnants, erase_lines
from recognizer.finders.text_lines import reading_order
from recognizer.values import Box, Frame, Region

WORK_SIDE = 640  # pixels; a frame's longer side is brought down to this to look for ink
MIN_WORK_SIDE = 320  # pixels; and a small picture's up to this, so that its strokes have a rim
GROUND_SIDE = 160  # pixels; the ground's brightness varies slowly, so that it is measured smaller still
GROUND_REACH = 0.28  # of the shorter side: wider than the thickest marker stroke of the largest digit
POLARITY_SIDE = 80  # pixels; and which of ink and ground is the darker shows at this size
MEDIAN_REACH = 0.5  # of the shorter side: a neighbourhood in which ink is the minority
MIN_CONTRAST = 10  # of 255, below which a camera's picture is noise
NOISE_FACTOR = 5.0  # standard deviations of the picture's noise that ink must exceed
PEAK_SHARE = 0.42  # of the darkest ink nearby: fainter lines and smudges beside a stroke are not part of it
PEAK_REACH = 0.06  # of the shorter side: how far "nearby" is
SMOOTHED = 0.45  # of the pixels' noise is left after the work picture's 3x3 blur; 0.375 were it white
DARKEST_PAPER = 64  # grey level; where paper is darker still, dividing by it would only raise the noise
SOFT_RIM = 0.4  # of a piece's own contrast: ink falls off faster at its rim, shadows and creases do not
ROOM_RIM = 0.3  # the same where the picture shows a room, whose things are out of focus
MIN_PIECE = 0.01  # of the shorter side: smaller pieces are specks
BAND = 0.1  # of the shorter side: what touches the border and lies within this of it is a frame or another thing's edge
POINTS = 60  # of a piece's pixels, enough to tell how far its ink is from another's
SPECK = 0.12  # of a larger piece's size: a dot, or dirt, and part of it only where it all but touches
FRAGMENT = 0.6  # of a larger piece's size: below this a part of a character, above it rather a neighbour
FAINT = 0.3  # of a larger piece's contrast: fainter pieces are not of the same pen
STICK = 0.16  # width to length below which a piece is a stick, which may be a 1 or what is left of a paper line
MAX_STROKE = 0.34  # of a character's size: the thickest marker's stroke; what is thicker is a blot
MAX_LENGTH = 7.0  # times a character's size: longer ink within its box is a thicket, not writing
MAX_UNEVEN = 3.2  # times the mean stroke width: the widest blot in a character, such as a filled loop
LARGE_MASK = 160  # pixels: larger ink is measured on every second pixel
MAX_PIECES = 250  # of ink looked at in a picture: fifty digits in several pieces each
PART_SIZE = 0.25  # of the shorter side: pieces larger than this must be writing by themselves
SPECK_HEIGHT = 0.07  # of the frame's height
SPECK_CONTRAST = 34.0  # of 255: what is that small and fainter is dirt and texture
MIN_HEIGHT = 0.026  # of the frame's height: a digit of 3 %, measured at its thinnest
CROP_SIDE = 112  # pixels; a region's ink is cut out at no more than this, the network sees 28
ONE_POLARITY = 6.0  # times more contrast in dark strokes than in light ones (or the reverse) settles which is ink


class DigitFinder(RegionFinder):
    """Finds digits by their ink. Each Region's crop is (h, w) uint8 ink: 0 for ground, up to 255 for the darkest."""

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """Regions in reading order, `()` for a picture without anything written."""
        image = frame.image_bgr
        if min(image.shape[:2]) < 8:
            return ()
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        work, noise = _work_picture(gray)
        if min(work.shape) < 8:  # a strip: nothing to read, and too narrow to measure a ground
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
    """Whether all that stands out in a picture (H, W, 3) uint8 is darker than its ground, or all lighter: a page, no room."""
    return len(_polarities(_shrink(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), GROUND_SIDE))) == 1


@dataclass(frozen=True, eq=False)
class _Group:
    """Pieces of ink that belong to one character."""

    box: Box  # in work pixels
    mask: np.ndarray  # (box.height, box.width) uint8, 255 where its ink is
    contrast: "_Contrast"  # of the whole work picture
    peak: float  # contrast of its ink


@dataclass(frozen=True, eq=False)
class _Contrast:
    """How much each pixel differs from its ground, as ink of one polarity would."""

    image: np.ndarray  # (H, W) uint8
    ground: np.ndarray  # (H, W) uint8, the grey of what is written on
    light: bool  # light ink on dark ground


def _polarities(small: np.ndarray) -> list[bool]:
    """Whether ink is lighter than its ground in a grey picture (h, w): [True], [False], or both where neither leads."""
    small = _shrink(small, POLARITY_SIDE)
    # ink covers less than half of any neighbourhood, so that the median there is the ground
    around = cv2.medianBlur(small, max(3, int(MEDIAN_REACH * min(small.shape)) | 1))
    darker, lighter = _energy(cv2.subtract(around, small)), _energy(cv2.subtract(small, around))
    if darker > ONE_POLARITY * lighter:
        return [False]
    if lighter > ONE_POLARITY * darker:
        return [True]
    return [False, True]


def _energy(difference: np.ndarray) -> float:
    strong = difference[difference > MIN_CONTRAST].astype(np.float64)
    return float((strong**2).sum())


def _contrast(work: np.ndarray, small: np.ndarray, light: bool) -> _Contrast:
    """`small` is `work` at GROUND_SIDE. Ground is what a closing (or opening) leaves of it, wider than any stroke."""
    reach = max(3, int(GROUND_REACH * min(small.shape)) | 1)
    # replicated, so that dark corners go on outside the picture and are ground, not blots
    padded = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    operation = cv2.MORPH_OPEN if light else cv2.MORPH_CLOSE
    ground_small = cv2.morphologyEx(padded, operation, np.ones((reach, reach), np.uint8))
    ground_small = cv2.blur(ground_small, (5, 5))[reach:-reach, reach:-reach]
    ground = cv2.resize(ground_small, work.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return _Contrast(_against(work, ground, light), ground, light)


def _against(gray: np.ndarray, ground: np.ndarray, light: bool) -> np.ndarray:
    """How much darker (or lighter) a grey picture is than its ground, both (H, W) uint8: (H, W) uint8."""
    if light:
        return cv2.subtract(gray, ground)
    # divided, not subtracted: a shadow dims ink and paper by the same factor
    return cv2.divide(cv2.subtract(ground, gray), cv2.max(ground, DARKEST_PAPER), scale=255)


def _pixel_noise(gray: np.ndarray) -> float:
    """Standard deviation of what a slight blur takes away from each pixel, robust against edges."""
    fine = cv2.absdiff(gray, cv2.GaussianBlur(gray, (5, 5), 0))[::2, ::2].copy()
    # whole grey levels are too coarse for a median below 2, so that the histogram is read between its steps
    share = np.cumsum(cv2.calcHist([fine], [0], None, [256], [0, 256])) / fine.size
    middle = int(np.searchsorted(share, 0.5))
    below = float(share[middle - 1]) if middle else 0.0
    return 1.4826 * max(0.0, middle + (0.5 - below) / max(1e-6, float(share[middle]) - below) - 0.5)


class _Ink:
    """The ink in one contrast picture, as groups of strokes."""

    def __init__(self, contrast: _Contrast, shape: tuple[int, int], noise: float, close_up: bool):
        self.whole = contrast
        self.contrast = contrast.image
        self.close_up = close_up
        self.height, self.width = shape
        self.short_side = min(shape)
        self.threshold = max(float(MIN_CONTRAST), NOISE_FACTOR * noise)
        self.mask = self._mask()

    def _mask(self) -> np.ndarray:
        """255 where there is ink: above the noise, and not much fainter than the strongest ink nearby."""
        small = cv2.resize(self.contrast, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        reach = max(3, int(PEAK_REACH * self.short_side / 4) * 2 + 1)
        peak = cv2.blur(cv2.dilate(small, np.ones((reach, reach), np.uint8)), (reach, reach))
        floor = cv2.convertScaleAbs(cv2.resize(peak, (self.width, self.height)), alpha=PEAK_SHARE)
        return cv2.compare(self.contrast, cv2.max(floor, self.threshold), cv2.CMP_GT)

    def groups(self) -> list[_Group]:
        mask, corridor = erase_lines(self.mask, close_up=self.close_up)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
        are_pieces, strength = self._are_pieces(labels, stats)
        if corridor is not None:
            are_pieces &= ~are_line_remnants(labels, stats, corridor)
        candidates = np.flatnonzero(are_pieces)
        if len(candidates) > MAX_PIECES:  # a texture: the largest pieces are enough to look at
            candidates = candidates[np.argsort(-stats[candidates, cv2.CC_STAT_AREA])[:MAX_PIECES]]
        # large pieces must be writing by themselves: a room's furniture must not take up the writing it surrounds
        size = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        parts = size < PART_SIZE * self.short_side
        pieces = [
            int(index)
            for index in candidates
            if parts[index] or is_writing(_member_mask(labels, [index], _box(stats[index])))
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
            looked_at = len(members) == 1 and not parts[pieces[members[0]]]
            if looked_at or is_writing(member_mask):
                ink = self.contrast[box.y1 : box.y2, box.x1 : box.x2][member_mask > 0]
                strongest = len(ink) * 9 // 10
                peak = float(np.partition(ink, strongest)[strongest])
                if peak >= SPECK_CONTRAST or box.height >= SPECK_HEIGHT * self.height:
                    groups.append(_Group(box, member_mask, self.whole, peak))
        return groups

    def _are_pieces(self, labels: np.ndarray, stats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which labelled components are ink, (N,) bool: no specks, and with a rim as sharp as a stroke's.

        Beside it the mean contrast of each, (N,).
        """
        count = len(stats)
        size = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
        large = size >= max(3.0, MIN_PIECE * self.short_side)
        large[0] = False
        # half of the rows and columns tell as much, for a quarter of the time
        half, contrast = labels[::2, ::2], self.contrast[::2, ::2].ravel()
        near, far = (cv2.dilate(half, np.ones((reach, reach), np.uint8)) for reach in (3, 5))
        inside = np.flatnonzero(half)
        rim = np.flatnonzero((near == 0) & (far > 0))
        inner = _mean_per_label(half.ravel()[inside], contrast[inside], count)
        outer = _mean_per_label(far.ravel()[rim], contrast[rim], count)
        softest = SOFT_RIM if self.close_up else ROOM_RIM
        return large & (outer < softest * inner) & ~self._run_along_border(labels, stats), inner

    def _run_along_border(self, labels: np.ndarray, stats: np.ndarray) -> np.ndarray:
        """Which labelled components touch the picture's border and lie along it. (N,) bool."""
        band = max(2, int(BAND * self.short_side))
        middle = 4 * np.bincount(labels[band:-band:2, band:-band:2].ravel(), minlength=len(stats))
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        touches = (left <= 1) | (top <= 1) | (right >= self.width - 1) | (bottom >= self.height - 1)
        return touches & (middle < 0.3 * stats[:, cv2.CC_STAT_AREA])

    def _fits(self, box: Box) -> bool:
        """Whether a box has a character's size, proportions and place."""
        runs_out = box.x1 <= 1 or box.y1 <= 1 or box.x2 >= self.width - 1 or box.y2 >= self.height - 1
        if runs_out and not self.close_up:  # of a room: its things, sleeves and edges; paper held up is inside
            return False
        if box.height < MIN_HEIGHT * self.height or box.width > 2.5 * box.height:
            return False
        return box.width < 0.97 * self.width or box.height < 0.97 * self.height


def is_writing(mask: np.ndarray) -> bool:
    """Whether (h, w) uint8 ink has the strokes of a character: thin and even for its size, and not too many of them."""
    if max(mask.shape) > LARGE_MASK:
        mask = mask[::2, ::2]
    size = max(mask.shape)
    area = np.count_nonzero(mask)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    rim = area - np.count_nonzero(cv2.erode(padded, np.ones((3, 3), np.uint8)))
    width = max(1.0, 2 * area / max(1, rim))
    if width >= MAX_STROKE * size or area / width >= MAX_LENGTH * size:
        return False
    return 2 * float(cv2.distanceTransform(padded, cv2.DIST_L2, 3).max()) < MAX_UNEVEN * width + 2


def _member_mask(labels: np.ndarray, members: list[int], box: Box) -> np.ndarray:
    """255 where one of the members is, (box.height, box.width) uint8."""
    view = labels[box.y1 : box.y2, box.x1 : box.x2]
    found = view == members[0]
    for member in members[1:]:
        found |= view == member
    return found.astype(np.uint8) * 255


def _some_points(labels: np.ndarray, index: int, box_xyxy: np.ndarray) -> np.ndarray:
    """Up to POINTS pixels of a labelled component, spread over it: (N, 2) float32 x and y."""
    x1, y1, x2, y2 = box_xyxy
    places = np.flatnonzero(labels[y1:y2, x1:x2] == index)
    y, x = np.divmod(places[:: -(-len(places) // POINTS)], x2 - x1)
    return np.stack([x + x1, y + y1], axis=1).astype(np.float32)


def _mean_per_label(labels: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    total = np.bincount(labels, weights=values, minlength=count)
    return total / np.maximum(1, np.bincount(labels, minlength=count))


def join_pieces(boxes: np.ndarray, labels: np.ndarray, indices: np.ndarray, strength: np.ndarray) -> list[list[int]]:
    """Which pieces of ink make one character: lists of positions in `boxes`.

    `boxes` is (N, 4) x1 y1 x2 y2, `strength` (N,) the contrast of each, and piece i is where `labels` (H, W) equals
    indices[i]. Fragments (a 5's bar, a 1's foot, strokes broken by thin ink) join the larger piece whose ink they stand
    close to, unless they are so much fainter that the paper's own texture explains them.
    """
    reach = np.where(strength[None, :] < FAINT * strength[:, None], 0, _join_reach(boxes))
    points: dict[int, np.ndarray] = {}
    group_of = np.arange(len(boxes))
    for large, small in np.argwhere(reach > 0):
        for place in (large, small):
            if place not in points:
                points[place] = _some_points(labels, int(indices[place]), boxes[place])
        if group_of[large] != group_of[small] and _are_near(points[large], points[small], reach[large, small]):
            group_of[group_of == group_of[small]] = group_of[large]
    return [list(np.flatnonzero(group_of == group)) for group in np.unique(group_of)]


def _join_reach(boxes: np.ndarray) -> np.ndarray:
    """How far the ink of piece j may stand from that of a larger piece i to belong to it: (N, N) pixels, 0 for never."""
    x1, y1, x2, y2 = (boxes[:, side].astype(np.float32) for side in range(4))
    width, height = x2 - x1, y2 - y1
    size = np.maximum(width, height)
    share = size[None, :] / size[:, None]  # [i, j]: how large j is beside i
    overlap_x = np.minimum(x2[:, None], x2[None]) - np.maximum(x1[:, None], x1[None])
    overlap_y = np.minimum(y2[:, None], y2[None]) - np.maximum(y1[:, None], y1[None])
    across, down = np.maximum(0, -overlap_x), np.maximum(0, -overlap_y)
    fragment = share < FRAGMENT
    in_column = overlap_x >= 0.4 * np.minimum(width[:, None], width[None])
    relative = np.select(
        [share < SPECK, (across == 0) & (down == 0), (across == 0) & in_column, across == 0],
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
    # a drawn frame, or a squared paper's lines, go all around what is written in them
    framed = enclosed & (share > 0.25)
    order = np.arange(len(boxes))
    larger = (share < 1) | ((share == 1) & (order[:, None] < order[None]))
    return np.where(larger & ~framed & (across <= reach) & (down <= reach), reach, 0)


def _are_near(points: np.ndarray, others: np.ndarray, reach: float) -> bool:
    """Whether any two points of two sets, (N, 2) and (M, 2), are within `reach` pixels."""
    across, down = (points[:, None, axis] - others[:, axis] for axis in (0, 1))
    return bool((across * across + down * down <= reach * reach).any())


def _cut_out(group: _Group, gray: np.ndarray, scale: float) -> Region | None:
    """The group's ink at the frame's resolution, or at CROP_SIDE when it is larger than that."""
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
        # small writing has pixels in the frame that the work picture has not
        fine = gray[box.y1 : box.y2, box.x1 : box.x2]
        ground, near = (cv2.resize(image, fine.shape[::-1]) for image in (group.contrast.ground[y1:y2, x1:x2], near))
        ink = cv2.bitwise_and(_against(fine, ground, group.contrast.light), cv2.compare(near, 127, cv2.CMP_GT))
    else:
        ink = cv2.bitwise_and(group.contrast.image[y1:y2, x1:x2], near)
    factor = min(1.0, CROP_SIDE / max(ink.shape))
    size = max(1, round(ink.shape[1] * factor)), max(1, round(ink.shape[0] * factor))
    ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    # the rim of a stroke fades over a pixel or two; below a quarter of its peak it is ground
    low = 0.25 * group.peak
    crop = np.clip((ink.astype(np.float32) - low) * (255 / max(1.0, group.peak - low)), 0, 255).astype(np.uint8)
    return Region(box, crop, group.peak, group.contrast.light) if crop.any() else None


def _without_line_remnants(groups: list[_Group]) -> list[_Group]:
    """Groups but for sticks that lie end to end with two others: the rests of one broken paper line."""
    sticks = [group for group in groups if group.box.width < STICK * group.box.height]
    rests = set()
    for stick in sticks:
        x, y = stick.box.center_xy
        in_line = [
            other
            for other in sticks
            if abs(other.box.center_xy[0] - x) <= 0.06 * abs(other.box.center_xy[1] - y) + max(2, stick.box.width / 2)
        ]
        if len(in_line) >= 3:
            rests.update(id(other) for other in in_line)
    return [group for group in groups if id(group) not in rests]


def _box(stat: np.ndarray) -> Box:
    x, y, width, height, _ = (int(value) for value in stat)
    return Box(x, y, x + width, y + height)


def _work_picture(gray: np.ndarray) -> tuple[np.ndarray, float]:
    """A grey picture (H, W) at the size in which ink is looked for, and the standard deviation of its noise there."""
    if max(gray.shape) < MIN_WORK_SIDE:
        scale = MIN_WORK_SIDE / max(gray.shape)
        # enlarging smooths the noise and makes it wider, not weaker
        return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), _pixel_noise(gray)
    shrunk = _shrink(gray, WORK_SIDE)
    return cv2.GaussianBlur(shrunk, (3, 3), 0), SMOOTHED * _pixel_noise(shrunk)


def _shrink(gray: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(gray.shape)
    if scale >= 1:
        return gray
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
