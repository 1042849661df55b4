"""What has fired, and that actions are paused, stands at the lower right of the picture."""

import numpy as np

from recognizer.actions.action import Firing
from recognizer.actions.action_file import Rule
from recognizer.actions.runner import SHOWN_S, ActionRunner
from recognizer.event_detection.event import Phase
from recognizer.overlay.drawing import ALERT, KNOWN, Scale
from recognizer.values import Box
from recognizer.window.fired_panel import FiredPanel
from tests.helpers.firings import Recorded, an_event


def test_the_panel_shows_what_fired_for_a_while_and_that_actions_are_paused() -> None:
    now_s = 0.0
    done: list[Firing] = []
    with ActionRunner(lambda task: [Rule(Recorded(done), ("*",), (Phase.APPEARED,))], clock=lambda: now_s) as runner:
        panel = FiredPanel(runner)
        scale = Scale.of(640, 360)

        def shown(*panels: Box) -> tuple[list[Box], np.ndarray]:
            picture = np.zeros((360, 640, 3), np.uint8)
            places = panel(picture, scale, [], panels)
            return places, picture

        runner.use_task("rps")
        assert shown()[0] == []
        runner(an_event("rock"))
        keys = Box(10, 330, 600, 350)
        (place,), picture = shown(keys)
        assert place.x1 > 320
        assert 180 < place.y2 < keys.y1
        assert abs(picture[place.y1 + 3, place.x1 + 10].astype(int) - KNOWN).max() < 20
        assert shown(Box(320, 200, 640, 330), keys)[0] != [place]

        now_s = SHOWN_S
        assert shown()[0] == []
        runner.toggle_pause()
        (place,), picture = shown()
        assert abs(picture[place.y1 + 3, place.x1 + 10].astype(int) - ALERT).max() < 20
        assert panel(np.zeros((20, 20, 3), np.uint8), Scale.of(20, 20), [], []) == []
    assert len(done) == 1
