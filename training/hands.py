"""Photographs of hand signs as the finder sees them, and what each task makes of their labels."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from recognizer import appearance, assets, pose
from recognizer.appearance import Appearance
from recognizer.errors import DataError
from recognizer.hand_signs import corner
from recognizer.preprocess import SIDE, hand_image
from recognizer.sources import PICTURE_SUFFIXES, read_image
from recognizer.system import files, paths
from recognizer.values import Frame, Hand, Region
from training.datasets import LETTERS
from training.processes import fresh_processes

CODE = (  # what decides what is found in a picture
    "recognizer/preprocess.py",
    "recognizer/regions/hands.py",
    "recognizer/appearance.py",
    "training/hands.py",
)

SIGNS = ["rock", "paper", "scissors"]
LABELS = {"letters": LETTERS, "rps": SIGNS}
OF_LETTER = {"A": "rock", "S": "rock", "B": "paper", "V": "scissors"}  # more people who make rock, paper and scissors
NO_SIGN = [*"CDFGILOQWXY"]  # letters that nobody takes for rock, paper or scissors; the others resemble one of them
OPEN_HAND = "paper"  # is no letter: its fingers are spread and its thumb is out


VIEWS = 2  # of a hand: as found in the picture, and in its mirror image
LOOKS = 4  # at each view: one as it is, the others changed
TURN_DEG, ZOOM, SHIFT = 9.0, 0.08, 0.03  # standard deviations of how looks are changed
GAMMA, TINT = 0.35, 0.1  # the same of the logarithms of light and of each colour
COARSE_SHARE, COARSE_SIDES = 0.3, (24, 90)  # of changed looks: small pictures, some of them grey


@dataclass(frozen=True, eq=False)
class Hands:
    """N pictures, each with the surest region found in it. What was not found is NaN or 0."""

    sources: np.ndarray  # (N,) str, the person or collection
    labels: np.ndarray  # (N,) str, "" for a picture without a hand
    found: np.ndarray  # (N,) bool: there is a region
    landmarks: np.ndarray  # (N, VIEWS, 21, 3) float32, in the picture's pixels, NaN where no joints were found
    left: np.ndarray  # (N, VIEWS) bool: the finder takes it for a left hand
    images: np.ndarray  # (N, 28, 28) uint8, preprocess.hand_image of the region
    looks: np.ndarray  # (N, VIEWS, LOOKS, appearance.SIZE) float16

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: np.ndarray) -> "Hands":
        return Hands(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def jointed(self) -> np.ndarray:
        """(N, VIEWS) bool: the joints were found."""
        return np.isfinite(self.landmarks[:, :, 0, 0])


def together(parts: list[Hands]) -> Hands:
    return Hands(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Hands)))


def photographs(name: str) -> Path:
    """The folder photos/<name> of the data, with source/label/picture in it."""
    for folder in paths.data_folders():
        if (folder / "photos" / name).is_dir():
            return folder / "photos" / name
    looked = " or ".join(str(folder / "photos" / name) for folder in paths.data_folders())
    raise DataError(f"No photographs of {name}: {looked} is not there. Put source/label/picture into it.")


def pictures(folder: Path) -> list[Path]:
    """All pictures below the folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)


def list_sha256(name: str) -> str:
    """Of the list of photos/<name>: each picture's path and its own SHA-256."""
    folder = photographs(name)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder)}" for path in pictures(folder)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_hands(name: str, runs: Path) -> Hands:
    """What the finder sees in photos/<name>; kept in `runs` until code or data change.

    Raises DataError without the photographs and AssetError without the hand model.
    """
    model = assets.find_asset("hand_landmarker")
    folder = photographs(name)
    runs.mkdir(parents=True, exist_ok=True)
    jobs = []
    for source in sorted(path for path in folder.iterdir() if path.is_dir()):
        names = [(str(path), path.stat().st_size) for path in pictures(source)]
        made_of = [names, hashlib.sha256(model.read_bytes()).hexdigest(), code_digest(*CODE)]
        digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]
        jobs.append((source, runs / f"{name}-{source.name}-{digest}.npz"))
    missing = [job for job in jobs if not job[1].is_file()]
    if missing:
        print(f"Looking for hands in {folder} …", flush=True)
        with fresh_processes() as pool:
            list(pool.map(partial(_find_and_keep, model), missing))
    return together([_load(path) for _, path in jobs])


def code_digest(*names: str) -> str:
    """Of files of the project."""
    return hashlib.sha256(b"".join((paths.ROOT / name).read_bytes() for name in names)).hexdigest()[:8]


def _find_and_keep(model: Path, job: tuple[Path, Path]) -> None:
    from recognizer.regions.hands import HandFinder

    source, path = job
    sight, rng = Appearance(model, threads=1), np.random.default_rng(0)
    parts = []
    with HandFinder(model, video=False) as finder:
        for picture in pictures(source):
            region = surest(finder.find(Frame(read_image(picture), 0, 0.0, str(picture))))
            label = picture.parent.name if picture.parent != source else ""
            parts.append(of_region(region, label, source.name, sight, rng))
    hands = together(parts)
    with files.new_file(path) as file:
        np.savez(file, **{field.name: getattr(hands, field.name) for field in fields(hands)})


def surest(regions: tuple[Region, ...]) -> Region | None:
    """The one that MediaPipe is surest of; what has no joints only where there is nothing else."""
    return max(regions, key=lambda region: region.hand.score if region.hand else -1.0, default=None)


def of_region(
    region: Region | None, label: str, source: str, sight: Appearance | None, rng: np.random.Generator
) -> Hands:
    """The region found in one picture, None where there was none; without `sight` it is not looked at."""
    landmarks = np.full((1, VIEWS, pose.JOINTS, 3), np.nan, np.float32)
    left = np.zeros((1, VIEWS), bool)
    looks = np.zeros((1, VIEWS, LOOKS, appearance.SIZE), np.float16)
    image = np.zeros((SIDE, SIDE), np.uint8) if region is None else hand_image(region.crop)
    for view, hand in enumerate((region.hand, region.mirrored) if region else ()):
        if hand is None:
            continue
        landmarks[0, view], left[0, view] = hand.landmarks, hand.side == "left"
        if region and sight:
            looks[0, view] = [sight.of_upright(shown) for shown in shown_as(region, hand, rng)]
    found = np.array([region is not None])
    return Hands(np.array([source], "U64"), np.array([label], "U16"), found, landmarks, left, image[None], looks)


def shown_as(region: Region, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """LOOKS pictures (appearance.SIDE, appearance.SIDE, 3) uint8 RGB of a hand: as it is, then changed."""
    joints, left = hand.landmarks - corner(region), hand.side == "left"
    pictures = [appearance.upright(region.crop, joints, left=left)]
    for _ in range(LOOKS - 1):
        # the finder errs in the side, and either hand makes the same sign
        other = rng.random() < pose.WRONG_SIDE / 2
        turn, zoom, shift = np.radians(rng.normal(0, TURN_DEG)), np.exp(rng.normal(0, ZOOM)), rng.normal(0, SHIFT, 2)
        picture = appearance.upright(
            region.crop, joints, left=left ^ other, turn_rad=float(turn), zoom=float(zoom), shift=tuple(shift)
        )
        lit = 255 * (picture / 255) ** np.exp(rng.normal(0, GAMMA)) * np.exp(rng.normal(0, TINT, 3))
        picture = np.clip(lit, 0, 255).astype(np.uint8)
        if rng.random() < COARSE_SHARE:
            side = int(rng.integers(*COARSE_SIDES))
            small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            picture = cv2.resize(small, (appearance.SIDE, appearance.SIDE), interpolation=cv2.INTER_CUBIC)
            if rng.random() < 0.5:
                picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        pictures.append(picture)
    return pictures


def _load(path: Path) -> Hands:
    with np.load(path) as arrays:
        return Hands(*(arrays[field.name] for field in fields(Hands)))


def classes(task: str, kind: str, labels: np.ndarray) -> np.ndarray:
    """Classes (N,) of pictures of photos/<kind> in a task: places in LABELS[task], their number for "nothing known",
    -1 for what can't be said.
    """
    names = LABELS[task]
    nothing = len(names)
    table = {name: place for place, name in enumerate(names)} if kind == task else {}
    if (task, kind) == ("rps", "letters"):
        table = {letter: names.index(sign) for letter, sign in OF_LETTER.items()}
        table |= dict.fromkeys(NO_SIGN, nothing)
    if (task, kind) == ("letters", "rps"):
        table = {OPEN_HAND: nothing}
    return np.array([table.get(label, -1) for label in labels], np.int64)


MIXED_APART = 0.3  # palm lengths, root mean square over the joints: a mixture nearer to a real hand may be its sign


def mixed_poses(
    points: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """About `count` hands (M, 21, 3) with some fingers of one sign and the others of another, far from every real one.

    `points` are (N, 21, 3) normalised hands with their labels (N,). Beside them, which hand (M,) each has its palm of.
    """
    flat = points @ pose.palm_frame(points)
    one, other = rng.integers(len(points), size=(2, count))
    taken = rng.random((count, 5)) < 0.5
    kept = (labels[one] != labels[other]) & taken.any(axis=1) & ~taken.all(axis=1)
    one, other, taken = one[kept], other[kept], taken[kept]
    mixed = flat[one].copy()
    for finger, joints in enumerate(pose.FINGERS):
        rows = taken[:, finger]
        roots = flat[one[rows], joints[0]] - flat[other[rows], joints[0]]
        mixed[np.ix_(rows, joints)] = flat[other[rows]][:, joints] + roots[:, None]
    known = flat[rng.permutation(len(flat))[:1500]].reshape(-1, pose.JOINTS * 3)
    vectors = mixed.reshape(len(mixed), -1)
    squares = (vectors**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * vectors @ known.T
    apart = np.sqrt(np.maximum(squares.min(axis=1), 0) / pose.JOINTS) > MIXED_APART
    turned = mixed @ pose.palm_frame(points)[one].transpose(0, 2, 1)
    return turned[apart], one[apart]
