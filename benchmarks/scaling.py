"""How the cost of a frame grows: with digits in it, with hands, with its size, and with the sources that are read at once.

python -m benchmarks.scaling

Each beside the least that a program must do for the same frames, and beside what is written by hand: every contour, or
hand, by itself.
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
CARD = 72  # frames until the next sheet
SHEETS = 5  # of other paper, plain, ruled or squared, and written with other pens
WARM_UP_FRAMES = 25  # frames of a stream until its finders have settled


def main() -> None:
    with exit_on_error():
        print(machine.description())
        print(report())


def report() -> str:
    """Markdown: what each more costs."""
    return "\n".join([digits(), hands(), sizes(), sources()])


def digits() -> str:
    """Markdown: 1 to 50 digits on a sheet."""
    by_hand, rows = contour_by_contour(), []
    with open_pipeline("digits", default_models(), default_samples(), smooth=True) as pipeline:
        for count in DIGITS:
            loops: dict[str, Callable[[Frame], object]] = {"floor": floor, "live": pipeline.step, "by hand": by_hand}
            known, ms = on_sheets(pipeline, Studio("crowd", count=count), loops)
            rows.append((count, known, ms["live"], ms["live"] / ms["floor"], ms["by hand"] / ms["live"]))
    return (
        "## Growth: digits in a frame\n\n`python -m benchmarks.scaling`: 1280x720, the mean over "
        f"{SHEETS} sheets, some of them squared. By hand: each contour that is no speck, one "
        "by one through the same LiteRT network.\n\n"
        + table(["digits", "known", "ms of the loop", "times the floor", "by hand / the loop"], rows)
    )


def hands() -> str:
    """Markdown: one hand and two."""
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
        "## Growth: hands in a frame\n\n1280x720, beside MediaPipe's bare HandLandmarker on the same frames.\n\n"
        + table(["hands", "found", "ms of the loop", "times the landmarker"], rows)
    )


def sizes() -> str:
    """Markdown: from VGA to 4K."""
    rows = []
    for size_wh in SIZES:
        costs = [f"{size_wh[0]}x{size_wh[1]}"]
        for task, scene, opened in (("digits", "numbers", nullcontext(floor)), ("rps", "rps", bare_landmarker())):
            with opened as least, open_pipeline(task, default_models(), default_samples(), smooth=True) as pipeline:
                _, ms = on_sheets(pipeline, Studio(scene, size_wh), {"least": least, "live": pipeline.step})
            costs += [ms["live"], ms["live"] / ms["least"]]
        rows.append(costs)
    return (
        f"## Growth: the frame's size\n\nNumbers on a sheet beside the floor, a hand beside MediaPipe's bare HandLandmarker: "
        f"means over {SHEETS} sheets and hands.\n\n"
        + table(["size", "ms, digits", "times the floor", "ms, a hand", "times the landmarker"], rows)
    )


def sources() -> str:
    """Markdown: videos read at once, each with a pipeline of its own."""
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
        "## Growth: sources at once\n\nVideos of 1280x720, each with a pipeline of its own, by turns in one process, beside "
        "reading them and the floor.\n\n"
        + table(["sources", "ms for a frame of each", "ms a frame", "times reading and the floor"], rows)
    )


class TwoHands:
    """Studio frames with one hand, or with another one's mirror image beside it."""

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
    """How many things get a label, and the milliseconds of each loop: means over SHEETS of the medians over frames."""
    known, costs = [], []
    for sheet in range(SHEETS):
        frames = settled(pipeline, studio, sheet)
        known += [sum(one.label is not None for one in pipeline.step(frame).predictions) for frame in frames]
        costs.append(medians(loops, frames))
    return float(np.mean(known)), {name: float(np.mean([cost[name] for cost in costs])) for name in loops}


def settled(pipeline: Pipeline, studio: Studio | TwoHands, sheet: int = 0) -> list[Frame]:
    """Frames of a stream that the pipeline has followed for a while, of one of the studio's sheets or signs."""
    frames = [studio.frame(AT_REST + sheet * CARD + step) for step in range(FRAMES)]
    start = frames[0].index
    for index in range(WARM_UP_FRAMES):
        pipeline.step(Frame(frames[index % FRAMES].image_bgr, start + index, (start + index) / 30, "drawn"))
    last = start + WARM_UP_FRAMES
    return [Frame(frame.image_bgr, last + i, (last + i) / 30, "drawn") for i, frame in enumerate(frames)]


def medians(loops: dict[str, Callable[[Frame], object]], frames: Sequence[Frame]) -> dict[str, float]:
    """Milliseconds of each, which take turns."""
    return {name: float(np.median(costs)) for name, costs in measure(loops, list(frames), 1).items()}


def contour_by_contour() -> Callable[[Frame], object]:
    """The tutorials' loop for a sheet full of digits, with the fastest runtime: every contour by itself."""
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
