"""Reads the picture of a request: the body itself, or a file in a form."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from recognizer.serve.http.problems import Problem

FORM = "multipart/form-data"
FIELDS_LIMIT = 8
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "required": ["image"], "properties": {"image": _BINARY["schema"]}}}
# documented by hand: FastAPI cannot derive it from the function
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {**dict.fromkeys(("image/jpeg", "image/png", "image/webp"), _BINARY), FORM: _FORM},
    }
}


async def uploaded(request: Request) -> bytes:
    """The bytes of the request's picture. Raises Problem (422) if the form has no file."""
    if not request.headers.get("content-type", "").startswith(FORM):
        return await request.body()
    async with request.form(max_files=1, max_fields=FIELDS_LIMIT) as form:
        file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
        if file is None:
            raise Problem(
                422, "There is no picture", "a form without a file", "Send the picture in a field named image."
            )
        return await file.read()


Picture = Annotated[bytes, Depends(uploaded)]
