"""Routes of the browser page, of login with a token, and of monitoring."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from recognizer.serve.http.guard import cookie_name, is_same_token, note_refused
from recognizer.serve.http.sessions import SESSION_S
from recognizer.serve.routes.app_state import State
from recognizer.serve.routes.schemas import Health
from recognizer.studio.game_hands import hand_picture

PAGE = Path(__file__).resolve().parent.parent / "page"
HAND_SIDE = 240  # pixels, height of the computer's hand in the game
LEAVE = '<form id="leave"'  # the button to log out; without a token there is no log-in
ENTER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Recognizer</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/static/style.css">
<main class="enter"><h1>Recognizer</h1><p>{message}</p>
<form method="post" action="/enter"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button class="primary">Enter</button></form></main></html>"""

router = APIRouter()


@router.get("/", include_in_schema=False)
def page(state: State) -> Response:
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(text if state.settings.token else text.replace(LEAVE, f"{LEAVE} hidden"))


@router.get("/enter", include_in_schema=False)
def enter(state: State, request: Request, token: str = "") -> Response:
    """Log in with the URL that `serve` prints. The token is stored in a cookie."""
    return _log_in(state, request, token, "The terminal that runs the server shows the token.")


@router.post("/enter", include_in_schema=False)
def enter_form(state: State, request: Request, token: str = Form("")) -> Response:
    return _log_in(state, request, token, "That is not the token. The terminal that runs the server shows it.")


def _log_in(state: State, request: Request, given: str, message: str) -> Response:
    token = state.settings.token
    if token is None:
        return RedirectResponse("/", 303)
    if not is_same_token(given, token):
        if given:
            note_refused("a wrong token", request, state.metrics)
        return HTMLResponse(ENTER.format(message=message), 401)
    response = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    name = cookie_name(request, state.settings.port)
    response.set_cookie(name, state.sessions.start(), SESSION_S, httponly=True, samesite="lax", secure=secure)
    return response


@router.post("/leave", include_in_schema=False)
async def leave(state: State, request: Request) -> Response:
    """Log out: end the session of the browser."""
    name = cookie_name(request, state.settings.port)
    state.sessions.end(request.cookies.get(name, ""))
    response = RedirectResponse("/enter", 303)
    response.delete_cookie(name, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return response


@router.get("/hands/{sign}.png", include_in_schema=False)
def game_hand(sign: Literal["rock", "paper", "scissors"]) -> Response:
    """The computer's hand in the game, a PNG with transparency."""
    hand_bgra = hand_picture(sign, HAND_SIDE).astype(np.float32)  # premultiplied, which PNG is not
    hand_bgra[..., :3] *= 255 / np.maximum(hand_bgra[..., 3:], 1)
    _, data = cv2.imencode(".png", np.clip(hand_bgra, 0, 255).astype(np.uint8))
    return Response(data.tobytes(), media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/healthz", tags=["watching"])
async def healthz() -> Health:  # needs no thread: all of them may be waiting for a lock
    """Health check. Needs no model and no token."""
    return Health()


@router.get("/metrics", tags=["watching"], response_class=PlainTextResponse)
def metrics(state: State) -> Response:
    """Metrics in the text format of Prometheus."""
    state.metrics.streams.set(state.pool.streams)
    state.metrics.waiting.set(state.pool.waiting)
    state.metrics.jobs.set(sum(job.state == "running" for job in state.jobs.all()))
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
