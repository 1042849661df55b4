"""POST /v1/predict: what a picture shows."""

from typing import Annotated

from fastapi import APIRouter, Query

from recognizer.serve.schemas import Answer
from recognizer.serve.service import Here, TaskAsked
from recognizer.serve.uploads import PICTURE_BODY, Picture
from recognizer.serve.workers.worker import Desk

router = APIRouter(tags=["pictures"])


@router.post("/v1/predict", openapi_extra=PICTURE_BODY)
async def predict(
    here: Here,
    picture: Picture,
    task: TaskAsked,
    images: Annotated[bool, Query(description="with what the network saw of each region")] = False,
) -> Answer:
    """What a picture shows: any number of regions, in reading order. The picture is the body, or the file of a form."""
    answer = await here.readers.call(Desk.predict, picture, task, images)
    here.metrics.read(answer["stages_ms"])
    return Answer.model_validate(answer)
