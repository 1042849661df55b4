"""Detects the hands of a picture, and follows those of a stream, with MediaPipe's two networks on LiteRT."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import numpy as np

from recognizer.finders.hand_networks import (
    PRESENCE,
    HandNetworks,
    Reading,
    Square,
    View,
    same_hand,
    square_around,
)
from recognizer.values import Hand

HANDS = 2
SURE = 0.3  # least score of a palm
DOUBTFUL = 0.1  # least score of a palm in a view without a sure one
SAME_SQUARE_IOU = 0.5  # a palm whose square overlaps that of a followed hand more is that hand's
SEARCH_EVERY = 5  # frames between two searches for a second hand

Item = TypeVar("Item")
Accept = Callable[[Hand, bool], bool]  # whether a hand is plausible, given it and whether its palm was doubtful


class HandDetector(Protocol):
    """Finds up to HANDS hands in pictures (H, W, 3) uint8 BGR, in pixels of the picture, best first.

    If no palm is surely one, it tries the best doubtful one.
    """

    def detect(self, image_bgr: np.ndarray, view: View, accept: Accept) -> list[Hand]:
        """The acceptable hands in a view of a single picture."""

    def follow(self, image_bgr: np.ndarray, view: View, accept: Accept, time_s: float) -> list[Hand]:
        """The acceptable hands in the next frame of a stream. Hands of the last frame are followed."""

    def read_again(self, image_bgr: np.ndarray, hand: Hand, accept: Accept) -> Hand | None:
        """The hand of these joints, read anew without a search for its palm. None if that shows no acceptable hand."""

    def close(self) -> None:
        """Release the networks."""


class NetworkDetector(HandDetector):
    """Runs the networks with LiteRT. A followed hand costs the second network only.

    Unlike MediaPipe, which looks for palms in each frame with fewer than HANDS hands, it does so in every
    `search_every`-th frame while it follows a hand, and at once when it has lost the last one.
    """

    def __init__(self, networks: HandNetworks, search_every: int = SEARCH_EVERY):
        self._networks = networks
        self._search_every = search_every
        self._frame = 0
        self._followed: list[Square] = []

    def detect(self, image_bgr: np.ndarray, view: View, accept: Accept) -> list[Hand]:
        return [reading.hand for reading in self.search(image_bgr, view, accept)]

    def search(self, image_bgr: np.ndarray, view: View, accept: Accept) -> list[Reading]:
        """The readings of `detect`."""
        palms = self._networks.palms(image_bgr, view)
        found = self._read(image_bgr, palms.hands(SURE)[:HANDS], view, accept)
        return _distinct(found) or self._read(image_bgr, palms.hands(DOUBTFUL)[:1], view, accept, doubtful=True)

    def follow(self, image_bgr: np.ndarray, view: View, accept: Accept, time_s: float) -> list[Hand]:
        self._frame += 1
        found = self._read(image_bgr, self._followed, view, accept)
        if not found:
            found = self.search(image_bgr, view, accept)
        elif len(found) < HANDS and self._frame % self._search_every == 0:
            palms = self._networks.palms(image_bgr, view).hands(SURE)
            others = [palm for palm in palms if all(palm.iou(hand) <= SAME_SQUARE_IOU for hand in self._followed)]
            found += self._read(image_bgr, others[: HANDS - len(found)], view, accept)
        found = _distinct(found)
        self._followed = [square_around(reading.hand.landmarks) for reading in found]
        return [reading.hand for reading in found]

    def read_again(self, image_bgr: np.ndarray, hand: Hand, accept: Accept) -> Hand | None:
        found = self._read(image_bgr, [square_around(hand.landmarks)], View(), accept)
        return found[0].hand if found else None

    def close(self) -> None:
        self._followed = []

    def _read(
        self, image_bgr: np.ndarray, squares: list[Square], view: View, accept: Accept, *, doubtful: bool = False
    ) -> list[Reading]:
        readings = [self._networks.read(image_bgr, square, view) for square in squares]
        return [reading for reading in readings if reading.presence > PRESENCE and accept(reading.hand, doubtful)]


def _distinct(readings: list[Reading]) -> list[Reading]:
    """The readings without those of a hand that an earlier one has read."""
    return without_repeats(readings, lambda one, other: same_hand(one.hand.landmarks, other.hand.landmarks))


def without_repeats(items: Iterable[Item], same: Callable[[Item, Item], bool]) -> list[Item]:
    """The items without those that are the same as an earlier one."""
    selected: list[Item] = []
    for item in items:
        if not any(same(item, other) for other in selected):
            selected.append(item)
    return selected
