"""Reads the picture of a request: the body itself, a file in a form, or text that holds it in base64."""

import base64
import binascii
import json
import re
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from recognizer.serve.http.problems import Problem

FORM, JSON = "multipart/form-data", "application/json"
KINDS = ("image/jpeg", "image/png", "image/webp", "image/heic")
FIELDS_LIMIT = 8
REMEDY = "Send the picture in a field named image."
PICTURE_STARTS = (b"\xff\xd8", b"\x89PNG", b"RIFF")  # JPEG, PNG, WebP
_DATA_URL = re.compile(rb"data:[^,]{0,100};base64,", re.IGNORECASE)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "required": ["image"], "properties": {"image": _BINARY["schema"]}}}
_TEXT = {"type": "string", "description": "base64, or a data: URL"}
_JSON = {"schema": {"type": "object", "required": ["image"], "properties": {"image": _TEXT}}}
# documented by hand: FastAPI cannot derive it from the function
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys(("image/jpeg", "image/png", "image/webp", "image/heic"), _BINARY),
            FORM: _FORM,
            JSON: _JSON,
        },
    }
}


async def uploaded(request: Request) -> bytes:
    """The bytes of the request's picture. Raises Problem (422) if the form or the JSON has none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        return await _in_form(request)
    body = await request.body()
    return from_text(_in_json(body) if kind == JSON and not body.startswith(PICTURE_STARTS) else body)


def from_text(data: bytes) -> bytes:
    """The picture in base64 or a data: URL. Anything else is returned unchanged."""
    start = _DATA_URL.match(data[:200].lstrip())
    text = data.lstrip()[start.end() :] if start else data
    if not start and data.startswith(PICTURE_STARTS):
        return data
    try:
        decoded = base64.b64decode(b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except binascii.Error:
        return data
    return decoded if start or decoded.startswith(PICTURE_STARTS) else data


async def _in_form(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=FIELDS_LIMIT) as form:
        for value in form.values():
            if isinstance(value, UploadFile):
                return from_text(await value.read())
            if (picture := from_text(value.encode("utf-8", "surrogatepass"))).startswith(PICTURE_STARTS):
                return picture
    raise Problem(422, "There is no picture", "a form without a file", REMEDY)


def _in_json(body: bytes) -> bytes:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    text = content.get("image") if isinstance(content, dict) else content
    if not isinstance(text, str):
        raise Problem(422, "There is no picture", "JSON without an image", 'Send {"image": "the picture in base64"}.')
    return text.encode("utf-8", "surrogatepass")


Picture = Annotated[bytes, Depends(uploaded)]
