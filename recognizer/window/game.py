"""Rock, paper, scissors against the computer: the rules and the sink that feeds frames to the game."""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.sinks.sink import _ClosingSink
from recognizer.values import Observation

SIGNS = ("rock", "paper", "scissors")
BEATS = {"rock": "scissors", "paper": "rock", "scissors": "paper"}
TASK = "rps"
COUNT_FROM = 3
COUNT_INTERVAL_S = 0.8  # between two numbers of the countdown: the speed at which people count aloud
REACTION_S = 0.3  # after "shoot" until hands have opened and the label has settled
VOTE_S = 0.6  # frames in this time vote on the sign


@dataclass(frozen=True, eq=False)
class Round:
    """How a round ended. `yours` is None if no sign was shown: then `outcome` is "void" and nobody scores."""

    yours: str | None
    theirs: str
    outcome: str  # "won" and "lost" for the user, "drawn" or "void"
    picture_bgr: np.ndarray | None = None  # of the user's hand that counted, (h, w, 3) uint8; None without a sign


class RockPaperScissors:
    """One match. The computer's sign is fixed when a round starts, before any frame of it has been seen.

    Keys call `start` and `restart`. `step` is called with every frame.
    """

    def __init__(self, rng: random.Random | None = None, best_of: int | None = None) -> None:
        """`rng` defaults to the system's random generator. Without `best_of`, the number of rounds, a match has no end."""
        self.best_of = best_of
        self.wins, self.losses, self.draws = 0, 0, 0
        self.last: Round | None = None  # the round that ended last, until the next one starts
        self._rng = rng or secrets.SystemRandom()
        self._theirs: str | None = None  # the computer's sign, hidden until the round ends
        self._started_s: float | None = None  # time of the round's first frame
        self._now_s = 0.0
        self._held: list[str | None] = []
        self._pictures: dict[str, np.ndarray] = {}  # the last hand of each sign in the frames that vote

    @property
    def running(self) -> bool:
        """Whether a round is running."""
        return self._theirs is not None

    @property
    def count(self) -> int | None:
        """The number to call, 0 for "shoot", None between rounds."""
        if not self.running:
            return None
        elapsed_s = 0.0 if self._started_s is None else self._now_s - self._started_s
        return max(0, COUNT_FROM - int(elapsed_s / COUNT_INTERVAL_S))

    @property
    def winner(self) -> str | None:
        """Who has won a match of `best_of` rounds, "you" or "computer"; None while undecided."""
        if self.best_of is None or max(self.wins, self.losses) <= self.best_of // 2:
            return None
        return "you" if self.wins > self.losses else "computer"

    def start(self) -> None:
        """Starts a round, and a new match if the last one is decided. Does nothing during a round."""
        if self.running:
            return
        if self.winner:
            self.restart()
        self.last = None
        self._theirs = self._rng.choice(SIGNS)
        self._started_s = None
        self._held, self._pictures = [], {}

    def restart(self) -> None:
        """Resets the score and cancels a running round."""
        self.wins, self.losses, self.draws = 0, 0, 0
        self.last = None
        self._theirs = None

    def step(self, time_s: float, observation: Observation) -> None:
        """Advances the game by one frame. `time_s` increases; if it jumps back, the round's countdown restarts."""
        if self._theirs is None:
            return
        if self._started_s is None or time_s < self._started_s:  # the source may have been opened again
            self._started_s = time_s
            self._held = []
        self._now_s = time_s
        since_shoot_s = time_s - self._started_s - COUNT_FROM * COUNT_INTERVAL_S
        if REACTION_S <= since_shoot_s < REACTION_S + VOTE_S:
            self._vote(observation)
        elif since_shoot_s >= REACTION_S + VOTE_S:
            if not self._held:
                self._vote(observation)
            self._end(self._theirs, majority(self._held))

    def _vote(self, observation: Observation) -> None:
        self._held.append(held_sign(observation))
        for region, prediction in zip(observation.regions, observation.predictions, strict=True):
            if prediction.label is not None and region.crop.ndim == 3:
                self._pictures[prediction.label] = region.crop

    def _end(self, theirs: str, yours: str | None) -> None:
        self._theirs = None
        picture = self._pictures.get(yours) if yours else None
        self.last = Round(yours, theirs, outcome(yours, theirs), picture)
        self.wins += self.last.outcome == "won"
        self.losses += self.last.outcome == "lost"
        self.draws += self.last.outcome == "drawn"


def outcome(yours: str | None, theirs: str) -> str:
    """The outcome for the user: "won", "lost", "drawn", or "void" without a sign."""
    if yours is None:
        return "void"
    if yours == theirs:
        return "drawn"
    return "won" if BEATS[yours] == theirs else "lost"


def held_sign(observation: Observation) -> str | None:
    """The sign shown; None if there is none, or if two hands show different ones."""
    shown = {prediction.label for prediction in observation.predictions if prediction.label in SIGNS}
    return shown.pop() if len(shown) == 1 else None


def majority(held: Sequence[str | None]) -> str | None:
    """The sign of more than half of the frames, so that single misclassified frames do not matter; else None."""
    sign, frames = Counter(held).most_common(1)[0]
    return sign if 2 * frames > len(held) else None


class GameSink(_ClosingSink):
    """A sink that passes every frame to the game and reports the score at the end. Put it before the window."""

    def __init__(self, game: RockPaperScissors, report: Callable[[str], None] = print) -> None:
        self._game, self._report = game, report

    def write(self, observation: Observation) -> None:
        self._game.step(observation.frame.time_s, observation)

    def close(self) -> None:
        """Reports the score if any round was scored."""
        game = self._game
        if game.wins + game.losses + game.draws:
            self._report(f"You {game.wins}, computer {game.losses}, {game.draws} drawn")
