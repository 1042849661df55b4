"""POST /v1/predict: recognizes a picture."""

from typing import Annotated

from fastapi import APIRouter, Query

from recognizer.serve.http.uploads import PICTURE_BODY, Picture
from recognizer.serve.routes.app_state import KnownTask, State
from recognizer.serve.routes.schemas import PredictResponse
from recognizer.serve.workers.worker import Worker

router = APIRouter(tags=["pictures"])


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
