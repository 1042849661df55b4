import numpy as np
import pytest

from recognizer.classifiers.feature_maps import FeatureMaps
from recognizer.hot_swap import LivePipeline
from recognizer.overlay.overlay import Overlay
from recognizer.registry.store import ModelStore
from recognizer.samples.synced import default_samples
from recognizer.values import Observation
from recognizer.window import maps_panel
from recognizer.window.maps_panel import MapsPanel
from tests.helpers.drawing import as_frame, paper, write


@pytest.fixture
def seen(published_models: ModelStore) -> tuple[LivePipeline, Observation]:
    pipeline = LivePipeline("digits", published_models, default_samples())
    gray = paper((1280, 720))
    write(gray, 4, (800, 300), 200)
    return pipeline, pipeline.step(as_frame(gray))


def drawn(panel: MapsPanel, observation: Observation) -> np.ndarray:
    panel.write(observation)
    return Overlay(extra=panel, help_line="q quit").draw(observation)


def test_the_maps_are_shown_while_they_are_switched_on(seen: tuple[LivePipeline, Observation]) -> None:
    pipeline, observation = seen
    panel = MapsPanel(pipeline)
    plain = drawn(panel, observation)
    panel.toggle()
    with_maps = drawn(panel, observation)
    changed = np.argwhere((plain != with_maps).any(axis=2))
    assert len(changed) > 20_000
    rows, columns = changed[:, 0], changed[:, 1]
    assert rows.min() > 300
    assert columns.max() < 640, "in the lower left corner"
    panel.toggle()
    np.testing.assert_array_equal(drawn(panel, observation), plain)


def test_feature_maps_of_a_slow_network_are_computed_every_few_frames(
    seen: tuple[LivePipeline, Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, observation = seen
    panel = MapsPanel(pipeline)
    panel.toggle()
    clock_s, runs = 0.0, 0

    def compute(maps: FeatureMaps, values: np.ndarray) -> np.ndarray:
        nonlocal clock_s, runs
        clock_s += 2.6 * maps_panel.BUDGET_S
        runs += 1
        return np.zeros((44, 44, 3), np.uint8)

    def runs_after_a_frame() -> int:
        panel.write(observation)
        return runs

    monkeypatch.setattr(FeatureMaps, "draw", compute)
    monkeypatch.setattr(maps_panel, "perf_counter", lambda: clock_s)
    assert [runs_after_a_frame() for _ in range(7)] == [1, 1, 1, 2, 2, 2, 3]
    panel.toggle()
    panel.toggle()
    assert runs_after_a_frame() == 4, "after switching on, the maps are computed at once"


def test_the_panel_reports_a_model_without_feature_maps(seen: tuple[LivePipeline, Observation]) -> None:
    pipeline, observation = seen
    panel = MapsPanel(pipeline)
    panel.toggle()
    panel._folder = pipeline.folder  # as if its network had not opened
    changed = (drawn(panel, observation) != drawn(MapsPanel(pipeline), observation)).any(axis=2)
    assert 1_000 < changed.sum() < 40_000


def test_nothing_is_drawn_before_the_first_observation(seen: tuple[LivePipeline, Observation]) -> None:
    pipeline, _ = seen
    panel = MapsPanel(pipeline)
    panel.toggle()
    empty = pipeline.step(as_frame(paper((1280, 720))))
    np.testing.assert_array_equal(drawn(panel, empty), drawn(MapsPanel(pipeline), empty))
