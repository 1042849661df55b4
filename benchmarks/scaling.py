"""How the time per frame scales with the number of digits, of hands, of pixels and of simultaneous sources.

python -m benchmarks.scaling

Each is compared with a lower bound, the least work that the same frames need, and with a hand-written loop that handles
every contour or hand separately.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

import cv2
import numpy as np

from benchmarks.frame_cost import bare_landmarker, floor, measure
from benchmarks.report import table
from recognizer.classifiers.network import NETWORK, Network
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.sources.video import VideoFile
from recognizer.studio.scenes import Studio
from recognizer.system import machine
from recognizer.system.terminal import exit_on_error
from recognizer.values import Frame

DIGITS = (1, 2, 5, 10, 20, 50)
SIZES = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))
SOURCES = (1, 2, 4, 8)
HANDS = (1, 2)
FRAMES = 24
AT_REST = 36  # index of the studio's first frame in which a sheet or a sign is at rest
CARD = 72  # frames for which the studio shows each sheet
SHEETS = 5  # plain, ruled or squared paper, written with different pens
WARM_UP_FRAMES = 25  # frames before the finders' tracking is stable


def main() -> None:
    with exit_on_error():
        print(machine.description())
        print(report())


def report() -> str:
    """The scaling sections in Markdown."""
    return "\n".join([digits(), hands(), sizes(), sources()])


def digits() -> str:
    """Markdown section: 1 to 50 digits on a sheet."""
    by_hand, rows = contour_by_contour(), []
    with open_pipeline("digits", default_models(), default_samples(), smooth=True) as pipeline:
        for count in DIGITS:
            loops: dict[str, Callable[[Frame], object]] = {"floor": floor, "live": pipeline.step, "by hand": by_hand}
            known, ms = on_sheets(pipeline, Studio("crowd", count=count), loops)
            rows.append((count, known, ms["live"], ms["live"] / ms["floor"], ms["by hand"] / ms["live"]))
    return (
        "## Scaling with digits in a frame\n\n`python -m benchmarks.scaling`: 1280x720, mean over "
        f"{SHEETS} sheets, some on squared paper. Hand-written loop: every contour above a minimum size is "
        "classified separately with the same LiteRT network.\n\n"
        + table(["digits", "labelled", "ms, live loop", "times the lower bound", "hand-written / live loop"], rows)
    )


def hands() -> str:
    """Markdown section: one hand and two hands."""
    rows = []
    for count in HANDS:
        with (
            bare_landmarker() as landmarker,
            open_pipeline("rps", default_models(), default_samples(), smooth=True) as pipeline,
        ):
            frames = settled(pipeline, TwoHands(count))
            for frame in frames[:3]:
                landmarker(frame)
            found = float(np.mean([len(pipeline.step(frame).regions) for frame in frames]))
            ms = medians({"landmarker": landmarker, "live": pipeline.step}, frames)
        rows.append((count, found, ms["live"], ms["live"] / ms["landmarker"]))
    return (
        "## Scaling with hands in a frame\n\n1280x720, compared with MediaPipe's HandLandmarker alone on the same frames.\n\n"
        + table(["hands", "detected", "ms, live loop", "times HandLandmarker"], rows)
    )


def sizes() -> str:
    """Markdown section: frame sizes from VGA to 4K."""
    rows = []
    for size_wh in SIZES:
        costs = [f"{size_wh[0]}x{size_wh[1]}"]
        for task, scene, baseline in (("digits", "numbers", nullcontext(floor)), ("rps", "rps", bare_landmarker())):
            with baseline as least, open_pipeline(task, default_models(), default_samples(), smooth=True) as pipeline:
                _, ms = on_sheets(pipeline, Studio(scene, size_wh), {"least": least, "live": pipeline.step})
            costs += [ms["live"], ms["live"] / ms["least"]]
        rows.append(costs)
    return (
        f"## Scaling with frame size\n\nNumbers on a sheet compared with the lower bound, and a hand with HandLandmarker "
        f"alone. Means over {SHEETS} sheets and {SHEETS} hands.\n\n"
        + table(["size", "ms, digits", "times the lower bound", "ms, a hand", "times HandLandmarker"], rows)
    )


def sources() -> str:
    """Markdown section: several videos at the same time, each with its own pipeline."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        video = Path(name) / "numbers.avi"
        write_video(video, Studio("numbers"))
        for count in SOURCES:
            with ExitStack() as stack:
                pipelines = [
                    stack.enter_context(open_pipeline("digits", default_models(), default_samples(), smooth=True))
                    for _ in range(count)
                ]
                streams = [iter(stack.enter_context(VideoFile(video))) for _ in range(count)]
                plain = [stack.enter_context(VideoFile(video)) for _ in range(count)]
                bare = [iter(source) for source in plain]

                def live(
                    _: Frame, pipelines: list[Pipeline] = pipelines, streams: list[Iterator[Frame]] = streams
                ) -> None:
                    for pipeline, stream in zip(pipelines, streams, strict=True):
                        pipeline.step(next(stream))

                def least(_: Frame, bare: list[Iterator[Frame]] = bare) -> None:
                    for stream in bare:
                        floor(next(stream))

                ms = medians({"floor": least, "live": live}, [next(bare[0])] * FRAMES)
            rows.append((count, ms["live"], ms["live"] / count, ms["live"] / ms["floor"]))
    return (
        "## Scaling with simultaneous sources\n\nVideos of 1280x720, each with its own pipeline, in turns in one process. "
        "Compared with decoding the videos and the lower bound.\n\n"
        + table(["sources", "ms for a frame of each", "ms a frame", "times decoding and lower bound"], rows)
    )


class TwoHands:
    """Studio frames with one hand, or with that hand and its flipped copy side by side."""

    def __init__(self, count: int) -> None:
        self._halves = [Studio("rps", (640, 720)) for _ in range(count)]

    def frame(self, index: int) -> Frame:
        shown = [half.frame(index).image_bgr for half in self._halves]
        if len(shown) == 1:
            shown.append(np.full_like(shown[0], 120))
        picture = np.ascontiguousarray(np.hstack([shown[0], shown[1][:, ::-1]]))
        return Frame(picture, index, index / 30, "drawn")


def on_sheets(
    pipeline: Pipeline, studio: Studio, loops: dict[str, Callable[[Frame], object]]
) -> tuple[float, dict[str, float]]:
    """Number of labelled objects, and milliseconds of each loop: means over SHEETS of the medians over frames."""
    known, costs = [], []
    for sheet in range(SHEETS):
        frames = settled(pipeline, studio, sheet)
        known += [sum(one.label is not None for one in pipeline.step(frame).predictions) for frame in frames]
        costs.append(medians(loops, frames))
    return float(np.mean(known)), {name: float(np.mean([cost[name] for cost in costs])) for name in loops}


def settled(pipeline: Pipeline, studio: Studio | TwoHands, sheet: int = 0) -> list[Frame]:
    """Studio frames of one sheet or sign, after the pipeline has processed the warm-up frames."""
    frames = [studio.frame(AT_REST + sheet * CARD + step) for step in range(FRAMES)]
    start = frames[0].index
    for index in range(WARM_UP_FRAMES):
        pipeline.step(Frame(frames[index % FRAMES].image_bgr, start + index, (start + index) / 30, "drawn"))
    last = start + WARM_UP_FRAMES
    return [Frame(frame.image_bgr, last + i, (last + i) / 30, "drawn") for i, frame in enumerate(frames)]


def medians(loops: dict[str, Callable[[Frame], object]], frames: Sequence[Frame]) -> dict[str, float]:
    """Median milliseconds of each loop; the loops take turns."""
    return {name: float(np.median(costs)) for name, costs in measure(loops, list(frames), 1).items()}


def contour_by_contour() -> Callable[[Frame], object]:
    """The tutorial loop for many digits, with the fastest runtime: every contour is classified separately."""
    network = Network(default_models().current("digits") / NETWORK)

    def loop(frame: Frame) -> object:
        gray = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2GRAY)
        _, mask = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(contour) for contour in contours]
        digits = [mask[y : y + h, x : x + w] for x, y, w, h in boxes if h > 0.02 * gray.shape[0]]
        return [network.run(cv2.resize(digit, (28, 28))) for digit in itertools.islice(digits, 200)]

    return loop


def write_video(path: Path, studio: Studio) -> None:
    frames = [studio.frame(AT_REST + step).image_bgr for step in range(FRAMES)]
    height, width = frames[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (width, height))
    for _ in range(4):
        for frame in frames:
            video.write(frame)
    video.release()


if __name__ == "__main__":
    main()
