"""What a process that reads pictures does: one call at a time, since neither LiteRT nor MediaPipe can do two at once."""

import base64
import os
import signal
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import cv2
import numpy as np

from recognizer.hot_swap import LivePipeline
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.preprocess import sharpness
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.sample import Sample
from recognizer.samples.store import Samples
from recognizer.samples.synced import open_samples
from recognizer.serve.problems import Problem
from recognizer.serve.workers.pictures import picture_of
from recognizer.subjects.catalogue import subject_of
from recognizer.tasks import is_untaught, task_to_record
from recognizer.teaching.recording import SIMILAR_KEPT, shown_region
from recognizer.values import Frame, Observation, Prediction, as_json

Words = TypeVarTuple("Words")
Answer = TypeVar("Answer")

TASKS_OPEN = 6  # pipelines for single pictures; those of hands hold 100 MB each
SESSIONS_KEPT = 20  # whose last samples are kept in mind, for the hint that another one shows nothing new


@dataclass
class Stream:
    """One client's frames: their own pipeline, since a smoother and MediaPipe follow what moves from frame to frame."""

    live: LivePipeline
    notices: list[str] = field(default_factory=list)
    frames: int = 0


class Desk:
    """Reads pictures that come as bytes and answers with what can be told as JSON. Raises Problem and RecognizerError."""

    def __init__(self, models: ModelStore, samples: Samples) -> None:
        self._models = models
        self._samples = samples
        self._pipelines: OrderedDict[str, Pipeline] = OrderedDict()
        self._streams: dict[str, Stream] = {}
        self._seen: OrderedDict[str, deque[np.ndarray]] = OrderedDict()

    def warm(self, task: str) -> None:
        """Open a task before anybody asks."""
        self._pipeline(task).step(Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0, "warm-up"))

    def predict(self, data: bytes, task: str, images: bool) -> dict[str, Any]:
        """What one picture shows; with `images`, what the network saw of each region."""
        pipeline = self._pipeline(task)
        observation, decode_ms = self._observe(pipeline, data)
        return _answer(observation, pipeline.folder, decode_ms, images=images)

    def step(self, stream: str, task: str, data: bytes, time_s: float) -> dict[str, Any]:
        """What one frame of a stream shows. The stream is opened with its first frame; another task opens beside it."""
        began_s = time.perf_counter()
        frame_bgr = picture_of(data)
        decode_ms = 1000 * (time.perf_counter() - began_s)
        opened = self._stream(stream, task)
        observation = opened.live.step(Frame(frame_bgr, opened.frames, time_s, "stream"))
        opened.frames += 1
        answer = _answer(observation, opened.live.folder, decode_ms, images=True)
        notices, opened.notices[:] = list(opened.notices), []
        guide = observation.guide
        return {**answer, "guide": None if guide is None else list(guide.xyxy), "notices": notices}

    def close_stream(self, stream: str) -> None:
        opened = self._streams.pop(stream, None)
        if opened is not None:
            opened.live.close()

    def add_sample(
        self, data: bytes, task: str, label: str, session: str, source: str
    ) -> tuple[Sample, dict[str, Any]]:
        """Store what is being held to the camera in the picture, and what to mind about it."""
        home = task_to_record(self._samples, self._models, task)
        observation, _ = self._observe(self._pipeline(task), data)
        region = shown_region(observation)
        if region is None:
            word = subject_of(home.subject).word
            raise Problem(
                422, "Nothing was recorded", f"no {word} in the picture", f"Show the {word} and send it again."
            )
        sample = self._samples.add(home.name, label, region, observation.frame, session, source)
        return sample, {
            "blurred": sharpness.sharpness(region.crop) < sharpness.BLURRED,
            **self._seen_before(session, region.crop),
        }

    def read_again(self, task: str, samples: Sequence[Sample]) -> list[tuple[str | None, float] | None]:
        """Label and confidence that the current model gives to each sample; None where nothing is found in it."""
        pipeline = self._pipeline(task)
        said: list[tuple[str | None, float] | None] = []
        for sample in samples:
            region = pipeline.subject.region_of(self._samples.picture(sample), sample.box, sample.hand)
            if region is None:
                said.append(None)
                continue
            prediction = pipeline.classifier.predict([pipeline.subject.prepare(region)])[0]
            said.append((prediction.label, prediction.confidence))
        return said

    def close(self) -> None:
        for name in list(self._streams):
            self.close_stream(name)
        while self._pipelines:
            self._pipelines.popitem()[1].close()

    def _observe(self, pipeline: Pipeline, data: bytes) -> tuple[Observation, float]:
        """What a single picture shows, and the milliseconds of its decoding."""
        began_s = time.perf_counter()
        frame = Frame(picture_of(data), 0, 0.0, "picture")
        decode_ms = 1000 * (time.perf_counter() - began_s)
        return pipeline.step(frame), decode_ms

    def _pipeline(self, task: str) -> Pipeline:
        """The pipeline for single pictures with the task's current version, opened anew where that has changed."""
        opened = self._pipelines.get(task)
        if opened is not None:
            untaught = is_untaught(task, self._models, self._samples)
            current = None if untaught else self._models.current(task)
            if opened.folder == current:
                self._pipelines.move_to_end(task)
                return opened
            self._pipelines.pop(task).close()
        pipeline = self._pipelines[task] = open_pipeline(task, self._models, self._samples, smooth=False)
        while len(self._pipelines) > TASKS_OPEN:
            self._pipelines.popitem(last=False)[1].close()
        return pipeline

    def _stream(self, name: str, task: str) -> Stream:
        opened = self._streams.get(name)
        if opened is None:
            notices: list[str] = []
            live = LivePipeline(task, self._models, self._samples, say=notices.append)
            opened = self._streams[name] = Stream(live, notices)
        elif opened.live.task != task:
            opened.live.open_task(task)
        return opened

    def _seen_before(self, session: str, crop: np.ndarray) -> dict[str, Any]:
        thumbnails = self._seen.setdefault(session, deque(maxlen=SIMILAR_KEPT))
        self._seen.move_to_end(session)
        while len(self._seen) > SESSIONS_KEPT:
            self._seen.popitem(last=False)
        own = sharpness.thumbnail(crop)
        seen = any(sharpness.difference(own, other) < sharpness.DUPLICATE_LEVELS for other in thumbnails)
        thumbnails.append(own)
        return {"seen_before": seen}


def _answer(observation: Observation, folder: Path | None, decode_ms: float, *, images: bool) -> dict[str, Any]:
    answer = as_json(observation)
    for told, region, prediction in zip(answer["regions"], observation.regions, observation.predictions, strict=True):
        if region.hand is not None:
            told["joints"] = np.round(region.hand.landmarks[:, :2], 1).tolist()
        if images:
            told["image"] = _data_url(prediction)
    height, width = observation.frame.image_bgr.shape[:2]
    stages_ms = {"decode": decode_ms, **observation.stages_ms}
    return {
        "task": observation.task,
        "model": None if folder is None else folder.name,
        "size": [width, height],
        **answer,
        "stages_ms": {stage: round(cost_ms, 2) for stage, cost_ms in stages_ms.items()},
    }


def _data_url(prediction: Prediction) -> str:
    _, png = cv2.imencode(".png", prediction.image)
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()


_desk: Desk | None = None  # of this process


def open_desk(models_folder: Path, samples_folder: Path, threads: int) -> None:
    """Begin a process of pictures. It is the parent that Ctrl-C stops, and without it the process ends."""
    global _desk
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    cv2.setNumThreads(threads)
    _desk = Desk(open_models(models_folder), open_samples(samples_folder))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def at_desk(call: Callable[[Desk, *Words], Answer], *words: *Words) -> Answer:
    """The answer of a method of Desk, called on the desk of this process."""
    assert _desk is not None
    return call(_desk, *words)
