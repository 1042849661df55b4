"""MediaPipe's two hand networks on LiteRT, compared with MediaPipe itself: agreement, start-up and cost.

python -m benchmarks.hand_networks                   needs MediaPipe, and photographs and videos in RECOGNIZER_DATA
python -m benchmarks.hand_networks --pictures 100
"""

import argparse
import itertools
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.report import table
from recognizer.errors import DataError
from recognizer.finders.hand_detector import HANDS, SURE, HandDetector, NetworkDetector
from recognizer.finders.hand_networks import View, open_hand_networks
from recognizer.finders.hands import HandFinder
from recognizer.finders.mediapipe_hands import Landmarker
from recognizer.registry.assets import find_asset
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error
from recognizer.values import Frame, Hand

FOLDERS = ("letters", "letters-more", "rps", "nothing")  # of photographs
SEED = 0
NEAR = 0.01  # of a hand's size, the diagonal of its joints' bounding box
ROUNDS = 5  # of each start; the median is reported
FRAMES = 60  # timed with each detector
SIZE_WH = (1280, 720)  # of the timed frames
HAND_CLIP = "mediapipe_open_palm_640x360.mp4"  # enlarged, for timing
THREADS = (1, 2, 4)  # of LiteRT
START = {
    "MediaPipe": "from recognizer.finders.mediapipe_hands import Landmarker; "
    "detector = Landmarker(path, video=True, confidence=0.5, hands=2); "
    "detector.detect(picture, 0.0); detector.close()",
    "LiteRT": "from recognizer.finders.hand_networks import open_hand_networks, View; "
    "networks = open_hand_networks(path); networks.palms(picture, View()); "
    "networks.read(picture, View().square(picture), View())",
}
START_BEFORE = (
    "import cv2, numpy as np; from pathlib import Path; import sys; path = Path(sys.argv[1]); "
    "picture = np.zeros((720, 1280, 3), np.uint8); "
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hand_networks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--pictures", type=int, default=500)
    options = parser.parse_args()
    with exit_on_error():
        print(machine.description())
        print(report(options.pictures))


def report(pictures: int = 500) -> str:
    """The section in Markdown. Raises DataError if no data set folder has photographs and videos."""
    task_path, folder = find_asset("hand_landmarker"), data_folder()
    photographs, clips = sample_photographs(folder / "photos", pictures), sorted((folder / "videos").glob("*.mp4"))
    compared = [(f"{len(photographs)} photographs", compared_pictures(task_path, photographs))]
    compared += [(clip.name, compared_frames(task_path, frames_of(clip))) for clip in clips]
    hand_bgr = [
        cv2.resize(image_bgr, SIZE_WH)
        for image_bgr in itertools.islice(frames_of(folder / "videos" / HAND_CLIP), FRAMES)
    ]
    empty_bgr = [
        cv2.resize(read(path), SIZE_WH) for path in sorted((folder / "photos" / "nothing").rglob("*.*"))[:FRAMES]
    ]
    return (
        "## Hand networks on LiteRT and MediaPipe\n\n"
        f"`python -m benchmarks.hand_networks`: a seeded sample of photographs from all sources, and all frames of the "
        "videos, in\nwhich both follow hands. Distances are from MediaPipe's joints, in sizes of the hand, the diagonal of "
        f"its joints'\nbounding box. A hand agrees if each of its joints is nearer than {NEAR:.0%}.\n\n"
        + table(
            ["", "pictures", "equal number of hands", "hands", "equal side", "hands that agree", "largest distance"],
            [(name, *agreement.cells()) for name, agreement in compared],
        )
        + f"\nSeconds of a process that detects hands in one frame, median of {ROUNDS}:\n\n"
        + table(["", "seconds"], start_up(task_path))
        + f"\nMedian milliseconds of a frame of {SIZE_WH[0]}x{SIZE_WH[1]}; the detectors take turns. In a stream, MediaPipe "
        "looks for a second\nhand in each frame, and LiteRT in every fifth:\n\n"
        + table(
            ["", "stream, a hand", "stream, empty", "picture, a hand", "picture, empty"],
            detector_cost(task_path, hand_bgr, empty_bgr),
        )
        + "\nThe finder, which also searches the mirror image of a picture, and looks at other views of it if there is no "
        "hand:\n\n" + table(["", "mean ms", "p95 ms", "largest ms"], finder_cost(task_path, hand_bgr, empty_bgr))
    )


def data_folder() -> Path:
    """The first data set folder with photographs and videos."""
    for folder in paths.data_folders():
        if (folder / "photos").is_dir() and (folder / "videos").is_dir():
            return folder
    raise DataError(f"No data set folder has photos and videos. Set {paths.DATA_VARIABLE} to one that has.")


def sample_photographs(folder: Path, count: int) -> list[Path]:
    """About `count` photographs, as many of each source as possible."""
    rng = np.random.default_rng(SEED)
    sources = sorted(source for name in FOLDERS for source in (folder / name).glob("*") if source.is_dir())
    shuffled = [rng.permutation(sorted(path for path in source.rglob("*") if path.is_file())) for source in sources]
    rounds = (files[turn] for turn in range(count) for files in shuffled if turn < len(files))
    return [path for _, path in zip(range(count), rounds, strict=False)]


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """The frames (H, W, 3) uint8 BGR of a video."""
    capture = cv2.VideoCapture(str(path))
    try:
        while True:
            is_read, frame_bgr = capture.read()
            if not is_read:
                return
            yield frame_bgr
    finally:
        capture.release()


@dataclass
class Agreement:
    """How near the hands of LiteRT are to those of MediaPipe, which is the reference."""

    pictures: int = 0
    same_number: int = 0
    same_side: int = 0
    distances: list[np.ndarray] = field(default_factory=list)  # (21,) of each hand, in hand sizes

    def add(self, reference: Sequence[Hand], found: Sequence[Hand]) -> None:
        """Count a picture. Hands are compared in their order if there are as many."""
        self.pictures += 1
        if len(reference) != len(found):
            return
        self.same_number += 1
        for expected, hand in zip(reference, found, strict=True):
            self.same_side += expected.side == hand.side
            self.distances.append(distances(expected.landmarks[:, :2], hand.landmarks[:, :2]))

    def cells(self) -> list[object]:
        worst = np.array(self.distances).max(axis=1)
        return [
            self.pictures,
            f"{self.same_number / self.pictures:.1%}",
            len(worst),
            f"{self.same_side / len(worst):.1%}",
            f"{(worst < NEAR).mean():.2%}",
            f"{worst.max():.2%}",
        ]


def distances(expected: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Distance of each joint (21, D), in sizes of the expected hand."""
    apart: np.ndarray = np.linalg.norm(joints - expected, axis=1) / np.linalg.norm(np.ptp(expected, axis=0))
    return apart


def compared_pictures(task_path: Path, pictures: Iterable[Path]) -> Agreement:
    """Compare single pictures. Raises DataError if OpenCV cannot read one."""
    agreement, detector = Agreement(), NetworkDetector(open_hand_networks(task_path))
    with closing(Landmarker(task_path, video=False, confidence=SURE, hands=HANDS)) as landmarker:
        for path in pictures:
            image_bgr = read(path)
            reference = landmarker.detect(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB))
            agreement.add(reference, detector.detect(image_bgr, View(), is_sure))
    return agreement


def compared_frames(task_path: Path, frames: Iterable[np.ndarray]) -> Agreement:
    """Compare the frames of a stream, in which both follow hands and look for a second one in each frame."""
    agreement, detector = Agreement(), NetworkDetector(open_hand_networks(task_path), search_every=1)
    with closing(Landmarker(task_path, video=True, confidence=SURE, hands=HANDS)) as landmarker:
        for index, frame_bgr in enumerate(frames):
            reference = landmarker.detect(cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB), index / 30)
            agreement.add(reference, detector.follow(frame_bgr, View(), is_sure, index / 30))
    return agreement


def is_sure(hand: Hand, doubtful: bool) -> bool:
    """Accepts what MediaPipe does."""
    return not doubtful


def read(path: Path) -> np.ndarray:
    image_bgr = cv2.imread(str(path))
    if image_bgr is None:
        raise DataError(f"{path} is no picture. Remove it.")
    return image_bgr


def start_up(task_path: Path) -> list[tuple[str, float]]:
    """Median seconds of a process that detects hands in one picture, and of one that imports OpenCV only."""
    programs = {"OpenCV alone": "", **START}
    times_s: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name, program in programs.items():
            start_s = time.perf_counter()
            words = [sys.executable, "-c", START_BEFORE + program, str(task_path)]
            subprocess.run(words, cwd=paths.ROOT, check=True, capture_output=True)
            times_s[name].append(time.perf_counter() - start_s)
    return [(name, float(np.median(seconds))) for name, seconds in times_s.items()]


def detector_cost(
    task_path: Path, hand_bgr: Sequence[np.ndarray], empty_bgr: Sequence[np.ndarray]
) -> list[tuple[object, ...]]:
    """Median milliseconds a frame of each detector: of both kinds of frames as streams, then as single pictures."""
    columns = [
        timed(loops(task_path, is_stream=is_stream), frames)
        for is_stream in (True, False)
        for frames in (hand_bgr, empty_bgr)
    ]
    return [(name, *(float(np.median(column[name])) for column in columns)) for name in columns[0]]


Loop = Callable[[np.ndarray, float], object]  # of a frame (H, W, 3) uint8 BGR and its time in seconds


def loops(task_path: Path, *, is_stream: bool) -> dict[str, Loop]:
    """MediaPipe, and LiteRT with different numbers of threads."""
    landmarker = Landmarker(task_path, video=is_stream, confidence=SURE, hands=HANDS)
    found: dict[str, Loop] = {
        "MediaPipe": lambda image_bgr, time_s: landmarker.detect(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), time_s)
    }
    for threads in THREADS:
        detector = NetworkDetector(open_hand_networks(task_path, threads))
        found[f"LiteRT, {threads} thread{'s' if threads > 1 else ''}"] = (
            partial(follow, detector) if is_stream else partial(detect, detector)
        )
    return found


def follow(detector: HandDetector, image_bgr: np.ndarray, time_s: float) -> object:
    return detector.follow(image_bgr, View(), is_sure, time_s)


def detect(detector: HandDetector, image_bgr: np.ndarray, time_s: float) -> object:
    return detector.detect(image_bgr, View(), is_sure)


def finder_cost(
    task_path: Path, hand_bgr: Sequence[np.ndarray], empty_bgr: Sequence[np.ndarray]
) -> list[tuple[object, ...]]:
    """Mean, 95th percentile and maximum of the milliseconds a frame of the finders of streams and of pictures."""
    rows: list[tuple[object, ...]] = []
    for is_stream, name in ((True, "stream"), (False, "picture")):
        for frames, content in ((hand_bgr, "a hand"), (empty_bgr, "empty")):
            finder = HandFinder(task_path, video=is_stream)
            with finder:
                (costs_ms,) = timed({name: partial(find, finder)}, frames).values()
            rows.append((f"{name}, {content}", *summary(costs_ms)))
    return rows


def find(finder: HandFinder, image_bgr: np.ndarray, time_s: float) -> object:
    return finder.find(Frame(image_bgr, 0, time_s, "timed"))


def summary(costs_ms: Sequence[float]) -> tuple[float, float, float]:
    return float(np.mean(costs_ms)), float(np.percentile(costs_ms, 95)), max(costs_ms)


def timed(compared: Mapping[str, Loop], frames: Sequence[np.ndarray]) -> dict[str, list[float]]:
    """Milliseconds of each loop on each frame. The loops take turns, so that other load slows all of them equally."""
    for loop in compared.values():
        loop(frames[0], 0.0)
    costs_ms: dict[str, list[float]] = defaultdict(list)
    for index, image_bgr in enumerate(frames, 1):
        for name, loop in compared.items():
            start_s = time.perf_counter()
            loop(image_bgr, index / 30)
            costs_ms[name].append(1000 * (time.perf_counter() - start_s))
    return costs_ms


if __name__ == "__main__":
    main()
