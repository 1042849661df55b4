"""Signs that are held become letters: a letter is taken once it was steady, and again only after a release."""

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum

from recognizer.spelling.shown import DELETE_LABELS, Shares, Shown

LETTERS_KEPT = 6  # of a letter's probabilities; the others are noise


class Typed(Enum):
    """What a held sign does."""

    LETTER = "letter"  # or digit: goes to the end of the word
    WORD = "word"  # a label of several characters: a word of its own
    SPACE = "space"
    DELETE = "delete"


@dataclass(frozen=True)
class Letter:
    """A sign that was held: what it most probably is, and what else it may be. All in small letters."""

    text: str
    shares: Shares

    @classmethod
    def of(cls, text: str) -> "Letter":
        """A letter without a doubt, as from the keyboard."""
        return cls(text, ((text, 1.0),))


@dataclass(frozen=True)
class Taken:
    """What was just typed by hand; `letter` is None for a space and a deletion."""

    kind: Typed
    letter: Letter | None = None


@dataclass(frozen=True)
class Holding:
    """How long a sign has to be held. All in seconds."""

    hold_s: float = 0.6  # after the smoother's 0.15 s: a slow speller changes the sign in less
    unsure_s: float = 1.0  # for a sign that is not recognized surely: a hand on its way often looks like that
    release_s: float = 0.25  # without the sign, before the same letter is taken again
    open_s: float = 0.5  # for an open hand, which makes a space
    rest_s: float = 1.5  # without a hand: a space. Double letters need a shorter pause
    gap_s: float = 0.2  # a sign that is lost for less is still held
    stall_s: float = 1.0  # between frames: after a longer pause of the stream everything starts again


class SignTaker:
    """Turns what frames show into letters. Deterministic: it knows no clock but the frames' times."""

    def __init__(self, times: Holding | None = None) -> None:
        self._times = times or Holding()
        self._now_s: float | None = None
        self._forget()
        self._taken = ""  # the sign that was taken last and has not been released
        self._rested = True  # a space was made since the last sign

    @property
    def held(self) -> str:
        """The sign that is being held and will be taken; "" if there is none."""
        return "" if self._text is None or self._text == self._taken else self._text

    @property
    def progress(self) -> float:
        """How much of its time the sign was held, 0 to 1."""
        return min(1.0, self._held_s / self._needed_s) if self.held else 0.0

    def step(self, time_s: float, shown: Shown | None) -> Taken | None:
        """What is typed at this frame; None for most frames. `time_s` is the frame's time in seconds."""
        before_s, self._now_s = self._now_s, time_s
        elapsed_s = 0.0 if before_s is None else time_s - before_s
        if not 0 <= elapsed_s <= self._times.stall_s:
            self._forget()
            elapsed_s = 0.0
        if shown is not None and shown.text is not None:
            return self._held_sign(shown, shown.text, elapsed_s)
        return self._no_sign(shown, elapsed_s)

    def _forget(self) -> None:
        self._text: str | None = None
        self._held_s = self._free_s = self._away_s = self._open_s = self._without_s = 0.0
        self._needed_s = self._times.hold_s
        self._weights: dict[str, float] = defaultdict(float)

    def _no_sign(self, shown: Shown | None, elapsed_s: float) -> Taken | None:
        """A rest, an open hand, or a hand between two signs."""
        self._free_s += elapsed_s
        self._release(elapsed_s)
        if self._free_s >= self._times.gap_s:
            self._text, self._held_s = None, 0.0
            self._weights.clear()
        self._open_s = self._open_s + elapsed_s if shown is not None and shown.is_open else 0.0
        self._without_s = self._without_s + elapsed_s if shown is None else 0.0
        makes_space = self._open_s >= self._times.open_s or self._without_s >= self._times.rest_s
        if self._rested or not makes_space:
            return None
        self._rested = True
        return Taken(Typed.SPACE)

    def _release(self, elapsed_s: float) -> None:
        """The sign that was taken is not shown."""
        self._away_s += elapsed_s
        if self._away_s >= self._times.release_s:
            self._taken = ""

    def _held_sign(self, shown: Shown, text: str, elapsed_s: float) -> Taken | None:
        self._open_s = self._without_s = 0.0
        may_be = {text} if shown.is_sure else {label for label, _ in shown.shares[:2]}
        is_same = self._text in may_be
        if self._taken in may_be:
            self._away_s = 0.0
        else:
            self._release(elapsed_s)
        self._free_s = 0.0 if is_same or shown.is_sure else self._free_s + elapsed_s
        if not is_same and self._text is not None and 0 < self._free_s < self._times.gap_s:
            return None  # a doubtful frame while another sign is held
        if not is_same:
            self._text, self._held_s = text, 0.0
            self._weights.clear()
            self._needed_s = self._times.hold_s
        if not shown.is_sure:
            self._needed_s = self._times.unsure_s
        self._held_s += elapsed_s
        for label, share in shown.shares:
            self._weights[label] += max(elapsed_s, 1e-3) * share
        if self._text == self._taken or self._held_s < self._needed_s:
            return None
        taken = _taken(text, self._weights)
        self._taken, self._rested, self._away_s = text, False, 0.0
        return taken


def _taken(text: str, weights: dict[str, float]) -> Taken:
    """What a held sign types. `weights` are the seconds of each label, weighted with its probability."""
    if text.casefold() in DELETE_LABELS:
        return Taken(Typed.DELETE)
    ordered = sorted(weights.items(), key=lambda item: -item[1])[:LETTERS_KEPT]
    total = sum(weights.values())
    shares = tuple((label.casefold(), weight / total) for label, weight in ordered if len(label) == 1)
    if len(text) > 1 and not text.isdecimal():
        return Taken(Typed.WORD, Letter.of(text))
    return Taken(Typed.LETTER, Letter(shares[0][0], shares) if shares else Letter.of(text))
