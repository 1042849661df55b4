"""Routes of single pictures: recognize one, and convert one for browsers that cannot show it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from recognizer.serve.http.uploads import PICTURE_BODY, Picture
from recognizer.serve.routes.app_state import KnownTask, State
from recognizer.serve.routes.schemas import PredictResponse
from recognizer.serve.workers.worker import Worker

router = APIRouter(tags=["pictures"])

JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "The picture"}}


@router.post("/v1/predict", openapi_extra=PICTURE_BODY)
async def predict(
    state: State,
    picture: Picture,
    task: KnownTask,
    images: Annotated[bool, Query(description="add the model's input image of each region")] = False,
) -> PredictResponse:
    """Detect and classify the regions of a picture, in reading order. The picture is the body, or the file of a form."""
    answer = await state.pool.call(Worker.predict, picture, task, images)
    state.metrics.observe_stages(answer["stages_ms"])
    return PredictResponse.model_validate(answer)


@router.post("/v1/convert", openapi_extra=PICTURE_BODY, response_class=Response, responses=JPEG)
async def convert(state: State, picture: Picture) -> Response:
    """The picture as a JPEG, turned upright: for HEIC pictures of a phone, which most browsers cannot show."""
    return Response(await state.pool.call(Worker.convert, picture), media_type="image/jpeg")
