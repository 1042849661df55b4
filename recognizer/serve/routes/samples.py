"""Samples: recorded, listed, shown, relabelled, deleted, and read again by the current model."""

from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Path, Query, Response
from fastapi.concurrency import run_in_threadpool

from recognizer.samples.sample import Sample
from recognizer.serve.sample_index import Reading
from recognizer.serve.schemas import (
    Confusion,
    Label,
    ReadAgain,
    Relabelling,
    SampleAdded,
    SampleId,
    SampleSeen,
    SamplesSeen,
    SessionName,
)
from recognizer.serve.service import Here, Service, TaskAsked
from recognizer.serve.uploads import PICTURE_BODY, Picture
from recognizer.serve.workers.worker import Desk

router = APIRouter(tags=["samples"])

PAGE_LIMIT = 500  # samples of one answer
READ_LIMIT = 2000  # samples that are read again, the newest: ten seconds of one core
READ_AT_ONCE = 8  # between them, others have their turn
SIDE_RANGE = (16, 512)  # pixels of a picture that is asked for smaller
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The picture"}}

ThisSample = Annotated[SampleId, Path(description="as GET /v1/samples tells it")]


@router.post("/v1/samples", status_code=201, openapi_extra=PICTURE_BODY)
async def add(
    here: Here, picture: Picture, task: TaskAsked, label: Label, session: SessionName | None = None
) -> SampleAdded:
    """Record what the picture shows: the largest region that is found in it, the nearer to the middle the better."""
    words = (picture, task, label, session or here.session, "browser" if session else "http")
    sample, hints = await here.readers.call(Desk.add_sample, *words)
    return SampleAdded(**_seen(sample).model_dump(), **hints)


@router.get("/v1/samples")
def samples(
    here: Here,
    task: TaskAsked,
    label: Label | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
) -> SamplesSeen:
    """A task's samples, the newest first."""
    found = here.shelf.all(task, label)[::-1]
    return SamplesSeen(total=len(found), samples=[_seen(sample) for sample in found[offset : offset + limit]])


@router.get("/v1/samples/{sample_id}")
def sample(here: Here, sample_id: ThisSample) -> SampleSeen:
    """One sample."""
    return _seen(here.shelf.get(sample_id))


@router.get("/v1/samples/{sample_id}/picture", response_class=Response, responses=PNG)
def picture(
    here: Here, sample_id: ThisSample, side: Annotated[int | None, Query(ge=SIDE_RANGE[0], le=SIDE_RANGE[1])] = None
) -> Response:
    """Its picture; with `side`, no larger than that many pixels."""
    picture_bgr = here.shelf.store.picture(here.shelf.get(sample_id))
    _, png = cv2.imencode(".png", picture_bgr if side is None else _no_larger(picture_bgr, side))
    return Response(png.tobytes(), media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.patch("/v1/samples/{sample_id}")
def relabel(here: Here, sample_id: ThisSample, relabelling: Relabelling) -> SampleSeen:
    """Give it another label of its task."""
    here.shelf.store.relabel([here.shelf.get(sample_id)], relabelling.label)
    return _seen(here.shelf.get(sample_id))


@router.delete("/v1/samples/{sample_id}", status_code=204)
def delete(here: Here, sample_id: ThisSample) -> None:
    """Remove it."""
    here.shelf.store.delete([here.shelf.get(sample_id)])


@router.get("/v1/confusion")
async def confusion(here: Here, task: TaskAsked) -> Confusion:
    """How the current model reads the task's samples, as a matrix and one by one."""
    everything = await run_in_threadpool(here.shelf.all, task)
    chosen = everything[-READ_LIMIT:]
    model = here.current(task)
    readings = await _read(here, task, model or "", chosen)
    read = [
        ReadAgain(id=one.id, label=one.label, read_as=label, confidence=confidence)
        for one, (label, confidence) in zip(chosen, readings, strict=True)
    ]
    own = here.shelf.store.task(task).labels if task in here.shelf.names() else ()
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


async def _read(here: Service, task: str, model: str, samples: list[Sample]) -> list[Reading]:
    """Label and confidence of each sample; those that were read before by this model are not read again."""
    unread = []
    for one in samples:
        try:
            here.shelf.reading(model, one)
        except KeyError:
            unread.append(one)
    for start in range(0, len(unread), READ_AT_ONCE):
        some = unread[start : start + READ_AT_ONCE]
        here.shelf.keep_readings(model, some, await here.readers.call(Desk.read_again, task, some))
    return [here.shelf.reading(model, one) or (None, 0.0) for one in samples]


def _no_larger(picture_bgr: np.ndarray, side: int) -> np.ndarray:
    height, width = picture_bgr.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture_bgr
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA)


def _seen(sample: Sample) -> SampleSeen:
    return SampleSeen(
        id=sample.id,
        task=sample.task,
        label=sample.label,
        session=sample.session,
        time=sample.time,
        source=sample.source,
        box=list(sample.box.xyxy),
        hand=sample.side or None,  # type: ignore[arg-type]  # left, right or ""
        picture=f"/v1/samples/{sample.id}/picture",
    )
