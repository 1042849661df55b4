"""Routes of samples: record, list, show, relabel, delete, and evaluate with the current model."""

import re
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Path, Query, Response
from fastapi.concurrency import run_in_threadpool

from recognizer.errors import SamplesError
from recognizer.samples.sample import Sample
from recognizer.serve.http.problems import Problem
from recognizer.serve.http.uploads import PICTURE_BODY, Picture
from recognizer.serve.routes.app_state import AppState, KnownTask, State
from recognizer.serve.routes.schemas import (
    AddedSampleInfo,
    Confusion,
    DeleteRequest,
    Label,
    RelabelRequest,
    SampleId,
    SampleInfo,
    SamplePage,
    SamplePrediction,
    SessionName,
    TrashEntryName,
)
from recognizer.serve.workers.sample_index import CachedPrediction
from recognizer.serve.workers.worker import Worker

router = APIRouter(tags=["samples"])

PAGE_LIMIT = 500  # samples in one response
CONFUSION_LIMIT = 2000  # newest samples that are evaluated: ten seconds on one core
PREDICT_BATCH = 8  # samples per call to a worker; other requests run between calls
SIDE_RANGE = (16, 512)  # pixels, allowed sides of a thumbnail
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The picture"}}

PathSampleId = Annotated[SampleId, Path(description="an id that GET /v1/samples lists")]


@router.post("/v1/samples", status_code=201, openapi_extra=PICTURE_BODY)
async def add(
    state: State, picture: Picture, task: KnownTask, label: Label, session: SessionName | None = None
) -> AddedSampleInfo:
    """Record a sample: the region of the picture that is large and near the centre."""
    fields = (picture, task, label, session or state.session, "browser" if session else "http")
    sample, hints = await state.pool.call(Worker.add_sample, *fields)
    return AddedSampleInfo(**_sample_info(sample).model_dump(), **hints)


@router.get("/v1/samples")
def samples(
    state: State,
    task: KnownTask,
    label: Label | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
) -> SamplePage:
    """The samples of a task, newest first."""
    found = state.sample_index.all(task, label)[::-1]
    return SamplePage(total=len(found), samples=[_sample_info(sample) for sample in found[offset : offset + limit]])


@router.get("/v1/samples/{sample_id}")
def sample(state: State, sample_id: PathSampleId) -> SampleInfo:
    """One sample."""
    return _sample_info(state.sample_index.get(sample_id))


@router.get("/v1/samples/{sample_id}/picture", response_class=Response, responses=PNG)
def picture(
    state: State, sample_id: PathSampleId, side: Annotated[int | None, Query(ge=SIDE_RANGE[0], le=SIDE_RANGE[1])] = None
) -> Response:
    """The picture of a sample. `side` limits its larger side, in pixels."""
    found = state.sample_index.get(sample_id)
    try:
        picture_bgr = state.sample_index.store.picture(found)
    except SamplesError as error:
        raise Problem(
            404, "The picture of the sample cannot be read", f"{sample_id!a}", "Delete the sample, or record it again."
        ) from error
    _, png = cv2.imencode(".png", picture_bgr if side is None else _shrunk(picture_bgr, side))
    return Response(png.tobytes(), media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.patch("/v1/samples/{sample_id}")
def relabel(state: State, sample_id: PathSampleId, request: RelabelRequest) -> SampleInfo:
    """Give the sample another label of its task."""
    state.sample_index.store.relabel([state.sample_index.get(sample_id)], request.label)
    return _sample_info(state.sample_index.get(sample_id))


@router.delete("/v1/samples/{sample_id}", status_code=204)
def delete(state: State, sample_id: PathSampleId) -> None:
    """Delete the sample: it goes to the trash."""
    state.sample_index.delete([sample_id])


@router.post("/v1/samples/delete")
def delete_some(state: State, request: DeleteRequest) -> TrashEntryName:
    """Delete samples of one task. `POST /v1/trash/{entry}/restore` undoes it."""
    return TrashEntryName(entry=state.sample_index.delete(request.ids))


@router.post("/v1/samples/{sample_id}/restore", status_code=201)
def restore(state: State, sample_id: PathSampleId) -> SampleInfo:
    """Bring a deleted sample back from the trash, with all that was deleted together."""
    return _sample_info(state.sample_index.restore(sample_id))


@router.get("/v1/confusion")
async def confusion(state: State, task: KnownTask) -> Confusion:
    """The confusion matrix of the current model on the task's samples, and each prediction."""
    everything = await run_in_threadpool(state.sample_index.all, task)
    chosen = everything[-CONFUSION_LIMIT:]
    model = state.current(task)
    predictions = await _predictions(state, task, model or "", chosen)
    read = [_sample_prediction(one, predictions.get(one.id)) for one in chosen]
    own = state.sample_index.store.task(task).labels if task in state.sample_index.names() else ()
    labels = list(dict.fromkeys([*own, *(one.label for one in read), *(one.read_as for one in read if one.read_as)]))
    places = {label: place for place, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels) + 1), int)
    for one in read:
        counts[places[one.label], -1 if one.read_as is None else places[one.read_as]] += 1
    return Confusion(
        task=task,
        model=model,
        labels=labels,
        counts=counts.tolist(),
        samples=read,
        left_out=len(everything) - len(chosen),
    )


async def _predictions(
    state: AppState, task: str, model: str, samples: list[Sample]
) -> dict[str, CachedPrediction | None]:
    """Label and confidence of each sample by id; None if its picture cannot be read."""
    index = state.sample_index
    predictions: dict[str, CachedPrediction | None] = {**await run_in_threadpool(index.cached, model, samples)}
    missing = [one for one in samples if one.id not in predictions]
    for start in range(0, len(missing), PREDICT_BATCH):
        some = missing[start : start + PREDICT_BATCH]
        found = await state.pool.call(Worker.predict_samples, task, some)
        index.cache(model, some, found)
        predictions |= {one.id: prediction for one, prediction in zip(some, found, strict=True)}
    return predictions


def _sample_prediction(sample: Sample, prediction: CachedPrediction | None) -> SamplePrediction:
    label, confidence = prediction or (None, 0.0)
    return SamplePrediction(
        id=sample.id, label=sample.label, read_as=label, confidence=confidence, readable=prediction is not None
    )


def _shrunk(picture_bgr: np.ndarray, side: int) -> np.ndarray:
    height, width = picture_bgr.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture_bgr
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA)


def _sample_info(sample: Sample) -> SampleInfo:
    return SampleInfo(
        id=sample.id,
        task=sample.task,
        label=sample.label,
        session=sample.session,
        time=sample.time,
        source=re.split(r"[/\\]", sample.source)[-1],  # an import may have stored the path of a file
        box=list(sample.box.xyxy),
        hand=sample.side or None,  # type: ignore[arg-type]  # left, right or ""
        moving_s=sample.moving_s,
        picture=f"/v1/samples/{sample.id}/picture",
    )
