"""Routes of the browser page, of login with a token, and of monitoring."""

from pathlib import Path

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from recognizer.serve.http.guard import cookie_name, is_same_token
from recognizer.serve.routes.app_state import State
from recognizer.serve.routes.schemas import Health

PAGE = Path(__file__).resolve().parent.parent / "page"
COOKIE_S = 30 * 24 * 3600
ENTER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Recognizer</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/static/style.css">
<main class="enter"><h1>Recognizer</h1><p>{message}</p>
<form method="post" action="/enter"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button class="primary">Enter</button></form></main></html>"""

router = APIRouter()


@router.get("/", include_in_schema=False)
def page() -> Response:
    return FileResponse(PAGE / "index.html")


@router.get("/enter", include_in_schema=False)
def enter(state: State, request: Request, token: str = "") -> Response:
    """Log in with the URL that `serve` prints. The token is stored in a cookie."""
    return _log_in(state, request, token, "The terminal that runs the server shows the token.")


@router.post("/enter", include_in_schema=False)
def enter_form(state: State, request: Request, token: str = Form("")) -> Response:
    return _log_in(state, request, token, "That is not the token. The terminal that runs the server shows it.")


def _log_in(state: State, request: Request, given: str, message: str) -> Response:
    token = state.settings.token
    if token is not None and not is_same_token(given, token):
        return HTMLResponse(ENTER.format(message=message), 401)
    response = RedirectResponse("/", 303)
    if token is not None:
        secure = request.url.scheme == "https"
        name = cookie_name(state.settings.port)
        response.set_cookie(name, token, COOKIE_S, httponly=True, samesite="lax", secure=secure)
    return response


@router.get("/healthz", tags=["watching"])
def healthz() -> Health:
    """Health check. Needs no model and no token."""
    return Health()


@router.get("/metrics", tags=["watching"], response_class=PlainTextResponse)
def metrics(state: State) -> Response:
    """Metrics in the text format of Prometheus."""
    state.metrics.streams.set(state.pool.streams)
    state.metrics.waiting.set(state.pool.waiting)
    state.metrics.jobs.set(sum(job.state == "running" for job in state.jobs.all()))
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
