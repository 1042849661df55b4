"""The computer's hands in rock, paper, scissors, drawn."""

from functools import lru_cache

import cv2
import numpy as np

from recognizer.studio.drawn_hands import draw_hand


@lru_cache(maxsize=12)
def hand_picture(sign: str, height: int) -> np.ndarray:
    """The computer's hand, (height, w, 4) uint8 BGRA, premultiplied alpha."""

    sign_of = {"rock": "S", "paper": "open", "scissors": "V"}
    hand = draw_hand(
        sign_of[sign],
        side="right",
        skin_bgr=(196, 180, 170),  # grey, unlike any skin
        sleeve_bgr=(90, 70, 58),
        px_per_mm=max(0.3, height / 200),
        rng=np.random.default_rng(0),
        arm_mm=40,
    )
    low, high = hand.joints[:, :2].min(axis=0), hand.joints[:, :2].max(axis=0)
    edge = 0.1 * float((high - low).max())
    (x1, y1), (x2, y2) = np.maximum(low - edge, 0).astype(int), (high + edge).astype(int)
    part = hand.image_bgra[y1:y2, x1:x2]
    return cv2.resize(
        part, (max(1, round(height * part.shape[1] / part.shape[0])), height), interpolation=cv2.INTER_AREA
    )
