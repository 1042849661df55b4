"""Pictures for requests, and checks of responses."""

from typing import Any

import cv2
import httpx2 as httpx
import numpy as np

from tests.helpers.drawing import paper, write


def sheet(*digits: int, seed: int = 0, size_wh: tuple[int, int] = (480, 360)) -> np.ndarray:
    """Digits on paper, (H, W) uint8."""
    gray = paper(size_wh)
    for number, digit in enumerate(digits):
        write(gray, digit, (100 + 130 * number, 180), 120, seed=seed)
    return gray


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that the response is a problem with this status, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["what"]
    assert body["found"]
    assert body["remedy"]
    return body
