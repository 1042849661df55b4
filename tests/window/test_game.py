import itertools
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from recognizer.overlay.drawing import Scale
from recognizer.overlay.overlay import Overlay
from recognizer.values import Box, Frame, Observation, Prediction, Region
from recognizer.window.game import (
    BEATS,
    COUNT_INTERVAL_S,
    REACTION_S,
    SIGNS,
    VOTE_S,
    GameSink,
    RockPaperScissors,
    majority,
)
from recognizer.window.score_board import ScoreBoard
from recognizer.window.strip import draw_strip
from recognizer.window.window import Window
from tests.helpers.words import words_drawn

SHOOT_S = 3 * COUNT_INTERVAL_S
FRAME_S = 1 / 30


class Always(random.Random):
    """Chooses the given signs in turn, and counts the choices."""

    def __init__(self, *signs: str) -> None:
        super().__init__()
        self.signs = list(signs)
        self.calls = 0

    def choice(self, seq):
        assert tuple(seq) == SIGNS
        self.calls += 1
        return self.signs[(self.calls - 1) % len(self.signs)]


def seen(*labels: str | None, time_s: float = 0.0, size_wh: tuple[int, int] = (640, 480)) -> Observation:
    image = np.full((size_wh[1], size_wh[0], 3), 120, np.uint8)
    crop = np.zeros((28, 28), np.uint8)
    regions = tuple(Region(Box(20 + 300 * i, 100, 220 + 300 * i, 300), crop) for i in range(len(labels)))
    predictions = tuple(Prediction(label, 0.9, ((label or "rock", 0.9),), crop) for label in labels)
    return Observation(Frame(image, 0, time_s, "x"), "rps", regions, predictions)


def play(game: RockPaperScissors, sign_at, start_s: float = 0.0, frame_s: float = FRAME_S) -> float:
    """Play a round with the label `sign_at(seconds since the start)` in each frame. Returns its end time in seconds."""
    game.start()
    frame = 0
    while game.running:
        elapsed_s = frame * frame_s
        game.step(start_s + elapsed_s, seen(sign_at(elapsed_s)))
        frame += 1
        assert frame < 10000
    return start_s + elapsed_s


@pytest.mark.parametrize("yours", SIGNS)
@pytest.mark.parametrize("theirs", SIGNS)
def test_the_outcome_of_every_pair_of_signs(yours: str, theirs: str) -> None:
    game = RockPaperScissors(Always(theirs))
    play(game, lambda _: yours)
    expected = "drawn" if yours == theirs else "won" if BEATS[yours] == theirs else "lost"
    assert game.last.outcome == expected
    assert (game.last.yours, game.last.theirs) == (yours, theirs)
    assert (game.wins, game.losses, game.draws) == tuple(int(expected == w) for w in ("won", "lost", "drawn"))


def test_each_sign_beats_one_sign_and_loses_to_one() -> None:
    assert sorted(BEATS) == sorted(BEATS.values()) == sorted(SIGNS)
    assert all(BEATS[BEATS[sign]] != sign for sign in SIGNS)


@pytest.mark.parametrize("label", [None, "A", "nothing"])
def test_no_hand_or_another_sign_does_not_score(label: str | None) -> None:
    game = RockPaperScissors(Always("rock"))
    play(game, lambda _: label)
    assert game.last.outcome == "void"
    assert (game.wins, game.losses, game.draws) == (0, 0, 0)


def test_two_different_hands_are_void_and_two_equal_hands_count() -> None:
    for labels, yours in (
        ((), None),
        (("rock", "paper"), None),
        (("paper", "paper"), "paper"),
        ((None, "rock"), "rock"),
    ):
        game = RockPaperScissors(Always("rock"))
        game.start()
        time_s = 0.0
        while game.running:
            game.step(time_s, seen(*labels))
            time_s += FRAME_S
        assert game.last.yours == yours


def test_the_computer_chooses_once_a_round_and_before_it_sees_a_frame() -> None:
    rng = Always("rock")
    game = RockPaperScissors(rng)
    assert rng.calls == 0
    game.start()
    assert rng.calls == 1
    game.start()  # a second press changes nothing
    play(game, lambda _: "paper")
    assert rng.calls == 1
    assert game.last.outcome == "won"


def test_the_sign_of_the_user_does_not_influence_the_computer() -> None:
    def theirs(sign_at) -> list[str]:
        game = RockPaperScissors(random.Random(7))
        chosen, time_s = [], 0.0
        for _ in range(60):
            time_s = play(game, sign_at, time_s, 0.1)
            chosen.append(game.last.theirs)
        return chosen

    steady = theirs(lambda _: "rock")
    assert steady == theirs(lambda _: None) == theirs(lambda s: SIGNS[int(10 * s) % 3])
    assert set(steady) == set(SIGNS)


def test_the_system_random_generator_chooses_all_signs_equally_often() -> None:
    game = RockPaperScissors()
    assert isinstance(game._rng, random.SystemRandom)
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    before = None
    for _ in range(3000):
        game.start()
        game.step(0, seen())
        game.step(60, seen("rock"))
        counts[game.last.theirs] += 1
        if before:
            pairs[before, game.last.theirs] += 1
        before = game.last.theirs
    assert all(850 < counts[sign] < 1150 for sign in SIGNS)  # six standard deviations: 1000 ± 26
    assert len(pairs) == 9
    assert min(pairs.values()) > 220  # 333 ± 17


def test_the_countdown_ends_at_0_and_the_result_follows_the_voting_time() -> None:
    game = RockPaperScissors(Always("rock"))
    assert game.count is None
    game.start()
    assert game.count == 3
    calls = []
    for elapsed_s in np.arange(0, SHOOT_S + REACTION_S + VOTE_S - 0.01, 0.05):
        game.step(100 + elapsed_s, seen("paper"))
        calls.append(game.count)
    assert [calls[0], *(b for a, b in itertools.pairwise(calls) if a != b)] == [3, 2, 1, 0]
    assert calls.index(2) == pytest.approx(COUNT_INTERVAL_S / 0.05, abs=1)
    assert game.last is None
    game.step(100.01 + SHOOT_S + REACTION_S + VOTE_S, seen("paper"))
    assert game.last.outcome == "won"
    assert game.count is None


def test_the_sign_shown_after_the_countdown_counts() -> None:
    game = RockPaperScissors(Always("rock"))
    play(game, lambda elapsed_s: "scissors" if elapsed_s < SHOOT_S + 0.25 else "paper")
    assert game.last.yours == "paper"


def test_single_misclassified_frames_do_not_change_the_result() -> None:
    game = RockPaperScissors(Always("rock"))
    play(game, lambda elapsed_s: None if round(elapsed_s * 30) % 4 == 0 else "paper")
    assert game.last.yours == "paper"
    play(game, lambda elapsed_s: "paper" if round(elapsed_s * 30) % 4 == 0 else None)
    assert game.last.outcome == "void"
    play(game, lambda elapsed_s: "paper" if round(elapsed_s * 30) % 2 else "scissors")
    assert game.last.outcome == "void"


def test_majority_is_more_than_half() -> None:
    assert majority(["rock", "rock", None]) == "rock"
    assert majority(["rock", None]) is None
    assert majority([None, None, "rock"]) is None


@pytest.mark.parametrize("frame_s", [1 / 60, 0.2, 0.9, 5.0])
def test_the_game_works_at_any_frame_rate(frame_s: float) -> None:
    game = RockPaperScissors(Always("rock"))
    play(game, lambda _: "paper", frame_s=frame_s)
    assert game.last.outcome == "won"


def test_the_count_begins_with_the_first_frame_after_the_key() -> None:
    game = RockPaperScissors(Always("rock"))
    game.step(3.0, seen("rock"))
    game.start()
    game.step(70.0, seen("rock"))
    assert (game.count, game.running) == (3, True)


def test_a_restarted_source_restarts_the_countdown() -> None:
    game = RockPaperScissors(Always("rock"))
    game.start()
    game.step(50.0, seen("paper"))
    game.step(50.0 + 2 * COUNT_INTERVAL_S, seen("paper"))
    game.step(0.0, seen("paper"))
    assert game.count == 3


def test_restart_resets_the_score_even_during_a_round() -> None:
    game = RockPaperScissors(Always("rock"))
    play(game, lambda _: "paper")
    game.start()
    game.restart()
    assert (game.wins, game.losses, game.draws, game.running, game.last) == (0, 0, 0, False, None)


def test_best_of_three_is_won_with_two_and_space_starts_the_next_match() -> None:
    game = RockPaperScissors(Always("rock", "paper", "rock", "rock"), best_of=3)
    for winner in (None, None, None, "you"):  # won, void, drawn, won
        play(
            game, {0: lambda _: "paper", 1: lambda _: None, 2: lambda _: "rock", 3: lambda _: "paper"}[game._rng.calls]
        )
        assert game.winner == winner
    assert (game.wins, game.losses, game.draws) == (2, 0, 1)
    play(game, lambda _: "paper")
    assert (game.wins, game.losses, game.draws, game.winner) == (1, 0, 0, None)


def test_an_endless_match_has_no_winner() -> None:
    game = RockPaperScissors(Always("rock"))
    for _ in range(20):
        play(game, lambda _: "paper")
    assert (game.wins, game.winner) == (20, None)


def words_of(game: RockPaperScissors, monkeypatch: pytest.MonkeyPatch, observation: Observation) -> list[str]:
    """The words on the picture and beside it."""
    board = ScoreBoard(game, is_playing=True)
    words = words_drawn(monkeypatch, lambda: Overlay(extra=board).draw(observation))
    page = np.zeros((480, 300, 3), np.uint8)
    return words + words_drawn(monkeypatch, lambda: draw_strip(page, board, Scale.of(640, 480)))


def test_the_computer_s_sign_is_not_drawn_before_the_round_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    game = RockPaperScissors(Always("rock"))
    assert {"you 0 : 0 computer", "Space starts a round"} <= set(words_of(game, monkeypatch, seen()))
    pictures = []
    for theirs in SIGNS:
        game = RockPaperScissors(Always(theirs))
        game.start()
        for elapsed_s in (0.0, SHOOT_S + 0.1):
            game.step(elapsed_s, seen("paper"))
        board = ScoreBoard(game, is_playing=True)
        page = np.zeros((480, 640, 3), np.uint8)
        draw_strip(page, board, Scale.of(640, 480))
        pictures.append(np.hstack([Overlay(extra=board).draw(seen("paper")), page]))
        assert "shoot!" in words_of(game, monkeypatch, seen("paper"))
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] == pictures[2]).all()


def test_the_result_shows_score_reason_and_the_computer_s_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    game = RockPaperScissors(Always("rock", "scissors", "paper", "rock"))
    for sign, line in (
        ("paper", "You win: paper beats rock"),
        ("paper", "Computer wins: scissors beats paper"),
        ("paper", "Draw: both paper"),
        (None, "Show rock, paper or scissors"),
    ):
        play(game, lambda _, sign=sign: sign)
        words = words_of(game, monkeypatch, seen(sign))
        assert {*line.split(), "you", "computer", game.last.theirs, sign or "sign"} <= set(" ".join(words).split())
    assert "you 1 : 1 computer" in words


def test_both_hands_stay_side_by_side_until_the_next_round() -> None:
    def page() -> np.ndarray:
        picture = np.zeros((480, 320, 3), np.uint8)
        draw_strip(picture, board, Scale.of(640, 480))
        return picture

    def reds() -> int:
        return int((page() == (10, 20, 240)).all(axis=2).sum())

    game = RockPaperScissors(Always("rock", "scissors"))
    board = ScoreBoard(game, is_playing=True)
    shown = seen("paper")
    hand_bgr = np.full((100, 100, 3), (10, 20, 240), np.uint8)
    shown = replace(shown, regions=(replace(shown.regions[0], crop=hand_bgr),))
    game.start()
    for elapsed_s in np.arange(0.0, SHOOT_S + REACTION_S + VOTE_S + 0.2, 0.1):
        game.step(float(elapsed_s), shown)
    assert game.last.yours == "paper"
    before = page()
    assert reds() > 10_000, "the hand that counted"
    game.step(60.0, seen("rock"))  # another sign after the round
    assert (page() == before).all()
    game.start()
    assert reds() == 0


def test_the_game_opens_with_a_key_in_its_task_only() -> None:
    task = "digits"
    game = RockPaperScissors(Always("rock"))
    board = ScoreBoard(game, can_play=lambda: task == "rps")
    board.toggle()
    assert not board.is_open
    task = "rps"
    assert not board.key(" ")
    board.toggle()
    assert board.is_open
    assert board.key(" ")
    assert game.running
    assert not board.key("m")
    assert board.key(chr(27))
    assert not board.is_open


def test_the_score_is_reported_at_the_end_if_a_round_was_played() -> None:
    lines: list[str] = []
    game = RockPaperScissors(Always("rock", "rock", "scissors", "paper"))
    with GameSink(game, lines.append):
        play(game, lambda _: None)
    assert lines == []
    with GameSink(game, lines.append):
        for _ in range(3):
            play(game, lambda _: "paper")
    assert lines == ["You 1, computer 1, 1 drawn"]


@pytest.mark.parametrize("size_wh", [(1, 1), (60, 40), (160, 120), (320, 240), (480, 848), (640, 480), (1920, 1080)])
def test_the_score_board_is_drawn_in_pictures_of_any_size(size_wh: tuple[int, int]) -> None:
    game = RockPaperScissors(Always("scissors"), best_of=1)
    board = ScoreBoard(game, is_playing=True)
    overlay = Overlay(mirror=True, extra=board, help_line="Space round · r restart")
    game.start()
    for elapsed_s in (0.0, 1.0, SHOOT_S + 0.1, 99.0, 100.0):
        game.step(elapsed_s, seen("rock"))
        observation = seen("rock", size_wh=size_wh)
        assert overlay.draw(observation).shape == (size_wh[1], size_wh[0], 3)
        assert (observation.frame.image_bgr == 120).all()
        draw_strip(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), board, Scale.of(*size_wh))


def test_window_keys_control_the_game() -> None:
    class Gui:
        def __init__(self) -> None:
            self.keys: list[int] = []

        def __getattr__(self, name: str):
            return lambda *_: 1.0

        def getWindowImageRect(self, _: str) -> tuple[int, int, int, int]:
            return 0, 0, 640, 480

        def waitKeyEx(self, _: int) -> int:
            return self.keys.pop(0) if self.keys else -1

    gui = Gui()
    game = RockPaperScissors(Always("rock"))
    referee = GameSink(game)
    board = ScoreBoard(game, is_playing=True)
    window = Window(
        Overlay(extra=board),
        lambda: None,
        keys=board.key,
        strips=[board],
        gui=gui,
        screen=lambda: True,
    )
    with referee, window:
        gui.keys = [ord(" ")]
        for frame in range(150):
            observation = seen("paper", time_s=frame * FRAME_S)
            referee.write(observation)
            window.write(observation)
        assert (game.wins, game.running) == (1, False)
        gui.keys = [ord("r")]
        window.write(seen("paper"))
        assert game.wins == 0
