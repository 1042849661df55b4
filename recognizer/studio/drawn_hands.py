"""Renders hands: joints posed by the angles of a sign, capsules around the bones, a shaded height field."""

from dataclasses import dataclass

import cv2
import numpy as np

# A right hand with its palm to the camera, in mm: x right, y up, z towards the camera.
_KNUCKLES = np.array([[23, 88, 0], [3, 92, 2], [-15, 86, 1], [-31, 75, -3]], np.float32)  # index to little finger
_PALM_BASES = np.array([[14, 20, 0], [4, 17, 1], [-7, 17, 1], [-17, 20, 0]], np.float32)
_BONES = np.array([[42, 26, 22], [46, 30, 23], [43, 28, 23], [33, 21, 20]], np.float32)
_RADII = np.array([[10.4, 9.4, 8.6, 7.2], [10.6, 9.6, 8.7, 7.3], [10.2, 9.1, 8.3, 7], [9.2, 8, 7.2, 6.2]], np.float32)
_THUMB_ROOT = np.array([22, 24, 9], np.float32)
_THUMB_BONES = (45.0, 33.0, 27.0)
_THUMB_RADII = (14.5, 11.2, 9.8, 7.8)
# wrist, the thumb's root, and the knuckles from index to little finger: these joints do not move in the palm
PALM_MM = np.concatenate([np.zeros((1, 3), np.float32), _THUMB_ROOT[None], _KNUCKLES])
_DISTANCE_MM = 520.0  # from the camera to the hand, for the perspective
_FAR = -1e4  # height of the background

STRAIGHT = (4.0, 4.0, 3.0)
CURLED = (82.0, 107.0, 66.0)
CLENCHED = (88.0, 100.0, 80.0)


@dataclass(frozen=True)
class Sign:
    """The pose of a sign. Angles in degrees; three bend angles for each finger."""

    fingers: tuple[tuple[float, float, float], ...]  # index, middle, ring, little
    spread: tuple[float, float, float, float]  # towards the thumb
    thumb: tuple[tuple[float, float, float], ...]  # positions of the second joint, third joint and tip, in mm
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)  # yaw, pitch, roll of the whole hand


_TOGETHER = (1.0, 0.0, -1.0, -2.0)
_ACROSS = ((37.0, 50.0, 39.0), (19.0, 62.0, 59.0), (-6.0, 64.0, 62.0))  # the thumb in front of the curled fingers
_LOW_ACROSS = ((36.0, 50.0, 34.0), (17.0, 60.0, 52.0), (-9.0, 60.0, 54.0))

SIGNS: dict[str, Sign] = {
    "A": Sign((CLENCHED,) * 4, _TOGETHER, ((39, 54, 30), (38, 84, 40), (33, 107, 44)), (0, -8, 0)),
    "B": Sign((STRAIGHT,) * 4, (-1.0, 0.0, 1.0, 3.0), ((36, 54, 29), (13, 64, 32), (-11, 62, 25))),
    "C": Sign(((42, 44, 24),) * 4, (1, 0, -1, -2), ((44, 46, 34), (48, 54, 66), (42, 68, 88)), (42, 4, 4)),
    "D": Sign(
        (STRAIGHT, (62, 74, 42), (66, 76, 44), (68, 78, 46)),
        _TOGETHER,
        ((41, 49, 36), (33, 60, 66), (9, 74, 74)),
        (12, 0, 0),
    ),
    "F": Sign(
        ((52, 74, 40), STRAIGHT, STRAIGHT, (2, 3, 3)),
        (0.0, 2.0, -8.0, -20.0),
        ((43, 50, 33), (45, 66, 61), (30, 82, 76)),
    ),
    "I": Sign((CURLED, CURLED, CURLED, STRAIGHT), (1, 0, -1, -8), _ACROSS),
    "L": Sign((STRAIGHT, CURLED, CURLED, CURLED), (2, 0, -1, -2), ((56, 50, 15), (86, 60, 14), (112, 63, 12))),
    "S": Sign((CLENCHED,) * 4, _TOGETHER, _ACROSS, (0, -8, 0)),
    "V": Sign((STRAIGHT, STRAIGHT, CURLED, CURLED), (11, -9, -1, -2), _LOW_ACROSS),
    "W": Sign(
        (STRAIGHT, STRAIGHT, STRAIGHT, (84, 100, 60)), (13, 0, -11, 12), ((36, 52, 33), (13, 62, 48), (-14, 62, 44))
    ),
    "point": Sign((STRAIGHT, CURLED, CURLED, CURLED), (2, 0, -1, -2), _LOW_ACROSS),
    "fist": Sign((CURLED,) * 4, _TOGETHER, _ACROSS),
    "relaxed": Sign(
        ((22, 26, 16), (28, 30, 18), (33, 33, 20), (38, 36, 22)),
        (4, 0, -4, -9),
        ((46, 54, 20), (62, 78, 26), (66, 102, 32)),
    ),
    "Y": Sign((CURLED, CURLED, CURLED, STRAIGHT), (1, 0, -1, -26), ((58, 54, 13), (84, 72, 11), (105, 88, 9))),
    "open": Sign((STRAIGHT,) * 4, (13, 1, -11, -25), ((52, 56, 14), (74, 80, 15), (91, 101, 13))),
}


@dataclass(frozen=True, eq=False)
class DrawnHand:
    """A picture of a hand and its arm."""

    image_bgra: np.ndarray  # (h, w, 4) uint8 BGRA, premultiplied alpha
    joints: np.ndarray  # (21, 3) float32, MediaPipe's order, in pixels of the image, z negative towards the camera
    palm_px: float  # length from the wrist to the middle finger's knuckle without rotation


@dataclass(frozen=True)
class _Part:
    """A tapered capsule: two ends in mm, their radii, and the direction of its palm side."""

    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    palmar: np.ndarray
    nail: bool = False
    crease: float = 0.0  # strength of the folds at its start
    cloth: bool = False


def draw_hand(
    sign: str,
    *,
    side: str,
    skin_bgr: tuple[int, int, int],
    sleeve_bgr: tuple[int, int, int],
    px_per_mm: float,
    rng: np.random.Generator,
    arm_mm: float = 240.0,
) -> DrawnHand:
    """One of SIGNS, by the "right" or "left" hand as a camera that does not mirror sees it; `rng` varies the pose.

    Skin and sleeve are BGR, 0 to 255; `arm_mm` is how much of the arm is drawn.
    """
    colors = skin_bgr, sleeve_bgr
    return draw_pose(SIGNS[sign], side=side, colors=colors, px_per_mm=px_per_mm, rng=rng, arm_mm=arm_mm, arm_turns=True)


def draw_pose(
    sign: Sign,
    *,
    side: str,
    colors: tuple[tuple[int, int, int], tuple[int, int, int]],
    px_per_mm: float,
    rng: np.random.Generator,
    arm_mm: float,
    arm_turns: bool,
) -> DrawnHand:
    """Any pose, as `draw_hand` draws SIGNS; `colors` are those of the skin and the sleeve.

    The arm turns with the hand, or it comes from below however the hand is turned.
    """
    joints, palmars = posed_joints(sign, rng)
    sleeve_mm = float(rng.uniform(35, 150)) if rng.random() < 0.75 else arm_mm
    arm = np.array([rng.normal(0.02, 0.13), -1.0, rng.normal(-0.1, 0.12)], np.float32)
    turn = rotation(sign.turn, side, rng)
    if not arm_turns:
        arm = turn.T @ arm
    groups = _parts(joints, palmars, arm / np.linalg.norm(arm), arm_mm, sleeve_mm)
    return _rendered(groups, joints, turn, *colors, px_per_mm, rng)


def draw_shape(
    bones: np.ndarray,
    turn: np.ndarray,
    *,
    side: str,
    skin_bgr: tuple[int, int, int],
    sleeve_bgr: tuple[int, int, int],
    px_per_mm: float,
    arm_mm: float = 70.0,
) -> DrawnHand:
    """A hand in any pose, always in the same light. Other arguments as for `draw_hand`.

    `bones` (5, 3, 3) are unit vectors along the last three bones of each finger, thumb first, in the axes of a right palm that
    faces the camera: x right, y up, z towards the camera. `turn` (3, 3) is the rotation of the palm from there.
    """
    joints, palmars = joints_of_bones(bones)
    groups = _parts(joints, palmars, np.array([0, -1, 0], np.float32), arm_mm, 0.5 * arm_mm)
    turn = np.diag([1.0 if side == "right" else -1.0, 1.0, 1.0]) @ turn
    return _rendered(groups, joints, turn, skin_bgr, sleeve_bgr, px_per_mm, np.random.default_rng(0))


def bones_of_sign(sign: str) -> tuple[np.ndarray, np.ndarray]:
    """One of SIGNS as `bones` and `turn` of `draw_shape`."""
    rng = np.random.default_rng(0)
    joints, _ = posed_joints(SIGNS[sign], rng)
    steps = np.stack([np.diff(joints[root : root + 4], axis=0) for root in (1, 5, 9, 13, 17)])
    return steps / np.linalg.norm(steps, axis=2, keepdims=True), rotation(SIGNS[sign].turn, "right", rng)


def _rendered(
    groups: list[list[_Part]],
    joints: np.ndarray,
    turn: np.ndarray,
    skin_bgr: tuple[int, int, int],
    sleeve_bgr: tuple[int, int, int],
    px_per_mm: float,
    rng: np.random.Generator,
) -> DrawnHand:
    """The hand of these parts, turned; `rng` varies light and skin."""
    groups = [[_in_camera(part, turn) for part in group] for group in groups]
    joints = perspective(joints @ turn.T)[0]

    ends = np.array([[part.start, part.end] for group in groups for part in group]).reshape(-1, 3)
    reach = np.array([max(part.radii) for group in groups for part in group]).repeat(2)[:, None]
    low = (ends[:, :2] - reach).min(axis=0) - 3
    high = (ends[:, :2] + reach).max(axis=0) + 3
    canvas = _Canvas(low, high, px_per_mm)
    for group in groups:
        canvas.add(group)
    image = canvas.shaded(np.array(skin_bgr, np.float32), np.array(sleeve_bgr, np.float32), rng)
    flat = np.column_stack([canvas.to_pixels(joints[:, :2]), -joints[:, 2] * px_per_mm]).astype(np.float32)
    return DrawnHand(image, flat, float(np.linalg.norm(_KNUCKLES[1])) * px_per_mm)


def posed_joints(sign: Sign, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The 21 joints in mm, and the direction of the palm side of each finger bone, (4, 3, 3)."""
    joints = np.zeros((21, 3), np.float32)
    palmars = np.zeros((4, 3, 3), np.float32)
    joints[1] = _THUMB_ROOT
    for number, (target, bone) in enumerate(zip(sign.thumb, _THUMB_BONES, strict=True)):
        direction = np.array(target, np.float32) - joints[1 + number] + rng.normal(0, 1.5, 3)
        joints[2 + number] = joints[1 + number] + bone * direction / np.linalg.norm(direction)
    for finger in range(4):
        bends = np.array(sign.fingers[finger]) + rng.normal(0, 3, 3)
        aside = np.deg2rad(sign.spread[finger] + rng.normal(0, 1.2))
        outward = np.array([np.sin(aside), np.cos(aside), 0])
        place = _KNUCKLES[finger]
        joints[5 + 4 * finger] = place
        for bone, bend in enumerate(np.deg2rad(np.cumsum(bends))):
            place = place + _BONES[finger, bone] * (np.cos(bend) * outward + np.sin(bend) * np.array([0, 0, 1]))
            joints[6 + 4 * finger + bone] = place
            palmars[finger, bone] = np.cos(bend) * np.array([0, 0, 1]) - np.sin(bend) * outward
    return joints, palmars


def joints_of_bones(bones: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 21 joints in mm and the palm sides, as of `posed_joints`; `bones` as for `draw_shape`."""
    joints = np.zeros((21, 3), np.float32)
    palmars = np.zeros((4, 3, 3), np.float32)
    roots, lengths = PALM_MM[1:], np.array([_THUMB_BONES, *_BONES])
    front = np.array([0, 0, 1])
    for finger in range(5):
        chain = np.concatenate([roots[finger : finger + 1], lengths[finger][:, None] * bones[finger]])
        joints[1 + 4 * finger : 5 + 4 * finger] = np.cumsum(chain, axis=0)
        if finger == 0:
            continue
        outward = np.array([bones[finger, 0, 0], max(0.3, bones[finger, 0, 1]), 0])  # a finger bends in one plane
        outward /= np.linalg.norm(outward)
        for bone in range(3):
            bend = np.arctan2(bones[finger, bone] @ front, bones[finger, bone] @ outward)
            palmars[finger - 1, bone] = np.cos(bend) * front - np.sin(bend) * outward
    return joints, palmars


def _parts(
    joints: np.ndarray, palmars: np.ndarray, arm: np.ndarray, arm_mm: float, sleeve_mm: float
) -> list[list[_Part]]:
    """Groups of capsules, blended within a group: arm and palm, each finger, the thumb, and a sleeve."""
    front = np.array([0, 0, 1], np.float32)
    wrist, aside = np.array([-1, 4, -2], np.float32), np.array([1, 0, 0], np.float32)
    elbow = 18 + 0.05 * arm_mm
    palm = [
        _Part(wrist + 7 * aside, wrist + arm_mm * arm + 12 * aside, (18, elbow), front),
        _Part(wrist - 9 * aside, wrist + arm_mm * arm - 12 * aside, (17, elbow), front),
    ]
    for finger in range(4):
        knuckle = _KNUCKLES[finger]
        palm.append(_Part(_PALM_BASES[finger], knuckle - [0, 5, 0], (14.5, 11.5), front))
        root = joints[6 + 4 * finger] - joints[5 + 4 * finger]
        palm.append(_Part(knuckle, knuckle + 0.3 * root, (11.2, _RADII[finger, 0]), palmars[finger, 0]))
    palm.append(_Part(np.array([-19, 22, 5]), np.array([-29, 58, 2]), (13.5, 11.5), front))  # the little finger's ball
    palm.append(_Part(np.array([15, 18, 6]), joints[2], (14.5, 12.0), front))  # the thumb's ball
    palm.append(_Part(_THUMB_ROOT, 0.55 * joints[2] + 0.45 * _KNUCKLES[0], (14.0, 9.5), front))
    palm.append(_Part(np.array([6, 50, -2]), 0.3 * joints[2] + 0.7 * _KNUCKLES[0], (12.0, 10.0), front))
    groups = [palm]
    for finger in range(4):
        chain = joints[5 + 4 * finger : 9 + 4 * finger]
        radii = _RADII[finger]
        tip = chain[3] - 0.28 * (chain[3] - chain[2])  # the joint lies on the tip's skin, not in its middle
        ends = [chain[0], chain[1], chain[2], tip]
        groups.append(
            [
                _Part(ends[k], ends[k + 1], (radii[k], radii[k + 1]), palmars[finger, k], k == 2, 1.0 if k else 0.6)
                for k in range(3)
            ]
        )
    thumb = joints[1:5]
    tip = thumb[3] - 0.26 * (thumb[3] - thumb[2])
    ends = [thumb[0], thumb[1], thumb[2], tip]
    inward = np.array([-0.75, 0.1, 0.65])  # the thumb's pad faces the fingers
    groups.append(
        [
            _Part(
                ends[k], ends[k + 1], (_THUMB_RADII[k], _THUMB_RADII[k + 1]), _perpendicular(inward, ends[k + 1] - ends[k]),
                k == 2, 0.8 if k else 0.0,
            )
            for k in range(3)
        ]
    )  # fmt: skip
    if sleeve_mm < arm_mm - 20:
        start, end = wrist + sleeve_mm * arm, wrist + arm_mm * arm
        widths = (23 + 0.045 * sleeve_mm, 26 + 0.055 * arm_mm)
        groups.append([_Part(start + s * 10 * aside, end + s * 12 * aside, widths, front, cloth=True) for s in (-1, 1)])
    return groups


def _perpendicular(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The unit component of a vector perpendicular to an axis."""
    axis = axis / np.linalg.norm(axis)
    rest = vector - (vector @ axis) * axis
    return rest / max(float(np.linalg.norm(rest)), 1e-6)


def rotation(turn: tuple[float, float, float], side: str, rng: np.random.Generator) -> np.ndarray:
    """(3, 3) rotation of the hand, with a reflection for a left hand."""
    yaw, pitch, roll = np.deg2rad(np.array(turn) + rng.normal(0, 1, 3) * [9, 6, 7])
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
    turned = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    turned = turned @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.diag([1.0 if side == "right" else -1.0, 1.0, 1.0]) @ turned


def _in_camera(part: _Part, turn: np.ndarray) -> _Part:
    """The part in camera coordinates."""
    (start, end), (grow_start, grow_end) = perspective(np.array([part.start, part.end]) @ turn.T)
    radii = part.radii[0] * float(grow_start), part.radii[1] * float(grow_end)
    return _Part(start, end, radii, turn @ part.palmar, part.nail, part.crease, part.cloth)


def perspective(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points in mm after perspective projection, and their scale factors."""
    grow = _DISTANCE_MM / (_DISTANCE_MM - points[:, 2])
    return np.column_stack([points[:, 0] * grow, points[:, 1] * grow, points[:, 2]]), grow


class _Canvas:
    """The height field of the parts, and the per-pixel inputs of shading."""

    def __init__(self, low_mm: np.ndarray, high_mm: np.ndarray, px_per_mm: float) -> None:
        self._px = px_per_mm
        self._left, self._top = float(low_mm[0]), float(high_mm[1])
        width, height = np.ceil((high_mm - low_mm) * px_per_mm).astype(int)
        self._height = np.full((height, width), _FAR, np.float32)  # mm
        self._palm = np.zeros((height, width), np.float32)  # 1 on the palm's side, 0 on the back
        self._mark = np.ones((height, width), np.float32)  # darker where the skin folds
        self._nail = np.zeros((height, width), np.float32)
        self._cloth = np.zeros((height, width), np.float32)
        self._tip = np.zeros((height, width), np.float32)

    def to_pixels(self, points_mm: np.ndarray) -> np.ndarray:
        return np.column_stack([(points_mm[:, 0] - self._left), (self._top - points_mm[:, 1])]) * self._px

    def add(self, group: list[_Part]) -> None:
        """Adds parts that blend where they meet and occlude what lies behind them."""
        ends = np.array([[*part.start[:2], *part.end[:2]] for part in group]).reshape(-1, 2)
        reach = np.array([max(part.radii) for part in group]).repeat(2)[:, None] + 1
        window = self._window((ends - reach).min(axis=0), (ends + reach).max(axis=0))
        heights = np.full(self._height[window].shape, _FAR, np.float32)
        layers = [np.zeros_like(heights) for _ in range(5)]
        layers[1][:] = 1
        for part in group:
            margin = max(part.radii) + 1
            ends = np.array([part.start[:2], part.end[:2]])
            rows, columns = self._window(ends.min(axis=0) - margin, ends.max(axis=0) + margin)
            top, left = window[0].start, window[1].start
            inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
            self._raise_surface(part, heights[inner], [layer[inner] for layer in layers], inner, window)
        over = heights > self._height[window]
        np.copyto(self._height[window], heights, where=over)
        for mine, theirs in zip((self._palm, self._mark, self._nail, self._cloth, self._tip), layers, strict=True):
            np.copyto(mine[window], theirs, where=over)

    def _window(self, low_mm: np.ndarray, high_mm: np.ndarray) -> tuple[slice, slice]:
        rows, columns = self._height.shape
        x1, x2 = (int(np.floor((x - self._left) * self._px)) for x in (low_mm[0], high_mm[0]))
        y1, y2 = (int(np.floor((self._top - y) * self._px)) for y in (high_mm[1], low_mm[1]))
        return slice(max(y1, 0), min(y2 + 1, rows)), slice(max(x1, 0), min(x2 + 1, columns))

    def _raise_surface(
        self,
        part: _Part,
        heights: np.ndarray,
        layers: list[np.ndarray],
        inner: tuple[slice, slice],
        window: tuple[slice, slice],
    ) -> None:
        """Lifts the height field, in place, to the surface of a sphere that moves along the part and changes its radius."""
        rows, columns = heights.shape
        x = self._left + (np.arange(columns, dtype=np.float32) + inner[1].start + window[1].start + 0.5) / self._px
        y = self._top - (np.arange(rows, dtype=np.float32) + inner[0].start + window[0].start + 0.5) / self._px
        x, y = x[None, :] - np.float32(part.start[0]), y[:, None] - np.float32(part.start[1])
        (dx, dy, dz), (r0, r1) = (part.end - part.start).tolist(), part.radii
        dr = r1 - r0
        # At position t along the part, the sphere has the height z + sqrt(a t² + 2 b t + c). That is concave in t.
        a = min(dr * dr - dx * dx - dy * dy, -0.5)
        b = r0 * dr + x * np.float32(dx) + y * np.float32(dy)
        c = r0 * r0 - x * x - y * y
        t = -b / a + dz / -a * np.sqrt(np.maximum((a * c - b * b) / (a - dz * dz), 0))
        t = np.clip(t, 0, 1)
        inside = (a * t + 2 * b) * t + c
        z = np.where(inside > 0, float(part.start[2]) + t * dz + np.sqrt(np.maximum(inside, 0)), _FAR).astype(
            np.float32
        )

        over = z > heights
        blend_mm = 5.0  # smooth-maximum width of the seam between two parts
        seam = np.maximum(1 - np.abs(z - heights) / blend_mm, 0) * (heights > _FAR)
        np.maximum(z, heights, out=heights)
        heights += blend_mm / 4 * seam * seam
        radius = r0 + t * dr
        normal = [(x - t * dx) / radius, (y - t * dy) / radius, np.sqrt(np.maximum(inside, 0)) / radius]
        facing = sum(n * np.float32(p) for n, p in zip(normal, part.palmar, strict=True))
        np.copyto(layers[0], np.clip(facing * 1.5 + 0.5, 0, 1), where=over)
        length = float(np.sqrt(dx * dx + dy * dy + dz * dz))
        fold = np.ones_like(z)
        if part.crease:
            for place, depth in ((0.6, 0.16), (3.0, 0.07), (-2.0, 0.06)):
                fold -= part.crease * depth * np.exp(-(((t * length - place) / 0.7) ** 2))
        np.copyto(layers[1], fold, where=over)
        nail = np.zeros_like(z)
        if part.nail:
            along = (t - 0.66) / 0.42
            aside = np.maximum(-facing, 0)
            nail = np.clip((1 - along * along - (1 - aside) * 5.5) * 4, 0, 1)
        np.copyto(layers[2], nail, where=over)
        np.copyto(layers[3], np.float32(part.cloth), where=over)
        np.copyto(layers[4], t if part.nail else np.float32(0), where=over)

    def shaded(self, skin: np.ndarray, sleeve: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The shaded picture, (h, w, 4) uint8 BGRA, premultiplied alpha."""
        px = self._px
        cover = (self._height > _FAR).astype(np.float32)
        floor = float(self._height[cover > 0].min()) - 4
        height = np.maximum(self._height, floor)
        shape = height.shape
        grain = _mottled(shape, px, rng)
        cloth = self._cloth * cover
        bumps = height + 0.07 * grain[1] + cloth * 2.2 * _folds(shape, px, rng)
        bumps = cv2.GaussianBlur(bumps, (0, 0), 0.5 * px)
        slope_x = cv2.Sobel(bumps, cv2.CV_32F, 1, 0, ksize=3, scale=px / 8)
        slope_y = cv2.Sobel(bumps, cv2.CV_32F, 0, 1, ksize=3, scale=px / 8)
        up = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
        right, down = -slope_x * up, -slope_y * up

        aside = rng.uniform(-0.75, 0.75)
        light = np.array([aside, -rng.uniform(0.25, 0.75), rng.uniform(0.6, 1.0)])
        light = (light / np.linalg.norm(light)).astype(np.float32)
        facing = right * light[0] + down * light[1] + up * light[2]
        wrapped = np.clip((facing + 0.35) / 1.35, 0, 1)
        sky = 0.5 - 0.5 * down
        shadow = self._shadow(height, light)
        dents = np.zeros(shape, np.float32)
        for reach, strength in ((2.0, 0.09), (6.0, 0.045)):
            # Ambient occlusion: a place below its surroundings gets less light.
            around = _blurred(np.maximum(height, floor), reach * px)
            dents += strength * np.clip(around - height, 0, 9)
        open_sky = np.exp(-dents)
        key = rng.uniform(0.55, 0.8)
        lit = key * wrapped * shadow + (1.02 - key) * (0.55 + 0.45 * sky) * open_sky
        shine = np.clip(0.7 * (facing - up * light[2]) + up * ((float(light[2]) + 0.6) / 1.5), 0, 1)
        for _ in range(4):  # 16th power: skin has a broad, faint highlight
            shine *= shine

        flesh = self._flesh(skin, grain)
        color = flesh + cloth[..., None] * (sleeve * (1 + 0.05 * grain[1][..., None]) - flesh)
        red = np.array([-0.05, -0.015, 0.06], np.float32)  # subsurface scattering makes light red
        soft = (1 - cloth) * np.clip(1 - lit, 0, 1)
        tone = (0.3 + 0.78 * lit)[..., None] * (1 + soft[..., None] * red)
        image = color * tone + ((1 - cloth) * (0.5 + self._nail) * 26 * shine)[..., None]
        picture = cv2.convertScaleAbs(np.maximum(np.dstack([image, np.full_like(cover, 255)]), 0) * cover[..., None])
        return cv2.GaussianBlur(picture, (0, 0), 0.75)

    def _flesh(self, skin: np.ndarray, grain: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The albedo of the skin: a lighter, redder palm, red fingertips, folds, nails."""
        dark = 1 - float(skin.mean()) / 255
        palm = skin + dark * (np.array([140, 165, 222], np.float32) - skin) * 0.4 + np.array([-2, -3, 7], np.float32)
        flesh = skin + self._palm[..., None] * (palm - skin)
        flesh = flesh * (1 + 0.035 * grain[0][..., None] * np.array([1.2, 1.1, 0.5], np.float32))
        flesh = flesh * (1 + 0.02 * grain[1][..., None])
        blush = np.clip((self._tip - 0.35) * 1.2, 0, 1)[..., None]
        flesh = flesh * (1 + blush * np.array([-0.07, -0.07, 0.03], np.float32))
        flesh = flesh * self._mark[..., None] ** np.array([1.3, 1.15, 0.9], np.float32)
        nail = skin * 0.55 + np.array([92, 98, 118], np.float32)
        return flesh + 0.75 * self._nail[..., None] * (nail - flesh)

    def _shadow(self, height: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Shadow factor: 1 fully lit, less where other parts block the light."""
        shape = height.shape
        small = cv2.resize(height, (max(1, shape[1] // 2), max(1, shape[0] // 2)), interpolation=cv2.INTER_AREA)
        blocked = np.zeros_like(small)
        flat = float(np.hypot(light[0], light[1]))
        for step_mm in (2.5, 5, 9, 14, 20, 28, 38):
            offset = light[:2] / flat * step_mm * self._px / 2
            moved = cv2.warpAffine(
                small, np.array([[1, 0, -offset[0]], [0, 1, -offset[1]]]), (small.shape[1], small.shape[0]),
                borderMode=cv2.BORDER_CONSTANT, borderValue=_FAR,
            )  # fmt: skip
            above = moved - small - step_mm * light[2] / flat
            np.maximum(blocked, np.clip(above / (2 + 0.25 * step_mm), 0, 1), out=blocked)
        blocked = cv2.GaussianBlur(blocked, (0, 0), 0.8 * self._px)
        return 1 - 0.62 * cv2.resize(blocked, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """A wide Gaussian blur, computed at reduced size for speed."""
    if sigma < 6:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), (image.shape[1], image.shape[0]))


def _mottled(shape: tuple[int, ...], px: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coarse and fine skin noise with a standard deviation of about 1."""
    layers = []
    for cell_mm in (9.0, 1.3):
        cells = max(2, int(shape[0] / (cell_mm * px))), max(2, int(shape[1] / (cell_mm * px)))
        noise = rng.standard_normal(cells, np.float32)
        layers.append(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
    return layers[0], layers[1]


def _folds(shape: tuple[int, ...], px: float, rng: np.random.Generator) -> np.ndarray:
    """Folds that run across a sleeve."""
    cells = max(2, int(shape[0] / (13 * px))), max(2, int(shape[1] / (45 * px)))
    return cv2.resize(rng.standard_normal(cells, np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
