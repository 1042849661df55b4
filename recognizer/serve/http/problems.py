"""Errors as JSON: RFC 9457's problem details, with what happened, what was found and what to do."""

import os
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from recognizer.errors import (
    AssetError,
    DiskFullError,
    ExportError,
    ModelError,
    RecognizerError,
    SamplesError,
    SettingsError,
    SourceError,
    StorageError,
    SyncError,
)

MEDIA_TYPE = "application/problem+json"
FOUND_LIMIT = 300  # characters of a client's input that are repeated in an error

STATUS_AND_WHAT: dict[type[RecognizerError], tuple[int, str, str]] = {
    DiskFullError: (507, "The disk is nearly full", "Free some space on the server."),
    StorageError: (503, "The server's files cannot be read or written", "Try again later."),
    SyncError: (503, "The URL of the samples or models cannot be used", "Try again later."),
    SettingsError: (404, "There is no such task", "GET /v1/tasks lists them."),
    SourceError: (422, "The picture cannot be read", "Send a JPEG, PNG or WebP picture."),
    SamplesError: (422, "The samples could not be changed or read", "GET /v1/tasks lists the tasks and their labels."),
    ModelError: (409, "The task's model cannot be used", "Train the task again, or go back to the previous model."),
    ExportError: (409, "The model cannot be exported", "Choose another export, or run: python -m recognizer export"),
    AssetError: (409, "A file that the task needs is missing", "Run: python -m recognizer doctor"),
}


class Problem(HTTPException):
    """An error response. Pickling passes its four arguments between processes."""

    def __init__(self, status: int, what: str, found: str, remedy: str) -> None:
        super().__init__(status, what)
        self.args = (status, what, found, remedy)
        self.body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "what": what,
            "found": found[:FOUND_LIMIT],
            "remedy": remedy,
        }


class ProblemBody(BaseModel):
    """An error in the format of RFC 9457, with three more members."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="the HTTP status in words", examples=["Not Found"])
    status: int = Field(examples=[404])
    what: str = Field(description="what happened", examples=["There is no such task"])
    found: str = Field(description="what was found", examples=["chess"])
    remedy: str = Field(description="what to do", examples=["GET /v1/tasks lists them."])
    fields: dict[str, str] | None = Field(None, description="why each invalid parameter or member is not valid")


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": ProblemBody,
        "description": "What happened, what was found, what to do",
        "content": {MEDIA_TYPE: {}},
    },
    "5XX": {
        "model": ProblemBody,
        "description": "An error of the server, in the same format",
        "content": {MEDIA_TYPE: {}},
    },
}


def problem_of(error: RecognizerError, folders: Iterable[Path] = ()) -> Problem:
    """Convert an error to a Problem, without these folders of the server. The last sentence of its message is the remedy."""
    kind = next((kind for kind in STATUS_AND_WHAT if isinstance(error, kind)), RecognizerError)
    status, what, remedy = STATUS_AND_WHAT.get(kind, (500, "The recognizer cannot do that", "See the server's log."))
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z])", without_folders(str(error), folders))
    if len(sentences) > 1:
        *sentences, remedy = sentences
    return Problem(status, what, " ".join(sentences), remedy)


def without_folders(text: str, folders: Iterable[Path]) -> str:
    """The text with paths inside these folders relative to them: clients need not know where the server's files are."""
    for folder in sorted(map(str, folders), key=len, reverse=True):
        if len(folder) > 1:
            text = text.replace(folder + os.sep, "").replace(folder, os.path.basename(folder))
    return text


def failure(request: str, error: Exception) -> Problem:
    """The Problem of an error that nobody expected."""
    return Problem(500, "The server failed", f"{request}: {type(error).__name__}", "The server's terminal shows more.")


def response_of(problem: Problem) -> JSONResponse:
    is_short = problem.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse(
        problem.body, problem.status_code, {"Retry-After": "1"} if is_short else None, media_type=MEDIA_TYPE
    )


def _reason(error: dict[str, Any]) -> str:
    """Pydantic's message. That of a function of ours is the error that it has raised."""
    return str(error["ctx"]["error"]) if error["type"] == "value_error" else error["msg"]


def add_error_handlers(app: FastAPI, folders: Iterable[Path]) -> None:
    """Make the app answer every error with a Problem, without these folders of the server."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error, Problem):
            return response_of(error)
        texts = {
            404: ("There is nothing at this address", "The addresses are at /docs."),
            405: ("This address does not take that method", "The methods are at /docs."),
        }
        what, remedy = texts.get(error.status_code, ("The request cannot be understood", "See /docs."))
        found = f"{request.method} {request.url.path}"
        if error.status_code not in texts:
            found = f"{found}: {error.detail}"
        response = response_of(Problem(error.status_code, what, found, remedy))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        found = f"{place}: {_reason(first)}"
        if isinstance(first.get("input"), str | int | float | None):
            found += f", not {first.get('input')!a}"
        problem = Problem(422, "The request is not valid", found, "The valid parameters are at /docs.")
        problem.body["fields"] = {str(one["loc"][1]): _reason(one) for one in error.errors() if len(one["loc"]) > 1}
        return response_of(problem)

    @app.exception_handler(RecognizerError)
    async def recognizer_error(request: Request, error: RecognizerError) -> JSONResponse:
        return response_of(problem_of(error, folders))

    @app.exception_handler(ClientDisconnect)
    async def client_left(request: Request, error: ClientDisconnect) -> JSONResponse:
        return response_of(Problem(400, "The body did not arrive", "the connection was closed", "Send it again."))

    @app.exception_handler(Exception)
    async def unexpected_error(request: Request, error: Exception) -> JSONResponse:
        return response_of(failure(f"{request.method} {request.url.path}", error))
