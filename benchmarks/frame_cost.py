"""Milliseconds of each stage of the live loop, compared with a lower bound and with a tutorial's loop.

python -m benchmarks.frame_cost                   digits: compared with a lower bound and with a tutorial's loop
python -m benchmarks.frame_cost --task letters    hands: compared with MediaPipe's HandLandmarker alone
"""

import argparse
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.report import table
from recognizer.classifiers.feature_maps import FeatureMaps
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry.assets import find_asset
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.studio.scenes import STUDIO_SCENES, Studio
from recognizer.system import machine
from recognizer.system.terminal import exit_on_error
from recognizer.tasks import TASKS
from recognizer.values import Frame
from training.networks.tensorflow import import_tensorflow

CARD_S = 2.4  # time for which the studio shows each sheet
RUN = 10  # consecutive frames of one sheet
BASELINES = {
    "floor": "the lower bound (grey, threshold, connected components)",
    "landmarker": "MediaPipe's HandLandmarker alone",
}
NAMES = {
    "floor": "lower bound: grey, threshold, connected components",
    "landmarker": "MediaPipe's HandLandmarker alone",
    "live": "live loop",
    "tutorial": "tutorial loop: biggest contour, `model.predict`",
    "live + overlay": "live loop with overlay",
    "maps": "feature maps of one crop, key `f`",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frame_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--task", default="digits", choices=TASKS)
    parser.add_argument("--frames", type=int, default=60, help=f"number of studio frames, {RUN} of each sheet")
    parser.add_argument("--rounds", type=int, default=3, help="timing rounds; the loops take turns")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--no-tutorial", action="store_true", help="skip the tutorial loop, which needs TensorFlow")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    with exit_on_error():
        found = run(
            options.task, options.frames, options.rounds, (width, height), with_tutorial=not options.no_tutorial
        )
        print(machine.description())
        print(f"{found.frames} studio frames of {width}x{height}, medians")
        for stage, values in found.stages.items():
            print(f"  {stage:10} {np.median(values):7.2f} ms")
        for name, values in found.costs.items():
            print(
                f"{name:14} {np.median(values):7.2f} ms   mean {np.mean(values):7.2f}   p95 {np.percentile(values, 95):7.2f}"
            )
        print(f"live is {found.ratio('live', found.baseline):.2f} times {BASELINES[found.baseline]}")
        if "tutorial" in found.costs:
            faster = found.ratio("tutorial", "live")
            print(f"live is {faster:.1f} times faster than the tutorial's loop (biggest contour, model.predict)")


@dataclass(frozen=True)
class Figures:
    """Milliseconds of each stage of the live loop and of each compared loop, for every frame."""

    frames: int
    stages: dict[str, list[float]]  # of each stage
    costs: dict[str, list[float]]  # of each loop
    baseline: str  # name of the lower bound among the costs

    def ratio(self, name: str, other: str) -> float:
        """Median cost of one loop divided by that of another."""
        return float(np.median(self.costs[name]) / np.median(self.costs[other]))


def report(task: str = "digits", frames: int = 60, rounds: int = 2) -> str:
    """The section in Markdown: stages and loops for digits or a hand task."""
    found = run(task, frames, rounds, (1280, 720), with_tutorial=True)
    live_ms = float(np.median(found.costs["live"]))
    title = "Live loop with digits" if task == "digits" else f"Live loop with hands ({task})"
    stages = table(
        ["stage", "ms", "share"],
        [(stage, float(np.median(ms)), f"{100 * np.median(ms) / live_ms:.0f} %") for stage, ms in found.stages.items()],
    )
    loops = table(
        ["loop", "median ms", "p95 ms", "times the live loop"],
        [
            (NAMES[name], float(np.median(ms)), float(np.percentile(ms, 95)), found.ratio(name, "live"))
            for name, ms in found.costs.items()
        ],
    )
    return (
        f"## {title}\n\n`python -m benchmarks.frame_cost{'' if task == 'digits' else f' --task {task}'}`: {found.frames} "
        f"studio frames of 1280x720.\nThe live loop takes **{found.ratio('live', found.baseline):.2f} times** "
        f"{BASELINES[found.baseline]}.\n\n"
        f"{stages}\n{loops}"
    )


def run(task: str, count: int, rounds: int, size_wh: tuple[int, int], *, with_tutorial: bool) -> Figures:
    """Time all loops on `count` studio frames: digits `rounds` times, hands on `rounds * count` frames."""
    models, samples = default_models(), default_samples()
    # the loop with overlay needs its own pipeline: a pipeline skips work on a frame that it has seen
    with (
        open_pipeline(task, models, samples, smooth=True) as pipeline,
        open_pipeline(task, models, samples, smooth=True) as drawn,
    ):
        return _figures(
            pipeline, drawn, Studio(STUDIO_SCENES[task], size_wh), count, rounds, with_tutorial=with_tutorial
        )


def _figures(
    pipeline: Pipeline, drawn: Pipeline, studio: Studio, count: int, rounds: int, *, with_tutorial: bool
) -> Figures:
    stages: dict[str, list[float]] = defaultdict(list)

    def live(frame: Frame) -> None:
        for stage, cost_ms in pipeline.step(frame).stages_ms.items():
            stages[stage].append(cost_ms)

    if pipeline.task == "digits":
        starts = [round((CARD_S * card + CARD_S / 2) * 30) for card in range(-(-count // RUN))]
        frames = [studio.frame(start + step) for start in starts for step in range(RUN)][:count]
        loops = _digit_loops(live, drawn, with_tutorial)
        maps = FeatureMaps(default_models().current(pipeline.task))
        crop = pipeline.step(frames[0]).predictions[0].image
        loops["maps"] = lambda _: maps.draw(crop)
        return Figures(len(frames), stages, measure(loops, frames, rounds), "floor")
    # hands are tracked between frames, so the frames must be consecutive
    frames = [studio.frame(index) for index in range(36, 36 + rounds * count)]
    with bare_landmarker() as landmarker:
        costs = measure({"landmarker": landmarker, "live": live}, frames, 1)
    return Figures(len(frames), stages, costs, "landmarker")


def _digit_loops(
    live: Callable[[Frame], None], drawn: Pipeline, with_tutorial: bool
) -> dict[str, Callable[[Frame], object]]:
    loops: dict[str, Callable[[Frame], object]] = {"floor": floor, "live": live}
    if with_tutorial:
        loops["tutorial"] = tutorial()
    overlay = Overlay()
    loops["live + overlay"] = lambda frame: overlay.draw(drawn.step(frame))
    return loops


def measure(loops: dict[str, Callable[[Frame], object]], frames: list[Frame], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each loop on each frame. The loops take turns, so that other load slows all of them equally."""
    for loop in loops.values():
        loop(frames[0])
    costs: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for frame in frames:
            for name, loop in loops.items():
                start_s = time.perf_counter()
                loop(frame)
                costs[name].append(1000 * (time.perf_counter() - start_s))
    return costs


def floor(frame: Frame) -> object:
    """The minimum work of an ink finder: a lower bound."""
    gray = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2GRAY)
    _, mask = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    return cv2.connectedComponentsWithStats(mask)


@contextmanager
def bare_landmarker() -> Iterator[Callable[[Frame], object]]:
    """MediaPipe's HandLandmarker in VIDEO mode, as in its official example."""
    sys.modules.setdefault("tensorflow", None)  # type: ignore[arg-type]  # stops mediapipe from importing TensorFlow, which it does not need here
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(find_asset("hand_landmarker"))),
        running_mode=vision.RunningMode.VIDEO,
        num_hands=2,
    )
    times_ms = itertools.count(1, 33)

    def loop(frame: Frame) -> object:
        rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
        return landmarker.detect_for_video(mp.Image(mp.ImageFormat.SRGB, rgb), next(times_ms))

    with vision.HandLandmarker.create_from_options(options) as landmarker:
        yield loop


def tutorial() -> Callable[[Frame], object]:
    """A typical tutorial loop: threshold, biggest contour, resize, model.predict, with the shipped network."""
    import_tensorflow()
    import keras

    model = keras.models.load_model(default_models().current("digits") / "model.keras")

    def loop(frame: Frame) -> object:
        gray = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2GRAY)
        _, mask = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
        digit = cv2.resize(mask[y : y + height, x : x + width], (28, 28))
        return model.predict(digit[None, ..., None].astype(np.float32), verbose=0)

    return loop


if __name__ == "__main__":
    main()
