"""Rock, paper, scissors in the window: the score and both hands beside the picture, the countdown on it."""

from collections.abc import Callable, Sequence

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
    text_width,
)
from recognizer.overlay.overlay import place_banner
from recognizer.studio.game_hands import hand_picture
from recognizer.system.keyboard import ESC, latin_key
from recognizer.values import Box
from recognizer.window.game import RockPaperScissors
from recognizer.window.strip import Key, Page


class ScoreBoard:
    """The strip of the game, its keys, and an overlay `extra` that draws the countdown."""

    def __init__(
        self, game: RockPaperScissors, *, can_play: Callable[[], bool] = lambda: True, is_playing: bool = False
    ) -> None:
        """`can_play` returns whether the task on the screen is the game's."""
        self._game = game
        self._can_play = can_play
        self._is_playing = is_playing

    @property
    def is_open(self) -> bool:
        return self._is_playing and self._can_play()

    @property
    def keys(self) -> tuple[Key, ...]:
        return (("Space", "start a round"), ("r", "score to 0"), ("Esc", "close"))

    def toggle(self) -> None:
        """Opens or closes the game. Does nothing in another task."""
        if self._can_play():
            self._is_playing = not self._is_playing

    def key(self, key: str) -> bool:
        """Handles a key while the game is open. Returns whether it was meant for the game."""
        if not self.is_open:
            return False
        if key == " ":
            self._game.start()
        elif latin_key(key.lower()) == "r":
            self._game.restart()
        elif key == ESC:
            self._is_playing = False
        else:
            return False
        return True

    def draw(self, page: Page) -> None:
        """Draws the score and, until the next round, both hands side by side and who has won."""
        game, scale = self._game, page.scale
        page.text("Rock, paper, scissors", scale.small, MUTED)
        page.text(f"you {game.wins} : {game.losses} computer", scale.text, PAPER, BOLD)
        words, color = result_line(game)
        page.text(words, scale.text, color, BOLD)
        page.gap()
        if game.last is None:
            return
        side = min((page.width - scale.pad) // 2, page.bottom - page.y - 3 * scale.small)
        if side < scale.text:
            return
        last = game.last
        hands = (
            ("you", last.yours or "no sign", yours_picture(last.picture_bgr, side)),
            ("computer", last.theirs, on_ink(hand_picture(last.theirs, side), side)),
        )
        row = round(1.4 * scale.small)
        for place, (who, sign, picture) in enumerate(hands):
            x, y = page.left + place * (side + scale.pad), page.y
            draw_text(page.picture, who, x, y + row // 2, scale.small, MUTED)
            page.picture[y + row : y + row + side, x : x + side] = picture
            draw_text(page.picture, sign, x, y + row + side + row // 2, scale.small, PAPER, BOLD)
        page.y += 2 * row + side

    def __call__(
        self, picture: np.ndarray, scale: Scale, boxes: Sequence[Box], panels: Sequence[Box | None]
    ) -> list[Box]:
        """Draws the countdown into the (H, W, 3) uint8 BGR picture, in place; returns the places of its panels."""
        count = self._game.count
        if not self.is_open or count is None:
            return []
        place = draw_count(picture, str(count) if count else "shoot!", scale, panels)
        return [place] if place is not None else []


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


def yours_picture(picture_bgr: np.ndarray | None, side: int) -> np.ndarray:
    """The user's hand as in a mirror, (side, side, 3) uint8 BGR; empty without one."""
    canvas = np.full((side, side, 3), INK, np.uint8)
    if picture_bgr is None:
        return canvas
    height, width = picture_bgr.shape[:2]
    factor = side / max(height, width)
    wh = max(1, round(factor * width)), max(1, round(factor * height))
    x, y = (side - wh[0]) // 2, (side - wh[1]) // 2
    canvas[y : y + wh[1], x : x + wh[0]] = cv2.resize(picture_bgr[:, ::-1], wh, interpolation=cv2.INTER_AREA)
    return canvas


def on_ink(hand_bgra: np.ndarray, side: int) -> np.ndarray:
    """The hand, with premultiplied alpha, in the middle of a dark square, (side, side, 3) uint8 BGR."""
    if hand_bgra.shape[1] > side:
        height = max(1, round(hand_bgra.shape[0] * side / hand_bgra.shape[1]))
        hand_bgra = cv2.resize(hand_bgra, (side, height), interpolation=cv2.INTER_AREA)
    canvas = np.full((side, side, 3), INK, np.float32)
    height, width = hand_bgra.shape[:2]
    x, y = (side - width) // 2, (side - height) // 2
    part = canvas[y : y + height, x : x + width]
    part *= 1 - hand_bgra[..., 3:].astype(np.float32) / 255
    part += hand_bgra[..., :3]
    return np.clip(canvas, 0, 255).astype(np.uint8)
