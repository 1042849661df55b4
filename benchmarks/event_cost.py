"""How soon a sign arrives at an MQTT broker, what a dead broker costs a frame, and whether signs fire once.

python -m benchmarks.event_cost            needs mosquitto and requirements-actions.txt
python -m benchmarks.event_cost --signs 3 --frames 20   a short run

The clips and the pictures without a hand are those in RECOGNIZER_DATA: videos/ and photos/nothing/.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import table
from recognizer.actions.action_file import Rule
from recognizer.actions.kinds.mqtt import Mqtt
from recognizer.actions.runner import ActionRunner
from recognizer.errors import SettingsError
from recognizer.event_detection.detector import EventDetector
from recognizer.event_detection.event import Phase
from recognizer.event_detection.event_sink import EventSink
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.sources.decoding import read_image
from recognizer.sources.opening import open_source
from recognizer.studio.scenes import Studio
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error
from recognizer.values import Frame

CAMERA_FPS = 30.0
CARD_S = 2.4  # for which the studio shows each sign
HELD_S, EMPTY_S = 1.5, 1.5  # how long a sign is held still, and how long the room is empty after it
TASK = "rps"
SIZE_WH = (640, 480)
START_S = 30.0  # for the broker to start
STILL_FPS, STILL_S = 10.0, 1.0  # of a picture without a hand
# clips below videos/: task, and the labels that are shown one after the other
CLIPS = {
    "rps_niki_none-rock-paper-scissors-none_400x400.mp4": ("rps", "rock paper scissors"),
    "asl_jack_A-V-B-L-Y_200x200.mp4": ("letters", "A V B L Y"),
    "mediapipe_open_palm_640x360.mp4": ("rps", "paper"),
}


@dataclass(frozen=True)
class Delays:
    """Camera intervals from the first frame of a steady sign to the broker's message, and how many signs had none."""

    intervals: Sequence[float]
    first_recognized: Sequence[float]  # of these, until the sign was recognized first
    frame_ms: float  # median of the loop
    missed: int


@dataclass(frozen=True)
class FrameTimes:
    """Milliseconds of each frame of the loop without actions, and with a broker that is dead."""

    without: Sequence[float]
    refusing: Sequence[float]  # nothing listens there
    hanging: Sequence[float]  # it takes the connection, and never answers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--signs", type=int, default=30)
    parser.add_argument("--frames", type=int, default=120, help="of each round of the frame times")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with exit_on_error():
        print(machine.description())
        print(report(options.signs, options.frames, options.rounds))


def report(signs: int = 30, frames: int = 120, rounds: int = 3) -> str:
    """The section of benchmarks/RESULTS.md. Raises SettingsError if there is no broker."""
    delays = measure_delays(signs)
    times = measure_frame_times(frames, rounds)
    rows = [
        ["sign to broker, camera intervals", f"{p(delays.intervals, 50):.1f}", f"{p(delays.intervals, 95):.1f}"],
        [
            "of these until it is recognized",
            f"{p(delays.first_recognized, 50):.1f}",
            f"{p(delays.first_recognized, 95):.1f}",
        ],
    ]
    median_ms = float(np.median(times.without))
    costs = [
        [name, median_ms_of, f"{median_ms_of / median_ms:.3f}"]
        for name, median_ms_of in (
            ("without actions", median_ms),
            ("broker that refuses connections", float(np.median(times.refusing))),
            ("broker that never answers", float(np.median(times.hanging))),
        )
    ]
    return "\n".join(
        [
            "## Events",
            "",
            f"{signs} drawn signs of `{TASK}`, each held still for {HELD_S:g} s before a camera of {CAMERA_FPS:g} frames a "
            f"second (an interval is {1000 / CAMERA_FPS:.0f} ms), from its first frame to the message at a subscriber of "
            f"mosquitto. A label appears after it was held for 0.3 s, which are 9 intervals. Median of the loop: "
            f"{delays.frame_ms:.0f} ms a frame.{load()} {delays.missed} of {signs} signs sent no message or another one.",
            "",
            table(["", "median", "95th percentile"], rows),
            f"The loop with `{TASK}`, without drawing, with one MQTT action; {rounds * frames} frames each, in turns:",
            "",
            table(["", "median, ms a frame", "ratio"], costs),
            *clip_lines(),
            "",
        ]
    )


def load() -> str:
    """How busy the machine was meanwhile: other programs delay a sign, too."""
    if sys.platform == "win32":
        return ""
    return f" {os.getloadavg()[0]:.0f} processes wanted its {os.cpu_count()} cores meanwhile."


def p(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else float("nan")


def measure_delays(signs: int) -> Delays:
    """Hold drawn signs before a camera, and wait for each at the broker. Raises SettingsError if there is no broker."""
    from paho.mqtt import client as mqtt

    studio = Studio(TASK, SIZE_WH)
    cards = [round((CARD_S * card + CARD_S / 2) * CAMERA_FPS) for card in range(signs)]
    pictures = [studio.frame(index) for index in cards]
    empty_bgr = empty_room(studio)
    arrived: list[tuple[float, str]] = []
    with ExitStack() as stack:
        port = stack.enter_context(running_broker())
        subscriber = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        subscriber.on_message = lambda _, __, message: arrived.append(
            (time.perf_counter(), json.loads(message.payload)["label"])
        )
        subscriber.connect("127.0.0.1", port)
        subscriber.subscribe(f"recognizer/{TASK}", 1)
        subscriber.loop_start()
        stack.callback(subscriber.loop_stop)
        stack.callback(subscriber.disconnect)
        pipeline = stack.enter_context(opened(TASK))
        runner = stack.enter_context(ActionRunner(lambda task: [rule(port)]))
        sink = stack.enter_context(EventSink(runner, on_task=runner.use_task))
        sink.write(pipeline.step(Frame(empty_bgr, 0, 0.0, "camera")))
        wait_for(lambda: bool(arrived))  # the retained first state: the action is connected
        began_s = time.perf_counter()
        recognized: dict[int, float] = {}
        frame_ms = []
        cycle_s = HELD_S + EMPTY_S
        for index in camera(began_s, signs * cycle_s):
            number, within_s = divmod(index / CAMERA_FPS, cycle_s)
            is_sign = within_s < HELD_S
            image_bgr = pictures[int(number)].image_bgr if is_sign else empty_bgr
            start_s = time.perf_counter()
            observation = pipeline.step(Frame(image_bgr, index + 1, (index + 1) / CAMERA_FPS, "camera"))
            sink.write(observation)
            frame_ms.append(1000 * (time.perf_counter() - start_s))
            if is_sign and pictures[int(number)].truth[0].label in [one.label for one in observation.objects]:
                recognized.setdefault(int(number), time.perf_counter() - began_s)
        time.sleep(1.0)
    intervals, first = [], []
    for number, picture in enumerate(pictures):
        shown_s = number * cycle_s
        within = [
            at_s - began_s - shown_s
            for at_s, label in arrived
            if label == picture.truth[0].label and 0 <= at_s - began_s - shown_s < cycle_s
        ]
        if within and number in recognized:
            intervals.append(within[0] * CAMERA_FPS)
            first.append((recognized[number] - shown_s) * CAMERA_FPS)
    return Delays(intervals, first, float(np.median(frame_ms)), signs - len(intervals))


def empty_room(studio: Studio) -> np.ndarray:
    """The studio's room without a hand: the mean colour of a frame, which shows nothing."""
    image_bgr = studio.frame(0).image_bgr
    return np.full_like(image_bgr, image_bgr.reshape(-1, 3).mean(axis=0).astype(np.uint8))


def camera(began_s: float, seconds: float) -> Iterator[int]:
    """The numbers of a camera's frames as they are taken; those of the meantime are dropped, as by a webcam."""
    last = -1
    while (index := int((time.perf_counter() - began_s) * CAMERA_FPS)) < seconds * CAMERA_FPS:
        if index == last:
            time.sleep(max(0.0, began_s + (index + 1) / CAMERA_FPS - time.perf_counter()))
        else:
            last = index
            yield index


def measure_frame_times(frames: int, rounds: int) -> FrameTimes:
    """Run the same frames with no action and with a dead broker, in turns, so that other load hits all alike."""
    studio = Studio(TASK, SIZE_WH)
    images = [studio.frame(2 * index).image_bgr for index in range(frames)]
    times: dict[str, list[float]] = {"without": [], "refusing": [], "hanging": []}
    with opened(TASK) as pipeline, silent_server() as hanging_port:
        ports = {"without": None, "refusing": free_port(), "hanging": hanging_port}
        for _ in range(rounds):
            with ExitStack() as stack:
                sinks = {name: stack.enter_context(sink_with(port)) for name, port in ports.items()}
                for index, image_bgr in enumerate(images):
                    for turn in range(len(sinks)):
                        name = list(sinks)[(turn + index) % len(sinks)]
                        start_s = time.perf_counter()
                        sinks[name].write(pipeline.step(Frame(image_bgr, index, index / CAMERA_FPS, "studio")))
                        times[name].append(1000 * (time.perf_counter() - start_s))
    return FrameTimes(**times)


@contextmanager
def sink_with(port: int | None) -> Iterator[EventSink]:
    """A sink of events with one MQTT action; with none if `port` is None."""
    rules = [] if port is None else [rule(port)]
    with ActionRunner(lambda task: rules) as runner, EventSink(runner, on_task=runner.use_task) as sink:
        yield sink


def rule(port: int) -> Rule:
    return Rule(Mqtt(broker="127.0.0.1", port=port), ("*",), (Phase.APPEARED, Phase.GONE))


@contextmanager
def opened(task: str) -> Iterator[Pipeline]:
    with open_pipeline(task, default_models(), default_samples(), smooth=True) as pipeline:
        yield pipeline


def clip_lines() -> list[str]:
    """What fires on the clips and on pictures without a hand."""
    clips = [folder / "videos" for folder in paths.data_folders() if (folder / "videos").is_dir()]
    if not clips:
        return ["The clips were not measured: RECOGNIZER_DATA has no folder videos/."]
    rows = [
        [re.sub(r"_\d+x\d+\.mp4$", "", name), task, shown, " ".join(appeared_in(task, clips[0] / name)) or "nothing"]
        for name, (task, shown) in CLIPS.items()
        if (clips[0] / name).is_file()
    ]
    lines = ["Labels that appear, in order, on clips as a stream:", ""]
    lines += [table(["clip", "task", "signs shown", "labels that appeared"], rows)]
    pictures = sorted((clips[0].parent / "photos" / "nothing").rglob("*.*"))
    for task in ("rps", "letters") if pictures else ():
        fired = appeared_on_stills(task, pictures)
        lines += [
            f"{len(pictures)} pictures without a hand, each held for {STILL_S:g} s, with `{task}`: "
            f"{' '.join(fired) or 'nothing'} appeared.",
            "",
        ]
    return lines[:-1]


def appeared_in(task: str, clip: Path) -> list[str]:
    """The labels that appear in a clip, in order."""
    detector = EventDetector()
    with opened(task) as pipeline, open_source(str(clip)) as source:
        events = [event for frame in source for event in detector.update(pipeline.step(frame))]
    return [event.label for event in events if event.phase == Phase.APPEARED]


def appeared_on_stills(task: str, pictures: Sequence[Path]) -> list[str]:
    """The labels that appear while each picture is held before the camera."""
    detector = EventDetector()
    labels: list[str] = []
    with opened(task) as pipeline:
        count = round(STILL_FPS * STILL_S)
        for number, path in enumerate(pictures):
            image_bgr = read_image(str(path))
            for index in range(number * count, (number + 1) * count):
                frame = Frame(image_bgr, index, index / STILL_FPS, "stills")
                labels += [
                    event.label for event in detector.update(pipeline.step(frame)) if event.phase == Phase.APPEARED
                ]
    return labels


@contextmanager
def running_broker() -> Iterator[int]:
    """The port of a mosquitto of its own. Raises SettingsError if it is not installed."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise SettingsError(
            "This measurement needs mosquitto, which was not found. Install it: sudo apt install mosquitto"
        )
    port = free_port()
    process = subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_for(condition: Callable[[], bool]) -> None:
    """Raises SettingsError after START_S seconds."""
    end_s = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > end_s:
            raise SettingsError(
                f"mosquitto did not answer in {START_S:g} s. Look whether it starts by itself: mosquitto -v"
            )
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
