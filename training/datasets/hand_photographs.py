"""Hand detections in the photographs of hand signs, and the mapping of their labels to the classes of each task."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from recognizer.errors import DataError
from recognizer.finders.hands import HandFinder
from recognizer.preprocess import appearance, pose
from recognizer.preprocess.appearance import AppearanceExtractor
from recognizer.preprocess.pictures import SIDE, hand_image
from recognizer.registry import assets
from recognizer.sources.decoding import read_image
from recognizer.system import files, paths
from recognizer.teaching.label_folders import pictures_below
from recognizer.values import Frame, Region
from training.datasets.hand_variations import CROPS_A_VIEW, VIEWS, augmented_crops
from training.datasets.sign_mnist import LETTERS
from training.processes import fresh_processes

CODE = (  # the files that determine the detections
    "recognizer/preprocess/pictures.py",
    "recognizer/finders/hands.py",
    "recognizer/finders/hand_detector.py",
    "recognizer/finders/hand_networks.py",
    "recognizer/preprocess/appearance.py",
    "training/datasets/hand_photographs.py",
    "training/datasets/hand_variations.py",
)

TASK_OF_FOLDER = {"letters": "letters", "letters-more": "letters", "rps": "rps"}  # folders below photos/
SIGNS = ["rock", "paper", "scissors"]
LABELS = {"letters": LETTERS, "rps": SIGNS}
OF_LETTER = {"A": "rock", "S": "rock", "B": "paper", "V": "scissors"}  # letters with the same hand shape as a sign
NO_SIGN = [*"CDFGILOQWXY"]  # letters used as background; those not listed resemble a sign too much
OPEN_HAND = "paper"  # no letter has spread fingers and the thumb out


@dataclass(frozen=True, eq=False)
class Hands:
    """N photographs, each with its most confident detection. Values of missing detections are NaN or 0."""

    sources: np.ndarray  # (N,) str, the person or collection
    labels: np.ndarray  # (N,) str, "" for a picture without a hand
    found: np.ndarray  # (N,) bool: a hand was detected, with or without joints
    landmarks: np.ndarray  # (N, VIEWS, 21, 3) float32, in pixels of the picture, NaN if no joints were found
    left: np.ndarray  # (N, VIEWS) bool: detected as a left hand
    images: np.ndarray  # (N, 28, 28) uint8, preprocess.hand_image of the region
    appearance_features: np.ndarray  # (N, VIEWS, CROPS_A_VIEW, appearance.SIZE) float16

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: np.ndarray) -> "Hands":
        return Hands(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def jointed(self) -> np.ndarray:
        """(N, VIEWS) bool: whether joints were found."""
        return np.isfinite(self.landmarks[:, :, 0, 0])


def concatenate(parts: list[Hands]) -> Hands:
    return Hands(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Hands)))


def photographs(name: str) -> Path:
    """The data folder photos/<name>, laid out as source/label/picture. Raises DataError if there is none."""
    for folder in paths.data_folders():
        if (folder / "photos" / name).is_dir():
            return folder / "photos" / name
    candidates = " or ".join(str(folder / "photos" / name) for folder in paths.data_folders())
    raise DataError(f"No photographs of {name}: {candidates} not found. Create it with pictures in source/label/.")


def folders_of_signs() -> list[str]:
    """The folders of TASK_OF_FOLDER that are there. Raises DataError if one that is named like its task is missing."""
    there = []
    for name, task in TASK_OF_FOLDER.items():
        try:
            photographs(name)
        except DataError:
            if name == task:
                raise
            continue
        there.append(name)
    return there


def list_sha256(name: str) -> str:
    """SHA-256, hex, of the list of paths and file hashes of photos/<name>."""
    folder = photographs(name)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder)}" for path in pictures_below(folder)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_hands(name: str, runs: Path) -> Hands:
    """Detect the hands in photos/<name>. Results are cached in `runs` until code or data change.

    Raises DataError if the photographs are missing, AssetError if the hand model is missing.
    """
    model = assets.find_asset("hand_landmarker")
    folder = photographs(name)
    runs.mkdir(parents=True, exist_ok=True)
    jobs = []
    for source in sorted(path for path in folder.iterdir() if path.is_dir()):
        names = [(str(path), path.stat().st_size) for path in pictures_below(source)]
        key_parts = [names, hashlib.sha256(model.read_bytes()).hexdigest(), code_digest(*CODE)]
        digest = hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:8]
        jobs.append((source, runs / f"{name}-{source.name}-{digest}.npz"))
    missing = [job for job in jobs if not job[1].is_file()]
    if missing:
        print(f"Detecting hands in {folder} …", flush=True)
        with fresh_processes() as pool:
            list(pool.map(partial(_detect_and_cache, model), missing))
    return concatenate([_load(path) for _, path in jobs])


def code_digest(*names: str) -> str:
    """SHA-256 of the files, paths relative to the project root: the first 8 hex digits."""
    return hashlib.sha256(b"".join((paths.ROOT / name).read_bytes() for name in names)).hexdigest()[:8]


def _detect_and_cache(model: Path, job: tuple[Path, Path]) -> None:
    source, path = job
    extractor, rng = AppearanceExtractor(model, threads=1), np.random.default_rng(0)
    parts = []
    with HandFinder(model, video=False, threads=1) as finder:
        for picture in pictures_below(source):
            region = most_confident(finder.find(Frame(read_image(picture), 0, 0.0, str(picture))))
            label = picture.parent.name if picture.parent != source else ""
            parts.append(hands_of_region(region, label, source.name, extractor, rng))
    hands = concatenate(parts)
    with files.atomic_file(path) as file:
        np.savez(file, **{field.name: getattr(hands, field.name) for field in fields(hands)})


def most_confident(regions: tuple[Region, ...]) -> Region | None:
    """The region with the highest MediaPipe score. A region without joints is chosen only if there is no other."""
    return max(regions, key=lambda region: region.hand.score if region.hand else -1.0, default=None)


def hands_of_region(
    region: Region | None, label: str, source: str, extractor: AppearanceExtractor | None, rng: np.random.Generator
) -> Hands:
    """The region of one picture as Hands of length 1. None: nothing was found.

    Appearance features are 0 without an `extractor`.
    """
    landmarks = np.full((1, VIEWS, pose.JOINTS, 3), np.nan, np.float32)
    left = np.zeros((1, VIEWS), bool)
    appearance_features = np.zeros((1, VIEWS, CROPS_A_VIEW, appearance.SIZE), np.float16)
    image = np.zeros((SIDE, SIDE), np.uint8) if region is None else hand_image(region.crop)
    for view, hand in enumerate((region.hand, region.mirrored_hand) if region else ()):
        if hand is None:
            continue
        landmarks[0, view], left[0, view] = hand.landmarks, hand.side == "left"
        if region and extractor:
            appearance_features[0, view] = [
                extractor.features_of_upright(shown) for shown in augmented_crops(region, hand, rng)
            ]
    found = np.array([region is not None])
    return Hands(
        np.array([source], "U64"), np.array([label], "U16"), found, landmarks, left, image[None], appearance_features
    )


def _load(path: Path) -> Hands:
    with np.load(path) as arrays:
        return Hands(*(arrays[field.name] for field in fields(Hands)))


def classes(task: str, kind: str, labels: np.ndarray) -> np.ndarray:
    """Map labels (N,) of the photographs in photos/<kind> to class indices of `task`, (N,) int64.

    An index into LABELS[task]; len(LABELS[task]) for background; -1 for an ambiguous picture, which is not used.
    """
    names = LABELS[task]
    background = len(names)
    kind = TASK_OF_FOLDER.get(kind, kind)
    table = {name: place for place, name in enumerate(names)} if kind == task else {}
    if (task, kind) == ("rps", "letters"):
        table = {letter: names.index(sign) for letter, sign in OF_LETTER.items()}
        table |= dict.fromkeys(NO_SIGN, background)
    if (task, kind) == ("letters", "rps"):
        table = {OPEN_HAND: background}
    return np.array([table.get(label, -1) for label in labels], np.int64)
