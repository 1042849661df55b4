"""Code of a worker process. It runs one call at a time, because LiteRT and MediaPipe are not thread-safe."""

import base64
import faulthandler
import os
import signal
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import cv2
import numpy as np

from recognizer.errors import SamplesError
from recognizer.event_detection.detector import EventDetector
from recognizer.hot_swap import LivePipeline
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.preprocess import sharpness
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import open_samples
from recognizer.serve.http.problems import Problem
from recognizer.serve.workers.pictures import decode_picture, to_jpeg
from recognizer.spelling.remote import RemoteSpelling
from recognizer.spelling.words import labels_of
from recognizer.subjects.catalogue import subject_of
from recognizer.tasks import is_untrained, task_to_record
from recognizer.teaching.recording import RECENT_THUMBNAILS, main_region
from recognizer.values import Frame, Observation, Prediction, as_json

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

TASKS_OPEN = 6  # pipelines for single pictures; one of a hand task needs 100 MB
PICTURE_S = 30.0  # time for one picture; then this process ends, and the pool starts another
LOCK_WAIT_S = 1.0  # for the lock of the samples: meanwhile the worker reads no pictures
SESSIONS_LIMIT = 20  # sessions whose last thumbnails are stored, to detect near-duplicates


@dataclass
class Stream:
    """The stream of one client. It has its own pipeline, because smoothing and MediaPipe use earlier frames."""

    live: LivePipeline
    spelling: RemoteSpelling
    notices: list[str] = field(default_factory=list)
    events: EventDetector = field(default_factory=EventDetector)
    frames: int = 0


class Worker:
    """Recognizes encoded pictures and returns JSON objects. All methods may raise Problem and RecognizerError."""

    def __init__(self, models: ModelStore, samples: Samples, picture_s: float = PICTURE_S) -> None:
        self._picture_s = picture_s
        self._null = os.open(os.devnull, os.O_WRONLY)
        self._models = models
        self._samples = samples
        self._pipelines: OrderedDict[str, Pipeline] = OrderedDict()
        self._streams: dict[str, Stream] = {}
        self._recent: OrderedDict[str, deque[np.ndarray]] = OrderedDict()

    def warm(self, task: str) -> None:
        """Load a task's model in advance."""
        self._pipeline(task).step(Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "warm-up"))

    def convert(self, data: bytes) -> bytes:
        """The picture as a JPEG, for browsers that cannot show its format."""
        with self.time_limit():
            return to_jpeg(data)

    def predict(self, data: bytes, task: str, images: bool) -> dict[str, Any]:
        """Recognize one picture. With `images`, add the model's input image of each region."""
        pipeline = self._pipeline(task)
        observation, decode_ms = self._observe(pipeline, data)
        return _response_of(observation, pipeline.folder, decode_ms, images=images)

    def step(self, stream: str, task: str, data: bytes, time_s: float, spelling: Sequence[str] = ()) -> dict[str, Any]:
        """Recognize one frame. The first frame opens the stream. A new task loads in the background.

        `spelling` are actions of RemoteSpelling. While it is on, the answer has the line in "spelled".
        """
        began_s = time.perf_counter()
        with self.time_limit():
            frame_bgr = decode_picture(data)
        decode_ms = 1000 * (time.perf_counter() - began_s)
        open_stream = self._stream(stream, task)
        with self.time_limit():
            observation = open_stream.live.step(Frame(frame_bgr, open_stream.frames, time_s, "stream"))
        open_stream.frames += 1
        response = _response_of(observation, open_stream.live.folder, decode_ms, images=True)
        for action in spelling:
            open_stream.spelling.act(action)
        if open_stream.spelling.is_on:
            response["spelled"] = open_stream.spelling.step(observation, labels_of(open_stream.live.folder))
        notices, open_stream.notices[:] = list(open_stream.notices), []
        guide = observation.guide
        return {
            **response,
            "guide": None if guide is None else list(guide.xyxy),
            "notices": notices,
            "events": [event.as_json() for event in open_stream.events.update(observation)],
        }

    def close_stream(self, stream: str) -> None:
        open_stream = self._streams.pop(stream, None)
        if open_stream is not None:
            open_stream.live.close()

    def add_sample(
        self, data: bytes, task: str, label: str, session: str, source: str
    ) -> tuple[Sample, dict[str, Any]]:
        """Store the region that the picture shows. Return the sample, and whether it is blurred or a near-duplicate."""
        stored_task = task_to_record(self._samples, self._models, task)
        observation, _ = self._observe(self._pipeline(task), data)
        region = main_region(observation)
        if region is None:
            word = subject_of(stored_task.subject).word
            raise Problem(
                422, "Nothing was recorded", f"no {word} in the picture", f"Show the {word} and send it again."
            )
        sample = self._samples.add(stored_task.name, label, region, observation.frame, session, source)
        return sample, {
            "blurred": sharpness.sharpness(region.crop) < sharpness.BLURRED,
            **self._duplicate_field(session, region.crop),
        }

    def predict_samples(self, task: str, samples: Sequence[Sample]) -> list[tuple[str | None, float] | None]:
        """Label and confidence of the current model for each sample: no label if nothing is detected in it.

        None for a sample whose picture is missing or damaged.
        """
        pipeline = self._pipeline(task)
        return [self._predict_sample(pipeline, sample) for sample in samples]

    def _predict_sample(self, pipeline: Pipeline, sample: Sample) -> tuple[str | None, float] | None:
        try:
            if sample.moving_s is not None:
                moved = pipeline.predict_movement(self._samples.movement(sample))
                return None if moved is None else (moved.label, moved.confidence)
            picture_bgr = self._samples.picture(sample)
        except SamplesError:
            return None
        with self.time_limit():
            region = pipeline.subject.region_of(picture_bgr, sample.box, sample.hand)
            if region is None:
                return None, 0.0
            prediction = pipeline.classifier.predict([pipeline.subject.prepare(region)])[0]
        return prediction.label, prediction.confidence

    @contextmanager
    def time_limit(self) -> Iterator[None]:
        """End this process if the block takes too long, even if a library hangs in it and holds Python's lock."""
        faulthandler.dump_traceback_later(self._picture_s, exit=True, file=self._null)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        for name in list(self._streams):
            self.close_stream(name)
        while self._pipelines:
            self._pipelines.popitem()[1].close()

    def _observe(self, pipeline: Pipeline, data: bytes) -> tuple[Observation, float]:
        """Recognize a single picture. Return the observation and the decoding time in milliseconds."""
        began_s = time.perf_counter()
        with self.time_limit():
            frame = Frame(decode_picture(data), 0, 0.0, "picture")
            decode_ms = 1000 * (time.perf_counter() - began_s)
            return pipeline.step(frame), decode_ms

    def _pipeline(self, task: str) -> Pipeline:
        """The pipeline for single pictures of a task. Reopened when the task's current version has changed."""
        cached = self._pipelines.get(task)
        if cached is not None:
            untrained = is_untrained(task, self._models, self._samples)
            current = None if untrained else self._models.current(task)
            if cached.folder == current:
                self._pipelines.move_to_end(task)
                return cached
            self._pipelines.pop(task).close()
        pipeline = self._pipelines[task] = open_pipeline(task, self._models, self._samples, smooth=False)
        while len(self._pipelines) > TASKS_OPEN:
            self._pipelines.popitem(last=False)[1].close()
        return pipeline

    def _stream(self, name: str, task: str) -> Stream:
        open_stream = self._streams.get(name)
        if open_stream is None:
            notices: list[str] = []
            live = LivePipeline(task, self._models, self._samples, notify=notices.append)
            open_stream = self._streams[name] = Stream(live, RemoteSpelling(notices.append), notices)
        elif open_stream.live.task != task:
            open_stream.live.open_task(task)
        return open_stream

    def _duplicate_field(self, session: str, crop: np.ndarray) -> dict[str, Any]:
        thumbnails = self._recent.setdefault(session, deque(maxlen=RECENT_THUMBNAILS))
        self._recent.move_to_end(session)
        while len(self._recent) > SESSIONS_LIMIT:
            self._recent.popitem(last=False)
        thumbnail = sharpness.thumbnail(crop)
        is_duplicate = sharpness.is_duplicate(thumbnail, thumbnails)
        thumbnails.append(thumbnail)
        return {"seen_before": is_duplicate}


def _response_of(observation: Observation, folder: Path | None, decode_ms: float, *, images: bool) -> dict[str, Any]:
    response = as_json(observation)
    for region_json, region, prediction in zip(
        response["regions"], observation.regions, observation.predictions, strict=True
    ):
        if region.hand is not None:
            region_json["joints"] = np.round(region.hand.landmarks[:, :2], 1).tolist()
        if images:
            region_json["image"] = _data_url(prediction)
    height, width = observation.frame.image_bgr.shape[:2]
    stages_ms = {"decode": decode_ms, **observation.stages_ms}
    return {
        "task": observation.task,
        "model": None if folder is None else folder.name,
        "size": [width, height],
        **response,
        "stages_ms": {stage: round(cost_ms, 2) for stage, cost_ms in stages_ms.items()},
    }


def _data_url(prediction: Prediction) -> str:
    _, png = cv2.imencode(".png", prediction.image)
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()


_worker: Worker | None = None  # of this process


def start_worker(models_folder: Path, samples_folder: Path, threads: int) -> None:
    """Initialize a worker process. It ignores Ctrl-C, which the parent handles, and exits when the parent does."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    cv2.setNumThreads(threads)
    samples = open_samples(samples_folder)
    samples.lock_wait_s = LOCK_WAIT_S
    _worker = Worker(open_models(models_folder), samples)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_in_worker(call: Callable[[Worker, *Args], Result], *args: *Args) -> Result:
    """Call a method of this process's Worker."""
    assert _worker is not None
    return call(_worker, *args)
