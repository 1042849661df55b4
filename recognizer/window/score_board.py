"""The score of rock, paper, scissors, as drawn in the window."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from recognizer.overlay.drawing import (
    ALERT,
    BOLD,
    INK,
    KNOWN,
    MUTED,
    PAPER,
    Color,
    Scale,
    draw_panel,
    draw_text,
    fits_frame,
    overlaps_any,
    shortened,
    text_width,
)
from recognizer.overlay.overlay import place_banner
from recognizer.studio.drawn_hands import draw_hand
from recognizer.values import Box
from recognizer.window.game import RockPaperScissors, Round


class ScoreBoard:
    """An overlay `extra` that draws the score and result, the countdown, and the computer's hand."""

    def __init__(self, game: RockPaperScissors) -> None:
        self._game = game
        self._shown: Round | None = None
        self._left = False  # side of the computer's hand; changes only if the user's hand is there

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        """Draws into the (H, W, 3) uint8 BGR picture, in place; returns the places of its panels."""
        game = self._game
        if game.last is not None:
            if game.last is not self._shown:
                self._left = bool(boxes) and boxes[0].center_xy[0] > scale.width / 2
            here, there = (opponent_place(game.last.theirs, left, scale) for left in (self._left, not self._left))
            if overlaps_any(here, boxes) and not overlaps_any(there, boxes):
                self._left = not self._left
        self._shown = game.last
        drawn = [draw_score(picture, game, scale, panels)]
        if game.count is not None:
            word = str(game.count) if game.count else "shoot!"
            drawn.append(draw_count(picture, word, scale, [*panels, *drawn]))
        if game.last is not None:
            drawn.append(draw_opponent(picture, game.last.theirs, self._left, scale, [*panels, *drawn]))
        return [place for place in drawn if place is not None]


def result_line(game: RockPaperScissors) -> tuple[str, Color]:
    """The status line of the game, and its colour."""
    if game.winner:
        return ("You win the match" if game.winner == "you" else "The computer wins the match"), PAPER
    if game.running:
        return "rock, paper, scissors …", MUTED
    if game.last is None:
        return "Space starts a round", MUTED
    yours, theirs = game.last.yours, game.last.theirs
    return {
        "won": (f"You win: {yours} beats {theirs}", KNOWN),
        "lost": (f"Computer wins: {theirs} beats {yours}", PAPER),
        "drawn": (f"Draw: both {theirs}", PAPER),
        "void": ("Show rock, paper or scissors", ALERT),
    }[game.last.outcome]


def draw_score(picture: np.ndarray, game: RockPaperScissors, scale: Scale, panels: Sequence[Box | None]) -> Box | None:
    """Draws the score and the status line at the bottom centre, above any panels there."""
    score = f"you {game.wins} : {game.losses} computer"
    limit = scale.width - 4 * scale.pad
    size = round(1.4 * scale.text)
    words, color = result_line(game)
    line = shortened(words, limit - 2 * scale.pad, scale.text, BOLD)
    width = max(text_width(score, size, BOLD), text_width(line, scale.text, BOLD), limit // 3) + 4 * scale.pad
    height = round(1.4 * size + 1.5 * scale.text) + scale.pad
    x, bottom = (scale.width - width) // 2, scale.height - scale.pad
    place = Box(x, bottom - height, x + width, bottom)
    for panel in panels:
        if panel is not None and overlaps_any(place, [panel]):
            place = Box(x, panel.y1 - scale.pad - height, x + width, panel.y1 - scale.pad)
    if not fits_frame(place, scale):
        return None
    draw_panel(picture, place, scale)
    middle = (place.x1 + place.x2) // 2
    y = place.y1 + scale.pad // 2 + round(0.7 * size)
    draw_text(picture, score, middle - text_width(score, size, BOLD) // 2, y, size, PAPER, BOLD)
    y += round(0.7 * size + 0.75 * scale.text)
    draw_text(picture, line, middle - text_width(line, scale.text, BOLD) // 2, y, scale.text, color, BOLD)
    return place


def draw_count(picture: np.ndarray, word: str, scale: Scale, panels: Sequence[Box | None]) -> Box | None:
    """Draws the number of the countdown, or "shoot!", large at the top centre."""
    size = round(1.7 * scale.big)
    width = max(text_width(word, size, BOLD) + 4 * scale.pad, round(1.3 * size))
    place = place_banner((width, round(1.25 * size)), scale, panels)
    if not fits_frame(place, scale) or overlaps_any(place, panels):
        return None
    draw_panel(picture, place, scale, KNOWN if word == "shoot!" else INK)
    x = (place.x1 + place.x2 - text_width(word, size, BOLD)) // 2
    draw_text(picture, word, x, (place.y1 + place.y2) // 2, size, INK if word == "shoot!" else PAPER, BOLD)
    return place


def opponent_place(sign: str, left: bool, scale: Scale) -> Box:
    """The place of the computer's sign: at half height on one side of the picture."""
    high, wide = opponent_hand(sign, scale).shape[:2]
    width = max(wide, text_width("computer", scale.small, BOLD), text_width(sign, scale.text, BOLD)) + 2 * scale.pad
    height = high + round(1.4 * (scale.small + scale.text)) + 2 * scale.pad
    x = scale.pad if left else scale.width - scale.pad - width
    y = (scale.height - height) // 2
    return Box(x, y, x + width, y + height)


def draw_opponent(picture: np.ndarray, sign: str, left: bool, scale: Scale, panels: Sequence[Box | None]) -> Box | None:
    """Draws the computer's sign as a hand and a word."""
    place = opponent_place(sign, left, scale)
    if not fits_frame(place, scale) or overlaps_any(place, panels):
        return None
    draw_panel(picture, place, scale)
    y = place.y1 + scale.pad
    for word, size, color in (("computer", scale.small, MUTED), (sign, scale.text, PAPER)):
        row = round(1.4 * size)
        x = place.x1 + (place.width - text_width(word, size, BOLD)) // 2
        draw_text(picture, word, x, y + row // 2, size, color, BOLD)
        y += row
    hand_bgra = opponent_hand(sign, scale)
    high, wide = hand_bgra.shape[:2]
    start = place.x1 + (place.width - wide) // 2
    part = picture[y : y + high, start : start + wide]
    clear = 1 - hand_bgra[..., 3:].astype(np.float32) / 255
    part[:] = np.clip(part * clear + hand_bgra[..., :3], 0, 255).astype(np.uint8)
    return place


def opponent_hand(sign: str, scale: Scale) -> np.ndarray:
    """The computer's hand in a size that suits the picture, (h, w, 4) uint8 BGRA, premultiplied alpha."""
    return hand_picture(sign, max(8, round(0.3 * min(scale.height, 0.75 * scale.width))))


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
